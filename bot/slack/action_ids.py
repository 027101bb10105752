"""Define every action, block and form ID.

A button's value is the ID of a request or key, and nothing else.
"""

from __future__ import annotations

COMMAND = "/key"

# Buttons that carry a request's ID
APPROVE = "approve"
DENY = "deny"
TAKE_BACK = "take_back"
REVOKE = "revoke"
ON_IT = "on_it"
NUDGE = "nudge"
CANCEL = "cancel"
REVEAL = "reveal"

# Buttons that carry an access key ID
SAVED = "saved"
HAVE_IT = "have_it"
DID_NOT_GET = "did_not_get"
ENABLE_UNCLAIMED = "enable_unclaimed"
REPLACE = "replace"
DISABLE = "disable"
DISABLE_FOR = "disable_for"
DELETE = "delete"
ENABLE = "enable"
ROTATE = "rotate"
EXTEND = "extend"
CHECK = "check"
NOT_YET = "not_yet"
DISABLE_OLD = "disable_old"
UNDO = "undo"
FOUND_DELETE = "found_delete"
FOUND_ENABLE = "found_enable"
LEAKED_DISABLE = "leaked_disable"

# The button that opens the form for a new key
ASK = "ask"

# Forms and their fields
CREATE_FORM = "create_form"
ROTATE_FORM = "rotate_form"
ENABLE_FORM = "enable_form"
DISABLE_FOR_FORM = "disable_for_form"
DENY_FORM = "deny_form"
REASON_BLOCK, REASON_INPUT = "reason", "reason_text"
LIFETIME_BLOCK, LIFETIME_INPUT = "lifetime", "lifetime_text"
USER_BLOCK, USER_INPUT = "user", "user_text"
URGENT_BLOCK, URGENT_INPUT = "urgent", "urgent_choice"
KEY_BLOCK, KEY_INPUT = "key", "key_choice"
LET_GO_BLOCK, LET_GO_INPUT = "let_go", "let_go_choice"

"""Every action, block and form ID, once. A button carries the request's or key's ID as its value and nothing else."""

from __future__ import annotations

COMMAND = "/key"

# Buttons that carry a request's ID
APPROVE = "approve"
DENY = "deny"
CANCEL = "cancel"
REVEAL = "reveal"

# Buttons that carry an access key ID
SAVED = "saved"
HAVE_IT = "have_it"
DID_NOT_GET = "did_not_get"
ENABLE_UNCLAIMED = "enable_unclaimed"
REPLACE = "replace"
DISABLE = "disable"
DELETE = "delete"
FOUND_DELETE = "found_delete"
FOUND_ENABLE = "found_enable"

BUTTONS = (APPROVE, DENY, CANCEL, REVEAL, SAVED, HAVE_IT, DID_NOT_GET, ENABLE_UNCLAIMED, REPLACE, DISABLE, DELETE,
           FOUND_DELETE, FOUND_ENABLE)

# The form that asks for the reason
CREATE_FORM = "create_form"
REASON_BLOCK = "reason"
REASON_INPUT = "reason_text"

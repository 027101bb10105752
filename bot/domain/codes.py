"""Codes of everything that Keydesk tells: refusals, failures, stored details and audit reasons.

A code comes with facts, never with a sentence. `bot.slack.messages.errors` words all of them for people,
`bot.cli` words some for operators. Each section belongs to the operations named above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Code(StrEnum):
    """What happened, in one word that never changes its meaning."""

    UNEXPECTED = "unexpected"
    # commands and forms

    # members, policy, rate limits
    KEYDESK_OWN_KEY = "keydesk_own_key"
    NOT_SERVICE_OWNER = "not_service_owner"
    SERVICE_USERS_OFF = "service_users_off"
    USER_NOT_SHOWN = "user_not_shown"

    # requests: create, decide, remind, apply

    # delivery: reveal, free a slot, confirm, recover, detect a rollback

    # keys: disable, report a leak, own, reconcile, expire, finish a rotation
    NOT_YOUR_KEY = "not_your_key"
    KEY_NOT_FOUND = "key_not_found"  # neither the member's nor a service user's of theirs
    KEY_NOT_IN_ACCOUNT = "key_not_in_account"
    KEY_IS_ACTIVE = "key_is_active"
    KEY_IS_LEAKED = "key_is_leaked"
    KEY_NOT_MANAGED = "key_not_managed"  # of an IAM user that Keydesk may not touch
    IAM_USER_RENAMED = "iam_user_renamed"
    ORPHAN_DECIDED = "orphan_decided"

    CHANGE_NOT_CONFIRMED = "change_not_confirmed"  # its cause is the fact `cause`
    CHANGED_KEY_GONE = "changed_key_gone"
    KEY_TOO_NEW = "key_too_new"
    KEY_NOT_KNOWN_EVERYWHERE = "key_not_known_everywhere"
    KEY_ALREADY_DELETED = "key_already_deleted"  # or its deletion is recorded
    CONCURRENT_KEY_CHANGE = "concurrent_key_change"

    ROTATION_FINISHED = "rotation_finished"
    NEW_KEY_INACTIVE = "new_key_inactive"
    OLD_KEY_INACTIVE = "old_key_inactive"
    NOTHING_TO_UNDO = "nothing_to_undo"
    UNDO_EXPIRED = "undo_expired"
    UNDO_REPORTED = "undo_reported"

    REPORTED_AS_LEAKED = "reported_as_leaked"
    REPORTED_AGAIN = "reported_again"
    IAM_SHOWS = "iam_shows"
    EXPIRY_REMINDER = "expiry_reminder"
    DELETION_DUE = "deletion_due"
    OLD_KEY_STILL_USED = "old_key_still_used"
    REPLACED_BY = "replaced_by"

    # AWS, Slack and the store
    AWS_DENIED = "aws_denied"
    AWS_FORBIDDEN = "aws_forbidden"
    AWS_REFUSED = "aws_refused"
    AWS_THROTTLED = "aws_throttled"
    AWS_UNAVAILABLE = "aws_unavailable"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True)
class Detail:
    """A code with its facts as text, as it is stored in a request or an audit entry.

    Facts are IDs, numbers and ISO 8601 times (UTC), so that they can be read back anywhere.
    """

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)

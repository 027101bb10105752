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
    UNKNOWN_COMMAND = "unknown_command"
    UNKNOWN_OPTION = "unknown_option"
    OPTION_TAKES_NO_VALUE = "option_takes_no_value"
    OPTION_NEEDS_VALUE = "option_needs_value"
    NO_ARGUMENTS = "no_arguments"
    ONLY_A_KEY_ID = "only_a_key_id"
    ONLY_A_MEMBER = "only_a_member"
    KEY_ID_MISSING = "key_id_missing"
    BAD_KEY_ID = "bad_key_id"
    TEMPORARY_KEY = "temporary_key"
    BAD_LIFETIME = "bad_lifetime"
    BAD_USER_NAME = "bad_user_name"
    REASON_MISSING = "reason_missing"
    REASON_TOO_LONG = "reason_too_long"
    LOOKS_LIKE_SECRET = "looks_like_secret"  # noqa: S105  # the name of a code
    UNKNOWN_BUTTON = "unknown_button"
    UNKNOWN_FORM = "unknown_form"

    # members, policy, rate limits
    KEYDESK_OWN_KEY = "keydesk_own_key"
    NOT_SERVICE_OWNER = "not_service_owner"
    SERVICE_USERS_OFF = "service_users_off"
    USER_NOT_SHOWN = "user_not_shown"
    NOT_A_MEMBER = "not_a_member"
    NOT_IN_USER_LIST = "not_in_user_list"
    TWICE_IN_USER_LIST = "twice_in_user_list"
    EMAIL_NOT_CONFIRMED = "email_not_confirmed"
    EMAIL_DOMAIN_NOT_SERVED = "email_domain_not_served"
    RATE_LIMITED = "rate_limited"

    # requests: create, decide, remind, apply

    # delivery: reveal, free a slot, confirm, recover, detect a rollback

    # keys: disable, report a leak, own, reconcile, expire, finish a rotation

    # AWS, Slack and the store


@dataclass(frozen=True)
class Detail:
    """A code with its facts as text, as it is stored in a request or an audit entry.

    Facts are IDs, numbers and ISO 8601 times (UTC), so that they can be read back anywhere.
    """

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)

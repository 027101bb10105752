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

    # requests: create, decide, remind, apply

    # delivery: reveal, free a slot, confirm, recover, detect a rollback

    # keys: disable, report a leak, own, reconcile, expire, finish a rotation

    # AWS, Slack and the store
    ACCESS_KEY_LIMIT = "access_key_limit"
    ACCESS_KEY_NOT_FOUND = "access_key_not_found"
    AWS_DENIED = "aws_denied"
    AWS_FORBIDDEN = "aws_forbidden"
    AWS_REFUSED = "aws_refused"
    AWS_THROTTLED = "aws_throttled"
    AWS_UNAVAILABLE = "aws_unavailable"
    CONFLICT = "conflict"
    GROUP_NEEDS_PAID_PLAN = "group_needs_paid_plan"
    GROUP_NOT_FOUND = "group_not_found"
    GROUP_RATE_LIMITED = "group_rate_limited"
    GROUP_SCOPE_MISSING = "group_scope_missing"
    GROUP_UNREADABLE = "group_unreadable"
    IAM_USER_NOT_FOUND = "iam_user_not_found"
    LOCKED = "locked"
    OUTCOME_UNKNOWN = "outcome_unknown"
    SLACK_REFUSED = "slack_refused"
    SLACK_UNAVAILABLE = "slack_unavailable"
    STORED_FORMAT_TOO_NEW = "stored_format_too_new"
    STORED_VALUE_UNREADABLE = "stored_value_unreadable"
    STORE_UNAVAILABLE = "store_unavailable"
    TOO_MANY_CONCURRENT = "too_many_concurrent"
    UNAVAILABLE = "unavailable"
    UNKNOWN_BUTTON = "unknown_button"
    UNKNOWN_FORM = "unknown_form"
    WORKERS_BUSY = "workers_busy"


@dataclass(frozen=True)
class Detail:
    """A code with its facts as text, as it is stored in a request or an audit entry.

    Facts are IDs, numbers and ISO 8601 times (UTC), so that they can be read back anywhere.
    """

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)

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

    # AWS, Slack and the store


@dataclass(frozen=True)
class Detail:
    """A code with its facts as text, as it is stored in a request or an audit entry.

    Facts are IDs, numbers and ISO 8601 times (UTC), so that they can be read back anywhere.
    """

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)

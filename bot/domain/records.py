"""Define changes, audit entries and messages, as the database stores them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.codes import Detail
from bot.domain.keys import ManagedKey
from bot.domain.requests import KeyRequest

Record = KeyRequest | ManagedKey
"""What the store keeps by version: requests and managed keys."""


@dataclass(frozen=True)
class Change:
    """One value before and after a commit.

    `before` is None for a new value, which is written only if none is stored.
    """

    before: Record | None
    after: Record


BREAK_GLASS = "break_glass"
"""The action of an audit entry for an urgent request.

Its reason is the requester's text. The action of its own keeps other reasons from imitating it.
"""


@dataclass(frozen=True)
class AuditEntry:
    """One entry of the audit trail: who did what, when and why.

    It names the request, the key and both states. `at` is in UTC. `reason` is what a user typed.
    `detail` is what Keydesk found.
    """

    at: datetime
    by: str
    action: str
    request_id: str = ""
    key_id: str = ""
    from_status: str = ""
    to_status: str = ""
    reason: str = ""
    detail: Detail | None = None


@dataclass(frozen=True)
class StreamEntry:
    """One entry or seal of the audit trail, as stored: text by field name.

    `stream_id` orders the entries. Do not trust the fields: a writer of the store can forge them.
    `bot.domain.audit` detects that.
    """

    stream_id: str
    fields: Mapping[str, str]

    @property
    def is_seal(self) -> bool:
        """Return True for a seal, and False for an entry."""
        return "seal" in self.fields

    @property
    def detail(self) -> str:
        """Return what Keydesk found as one text, or "" for nothing.

        Example: `orphan_found names=AKIA…`.
        """
        code, facts = self.fields.get("code", ""), self.fields.get("facts", "")
        try:
            pairs = [f"{name}={value}" for name, value in json.loads(facts).items()]
        except (ValueError, AttributeError):
            pairs = [facts] if facts else []  # tampered with, so shown unchanged
        return " ".join([code, *pairs]).strip()

    @property
    def number(self) -> int:
        """Return the number that the store gave this entry, or 0 without one."""
        text = self.fields.get("number", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


@dataclass(frozen=True)
class SlackMessage:
    """Where one message of a request or key is in Slack, and which version it shows.

    `ts` is "" if the stored record cannot be read. The message exists then, and its place is
    unknown.
    """

    kind: str
    channel: str
    ts: str
    version: int

    @property
    def is_readable(self) -> bool:
        """Return True if it is known where the message is."""
        return self.ts != ""

"""Say what can go wrong at a call, how likely it is, and what the caller is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, Refused
from bot.domain.outside_errors import (
    IamDenied,
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
    SlackUnavailable,
    StoreUnavailable,
)
from tests.verification.simulation.turns import CHANGES

KINDS = (
    "death",
    "store lost",
    "store down",
    "iam lost",
    "iam late",
    "iam refused",
    "stale list",
    "young key",
    "slack lost",
    "slack refused",
    "away",
    "stall",
    "jump",
    "console",
    "rights",
    "twice",
    "identity",
)
"""Everything that may go wrong. Each seed has some of them, so that rare pairs meet."""

REWIND = "rewind"
"""The store loses its last second. Less holds then, so it is added separately."""

ACTIONS = {
    "create_key": "CreateAccessKey",
    "set_status": "UpdateAccessKey",
    "delete_key": "DeleteAccessKey",
    "user": "GetUser",
    "keys": "ListAccessKeys",
    "listed": "ListAccessKeys",
    "owner": "GetAccessKeyLastUsed",
    "last_used": "GetAccessKeyLastUsed",
    "permissions": "ListGroupsForUser",
}

MORE = 3
"""How much likelier a fault is at a call that changes something."""

LATE = 240.0
"""Seconds after which a call may still run that its caller has given up."""


@dataclass(frozen=True)
class Fault:
    """What happens at a call.

    Attributes:
        effect: "done", "late" or "not".
        told: The error, or the answer of a port that raises nothing.
        late: After how many seconds a late effect comes.
    """

    kind: str
    effect: str
    told: KeydeskError | bool
    late: float = 0.0


@dataclass(frozen=True)
class Weather:
    """What goes wrong in a schedule: which kinds, and how often at a call (0 to 1)."""

    kinds: frozenset[str]
    rate: float

    @classmethod
    def from_random(cls, random: Random) -> Weather:
        """Choose it: one in sixteen is calm, in one of twelve the store loses writes."""
        if random.random() < 1 / 16:
            return cls(frozenset(), 0.0)
        kinds = {kind for kind in KINDS if random.random() < 0.4}
        if "jump" in kinds:  # late calls and wrong clocks never exceed their bounds together
            kinds -= {"iam late"}
        if random.random() < 1 / 12:
            kinds.add(REWIND)
        return cls(frozenset(kinds), random.choice((0.01, 0.03, 0.03, 0.08, 0.15)))

    def fault(self, random: Random, call: str) -> Fault | None:
        """Return what goes wrong at this call, or None. It is likelier at a change."""
        if random.random() >= self.rate * (MORE if call in CHANGES else 1):
            return None
        may = [one for one in may_go_wrong(call) if one[0] in self.kinds]
        if not may:
            return None
        kind, effect, told = random.choice(may)
        return Fault(
            kind,
            effect,
            told(),
            late=random.uniform(0.1, LATE if call.startswith("issuer.") else 8.0),
        )


May = list[tuple[str, str, Callable[[], KeydeskError | bool]]]


def may_go_wrong(call: str) -> May:
    """Return what a call may meet: kind, effect, and what the caller is told."""
    part, _, method = call.partition(".")
    return {"store": _store, "issuer": _issuer, "messenger": _messenger, "directory": _directory}[
        part
    ](method)


def _store(method: str) -> May:
    if f"store.{method}" not in CHANGES:
        return [("store down", "not", StoreUnavailable)]
    return [
        ("store lost", "done", StoreUnavailable),
        ("store lost", "late", StoreUnavailable),
        ("store down", "not", StoreUnavailable),
    ]


def _issuer(method: str) -> May:
    action = ACTIONS[method]
    refused: May = [
        ("iam refused", "not", lambda: IamThrottled("Throttling", action)),
        ("iam refused", "not", lambda: IamDenied("AccessDenied", action)),
        ("iam lost", "not", lambda: IamUnavailable(action)),
    ]
    if f"issuer.{method}" not in CHANGES:
        return refused
    lost = lambda: OutcomeUnknown(action)  # noqa: E731  # one name for three rows
    return [
        *refused,
        ("iam lost", "done", lost),
        ("iam lost", "not", lost),
        ("iam late", "late", lost),
    ]


def _messenger(method: str) -> May:
    if method == "deliver":
        return [
            ("slack lost", "done", lambda: OutcomeUnknown("chat.postEphemeral")),
            ("slack lost", "not", lambda: OutcomeUnknown("chat.postEphemeral")),
            ("slack lost", "late", lambda: OutcomeUnknown("chat.postEphemeral")),
            (
                "slack refused",
                "not",
                lambda: Refused(Code.SLACK_REFUSED, error="channel_not_found"),
            ),
            ("slack refused", "not", lambda: Refused(Code.SLACK_REFUSED, error="ratelimited")),
        ]
    if method == "announce":
        return [
            ("slack lost", "done", lambda: False),
            ("slack lost", "late", lambda: False),
            ("slack refused", "not", lambda: False),
        ]
    if method == "dm":
        return [
            ("slack refused", "not", lambda: SlackUnavailable("conversations.open", "fatal_error"))
        ]
    return []


def _directory(method: str) -> May:
    return [("slack refused", "not", lambda: SlackUnavailable("users.info", "ratelimited"))]

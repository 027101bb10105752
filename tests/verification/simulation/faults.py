"""What can go wrong at a call, how likely is it in this schedule, and what is the caller told then?"""

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
from tests.verification.simulation.scheduler import CHANGES

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
"""Everything that a schedule may have: each seed draws some of them, so that rare pairs meet without the others."""

REWIND = "rewind"
"""The store loses its last second; what holds then is less, so it has schedules of its own."""

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
"""How much likelier something goes wrong at a call that changes something."""

LATE = 240.0
"""Seconds after which a call that nobody waits for any more may still run."""


@dataclass(frozen=True)
class Fault:
    """What happens at a call. `effect` is "done", "late" or "not"; `told` is raised, or is the answer of a port that
    raises nothing.

    `late` is after how many seconds a late effect comes.
    """

    kind: str
    effect: str
    told: KeydeskError | bool
    late: float = 0.0


@dataclass(frozen=True)
class Weather:
    """What goes wrong in a schedule: which kinds at all, and how often a call meets with one (a share of 1)."""

    kinds: frozenset[str]
    rate: float

    @classmethod
    def rendered(cls, random: Random) -> Weather:
        """One schedule in sixteen is calm; one in twelve loses what the store wrote last."""
        if random.random() < 1 / 16:
            return cls(frozenset(), 0.0)
        kinds = {kind for kind in KINDS if random.random() < 0.4}
        if (
            "jump" in kinds
        ):  # what runs late and what a clock says are never both beyond their bounds at once
            kinds -= {"iam late"}
        if random.random() < 1 / 12:
            kinds.add(REWIND)
        return cls(frozenset(kinds), random.choice((0.01, 0.03, 0.03, 0.08, 0.15)))

    def fault(self, random: Random, call: str) -> Fault | None:
        """What goes wrong at this call, if anything: rather at one that changes something, which fewer are."""
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
    """What a call (`store.commit`, `messenger.announce`, ...) may meet with: its kind, its effect, and what is told."""
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
    lost = lambda: OutcomeUnknown(action)  # noqa: E731 - one word for three rows
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

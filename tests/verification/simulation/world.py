"""Hold the world of one schedule, as its seed sets it, and the trace of it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from bot.config.settings import Settings
from bot.domain.keys import ManagedKey
from bot.domain.permissions import Permissions
from bot.domain.policy import KEYS_PER_USER
from bot.domain.requests import KeyRequest
from tests.support.settings import settings
from tests.support.world import ALICE, BOB, CAROL, ERIN
from tests.verification.simulation.faults import Weather
from tests.verification.simulation.outside import (
    SimulatedDirectory,
    SimulatedIssuer,
    SimulatedMessenger,
    SimulatedStore,
    Time,
)
from tests.verification.simulation.turns import Activity

HOUR, DAY = 3600.0, 86400.0
RENAMED = "alice.new@example.com"
"""Alice's other email address, to which another IAM user belongs."""


@dataclass(frozen=True)
class Variant:
    """The parts of a simulation. Other ones are broken on purpose, to be found."""

    store: Callable[[Callable[[], Any]], SimulatedStore] = SimulatedStore
    issuer: Callable[[Callable[[], Any]], SimulatedIssuer] = SimulatedIssuer
    messenger: Callable[[], SimulatedMessenger] = SimulatedMessenger
    directory: Callable[[], SimulatedDirectory] = SimulatedDirectory
    rules: dict[str, Any] = field(default_factory=dict)


REAL = Variant()


class World:
    """The true state of everything outside the bot.

    Attributes:
        counts: How often each thing happened.
        trace: What happened: (seconds, who, what).
        current: The activity whose turn it is.
        calm: Nothing goes wrong any more.
        made_by: The request that each key was made for.
        asked: Each request as it was committed last.
    """

    def __init__(self, seed: int, variant: Variant) -> None:
        self.random = Random(seed)  # noqa: S311  # the same seed gives the same schedule
        self.time = Time()
        self.weather = Weather.from_random(self.random)
        self.counts: Counter[str] = Counter()
        self.trace: list[tuple[float, str, str]] = []
        self.current: Activity | None = None
        self.calm = False
        self.made_by: dict[str, str] = {}
        self.asked: dict[str, KeyRequest] = {}
        self.ever_approvers = frozenset({CAROL.id, ERIN.id})
        self.store, self.iam = variant.store(self.time.now), variant.issuer(self.time.now)
        self.slack, self.people = variant.messenger(), variant.directory()
        self._numbers = itertools.count(1)
        self.settings = self._settings(variant)
        self._furnish()
        self.note("world", f"{sorted(self.weather.kinds)} at {self.weather.rate}")

    def _settings(self, variant: Variant) -> Settings:
        choose = self.random.choice
        rules: dict[str, Any] = {
            "approvals_required": choose((1, 1, 1, 2)),
            "risky_needs_one_more": choose((False, False, True)),
            "key_ttl": choose((timedelta(days=90), timedelta(days=3), timedelta(hours=2), None)),
            "key_ttl_max": choose((timedelta(days=365), None)),
            "approval_free": choose(
                (frozenset({"disable", "delete"}), frozenset({"disable", "delete", "enable"}))
            ),
            "break_glass": frozenset({ALICE.id}),
        }
        if rules["key_ttl"] is None:
            rules["key_ttl_max"] = None
        return settings(**rules | variant.rules)

    def _furnish(self) -> None:
        """Add two users with IAM users, and keys made in the console long ago."""
        self.iam.add_user(RENAMED)
        for who in (ALICE, BOB):
            self.iam.add_user(who.email)
            for _ in range(self.random.choice((0, 0, 0, 1, 1, 2) if who is ALICE else (0, 0, 1))):
                if len(self.iam.listed(who.email)) < KEYS_PER_USER:
                    self.iam.create_key(who.email)
        self.slack.seen.update(self.iam.made)
        if self.random.random() < 0.3:
            self.iam.may[ALICE.email] = Permissions(admin_like=("AdministratorAccess",))
        self.time.seconds = HOUR

    def number(self) -> int:
        """Return a number that was not given before."""
        return next(self._numbers)

    def requests(self) -> list[KeyRequest]:
        return [value for value in self.store.values() if isinstance(value, KeyRequest)]

    def records(self) -> list[ManagedKey]:
        return [value for value in self.store.values() if isinstance(value, ManagedKey)]

    def note(self, who: str, what: str) -> None:
        self.trace.append((self.time.seconds, who, what))

    def lines(self) -> list[str]:
        """Return the trace as text."""
        return [f"{seconds:12.2f}  {who:<6} {what}" for seconds, who, what in self.trace]

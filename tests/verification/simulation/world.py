"""What is in the world of one schedule, as drawn from its seed, and what is noted of it?"""

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
from tests.verification.simulation.scheduler import Activity

HOUR, DAY = 3600.0, 86400.0
RENAMED = "alice.new@example.com"
"""Alice's other e-mail address, to which another IAM user belongs."""


@dataclass(frozen=True)
class Variant:
    """Which parts a simulation is made of. Others than these are wrong on purpose, to be found out."""

    store: Callable[[Callable[[], Any]], SimulatedStore] = SimulatedStore
    issuer: Callable[[Callable[[], Any]], SimulatedIssuer] = SimulatedIssuer
    messenger: Callable[[], SimulatedMessenger] = SimulatedMessenger
    directory: Callable[[], SimulatedDirectory] = SimulatedDirectory
    rules: dict[str, Any] = field(default_factory=dict)


REAL = Variant()


class World:
    """The true state of everything outside of the bot. `counts` is what was met with, `trace` (seconds, who, what).

    `made_by` is which request each key was made for, `asked` each request as committed last, `current` whose turn it
    is, `calm` whether nothing goes wrong any more.
    """

    def __init__(self, seed: int, variant: Variant) -> None:
        self.random = Random(seed)  # noqa: S311 - the same seed draws the same schedule
        self.time = Time()
        self.weather = Weather.rendered(self.random)
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
        self.settings = self._drawn_rules(variant)
        self._furnish()
        self.note("world", f"{sorted(self.weather.kinds)} at {self.weather.rate}")

    def _drawn_rules(self, variant: Variant) -> Settings:
        draw = self.random.choice
        rules: dict[str, Any] = {
            "approvals_required": draw((1, 1, 1, 2)),
            "risky_needs_one_more": draw((False, False, True)),
            "key_ttl": draw((timedelta(days=90), timedelta(days=3), timedelta(hours=2), None)),
            "key_ttl_max": draw((timedelta(days=365), None)),
            "approval_free": draw(
                (frozenset({"disable", "delete"}), frozenset({"disable", "delete", "enable"}))
            ),
            "break_glass": frozenset({ALICE.id}),
        }
        if rules["key_ttl"] is None:
            rules["key_ttl_max"] = None
        return settings(**rules | variant.rules)

    def _furnish(self) -> None:
        """Two people with IAM users, and keys that were made in the console long ago."""
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
        """One that was not given before."""
        return next(self._numbers)

    def requests(self) -> list[KeyRequest]:
        return [value for value in self.store.values() if isinstance(value, KeyRequest)]

    def records(self) -> list[ManagedKey]:
        return [value for value in self.store.values() if isinstance(value, ManagedKey)]

    def note(self, who: str, what: str) -> None:
        self.trace.append((self.time.seconds, who, what))

    def lines(self) -> list[str]:
        """The trace, to be read."""
        return [f"{seconds:12.2f}  {who:<6} {what}" for seconds, who, what in self.trace]

"""Carry out a call: its effect now, late or never, and its answer or error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import OutcomeUnknown
from tests.verification.simulation.faults import Fault
from tests.verification.simulation.outside import quietly
from tests.verification.simulation.promises import Promises
from tests.verification.simulation.turns import CHANGES, Activity
from tests.verification.simulation.world import World

MAX_LAG = 20.0
"""Seconds by which a list of IAM's may be old."""


class Calls:
    """The outside, as processes call it (`turns.Outside`)."""

    def __init__(self, world: World, promises: Promises) -> None:
        self._world, self._promises = world, promises
        self._late: list[tuple[float, int, Callable[[], Any]]] = []

    def answer(self, activity: Activity, call: str, does: Callable[[], Any]) -> Any:
        world = self._world
        effect = self._effect(activity, call, does)
        fault = None if world.calm else world.weather.fault(world.random, call)
        if fault is None:
            return self._tried(activity, call, effect)
        world.counts[f"fault {fault.kind}"] += 1
        world.counts[f"met {call} {fault.kind} {fault.effect}"] += 1
        world.note(activity.process.name, f"  {call}: {fault.kind}, effect {fault.effect}")
        if fault.effect == "done":
            self._tried(activity, call, effect)
        elif fault.effect == "late":
            self._run_late(activity, fault, call, effect)
        if isinstance(fault.told, KeydeskError):
            raise fault.told
        return fault.told

    def lose(self, activity: Activity, call: str, does: Callable[[], Any]) -> None:
        random = self._world.random
        if call in CHANGES and random.random() < 0.4:
            self._world.counts["arrived after its process died"] += 1
            fault = Fault("death", "late", OutcomeUnknown(call), random.uniform(0.01, 5))
            self._run_late(activity, fault, call, self._effect(activity, call, does))

    def arrive(self) -> None:
        """Run the late calls whose moment has come, in their order."""
        while self._late and min(self._late)[0] <= self._world.time.seconds:
            first = min(self._late)
            self._late.remove(first)
            self.truly(first[2])

    def go_to(self, seconds: float) -> None:
        """Move the time to `seconds`, and run each late call in its moment."""
        for at in sorted(late[0] for late in self._late):
            if at <= seconds:
                self._world.time.seconds = max(self._world.time.seconds, at)
                self.arrive()
        self._world.time.seconds = seconds

    def truly(self, does: Callable[[], Any]) -> None:
        """Let something happen outside of any process, where IAM shows the truth."""
        self._world.iam.lag, self._world.iam.unknown_yet = timedelta(0), False
        does()
        self._promises.after_step()

    def _run_late(
        self, activity: Activity, fault: Fault, call: str, effect: Callable[[], Any]
    ) -> None:
        world = self._world

        def late() -> None:
            world.note("late", call)
            world.current = activity
            quietly(effect)
            world.current = None

        self._late.append((world.time.seconds + fault.late, world.number(), late))

    def _tried(self, activity: Activity, call: str, effect: Callable[[], Any]) -> Any:
        try:
            answer = effect()
        except KeydeskError as refusal:
            self._world.note(activity.process.name, f"  {call}: {type(refusal).__name__}")
            raise
        if call in CHANGES:
            self._world.note(activity.process.name, f"  {call}")
        return answer

    def _effect(self, activity: Activity, call: str, does: Callable[[], Any]) -> Callable[[], Any]:
        """Return the call as the outside sees it: a list may be old, a young key unknown."""
        world = self._world
        has, chance = world.weather.kinds, world.random.random
        if call == "issuer.create_key":
            return lambda: self._make(activity.about, does)
        if call.startswith("issuer.") and not world.calm:
            old = "stale list" in has and chance() < 0.3
            world.iam.lag = timedelta(seconds=MAX_LAG * chance()) if old else timedelta(0)
            world.iam.unknown_yet = "young key" in has and chance() < 0.3
            world.counts["fault stale list"] += old
            world.counts["fault young key"] += world.iam.unknown_yet
        if call == "messenger.deliver":
            world.slack.away = "away" in has and not world.calm and chance() < 0.4
            world.counts["fault away"] += world.slack.away
        return does

    def _make(self, request_id: str, does: Callable[[], Any]) -> Any:
        """Make a key in IAM, or any number of them, and note their request."""
        before = set(self._world.iam.made)
        made = does()
        if request_id in self._world.asked:
            self._promises.makes(self._world.asked[request_id])
        for key_id in self._world.iam.made:
            if key_id not in before:
                self._world.made_by[key_id] = request_id
                self._world.counts["keys made"] += 1
        return made

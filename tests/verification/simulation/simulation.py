"""Run one schedule: processes and users in a seed's world, call by call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import (
    Conflict,
    Locked,
    OutcomeUnknown,
)
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.operations import detect_rollback
from bot.operations.services import Services
from tests.support.world import ALICE, CAROL, ERIN, TEAM
from tests.verification.simulation.calls import Calls
from tests.verification.simulation.faults import REWIND
from tests.verification.simulation.outside import ProcessClock
from tests.verification.simulation.people import Click, People
from tests.verification.simulation.promises import Broken, Promises
from tests.verification.simulation.sweeps import due_at, sweep
from tests.verification.simulation.turns import Activity, Port, Process, told
from tests.verification.simulation.world import DAY, HOUR, REAL, RENAMED, Variant, World

LULLS = (20.0, 61.0, 301.0, 961.0, 2 * HOUR, 13 * HOUR, 25 * HOUR, 4 * DAY, 8 * DAY)
MAX_SWEEPS = 1500
"""Sweeps after the last click. What needs more never comes to rest."""


class Simulation:
    """The schedule of a seed."""

    def __init__(self, seed: int, variant: Variant = REAL) -> None:
        self.world = World(seed, variant)
        self._promises = Promises(self.world)
        self._calls = Calls(self.world, self._promises)
        self.world.store.watch = self._committed
        self._kept: list[tuple[float, dict[str, Any]]] = []
        self._went_back = False
        self._people = People(self.world.store, self.world.iam, self.world.slack, self.world.people)
        self._processes = [self._new_process() for _ in range(self.world.random.choice((2, 2, 3)))]

    def run(self) -> None:
        """Run the schedule to its rest.

        Raises Broken where a promise does not hold, and what the product raises unexpectedly.
        """
        random = self.world.random
        for _ in range(random.randint(9, 18)):
            self._something_happens()
            finish = random.random() < 0.7
            for _ in range(random.randint(1, 14)):
                if not self._step():
                    break
            if finish:
                self._finish()
        self._rest()

    def _new_process(self) -> Process:
        return Process(
            f"P{self.world.number()}", self._calls, skew=self.world.random.uniform(-2, 2)
        )

    def _services(self, process: Process) -> Services:
        """Return the real services, as this process has them."""
        world = self.world
        parts = {
            "store": world.store,
            "issuer": world.iam,
            "messenger": world.slack,
            "directory": world.people,
        }
        return Services(
            **{name: Port(process, name, part) for name, part in parts.items()},
            clock=ProcessClock(process, world.time),
            settings=world.settings,
            team_id=TEAM,
            new_id=lambda: f"id{world.number()}",
            run_later=lambda work: self._later(process, work),
        )

    def _later(self, process: Process, work: Callable[[], object]) -> bool:
        if self.world.random.random() < 0.1:
            return False
        self._begin(process, "later", "", work)
        return True

    def _committed(self, changes: tuple[Change, ...], entry: AuditEntry) -> None:
        for change in changes:
            if isinstance(change.after, KeyRequest):
                self.world.asked[change.after.id] = change.after
        self.world.counts["commits"] += 1
        self._promises.committed(changes, entry)
        if REWIND in self.world.weather.kinds:
            self._kept.append((self.world.time.seconds, self.world.store.everything()))

    # -- clicks, and what happens besides

    def _something_happens(self) -> None:
        random, has = self.world.random, self.world.weather.kinds
        chance = random.random()
        if chance < 0.12:
            self._pass_time()
        elif chance < 0.22:
            self._sweep_begins(random.choice(self._processes))
        elif chance < 0.28 and "console" in has:
            words, does = self._people.in_the_console(random)
            self._promises.console = True
            self.world.counts["fault console"] += 1
            self.world.note("aws", words)
            self._calls.truly(does)
        elif chance < 0.32 and "rights" in has:
            self._rights_change()
        elif chance < 0.35 and "identity" in has:
            self._identity_changes()
        else:
            self._click()

    def _click(self) -> None:
        random, counts = self.world.random, self.world.counts
        click = self._people.next(random)
        twice = "twice" in self.world.weather.kinds and random.random() < 0.3
        for process in random.sample(self._processes, 2 if twice else 1):
            self._begin(
                process,
                click.words,
                click.about,
                lambda process=process: self._clicked(process, click),
            )
        counts["clicks"] += 1
        counts[f"click {click.what}"] += 1
        counts["fault twice"] += twice

    def _clicked(self, process: Process, click: Click) -> object:
        try:
            services = self._services(process)
            member = services.directory.member(click.who.id, fresh=True)
            result = click.operation(services, member, click.about)
        except (Conflict, Locked, OutcomeUnknown) as lost:
            raise Broken(
                f"{click.words} ends with {lost!r}, which is no answer for a user"
            ) from lost
        self._promises.answered(click.who.id, click.what, click.about)
        return result

    def _rights_change(self) -> None:
        people = self.world.people
        who = self.world.random.choice((CAROL.id, ERIN.id))
        if who in people.may_approve:
            people.may_approve -= {who}
            people.lost[who] = self.world.time.seconds
        else:
            people.may_approve |= {who}
            people.lost.pop(who, None)
        self.world.counts["fault rights"] += 1
        self.world.note("slack", f"who may approve: {sorted(people.may_approve)}")

    def _identity_changes(self) -> None:
        """Give Alice another IAM user or her own again, or recreate her IAM user."""
        world, people = self.world, self.world.people.people
        world.counts["fault identity"] += 1
        if world.random.random() < 0.4:
            world.note("aws", f"{ALICE.email} is recreated")
            self._promises.console = True
            self._calls.truly(lambda: world.iam.remake_user(ALICE.email))
            return
        people[ALICE.id] = replace(
            ALICE, email=RENAMED if people[ALICE.id].email == ALICE.email else ALICE.email
        )
        world.people.renamed[ALICE.id] = world.time.seconds
        world.note("slack", f"the email address of {ALICE.id} is {people[ALICE.id].email}")

    def _begin(self, process: Process, name: str, about: str, work: Callable[[], object]) -> None:
        process.begin(name, about, work, self.world.time.seconds)
        self.world.note(process.name, name)

    def _sweep_begins(self, process: Process) -> None:
        self.world.counts["sweeps"] += 1
        self._begin(process, "sweeps", "", lambda: self._sweep(self._services(process)))

    def _sweep(self, services: Services) -> None:
        """Sweep. The first sweep after a rollback of the store repairs the messages."""
        if self._went_back:
            with contextlib.suppress(KeydeskError):
                self._went_back = bool(detect_rollback.repair(services))
        sweep(services)

    # -- turns

    def _step(self) -> bool:
        """Let one activity go on to its next call. Return False where there is none."""
        going = [one for process in self._processes for one in process.activities]
        if not going:
            return False
        world = self.world
        world.time.seconds += world.random.choice((0.02, 0.05, 0.2, 0.2, 1.0))
        self._calls.arrive()
        ready = [one for one in going if one.until <= world.time.seconds]
        if not ready:
            self._wait_for(min(one.until for one in going))
            return True
        activity = world.random.choice(ready)
        if world.calm or not self._trouble(activity):
            self._goes_on(activity)
        self._promises.after_step()
        return True

    def _finish(self) -> None:
        while self._step():
            pass

    def _goes_on(self, activity: Activity) -> None:
        world = self.world
        world.counts["steps"] += 1
        world.current = activity
        activity.go_on()
        world.current = None
        if activity.over:
            activity.process.activities.remove(activity)
            failure = activity.failed
            world.note(activity.process.name, f"{activity.name}: {told(failure)}")
            if failure is not None and not isinstance(failure, KeydeskError):
                raise failure

    def _wait_for(self, until: float) -> None:
        """Let time pass while only stalled activities are left, or another process sweep."""
        random, time = self.world.random, self.world.time
        if random.random() < 0.5:
            time.seconds += random.random() * max(0.0, until - time.seconds)
            self._sweep_begins(random.choice(self._processes))
        else:
            time.seconds = max(time.seconds, until)
        self._calls.arrive()

    def _trouble(self, activity: Activity) -> bool:
        """Let a process die, stall or jump in time, or the store lose its last second."""
        world, process = self.world, activity.process
        has, random, rate, counts = (
            world.weather.kinds,
            world.random,
            world.weather.rate,
            world.counts,
        )
        if "death" in has and random.random() < rate / 3:
            counts["fault death"] += 1
            counts[f"died at {activity.waits or 'its beginning'}"] += 1
            world.note(process.name, f"dies at {activity.waits}")
            process.die()
            self._processes[self._processes.index(process)] = self._new_process()
            return True
        if "stall" in has and activity.stalls < 2 and random.random() < rate / 2:
            activity.stalls += 1
            activity.until = world.time.seconds + random.uniform(5, 280)
            counts["fault stall"] += 1
            world.note(process.name, f"is slow at {activity.waits}")
            return True
        if "jump" in has and random.random() < rate / 3:
            process.skew = random.choice((HOUR, -HOUR, 0.0, 0.0))
            counts["fault jump"] += 1
            world.note(process.name, f"its clock is {process.skew:+.0f} s off")
        if REWIND in has and self._kept and random.random() < rate / 3:
            self._rewind()
        return False

    def _rewind(self) -> None:
        kept = [state for at, state in self._kept if at <= self.world.time.seconds - 1]
        if kept:
            self.world.store.lose_to(kept[-1])
            self._kept.clear()
            self._went_back = True
            self._promises.rewound = True
            self.world.counts["fault rewind"] += 1
            self.world.note("store", "loses its last second")

    # -- time

    def _pass_time(self) -> None:
        """Let time pass without clicks, after what was in progress has ended."""
        self._finish()
        world = self.world
        due, now = world.store.nearest(), world.time.now()
        next_run = (due - now).total_seconds() + 1 if due else 1.0
        by = max(1.0, next_run) if world.random.random() < 0.6 else world.random.choice(LULLS)
        self._calls.go_to(world.time.seconds + by)
        world.note("time", f"{by:.0f} s later")
        self._sweep_begins(world.random.choice(self._processes))

    def _rest(self) -> None:
        """End faults and clicks, and let time pass until nothing is due."""
        world = self.world
        world.calm = True
        for process in self._processes:
            process.skew = max(-2.0, min(2.0, process.skew))
        self._finish()
        self._calls.go_to(world.time.seconds + 300)
        world.iam.lag, world.iam.unknown_yet, world.slack.away = timedelta(0), False, False
        world.note("time", "everything comes to rest")
        self._sweep_until_nothing_is_due()
        world.time.seconds += 2 * DAY  # leaked keys are checked daily, for ever
        sweep(self._services(self._processes[0]))
        self._sweep_until_nothing_is_due()
        self._promises.at_rest()

    def _sweep_until_nothing_is_due(self) -> None:
        services = self._services(self._processes[0])
        for _ in range(MAX_SWEEPS):
            ats = [due_at(self.world, value) for value in self.world.store.values()]
            due = [at for at in ats if at is not None]
            if not due:
                return
            self.world.time.seconds = max(self.world.time.seconds + 5, min(due))
            self._sweep(services)
            self._promises.after_step()
        raise Broken("it never comes to rest")

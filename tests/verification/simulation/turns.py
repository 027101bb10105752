"""Let processes take turns, one call to the outside at a time, in greenlets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from greenlet import getcurrent, greenlet

from tests.support.taps import ProcessDied

CHANGES = frozenset(
    {
        "store.commit",
        "store.reschedule",
        "issuer.create_key",
        "issuer.set_status",
        "issuer.delete_key",
        "messenger.deliver",
        "messenger.announce",
        "store.set_announced_approvers",
    }
)
"""Calls that change something. They wait twice: before the effect and before the answer."""

AT_ONCE = frozenset({"messenger.render", "issuer.own_key_ids"})
"""Calls that leave no process, so that they take no turn."""


class Outside(Protocol):
    """Carries out calls: their effect and answer, or what goes wrong instead."""

    def answer(self, activity: Activity, call: str, does: Callable[[], Any]) -> Any:
        """Return the answer of `call`, whose effect is `does`, or raise its error."""

    def lose(self, activity: Activity, call: str, does: Callable[[], Any]) -> None:
        """Drop a call whose process died. It may still arrive."""


class Activity:
    """One piece of a process's work, run until its next call and stopped there.

    `until` is when it goes on at the earliest (seconds). `failed` is the error that ended it.
    """

    def __init__(
        self, process: Process, name: str, about: str, work: Callable[[], object], started_at: float
    ) -> None:
        self.process, self.name, self.about, self.started_at = process, name, about, started_at
        self.until = 0.0
        self.stalls = 0
        self.waits = ""
        self.pending: Callable[[], Any] | None = None
        self.failed: BaseException | None = None
        self._work = work
        self._greenlet = greenlet(self._run)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as failure:  # the simulation judges it
            self.failed = failure

    @property
    def runs(self) -> bool:
        return self._greenlet is getcurrent()

    @property
    def over(self) -> bool:
        return self._greenlet.dead

    def go_on(self) -> None:
        """Run until the next call, or to the end."""
        self._greenlet.switch()

    def die(self) -> None:
        """End where it stands: no `finally` of a dead process reaches the outside."""
        if self._greenlet and not self._greenlet.dead:
            self._greenlet.throw(ProcessDied())


class Process:
    """One process of the bot: its activities, and its clock's skew in seconds."""

    def __init__(self, name: str, outside: Outside, skew: float = 0.0) -> None:
        self.name, self.skew, self.dead = name, skew, False
        self.activities: list[Activity] = []
        self._outside = outside

    def begin(self, name: str, about: str, work: Callable[[], object], now: float) -> None:
        """Begin a piece of work about a request or key. It runs when its turn comes."""
        self.activities.append(Activity(self, name, about, work, now))

    def die(self) -> None:
        """Die as by SIGKILL. A change in progress may still arrive."""
        self.dead = True
        for activity in self.activities:
            if activity.pending is not None:
                self._outside.lose(activity, activity.waits, activity.pending)
            activity.die()
        self.activities.clear()

    def call(self, call: str, does: Callable[[], Any]) -> Any:
        """Make a call to the outside in its turn, or at once where all else is at rest."""
        if getcurrent().parent is None:
            return does()
        self._alive()
        activity = self._current()
        activity.waits, activity.pending = call, does
        getcurrent().parent.switch()
        self._alive()
        activity.pending = None
        try:
            return self._outside.answer(activity, call, does)
        finally:
            if call in CHANGES:
                activity.waits = f"{call} answered"
                getcurrent().parent.switch()
                self._alive()

    def _alive(self) -> None:
        if self.dead:
            raise ProcessDied

    def _current(self) -> Activity:
        return next(activity for activity in self.activities if activity.runs)


class Port:
    """A part of the outside, as a process calls it: each method in its turn."""

    def __init__(self, process: Process, part: str, target: object) -> None:
        self._process, self._part, self._target = process, part, target

    def __getattr__(self, method: str) -> Callable[..., Any]:
        does, call, process = getattr(self._target, method), f"{self._part}.{method}", self._process
        if call in AT_ONCE:
            return does

        sends = getattr(self._target, f"sends_{method}", None)

        def in_turn(*args: Any, **more: Any) -> Any:
            return process.call(
                call, sends(*args, **more) if sends else lambda: does(*args, **more)
            )

        self.__dict__[method] = in_turn
        return in_turn


def told(failure: BaseException | None) -> str:
    """Return how an activity ended, for the trace."""
    if failure is None:
        return "done"
    words = str(failure)
    return f"{type(failure).__name__}: {words[:90]}"

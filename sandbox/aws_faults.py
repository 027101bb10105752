"""Make the local AWS slow, wrong, out of date or silent, for tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sandbox.faults import Drop, Hold, Moment

_What = TypeVar("_What")


@dataclass(frozen=True)
class Refusal:
    """Answer with this error. The call has no effect."""

    code: str
    message: str
    status: int


@dataclass(frozen=True)
class AwsPlan:
    """What is to happen to one call. `delay` in seconds."""

    outcome: Refusal | Drop | None = None
    delay: float = 0.0
    hold_before: Hold | None = None
    hold_after: Hold | None = None


@dataclass
class _Queued(Generic[_What]):
    action: str
    what: _What
    left: int | None


@dataclass
class _Held:
    action: str
    moment: Moment
    calls_to_go: int
    hold: Hold


@dataclass
class _Mood:
    down: bool = False
    lists_lag: float = 0.0
    keys_lag: float = 0.0
    page: int | None = None
    over: threading.Event = field(default_factory=threading.Event)


class AwsFaults:
    """Faults waiting for calls by action ("CreateAccessKey", or "*" for any).

    From any thread. A call meets at most one refusal or drop, in the order they were asked for, and
    besides that one delay and any holds. `times=None` means until `clear()`. The administrator's
    own calls meet none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: list[_Queued[Refusal | Drop]] = []
        self._delays: list[_Queued[float]] = []
        self._held: list[_Held] = []
        self._given_out: list[Hold] = []
        self._mood = _Mood()

    def throttle(self, action: str, times: int | None = 1) -> None:
        """Answer `Throttling` (HTTP 400), as IAM does. The call does not run."""
        self.fail(action, "Throttling", 400, "Rate exceeded", times)

    def fail(
        self,
        action: str,
        code: str,
        status: int = 403,
        message: str = "Refused by the sandbox",
        times: int | None = 1,
    ) -> None:
        """Answer with an AWS error code and an HTTP status. The call does not run."""
        with self._lock:
            self._outcomes.append(_Queued(action, Refusal(code, message, status), times))

    def delay(self, action: str, seconds: float, times: int | None = 1) -> None:
        """Let the call wait before it runs."""
        with self._lock:
            self._delays.append(_Queued(action, seconds, times))

    def drop(self, action: str, moment: Moment = "before", times: int | None = 1) -> None:
        """Cut the connection without an answer, before the call runs or after it ran."""
        with self._lock:
            self._outcomes.append(_Queued(action, Drop(moment), times))

    def hold(self, action: str, moment: Moment = "before", nth: int = 1) -> Hold:
        """Keep the nth call from now waiting until it is released. Others go on."""
        hold = Hold()
        with self._lock:
            self._held.append(_Held(action, moment, nth, hold))
            self._given_out.append(hold)
        return hold

    def stale_lists(self, seconds: float) -> None:
        """Let ListAccessKeys answer what was true that long ago.

        IAM is eventually consistent.
        """
        with self._lock:
            self._mood.lists_lag = seconds

    def new_keys_work_after(self, seconds: float) -> None:
        """Refuse calls signed by a key younger than this, as AWS does for some seconds."""
        with self._lock:
            self._mood.keys_lag = seconds

    def page_size(self, keys: int | None) -> None:
        """Let ListAccessKeys answer in pages of so many keys. None for all at once."""
        with self._lock:
            self._mood.page = keys

    def down(self, on: bool = True) -> None:
        """Cut every connection, the administrator's excepted."""
        with self._lock:
            self._mood.down = on

    def clear(self) -> None:
        """Forget every fault, end every delay and release every held call."""
        with self._lock:
            self._outcomes.clear()
            self._delays.clear()
            self._held.clear()
            holds, self._given_out = self._given_out, []
            mood, self._mood = self._mood, _Mood()
        mood.over.set()
        for hold in holds:
            hold.release()

    # What the AWS layer asks:

    def plan(self, action: str) -> AwsPlan:
        """Return what is to happen to this call, and use it up."""
        with self._lock:
            holds = self._due(action)
            outcome, delay = _next(self._outcomes, action), _next(self._delays, action)
            return AwsPlan(outcome, delay or 0.0, holds.get("before"), holds.get("after"))

    def mood(self) -> _Mood:
        """Return what holds for all calls at this moment."""
        with self._lock:
            return self._mood

    def _due(self, action: str) -> dict[Moment, Hold]:
        concerned = [held for held in self._held if held.action in (action, "*")]
        for held in concerned:
            held.calls_to_go -= 1
        self._held = [held for held in self._held if held.calls_to_go > 0]
        return {held.moment: held.hold for held in concerned if held.calls_to_go == 0}


def _next(queue: list[_Queued[_What]], action: str) -> _What | None:
    for queued in queue:
        if queued.action in (action, "*") and queued.left != 0:
            queued.left = None if queued.left is None else queued.left - 1
            return queued.what
    return None

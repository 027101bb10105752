"""Make a call of the bot fail, vanish or wait, for tests."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Literal

Moment = Literal["before", "after"]


@dataclass(frozen=True)
class Fail:
    """Answer `ok: false` with this error. The call has no effect."""

    error: str


@dataclass(frozen=True)
class Status:
    """Answer with this HTTP status, and `Retry-After` (seconds) if given.

    The call has no effect.
    """

    code: int
    retry_after: int | None


@dataclass(frozen=True)
class Drop:
    """Cut the connection without an answer, before or after the call took effect."""

    moment: Moment


Outcome = Fail | Status | Drop


class Hold:
    """One call kept waiting.

    `reached` is set when it is there. `release()` lets it go on.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._lock = threading.Lock()
        self._released = False
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def release(self) -> None:
        """Let the held call go on, now or when it comes. From any thread."""
        with self._lock:
            self._released = True
            waiting = self._waiting
        if waiting is not None and not waiting[0].is_closed():
            waiting[0].call_soon_threadsafe(waiting[1].set)

    async def pause(self) -> None:
        """Wait for the release without blocking the server's loop."""
        event = asyncio.Event()
        with self._lock:
            if not self._released:
                self._waiting = (asyncio.get_running_loop(), event)
            else:
                event.set()
        self.reached.set()
        await event.wait()


@dataclass(frozen=True)
class Plan:
    """What is to happen to one call."""

    outcome: Outcome | None = None
    hold_before: Hold | None = None
    hold_after: Hold | None = None


@dataclass
class _Queued:
    method: str
    outcome: Outcome
    left: int


@dataclass
class _Held:
    method: str
    moment: Moment
    calls_to_go: int
    hold: Hold


class Faults:
    """Faults that wait for calls, for any thread.

    They are stored by method name ("chat.update", "response_url", or "*").
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queued: list[_Queued] = []
        self._held: list[_Held] = []
        self._given_out: list[Hold] = []

    def fail(self, method: str, error: str, times: int = 1) -> None:
        """Refuse the next calls with a Slack error."""
        self._queue(method, Fail(error), times)

    def status(
        self, method: str, code: int, times: int = 1, retry_after: int | None = None
    ) -> None:
        """Answer the next calls with an HTTP status.

        A 429 says `Retry-After: 1` unless told otherwise.
        """
        wait = 1 if code == 429 and retry_after is None else retry_after
        self._queue(method, Status(code, wait), times)

    def drop(self, method: str, moment: Moment = "before", times: int = 1) -> None:
        """Cut the connection of the next calls, before or after they took effect."""
        self._queue(method, Drop(moment), times)

    def hold(self, method: str, moment: Moment = "before", nth: int = 1) -> Hold:
        """Keep the nth call from now waiting, before its effect or its answer."""
        hold = Hold()
        with self._lock:
            self._held.append(_Held(method, moment, nth, hold))
            self._given_out.append(hold)
        return hold

    def clear(self) -> None:
        """Forget every fault and release every held call."""
        with self._lock:
            self._queued.clear()
            self._held.clear()
            holds, self._given_out = self._given_out, []
        for hold in holds:
            hold.release()

    def plan(self, method: str) -> Plan:
        """Return what is to happen to this call, and use it up."""
        with self._lock:
            holds = {held.moment: held.hold for held in self._due(method)}
            return Plan(self._next_outcome(method), holds.get("before"), holds.get("after"))

    def _queue(self, method: str, outcome: Outcome, times: int) -> None:
        with self._lock:
            self._queued.append(_Queued(method, outcome, times))

    def _due(self, method: str) -> list[_Held]:
        concerned = [held for held in self._held if held.method in (method, "*")]
        for held in concerned:
            held.calls_to_go -= 1
        due = [held for held in concerned if held.calls_to_go == 0]
        self._held = [held for held in self._held if held.calls_to_go > 0]
        return due

    def _next_outcome(self, method: str) -> Outcome | None:
        for queued in self._queued:
            if queued.method in (method, "*") and queued.left > 0:
                queued.left -= 1
                return queued.outcome
        return None

"""How soon may the next call to Slack be made? A pacer that keeps to Slack's limits and lets decisions go first.

Source: Slack's "Rate limits" page: a tier counts a method's calls in a minute, for one app in one workspace; a channel
takes about one message a second, in short bursts more, and a workspace several hundred a minute.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

POST, UPDATE, PUBLISH = "chat.postMessage", "chat.update", "views.publish"


class Priority(IntEnum):
    """What goes first: a decision's copies, new cards, Home tabs, reminders, and lines of the audit trail."""

    DECISION = 0
    CARD = 1
    HOME = 2
    REMINDER = 3
    AUDIT = 4


@dataclass(frozen=True)
class Budget:
    """At most so many calls in any so many seconds."""

    calls: int
    seconds: float


METHODS: Mapping[str, Budget] = {
    UPDATE: Budget(50, 61),
    PUBLISH: Budget(100, 61),
    POST: Budget(240, 61),
}
"""A second more than Slack's minute: a call is counted when it arrives there, not when it was allowed here."""
CHANNEL = Budget(5, 5)
"""Messages to one channel: a short burst, then one a second."""


def budgets(times: int) -> tuple[Mapping[str, Budget], Budget]:
    """The methods' budgets and a channel's, so many times as large as Slack's limits (1, but for trials)."""
    methods = {method: Budget(one.calls * times, one.seconds) for method, one in METHODS.items()}
    return methods, Budget(CHANNEL.calls * times, CHANNEL.seconds)


BUDGET_SHARE: Mapping[Priority, float] = {
    Priority.DECISION: 1.0,
    Priority.CARD: 0.8,
    Priority.HOME: 0.8,
    Priority.REMINDER: 0.6,
    Priority.AUDIT: 0.6,
}
"""How much of a method's minute each rank may use up: the rest is kept for a decision that may come any moment."""
MAX_WAIT: Mapping[Priority, float] = {
    Priority.DECISION: 0,
    Priority.CARD: 60,
    Priority.HOME: 60,
    Priority.REMINDER: 120,
    Priority.AUDIT: 120,
}
"""Seconds after which a call that waits counts as a decision: none waits for ever."""

MIN_RETRY, MAX_RETRY = 0.05, 5.0
"""Seconds until a call that found no room ought to ask again: it may be its turn sooner than it seemed."""
FORGET_AFTER = 3 * MAX_RETRY
"""Seconds after which a call that has not asked again waits no more: another process has made it."""
MIN_FACTOR, RECOVERY_SECONDS = 0.25, 120.0
"""Each rate limit halves this process's part of a budget, since others draw on it; it is whole again after so many
seconds without one."""
MAX_PAUSE = 8.0
"""Seconds between two tries of a method while Slack is out of order, at most."""
PROBE_SECONDS = 15.0
"""Seconds for which others wait for the one call that tries whether Slack answers again."""
NEVER = float("-inf")


@dataclass
class _Waiting:
    since: float
    number: int
    priority: Priority
    asked: float


@dataclass
class _Bucket:
    """The calls that one budget counts: those made, and those that wait. Without a budget only a pause holds them."""

    budget: Budget | None
    share: Mapping[Priority, float]
    made: deque[float] = field(default_factory=deque)
    waiting: dict[str, _Waiting] = field(default_factory=dict)
    paused_until: float = NEVER
    tried_until: float = NEVER
    part: float = 1.0
    limited_at: float = NEVER
    troubles: int = 0
    came: int = 0

    def wait(self, who: str, priority: Priority, now: float) -> float:
        """Seconds until `who` has its turn, if nobody comes between; 0 or less: now."""
        pause = max(self.paused_until, self.tried_until) - now
        if self.budget is None:
            return pause
        self._forget(self.budget.seconds, now)
        mine = self._order(self.entry(who, priority, now), now)
        ahead = sum(
            self._order(one, now) < mine for name, one in self.waiting.items() if name != who
        )
        most = max(
            1, int(self.budget.calls * self._part(now) * self.share.get(Priority(mine[0]), 1.0))
        )
        over = len(self.made) + ahead + 1 - most
        if over <= 0:
            return pause
        freed = (
            self.made[min(over, len(self.made)) - 1] + self.budget.seconds - now
            if self.made
            else 0.0
        )
        more = max(0, over - len(self.made)) * self.budget.seconds / most
        return max(pause, freed + more, MIN_RETRY)

    def entry(self, who: str, priority: Priority, now: float) -> _Waiting:
        """`who` as one that waits: since it first asked."""
        known = self.waiting.get(who)
        return _Waiting(
            known.since if known else now, known.number if known else self.came, priority, now
        )

    def take(self, who: str, now: float) -> None:
        """`who` makes its call. After a failure it is the only one, until it is known how it went."""
        self.waiting.pop(who, None)
        if self.budget:
            self.made.append(now)
        if self.troubles:
            self.tried_until = now + PROBE_SECONDS

    def give_back(self) -> None:
        """The call just made counts for nothing: Slack did not take it."""
        self.tried_until = NEVER
        if self.made:
            self.made.pop()

    def limited(self, seconds: float, now: float) -> None:
        """Slack has refused a call for so many seconds; calls that were under way together halve the part once."""
        if now >= self.paused_until:
            self.part, self.limited_at = max(MIN_FACTOR, self._part(now) / 2), now
        self.paused_until = max(self.paused_until, now + seconds)

    def failed(self, now: float) -> None:
        """Slack did not answer: longer and longer pauses, until it does."""
        if now >= self.paused_until:
            self.troubles += 1
            self.paused_until = now + min(MAX_PAUSE, 2.0 ** (self.troubles - 1))

    def _part(self, now: float) -> float:
        return min(1.0, self.part + (now - self.limited_at) / RECOVERY_SECONDS)

    def _order(self, one: _Waiting, now: float) -> tuple[int, float, int]:
        patient = now - one.since < MAX_WAIT[one.priority]
        return (one.priority if patient else Priority.DECISION, one.since, one.number)

    def _forget(self, seconds: float, now: float) -> None:
        while self.made and self.made[0] <= now - seconds:
            self.made.popleft()
        for name in [name for name, one in self.waiting.items() if now - one.asked > FORGET_AFTER]:
            del self.waiting[name]


class RateLimiter:
    """Gives out turns to call Slack; knows nothing of Slack but its limits. Any thread may ask; none ever waits here.

    `monotonic` gives seconds that never jump. `methods` and `channel` are the budgets; a method that has none is held
    back by pauses alone. Several processes know nothing of each other: each begins with the whole budget, and takes
    half as much after each rate limit.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        methods: Mapping[str, Budget] = METHODS,
        channel: Budget | None = CHANNEL,
    ) -> None:
        self._monotonic, self._methods, self._channel = monotonic, methods, channel
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, str], _Bucket] = {}

    def ask(self, method: str, channel: str, who: str, priority: Priority) -> float:
        """0: make the call now, the turn is taken. Else the seconds after which `who` ought to ask again.

        Whoever was sent away is remembered, and served before others of its rank that come later.
        """
        with self._lock:
            now = self._monotonic()
            buckets = self._of(method, channel)
            wait = max(bucket.wait(who, priority, now) for bucket in buckets)
            for bucket in buckets:
                if wait > 0:
                    bucket.waiting[who] = bucket.entry(who, priority, now)
                    bucket.came += 1
                    continue
                bucket.take(who, now)
            return min(MAX_RETRY, wait) if wait > 0 else 0.0

    def limited(self, method: str, channel: str, seconds: float) -> None:
        """Slack answered 429 with this Retry-After: the method (a post: that channel) pauses."""
        with self._lock:
            buckets = self._of(method, channel)
            for bucket in buckets:
                bucket.give_back()
            buckets[-1].limited(seconds, self._monotonic())

    def failed(self, method: str, channel: str) -> None:
        """Slack did not answer, or said that it is out of order: the method pauses, longer each time."""
        with self._lock:
            buckets = self._of(method, channel)
            for bucket in buckets:
                bucket.give_back()
            buckets[0].failed(self._monotonic())

    def worked(self, method: str) -> None:
        """Slack answered, if only to say no to this very call."""
        with self._lock:
            bucket = self._of(method, "")[0]
            bucket.troubles, bucket.tried_until = 0, NEVER

    def _of(self, method: str, channel: str) -> list[_Bucket]:
        """The lanes that a call stands in: its method's, and for a post its channel's."""
        buckets = [
            self._lanes.setdefault((method, ""), _Bucket(self._methods.get(method), BUDGET_SHARE))
        ]
        if method == POST and channel:
            buckets.append(self._lanes.setdefault((method, channel), _Bucket(self._channel, {})))
        return buckets

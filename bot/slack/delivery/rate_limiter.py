"""Limit the rate of calls to Slack, and let decisions go first.

Source: "Rate limits", Slack documentation. A tier limits a method's calls per minute, for one app
in one workspace. A channel takes about one message a second, with short bursts. A workspace takes
several hundred messages a minute.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

POST, UPDATE, PUBLISH = "chat.postMessage", "chat.update", "views.publish"


class Priority(IntEnum):
    """The order of calls. A lower value goes first.

    Decisions come first, then cards, Home tabs, reminders and the audit trail.
    """

    DECISION = 0
    CARD = 1
    HOME = 2
    REMINDER = 3
    AUDIT = 4


@dataclass(frozen=True)
class Budget:
    """The number of calls that are allowed in a sliding window of `seconds`."""

    calls: int
    seconds: float


METHODS: Mapping[str, Budget] = {
    UPDATE: Budget(50, 61),
    PUBLISH: Budget(100, 61),
    POST: Budget(240, 61),
}
"""The budgets of methods: Slack's limits per minute, and one second more.

Slack counts a call when it arrives, not when it was allowed here.
"""
CHANNEL = Budget(5, 5)
"""The budget of messages to one channel: a short burst, then one a second."""


def budgets(times: int) -> tuple[Mapping[str, Budget], Budget]:
    """Return the budgets of the methods and of a channel.

    Args:
        times: The factor by which they exceed Slack's limits. Only tests use more than 1.
    """
    methods = {method: Budget(one.calls * times, one.seconds) for method, one in METHODS.items()}
    return methods, Budget(CHANNEL.calls * times, CHANNEL.seconds)


BUDGET_SHARE: Mapping[Priority, float] = {
    Priority.DECISION: 1.0,
    Priority.CARD: 0.8,
    Priority.HOME: 0.8,
    Priority.REMINDER: 0.6,
    Priority.AUDIT: 0.6,
}
"""The share of a method's budget that each priority may use.

The rest stays free for a decision, which may come at any moment.
"""
MAX_WAIT: Mapping[Priority, float] = {
    Priority.DECISION: 0,
    Priority.CARD: 60,
    Priority.HOME: 60,
    Priority.REMINDER: 120,
    Priority.AUDIT: 120,
}
"""Seconds after which a waiting call gets the priority of a decision."""

MIN_RETRY, MAX_RETRY = 0.05, 5.0
"""Bounds, in seconds, of the time until a rejected call asks again.

The upper bound exists because a call's turn may come earlier than computed.
"""
FORGET_AFTER = 3 * MAX_RETRY
"""Seconds after which a waiting call that has not asked again is forgotten.

Another process has made it.
"""
MIN_FACTOR, RECOVERY_SECONDS = 0.25, 120.0
"""The smallest factor of a budget, and the seconds in which it recovers to 1.

Each rate limit from Slack halves this process's factor, because other processes use the same
limits.
"""
MAX_PAUSE = 8.0
"""Seconds between two tries of a method while Slack fails, at most."""
PROBE_SECONDS = 15.0
"""Seconds for which other calls wait for the one that tests if Slack answers again."""
NEVER = float("-inf")


@dataclass
class _Waiting:
    since: float
    number: int
    priority: Priority
    asked: float


@dataclass
class _Bucket:
    """The calls that one budget counts, and the calls that wait for it.

    Without a budget, only a pause delays calls.
    """

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
        """Return the seconds until the call `who` may run. 0 or less means now.

        Later calls of a higher priority may extend the wait.
        """
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
        """Return the waiting entry of `who`, which keeps the time of its first request."""
        known = self.waiting.get(who)
        return _Waiting(
            known.since if known else now, known.number if known else self.came, priority, now
        )

    def take(self, who: str, now: float) -> None:
        """Count the call of `who`. After a failure, it runs alone until its outcome."""
        self.waiting.pop(who, None)
        if self.budget:
            self.made.append(now)
        if self.troubles:
            self.tried_until = now + PROBE_SECONDS

    def give_back(self) -> None:
        """Uncount the newest call, which Slack did not accept."""
        self.tried_until = NEVER
        if self.made:
            self.made.pop()

    def limited(self, seconds: float, now: float) -> None:
        """Pause for so many seconds after a rate limit from Slack, and halve the factor.

        Concurrent calls that meet the same limit halve it once.
        """
        if now >= self.paused_until:
            self.part, self.limited_at = max(MIN_FACTOR, self._part(now) / 2), now
        self.paused_until = max(self.paused_until, now + seconds)

    def failed(self, now: float) -> None:
        """Pause after Slack did not answer. Each further failure doubles the pause."""
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
    """Decides which call to Slack may run now. It is thread-safe and never blocks.

    Processes do not share budgets. Each starts with the whole budget, and halves it after each rate
    limit from Slack.

    Args:
        monotonic: Returns seconds that never jump.
        methods: The budgets by method. Only pauses delay a method without one.
        channel: The budget of each channel, or None for no limit.
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
        """Reserve a call and return 0, or return the seconds after which to ask again.

        A rejected call is remembered. It runs before later calls of its priority.

        Args:
            method: The Web API method, such as `chat.update`.
            channel: The channel's ID. Only a post counts against its budget.
            who: What the call is for, the same each time it is tried.
            priority: The priority of the call.
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
        """Pause a method, or for a post its channel, after HTTP status 429.

        `seconds` is the value of Slack's Retry-After header.
        """
        with self._lock:
            buckets = self._of(method, channel)
            for bucket in buckets:
                bucket.give_back()
            buckets[-1].limited(seconds, self._monotonic())

    def failed(self, method: str, channel: str) -> None:
        """Pause a method after Slack did not answer or failed. The pause grows each time."""
        with self._lock:
            buckets = self._of(method, channel)
            for bucket in buckets:
                bucket.give_back()
            buckets[0].failed(self._monotonic())

    def worked(self, method: str) -> None:
        """Record that Slack answered, which includes a refusal of the call."""
        with self._lock:
            bucket = self._of(method, "")[0]
            bucket.troubles, bucket.tried_until = 0, NEVER

    def _of(self, method: str, channel: str) -> list[_Bucket]:
        """Return the buckets of a call: its method's and, for a post, its channel's."""
        buckets = [
            self._lanes.setdefault((method, ""), _Bucket(self._methods.get(method), BUDGET_SHARE))
        ]
        if method == POST and channel:
            buckets.append(self._lanes.setdefault((method, channel), _Bucket(self._channel, {})))
        return buckets

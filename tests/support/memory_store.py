"""A clock and a store in memory. They pass the same contracts as the adapters."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bot.domain.keys import ManagedKey
from bot.domain.outside_errors import Conflict, Locked
from bot.domain.rate_limits import Usage
from bot.domain.records import AuditEntry, Change, Record, SlackMessage
from bot.domain.requests import KeyRequest
from bot.domain.states import Status


class FakeClock:
    """A Clock that moves only by `advance`. `ahead` is the drift that it reports."""

    def __init__(self, start: datetime = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)) -> None:
        self._start = self._now = start
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def drift(self) -> timedelta:
        return self.ahead

    def advance(self, by: timedelta) -> None:
        self._now += by


class MemoryStore:
    """A RequestStore in memory. `entries` is its audit trail, oldest first."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.entries: list[AuditEntry] = []
        self._now = now
        self._lock = threading.Lock()
        self._values: dict[str, Record] = {}
        self._holders: dict[str, str] = {}
        self._due: dict[str, datetime] = {}
        self._rescheduled: Counter[str] = Counter()
        self._homes: dict[str, tuple[datetime, bool]] = {}
        self._render_marks: dict[str, datetime] = {}
        self._copies: dict[str, dict[str, SlackMessage]] = {}
        self._deliveries: dict[str, datetime] = {}
        self._drawing: dict[str, tuple[str, datetime]] = {}
        self._approvers: frozenset[str] | None = None
        self.counted: Counter[tuple[str, ...]] = Counter()

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        with self._lock:
            for change in changes:
                _check_step(change)
                stored = self._values.get(change.after.name)
                if (stored and stored.version) != (change.before and change.before.version):
                    raise Conflict(change.after.name)
            holders = dict(self._holders)
            for change in changes:
                for name in _holds(change.before) - _holds(change.after):
                    holders.pop(name, None)
            for change in changes:
                for name in sorted(_holds(change.after) - _holds(change.before)):
                    if name in holders:
                        raise Locked(name, holders[name])
                    holders[name] = change.after.id
            if usage:
                self._count_usage(usage)
            self._holders = holders
            for change in changes:
                self._write(change.after, entry.at)
            self.entries.append(entry)

    def record_usage(self, usage: Usage) -> None:
        with self._lock:
            self._count_usage(usage)

    def _count_usage(self, usage: Usage) -> None:
        own, all_ = (
            (usage.limited_action, usage.person, usage.hour),
            (usage.limited_action, "all", usage.hour),
        )
        within, in_all = self.counted[own] < usage.limit.person, usage.limit.overall
        if not usage.free and not (within and (in_all is None or self.counted[all_] < in_all)):
            self.counted[*own, "refused"] += 1
            raise usage.over("all" if within else "person", self.counted[*own, "refused"])
        self.counted[own] += 1
        self.counted[all_] += int(within)

    def _write(self, value: Record, at: datetime) -> None:
        self._values[value.name] = value
        self._render_marks[value.name] = min(at, self._render_marks.get(value.name, at))
        del self._rescheduled[value.name]
        due = value.next_run
        if due is None:
            self._due.pop(value.name, None)
        else:
            self._due[value.name] = due

    def request(self, request_id: str) -> KeyRequest | None:
        value = self._values.get(f"request:{request_id}")
        return value if isinstance(value, KeyRequest) else None

    def key(self, key_id: str) -> ManagedKey | None:
        value = self._values.get(f"key:{key_id}")
        return value if isinstance(value, ManagedKey) else None

    def requests_of(self, slack_user: str, limit: int = 20) -> Sequence[KeyRequest]:
        mine = [r for r in self._requests() if r.requester == slack_user]
        return sorted(mine, key=lambda r: (r.requested_at, r.id), reverse=True)[:limit]

    def pending(self, limit: int = 100) -> Sequence[KeyRequest]:
        """Return the requests that wait for approvers, the longest waiting first."""
        waiting = [r for r in self._requests() if r.status is Status.PENDING]
        return sorted(waiting, key=lambda r: (r.requested_at, r.id))[:limit]

    def _requests(self) -> list[KeyRequest]:
        with self._lock:
            return [value for value in self._values.values() if isinstance(value, KeyRequest)]

    def lock_holder(self, hold: str) -> str | None:
        return self._holders.get(hold)

    def is_first_delivery(self, delivery: str) -> bool:
        with self._lock:
            now = self._now()
            first = self._deliveries.get(delivery, now) <= now
            if first:
                self._deliveries[delivery] = now + timedelta(minutes=10)
            return first

    def due(self, now: datetime, limit: int = 100) -> Sequence[str]:
        with self._lock:
            return _whose_time_has_come(self._due, now, limit)

    def reschedule(self, name: str, until: datetime) -> int:
        with self._lock:
            if name not in self._due:
                return 0
            self._due[name] = max(until, self._due[name])
            self._rescheduled[name] += 1
            return self._rescheduled[name]

    def record_home_opened(self, slack_user: str, at: datetime, *, approver: bool) -> None:
        with self._lock:
            self._homes[slack_user] = (at, approver)

    def open_homes(self, since: datetime) -> Mapping[str, bool]:
        with self._lock:
            return {user: approver for user, (at, approver) in self._homes.items() if at >= since}

    def pending_count(self) -> int:
        return len(self.pending(10**6))

    def reschedule_count(self, name: str) -> int:
        with self._lock:
            return self._rescheduled[name]

    def unrendered(self, now: datetime, limit: int = 100) -> Sequence[str]:
        with self._lock:
            return _whose_time_has_come(self._render_marks, now, limit)

    def schedule_render(self, name: str, until: datetime) -> None:
        with self._lock:
            self._render_marks[name] = until

    def clear_render_mark(self, name: str, until: datetime) -> bool:
        with self._lock:
            if self._render_marks.get(name, until) != until:
                return False
            self._render_marks.pop(name, None)
            return True

    def messages(self, name: str) -> Sequence[SlackMessage]:
        with self._lock:
            copies = self._copies.get(name, {})
            return [copies[kind] for kind in sorted(copies)]

    def record_message(self, name: str, copy: SlackMessage) -> None:
        with self._lock:
            self._copies.setdefault(name, {})[copy.kind] = copy

    def forget_message(self, name: str, kind: str) -> None:
        with self._lock:
            self._copies.get(name, {}).pop(kind, None)

    def rendered(self, name: str, version: int) -> bool:
        with self._lock:
            stored = self._values.get(name)
            if stored is not None and stored.version != version:
                return False
            self._render_marks.pop(name, None)
            return True

    def acquire_lock(self, name: str, token: str, seconds: int) -> bool:
        with self._lock:
            now = self._now()
            holder, ends = self._drawing.get(name, (token, now))
            if ends <= now:
                holder = token
                self._drawing[name] = (token, now + timedelta(seconds=seconds))
            return holder == token

    def release_lock(self, name: str, token: str) -> None:
        with self._lock:
            if self._drawing.get(name, ("",))[0] == token:
                del self._drawing[name]

    def announced_approvers(self) -> frozenset[str] | None:
        return self._approvers

    def set_announced_approvers(self, people: frozenset[str]) -> None:
        self._approvers = people

    def time(self) -> datetime:
        return self._now()


def _holds(value: Record | None) -> frozenset[str]:
    return value.locks if isinstance(value, KeyRequest) else frozenset()


def _check_step(change: Change) -> None:
    before, after = change.before, change.after
    if after.version <= (before.version if before else 0) or (before and before.name != after.name):
        raise ValueError(f"{after.name}: version {after.version} does not follow {before}")


def _whose_time_has_come(times: dict[str, datetime], now: datetime, limit: int) -> list[str]:
    come = [(at, name) for name, at in times.items() if at <= now]
    return [name for _, name in sorted(come)[:limit]]

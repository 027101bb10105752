"""Run an audit publisher in tests, and compare what it has published."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.audit.seals import Seal
from bot.domain.audit.verify import ExportedTrail, Trail, verify
from bot.domain.ports import AuditChannel, Clock
from bot.domain.records import AuditEntry, StreamEntry
from bot.domain.store_ports import AuditTrail
from bot.runtime.audit_publisher import AuditPublisher
from bot.store.redis_store import RedisStore
from bot.store.redis_trail import RedisTrail
from tests.support.logged import Log
from tests.support.memory_trail import KEY


class Board:
    """An AuditChannel that takes `size` lines in a message into `posted`."""

    def __init__(self, size: int = 10) -> None:
        self.posted: list[StreamEntry] = []
        self.away = False
        self._size = size

    def post(self, lines: Sequence[StreamEntry]) -> tuple[int, float]:
        if self.away:
            return 0, 30.0
        self.posted += lines[: self._size]
        return min(self._size, len(lines)), 1.0


def note(store: RedisStore, count: int, action: str = "approve") -> None:
    for _ in range(count):
        store.commit(entry=AuditEntry(store.time(), "U1", action, "r1", reason="deploy"))


def audit_publisher(
    trail: AuditTrail,
    clock: Clock,
    token: str = "a",
    key: str = KEY,
    channel: AuditChannel | None = None,
) -> AuditPublisher:
    return AuditPublisher(trail, clock, token, key=key, channel=channel)


def numbers(lines: Sequence[StreamEntry]) -> list[int | str]:
    """Return the number of each entry, and "seal" for each seal, in order."""
    return ["seal" if line.is_seal else line.number for line in lines]


def written(log: Log) -> list[int | str]:
    return [line["number"] or "seal" for line in log.lines("audit")]


def whole(trail: RedisTrail, log: Log) -> bool:
    """Return True if every entry is logged and sealed once, by a valid seal."""
    lines, sealed = trail.lines(limit=9999), trail.last_seal()[0]
    verdict = verify(
        Trail(lines, trail.last_number(), trail.last_number(), sealed), KEY, ExportedTrail()
    )
    under = [number for line in lines if line.is_seal for number in Seal.read(line).numbers]
    entries = [line.number for line in lines if not line.is_seal]
    return (
        not verdict.problems
        and not verdict.unsealed
        and under == entries
        and set(written(log)) == {*entries, "seal"}
    )

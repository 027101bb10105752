"""How do tests let an auditor go round, and see what came of it?"""

from __future__ import annotations

from collections.abc import Sequence

from bot.auditor import Auditor
from bot.core.audit import Seal
from bot.core.ports import AuditChannel, AuditTrail, Clock, Entry, Line
from bot.core.verify import Kept, Trail, verify
from bot.store.redis_store import RedisStore
from bot.store.redis_trail import RedisTrail
from tests.logged import Log
from tests.trail import KEY


class Board:
    """An AuditChannel that holds `size` lines in a message; `posted` is what stands there."""

    def __init__(self, size: int = 10) -> None:
        self.posted: list[Line] = []
        self.away = False
        self._size = size

    def post(self, lines: Sequence[Line]) -> tuple[int, float]:
        if self.away:
            return 0, 30.0
        self.posted += lines[: self._size]
        return min(self._size, len(lines)), 1.0


def note(store: RedisStore, count: int, action: str = "approve") -> None:
    for _ in range(count):
        store.commit(entry=Entry(store.time(), "U1", action, "r1", why="deploy"))


def auditor(
    trail: AuditTrail,
    clock: Clock,
    token: str = "a",
    key: str = KEY,
    channel: AuditChannel | None = None,
) -> Auditor:
    return Auditor(trail, clock, token, key=key, channel=channel)


def numbers(lines: Sequence[Line]) -> list[int | str]:
    """The numbers of entries, and "seal" for each seal, in their order."""
    return ["seal" if line.is_seal else line.number for line in lines]


def written(log: Log) -> list[int | str]:
    return [line["number"] or "seal" for line in log.lines("audit")]


def whole(trail: RedisTrail, log: Log) -> bool:
    """Is every entry in the log, and is every seal right, over each entry once?"""
    lines, sealed = trail.lines(limit=9999), trail.sealed()[0]
    verdict = verify(Trail(lines, trail.numbered(), trail.numbered(), sealed), KEY, Kept())
    under = [number for line in lines if line.is_seal for number in Seal.read(line).numbers]
    entries = [line.number for line in lines if not line.is_seal]
    return (
        not verdict.problems
        and not verdict.unsealed
        and under == entries
        and set(written(log)) == {*entries, "seal"}
    )

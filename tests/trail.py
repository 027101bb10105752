"""What stands in for the audit trail in tests? One in memory, which passes the same contract as the one in Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.core.ports import Line
from bot.store.codec import entry_to_fields
from tests.fakes import MemoryStore

KEY = "a key of the seals, long enough for it"


class MemoryTrail:
    """An AuditTrail over the entries of a MemoryStore, for one thread."""

    def __init__(self, store: MemoryStore, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now
        self._lines: list[Line] = []
        self._numbered = 0
        self._sealed = ("", "")
        self._cursors: dict[str, str] = {}
        self._leader = ("", now())

    def lines(self, after: str = "", limit: int = 100) -> Sequence[Line]:
        self._follow()
        return [line for line in self._lines if line.place > after][:limit]

    def end(self) -> str:
        self._follow()
        return self._lines[-1].place if self._lines else ""

    def numbered(self) -> int:
        self._follow()
        return self._numbered

    def sealed(self) -> tuple[str, str]:
        return self._sealed

    def seal(self, fields: Mapping[str, str], *, previous: str, place: str) -> bool:
        if self._sealed[0] != previous:
            return False
        self._follow()
        self._add(fields)
        self._sealed = (fields["seal"], place)
        return True

    def cursor(self, reader: str) -> str:
        return self._cursors.get(reader, "")

    def move(self, reader: str, before: str, place: str) -> bool:
        if self.cursor(reader) != before:
            return False
        self._cursors[reader] = place
        return True

    def lead(self, token: str, seconds: int) -> bool:
        leader, until = self._leader
        if leader not in ("", token) and until > self._now():
            return False
        self._leader = (token, self._now() + timedelta(seconds=seconds))
        return True

    def resign(self, token: str) -> None:
        if self._leader[0] == token:
            self._leader = ("", self._now())

    def _follow(self) -> None:
        for entry in self._store.entries[self._numbered :]:
            self._numbered += 1
            self._add({"number": str(self._numbered), **entry_to_fields(entry)})

    def _add(self, fields: Mapping[str, str]) -> None:
        self._lines.append(Line(f"{len(self._lines):06}-0", dict(fields)))

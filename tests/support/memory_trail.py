"""An audit trail in memory. It passes the same contract as the one in Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.records import StreamEntry
from bot.store.serialization import entry_to_fields
from tests.support.memory_store import MemoryStore

KEY = "a key of the seals, long enough for it"


class MemoryTrail:
    """An AuditTrail over the entries of a MemoryStore, for one thread."""

    def __init__(self, store: MemoryStore, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now
        self._lines: list[StreamEntry] = []
        self._numbered = 0
        self._sealed = ("", "")
        self._cursors: dict[str, str] = {}
        self._leader = ("", now())

    def lines(self, after: str = "", limit: int = 100) -> Sequence[StreamEntry]:
        self._follow()
        return [line for line in self._lines if line.stream_id > after][:limit]

    def last_stream_id(self) -> str:
        self._follow()
        return self._lines[-1].stream_id if self._lines else ""

    def last_number(self) -> int:
        self._follow()
        return self._numbered

    def last_seal(self) -> tuple[str, str]:
        return self._sealed

    def seal(self, fields: Mapping[str, str], *, previous: str, stream_id: str) -> bool:
        if self._sealed[0] != previous:
            return False
        self._follow()
        self._add(fields)
        self._sealed = (fields["seal"], stream_id)
        return True

    def cursor(self, reader: str) -> str:
        return self._cursors.get(reader, "")

    def move_cursor(self, reader: str, before: str, stream_id: str) -> bool:
        if self.cursor(reader) != before:
            return False
        self._cursors[reader] = stream_id
        return True

    def acquire_leadership(self, token: str, seconds: int) -> bool:
        leader, until = self._leader
        if leader not in ("", token) and until > self._now():
            return False
        self._leader = (token, self._now() + timedelta(seconds=seconds))
        return True

    def release_leadership(self, token: str) -> None:
        if self._leader[0] == token:
            self._leader = ("", self._now())

    def _follow(self) -> None:
        for entry in self._store.entries[self._numbered :]:
            self._numbered += 1
            self._add({"number": str(self._numbered), **entry_to_fields(entry)})

    def _add(self, fields: Mapping[str, str]) -> None:
        self._lines.append(StreamEntry(f"{len(self._lines):06}-0", dict(fields)))

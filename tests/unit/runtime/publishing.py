"""What the tests of the audit publisher work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.domain.records import StreamEntry
from bot.domain.store_ports import AuditTrail
from bot.runtime.audit_publisher import AuditPublisher
from bot.store.redis_store import RedisStore
from tests.support.logged import Log
from tests.support.memory_store import FakeClock
from tests.support.publisher_rounds import Board, audit_publisher, note, numbers, whole, written

LEADER = "{keydesk}:audit:leader"


@dataclass
class Publishing:
    """An empty trail, a clock, and where publishers write: `log` and `board`."""

    store: RedisStore
    clock: FakeClock
    log: Log
    board: Board = field(default_factory=Board)

    @property
    def redis(self) -> Any:
        """A client that writes to the database as it likes."""
        return self.store._client

    @property
    def lines(self) -> list[StreamEntry]:
        return list(self.store.trail().lines())

    def publisher(
        self, token: str = "a", trail: AuditTrail | None = None, **more: Any
    ) -> AuditPublisher:
        """Return a publisher of the trail, or of `trail`, which posts to the board."""
        options = {"channel": self.board, **more}
        return audit_publisher(trail or self.store.trail(), self.clock, token, **options)

    def note(self, count: int) -> None:
        """Write so many entries."""
        note(self.store, count)

    def later(self, seconds: float = 3) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(seconds=seconds))

    def logged(self) -> list[int | str]:
        """Return the number of each logged entry, and "seal" for each seal."""
        return written(self.log)

    def posted(self) -> list[int | str]:
        """Return the same of what is posted."""
        return numbers(self.board.posted)

    def is_whole(self) -> bool:
        """Return True if every entry is logged and sealed once."""
        return whole(self.store.trail(), self.log)

"""A database that lost acknowledged writes is noticed by its audit trail."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.domain.records import StreamEntry
from bot.operations.detect_rollback import BATCH_SIZE, RollbackDetector
from tests.support.memory_store import MemoryStore
from tests.support.memory_trail import MemoryTrail


class CutTrail(MemoryTrail):
    """An audit trail of `count` entries, of which a test may cut some."""

    def __init__(self, count: int) -> None:
        store = MemoryStore()
        super().__init__(store, store.time)
        self.stream_ids = [f"{number:06}-0" for number in range(count)]
        self.read_after: list[str] = []

    def lines(self, after: str = "", limit: int = 100) -> Sequence[StreamEntry]:
        self.read_after.append(after)
        return [StreamEntry(id_, {}) for id_ in self.stream_ids if id_ > after][:limit]

    def add(self) -> None:
        self.stream_ids.append(f"{int(self.stream_ids[-1][:6]) + 1 if self.stream_ids else 0:06}-0")


@pytest.mark.parametrize(
    "count", [0, 1, 2, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, 3 * BATCH_SIZE]
)
def test_a_growing_trail_is_no_rollback(count: int) -> None:
    trail = CutTrail(count)
    detector = RollbackDetector(trail)
    for _ in range(5):
        assert detector.went_back() is False
        trail.add()
        trail.add()


@pytest.mark.parametrize("count", [1, 2, BATCH_SIZE, BATCH_SIZE + 1])
@pytest.mark.parametrize("since", [0, 1, 5])
def test_a_lost_newest_entry_is_a_rollback(count: int, since: int) -> None:
    """A stream ID is used once, so new entries never take the place of the lost one."""
    trail = CutTrail(count)
    detector = RollbackDetector(trail)
    assert not detector.went_back()
    lost = trail.stream_ids.pop()
    trail.stream_ids += [f"{lost[:6]}-{number}" for number in range(1, since + 1)]
    assert detector.went_back() is True
    assert detector.went_back(), "until the repair"
    detector.restart()
    assert not detector.went_back()
    trail.add()
    assert not detector.went_back()


def test_the_trail_is_read_from_the_published_entry_on() -> None:
    trail = CutTrail(10)
    trail.move_cursor("log", "", trail.stream_ids[6])
    detector = RollbackDetector(trail)
    assert not detector.went_back()
    assert not detector.went_back()
    assert trail.read_after == [trail.stream_ids[6], trail.stream_ids[8]]
    trail.move_cursor("log", trail.stream_ids[6], trail.stream_ids[9])
    detector.restart()
    assert not detector.went_back()
    assert trail.read_after[-1] == trail.stream_ids[9]

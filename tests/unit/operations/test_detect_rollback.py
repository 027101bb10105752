"""A store that has forgotten what it acknowledged is noticed by its audit trail, and only such a one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from bot.domain.ports import StreamEntry
from bot.operations.detect_rollback import BATCH_SIZE, RollbackDetector
from tests.support.memory_store import MemoryStore
from tests.support.memory_trail import MemoryTrail


class Kept(MemoryTrail):
    """A trail of so many lines, which may be cut."""

    def __init__(self, count: int) -> None:
        super().__init__(MemoryStore(), lambda: datetime.now(UTC))
        self.destinations = [f"{number:06}-0" for number in range(count)]

    def lines(self, after: str = "", limit: int = 100) -> Sequence[StreamEntry]:
        return [StreamEntry(place, {}) for place in self.destinations if place > after][:limit]

    def add(self) -> None:
        self.destinations.append(
            f"{int(self.destinations[-1][:6]) + 1 if self.destinations else 0:06}-0"
        )


@pytest.mark.parametrize(
    "count", [0, 1, 2, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, 3 * BATCH_SIZE]
)
def test_a_trail_that_only_grows_has_not_gone_back(count: int) -> None:
    trail = Kept(count)
    watch = RollbackDetector(trail)
    for _ in range(5):
        assert not watch.went_back()
        trail.add()
        trail.add()


@pytest.mark.parametrize("count", [1, 2, BATCH_SIZE, BATCH_SIZE + 1])
@pytest.mark.parametrize("since", [0, 1, 5])
def test_a_trail_whose_newest_line_is_gone_has_gone_back_though_others_came_since(
    count: int, since: int
) -> None:
    trail = Kept(count)
    watch = RollbackDetector(trail)
    assert not watch.went_back()
    lost = trail.destinations.pop()
    trail.destinations += [
        f"{lost[:6]}-{number}" for number in range(1, since + 1)
    ]  # no two lines have one place
    assert watch.went_back()
    assert watch.went_back(), "until it is put right"
    watch.begin_anew()
    assert not watch.went_back()
    trail.add()
    assert not watch.went_back()

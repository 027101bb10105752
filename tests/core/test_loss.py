"""A store that has forgotten what it acknowledged is noticed by its audit trail, and only such a one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from bot.core.ports import Line
from bot.core.workflow.loss import SLICE, Watch
from tests.fakes import MemoryStore
from tests.trail import MemoryTrail


class Kept(MemoryTrail):
    """A trail of so many lines, which may be cut."""

    def __init__(self, count: int) -> None:
        super().__init__(MemoryStore(), lambda: datetime.now(UTC))
        self.places = [f"{number:06}-0" for number in range(count)]

    def lines(self, after: str = "", limit: int = 100) -> Sequence[Line]:
        return [Line(place, {}) for place in self.places if place > after][:limit]

    def add(self) -> None:
        self.places.append(f"{int(self.places[-1][:6]) + 1 if self.places else 0:06}-0")


@pytest.mark.parametrize("count", [0, 1, 2, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE])
def test_a_trail_that_only_grows_has_not_gone_back(count: int) -> None:
    trail = Kept(count)
    watch = Watch(trail)
    for _ in range(5):
        assert not watch.went_back()
        trail.add()
        trail.add()


@pytest.mark.parametrize("count", [1, 2, SLICE, SLICE + 1])
@pytest.mark.parametrize("since", [0, 1, 5])
def test_a_trail_whose_newest_line_is_gone_has_gone_back_though_others_came_since(
    count: int, since: int
) -> None:
    trail = Kept(count)
    watch = Watch(trail)
    assert not watch.went_back()
    lost = trail.places.pop()
    trail.places += [
        f"{lost[:6]}-{number}" for number in range(1, since + 1)
    ]  # no two lines have one place
    assert watch.went_back()
    assert watch.went_back(), "until it is put right"
    watch.begin_anew()
    assert not watch.went_back()
    trail.add()
    assert not watch.went_back()

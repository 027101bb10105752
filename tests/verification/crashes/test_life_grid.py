"""Two crashes, or a change in the console, at every call of a key's later life.

The journeys run on the fakes of the unit tests, where `test_life_crashes` covers one crash.
"""

from __future__ import annotations

import pytest

from tests.support.crash_journeys import Steps, calls, deaths
from tests.unit.operations.crash_points import crashes, die_twice
from tests.unit.operations.life_journeys import ALL, at_rest, walk_with_console_change

pytestmark = pytest.mark.slow

TWICE = ["reveal, freeing a slot", "enable", "expiry", "leaked, by its owner", "undo"]


@pytest.mark.parametrize("journey", TWICE)
def test_a_second_crash_leaves_nothing_half_done_either(journey: str) -> None:
    for call in crashes(ALL[journey]):
        for second in range(1, 9):
            at_rest(*die_twice(ALL[journey], call, second))


@pytest.mark.parametrize("field", ["target", "access_key_id", "delete_first"])
@pytest.mark.parametrize("what", ["gone", "Inactive", "Active"])
@pytest.mark.parametrize("steps", ALL.values(), ids=ALL)
def test_a_console_change_at_every_call_breaks_nothing(steps: Steps, what: str, field: str) -> None:
    names = calls(steps)
    for number, side in deaths(steps):
        call, nth = names[number - 1], names[:number].count(names[number - 1])
        walk_with_console_change(steps, field, what, call, nth, side)

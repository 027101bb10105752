"""A crash at any call of a key's later life leaves nothing half done.

As in `test_crashes`, for the journeys of `life_journeys`. There is at most one new key, and nothing
gets stuck. Two crashes in a row are in `tests/verification/crashes/test_life_grid.py`.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest

from bot.domain.errors import KeydeskError
from bot.domain.states import Status
from tests.support.crash_journeys import Steps, come_back, walk_and_die
from tests.support.world import make_desk
from tests.unit.operations.crash_points import (
    FAILURES,
    console_moments,
    crashes,
    die_twice,
    failures,
    keys_of_journey,
)
from tests.unit.operations.life_journeys import (
    ALL,
    ROTATIONS,
    at_rest,
    delete_orphans,
    new_keys,
    slot_was_freed_first,
    walk_with_console_change,
)

each_journey = pytest.mark.parametrize("steps", ALL.values(), ids=ALL)


@each_journey
def test_a_crash_leaves_nothing_half_done(steps: Steps) -> None:
    for call in crashes(steps):
        world, request = walk_and_die(steps, call, "after")
        slot_was_freed_first(world, request)
        world.rest()
        slot_was_freed_first(world, request)
        at_rest(world, request)


@pytest.mark.parametrize("steps", ROTATIONS.values(), ids=ROTATIONS)
def test_after_a_crash_a_rotation_ends_with_one_new_key(steps: Steps) -> None:
    for call in crashes(steps):
        world, request = walk_and_die(steps, call, "after")
        for _ in range(80):
            world.pass_time(timedelta(seconds=30))
            delete_orphans(world)
            with contextlib.suppress(KeydeskError):
                come_back(world, world.now(request))
            assert len(new_keys(world, request)) <= 1
            slot_was_freed_first(world, request)
        world.rest()
        assert world.now(request).status is Status.CONFIRMED
        at_rest(world, request)


@pytest.mark.parametrize("failure", FAILURES)
@each_journey
def test_a_failed_call_leaves_nothing_half_done(steps: Steps, failure: str) -> None:
    for call in failures(steps, failure):
        world = make_desk()
        request = steps[0](world)
        world.taps.break_at(call, *FAILURES[failure])
        with contextlib.suppress(KeydeskError, pytest.fail.Exception):
            steps[1](world, request)
        world.taps.calm()
        slot_was_freed_first(world, request)
        world.rest()
        at_rest(world, request)


@pytest.mark.parametrize("what", ["gone", "Inactive", "Active"])
@each_journey
def test_a_console_change_at_any_moment_breaks_nothing(steps: Steps, what: str) -> None:
    for field in keys_of_journey(steps):
        for call, nth in console_moments(steps):
            walk_with_console_change(steps, field, what, call, nth)


@pytest.mark.parametrize("journey", ["reveal, freeing a slot", "enable"])
def test_a_second_crash_leaves_nothing_half_done_either(journey: str) -> None:
    for call in crashes(ALL[journey]):
        at_rest(*die_twice(ALL[journey], call, second=1 + call % 4))

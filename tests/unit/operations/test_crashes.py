"""A crash at any call leaves one key at most, and nothing gets stuck.

Each journey runs once to count its calls to the store, IAM and Slack. Then it runs again for each
of them and dies there. A new process with the scheduler goes on.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest

from bot.domain.errors import KeydeskError
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from tests.support.crash_journeys import (
    JOURNEYS,
    Steps,
    come_back,
    issuing_locks,
    lost,
    walk_and_die,
)
from tests.support.world import World, make_desk
from tests.unit.operations.crash_points import FAILURES, crashes, die_twice, failures

each_journey = pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS)


def at_rest(world: World, request: KeyRequest) -> None:
    """Assert promises 1 and 2 (docs/testing.md), and that nothing is stuck."""
    now = world.now(request)
    assert now.status.final
    locks = (*request.locks, *issuing_locks(request))
    assert not any(world.store.lock_holder(lock) for lock in locks)
    received = [now.access_key_id] if now.status is Status.CONFIRMED else []
    assert world.desired() == world.iam.active == received
    assert world.store.due(world.clock.now()) == []
    later = [f"key:{key_id}" for key_id in received]
    assert world.store.due(world.clock.now() + timedelta(days=365)) == later
    world.outlive()
    assert not world.store.due(world.clock.now() + timedelta(days=365))


@each_journey
def test_a_crash_leaves_no_active_key_without_a_receipt(steps: Steps) -> None:
    for call in crashes(steps):
        world, request = walk_and_die(steps, call, "after")
        world.rest()
        at_rest(world, request)


@each_journey
def test_after_a_crash_the_requester_gets_one_key_at_most(steps: Steps) -> None:
    for call in crashes(steps):
        world, request = walk_and_die(steps, call, "after")
        for _ in range(80):
            world.pass_time(timedelta(seconds=30))
            assert len(world.desired()) <= 1
            come_back(world, world.now(request))
            assert len(world.desired()) <= 1
        world.rest()
        at_rest(world, request)
        assert world.now(request).status in (Status.CONFIRMED, Status.EXPIRED)


def walk_on(steps: Steps, world: World, request: KeyRequest) -> None:
    """Walk a journey where a call fails. Only a KeydeskError may come of it."""
    with contextlib.suppress(KeydeskError):
        steps[1](world, request)
    world.taps.calm()
    assert len(world.desired()) <= 1
    world.rest()
    at_rest(world, request)


@pytest.mark.parametrize("failure", FAILURES)
@each_journey
def test_a_failed_call_leaves_no_active_key_without_a_receipt(steps: Steps, failure: str) -> None:
    for call in failures(steps, failure):
        world = make_desk()
        request = steps[0](world)
        world.taps.break_at(call, *FAILURES[failure])
        walk_on(steps, world, request)


@pytest.mark.parametrize("part", ["store", "issuer", "messenger.deliver"])
@each_journey
def test_an_outage_leaves_no_active_key_without_a_receipt(steps: Steps, part: str) -> None:
    for call in crashes(steps):
        world = make_desk()
        request = steps[0](world)
        world.taps.away_from(call, part, lost)
        walk_on(steps, world, request)


@pytest.mark.parametrize(
    "journey",
    [
        "reveal",
        "reveal, CreateAccessKey's answer is lost",
        "reveal, Slack refuses the ephemeral",
        "I did not get it",
    ],
)
def test_a_second_crash_leaves_no_active_key_either(journey: str) -> None:
    steps = JOURNEYS[journey]
    for call in crashes(steps):
        for second in range(1, 13):
            at_rest(*die_twice(steps, call, second))

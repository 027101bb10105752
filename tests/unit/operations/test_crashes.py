"""Whatever call the process dies at: at most one key for a request, and nothing gets stuck.

Each journey runs once to count its calls to the store, IAM and Slack. Then it runs again and again,
and dies just before and just after each of them. A new process with the scheduler goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.errors import KeydeskError
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from tests.support.crash_journeys import (
    JOURNEYS,
    Steps,
    calls,
    come_back,
    deaths,
    issuing_locks,
    lost,
    refused,
    walk_and_die,
)
from tests.support.taps import ProcessDied
from tests.support.world import World, make_desk


def at_rest(world: World, request: KeyRequest) -> None:
    """Assert promises 1 and 2 (docs/testing.md), and that nothing is stuck."""
    now = world.now(request)
    assert now.status.final
    assert not any(
        world.store.lock_holder(lock) for lock in (*request.locks, *issuing_locks(request))
    )
    received = [now.access_key_id] if now.status is Status.CONFIRMED else []
    assert world.desired() == received
    assert world.iam.active == received
    assert world.store.due(world.clock.now()) == []
    assert world.store.due(world.clock.now() + timedelta(days=365)) == [
        f"key:{key_id}" for key_id in received
    ]
    world.outlive()
    assert not world.store.due(world.clock.now() + timedelta(days=365))


@pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS)
def test_a_crash_leaves_no_active_key_without_a_receipt(
    steps: Steps,
) -> None:
    for call, side in deaths(steps):
        world, request = walk_and_die(steps, call, side)
        world.rest()
        at_rest(world, request)


@pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS)
def test_after_a_crash_the_requester_gets_one_key_at_most(
    steps: Steps,
) -> None:
    for call, side in deaths(steps):
        world, request = walk_and_die(steps, call, side)
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


@pytest.mark.parametrize(
    ("side", "error"), [("before", lost), ("after", lost), ("before", refused)]
)
@pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS)
def test_a_failed_call_leaves_no_active_key_without_a_receipt(
    steps: Steps, side: str, error: Callable[[str], BaseException]
) -> None:
    for call, at in deaths(steps):
        world = make_desk()
        request = steps[0](world)
        if at == side and calls(steps)[call - 1] != "messenger.render":  # It raises nothing.
            world.taps.break_at(call, side, error)
            walk_on(steps, world, request)


@pytest.mark.parametrize("part", ["store", "issuer", "messenger.deliver"])
@pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS)
def test_an_outage_leaves_no_active_key_without_a_receipt(steps: Steps, part: str) -> None:
    for call, side in deaths(steps):
        world = make_desk()
        request = steps[0](world)
        if side == "before":
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
def test_a_second_crash_leaves_no_active_key_either(
    journey: str,
) -> None:
    steps = JOURNEYS[journey]
    for call, side in deaths(steps):
        for second in range(1, 13) if side == "after" else ():
            world, request = walk_and_die(steps, call, side)
            world.taps.break_at(second, "after")
            for _ in range(20):
                with contextlib.suppress(ProcessDied):
                    world.pass_time(timedelta(minutes=1))
            world.taps.calm()
            world.rest()
            at_rest(world, request)

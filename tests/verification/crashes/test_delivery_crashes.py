"""Kill the bot at the calls of a delivery: one key lives at most, and it arrives.

The program runs as an installer starts it, with its own database. The crash matrix kills at every
call and on every side.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from bot.domain.states import Status
from sandbox.faults import Moment
from tests.verification.crashes.crash_world import ALICE, CrashWorld, Journey, crash_world
from tests.verification.crashes.promises import check_end, check_rest

AT_ONCE = 4  # most of the time is spent waiting for a lease to end
LEASE = "12s"  # longer, since several worlds share the machine's processors

JOURNEYS = {
    "approve": Journey(CrashWorld.create, CrashWorld.approve),
    "reveal": Journey(CrashWorld.get_approved, CrashWorld.reveal),
    "did not get it": Journey(CrashWorld.get_delivered, CrashWorld.did_not_get),
    "rotate with both slots taken": Journey(CrashWorld.get_rotation_approved, CrashWorld.reveal),
}
CALLS: dict[str, dict[str, int]] = {
    "approve": {
        "users.info": 1,
        "usergroups.users.list": 1,
        "chat.update": 1,
        "chat.postMessage": 1,
        "response_url": 1,
    },
    "reveal": {
        "users.info": 1,
        "GetUser": 1,
        "chat.update": 1,
        "CreateAccessKey": 1,
        "chat.postEphemeral": 1,
    },
    "did not get it": {
        "chat.update": 1,
        "DeleteAccessKey": 1,
        "ListAccessKeys": 1,
        "chat.postMessage": 1,
        "response_url": 1,
    },
    "rotate with both slots taken": {
        "DeleteAccessKey": 1,
        "ListAccessKeys": 2,  # the first is a check before the lease
        "CreateAccessKey": 1,
        "chat.postEphemeral": 1,
    },
}
"""The calls of each journey at which the bot is killed, with which of them it is."""

Point = tuple[str, str, int, Moment]
POINTS: list[Point] = [
    (name, method, nth, moment)
    for name, calls in CALLS.items()
    for method, nth in calls.items()
    for moment in ("before", "after")
]


@pytest.fixture(scope="module")
def kills(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Point, Future[None]]]:
    """Start the chosen kills, some at once. Each needs a process for moto's state."""
    chosen = [
        item.callspec.params["point"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "kills" in item.fixturenames
    ]
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        yield {one: pool.submit(kill_at, *one, tmp_path_factory.mktemp("kill")) for one in chosen}
        pool.shutdown(cancel_futures=True)


def kill_at(name: str, method: str, nth: int, moment: Moment, folder: Path) -> None:
    """Kill the bot at a call, and follow it until the key has arrived."""
    with crash_world(folder, os.environ.__setitem__, LEASE) as world:
        try:
            JOURNEYS[name].arrange(world)
            world.hold(method, moment, nth, lambda: JOURNEYS[name].click(world))
            world.crash()
            lost = int((method, moment) == ("chat.postMessage", "after"))
            check_rest(world, world.rest(), lost)
            check_end(world, world.go_on())
        except AssertionError as failure:
            failure.add_note(f"{world.slack.describe()}\n{world.bot.log[-3000:]}")
            raise


@pytest.mark.parametrize(
    "point", POINTS, ids=[f"{name}: {moment} {method}" for name, method, _, moment in POINTS]
)
def test_killed_at_a_call_one_key_is_delivered(
    kills: Mapping[Point, Future[None]], point: Point
) -> None:
    kills[point].result()


def test_a_key_not_deleted_yet_is_deleted_at_once(world: CrashWorld) -> None:
    """Keydesk's own deletion is certain. Only another absence takes minutes to prove."""
    world.get_delivered()
    world.hold("DeleteAccessKey", "before", 1, world.did_not_get)
    world.crash()
    assert world.rest().status is Status.APPROVED
    assert world.aws.key_ids(ALICE) == []

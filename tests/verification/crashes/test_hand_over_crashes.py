"""Wherever the bot is killed: one living key at most, none that its person does not have, and the person goes on.

Journeys of the real program are stopped at each of their calls, before it takes effect and before its answer
arrives, and killed there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from bot.domain.states import Status
from tests.verification.crashes.crash_world import ALICE, CrashWorld, Journey, Point
from tests.verification.crashes.hand_over_journeys import (
    JOURNEYS,
    kill_at,
    points,
    within_a_drawing,
)

AT_ONCE = 4  # most of the time is spent waiting for a lease to end
KILLS = [
    pytest.param(
        name,
        point,
        id=f"{name}: {point.moment} call {point.number}, {point.method(JOURNEYS[name])}",
        marks=[pytest.mark.slow] if within_a_drawing(name, point) else [],
    )
    for name, point in points()
]
Kills = Mapping[tuple[str, Point], "Future[None]"]


@pytest.fixture(scope="module")
def kills(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kills]:
    """The chosen kills, under way, some at once, each in a process without another's moto, whose state is global."""
    chosen = [
        (item.callspec.params["name"], item.callspec.params["point"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and "kills" in item.fixturenames
    ]
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        yield {one: pool.submit(kill_at, *one, tmp_path_factory.mktemp("kill")) for one in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("name", "point"), KILLS)
def test_killed_at_any_call_one_key_is_delivered(kills: Kills, name: str, point: Point) -> None:
    kills[name, point].result()


@pytest.mark.parametrize("journey", JOURNEYS.values(), ids=JOURNEYS)
def test_these_are_all_calls_of_a_journey_in_their_order(
    world: CrashWorld, journey: Journey
) -> None:
    """So that no call is left out: another one in the product fails here."""
    journey.arrange(world)
    slack, aws = len(world.slack.calls()), len(world.aws.calls())
    world.walk(journey, None)
    expected = [method for method in journey.calls if method[0].islower()]
    # What follows the last step is drawn a moment after it.
    world.slack.wait_until(
        lambda: len(world.slack.calls()) - slack >= len(expected) and world.rendered(),
        why="all calls",
    )
    called = [call.method for call in world.slack.calls()[slack:]]
    assert called == expected
    called = [call.action for call in world.aws.calls()[aws:]]
    assert called == [method for method in journey.calls if method[0].isupper()]


def test_a_key_not_deleted_yet_is_deleted_at_once(
    world: CrashWorld,
) -> None:
    """The desk's own deletion is certain; only an absence that it did not cause itself takes minutes to prove."""
    journey = JOURNEYS["did not get it"]
    journey.arrange(world)
    world.walk(journey, Point(journey.calls.index("DeleteAccessKey"), "before"))
    world.crash()
    assert world.rest().status is Status.APPROVED
    assert world.aws.key_ids(ALICE) == []

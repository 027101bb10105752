"""Whatever comes between two calls of a journey: at most one key for a request, none that nobody has, no untrue word.

Each journey is walked again and again; just before or just after each of its calls somebody else acts: another
process, the sweeper, another click, the owner of the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from bot.domain.errors import KeydeskError
from bot.domain.keys import DesiredState
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, disable_key
from bot.slack.messages.errors import error_text
from tests.support.crash_journeys import JOURNEYS, Steps, calls
from tests.support.world import ALICE, World, reveal
from tests.support.world import make_desk as new_desk

Rival = Callable[[World, KeyRequest], object]


def later(*spans: timedelta) -> Rival:
    return lambda world, request: [world.pass_time(span) for span in spans]


def with_its_key(click: Callable[..., object]) -> Rival:
    """A click on the key that IAM made last, wherever the button comes from."""
    return lambda world, request: (
        click(world.services, ALICE, [*world.iam.made][-1]) if world.iam.made else None
    )


RIVALS: dict[str, Rival] = {
    "a minute passes": later(timedelta(seconds=61)),
    "the look comes": later(timedelta(seconds=61), timedelta(minutes=15)),
    "a day passes": later(timedelta(minutes=16), timedelta(hours=12), timedelta(hours=12)),
    "another reveals": reveal,
    "its time comes, and another reveals": lambda world, request: [
        world.pass_time(timedelta(seconds=61)),
        world.pass_time(timedelta(minutes=15)),
        reveal(world, request),
    ],
    "I have it": with_its_key(confirm_receipt.confirm),
    "I did not get it": with_its_key(confirm_receipt.did_not_get),
    "Replace it": with_its_key(confirm_receipt.replace_key),
    "its owner turns it off": with_its_key(disable_key.disable),
    "its owner deletes it": lambda world, request: [
        with_its_key(disable_key.disable)(world, request),
        with_its_key(disable_key.delete)(world, request),
    ],
    "Cancel request": lambda world, request: create_request.cancel(
        world.services, ALICE, request.id
    ),
}


def interrupted(
    steps: Steps, call: int, name: str, side: str, rival: Rival
) -> tuple[World, KeyRequest, str]:
    """The world after a journey that a rival interrupted, and what the person was told."""
    world = new_desk()
    request = steps[0](world)
    nth = calls(steps)[:call].count(name)

    def acts() -> None:
        with suppress(KeydeskError):
            rival(world, request)

    world.taps.on(name, nth=nth, **{side: acts})
    told = ""
    try:
        with suppress(
            pytest.fail.Exception
        ):  # the journey expected a failure that the rival has prevented
            steps[1](world, request)
    except KeydeskError as error:
        told = error_text(error)
    world.taps.calm()
    return world, request, told


def beyond(journey: str, rival: str, name: str, side: str) -> bool:
    """What the design takes for impossible: a CreateAccessKey that runs after the look, and whose answer is lost."""
    return (
        (name, side) == ("issuer.create_key", "before")
        and "Key's answer is lost" in journey
        and rival in ("the look comes", "a day passes", "its time comes, and another reveals")
    )


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.parametrize("journey", JOURNEYS)
def test_whatever_comes_between_one_key_at_most_is_left(journey: str, rival: str) -> None:
    steps = JOURNEYS[journey]
    for call, name in enumerate(calls(steps), start=1):
        for side in ("before", "after"):
            if beyond(journey, rival, name, side):
                continue
            world, request, told = interrupted(steps, call, name, side, RIVALS[rival])
            assert len(world.desired()) <= 1
            gone = re.findall(r"(AKIA\w{16}) is (?:withdrawn|deleted again)", told)
            assert not set(gone) & set(world.iam.active)
            world.rest()
            now = world.now(request)
            assert now.status.final
            assert not any(world.store.lock_holder(hold) for hold in request.locks)
            assert set(world.iam.active) == set(world.desired())
            if now.status is Status.CONFIRMED:
                assert world.desired() in ([], [now.access_key_id])
                if not world.desired():  # then its owner turned it off
                    assert world.record(now.access_key_id).changed_by == ALICE.id
            else:
                assert world.desired() == []
            assert all(
                key.desired is not DesiredState.ACTIVE or key.check_at is None
                for key in world.records()
            )

"""Whatever call the process dies at: at most one key for a request, none that nobody has, nothing stuck.

Each journey is walked once to count its calls to the store, IAM and Slack. Then it is walked again and again, and
dies just before and just after each of them takes effect; a fresh process with the sweeper goes on from there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import (
    IamThrottled,
    IamUnavailable,
    KeydeskError,
    OutcomeUnknown,
    Refused,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.domain.ports import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, disable_key
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, World, make_desk, reveal

Steps = tuple[Callable[[World], KeyRequest], Callable[[World, KeyRequest], object]]


def lost_answer(world: World, request: KeyRequest) -> object:
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return [world.pass_time(timedelta(minutes=8)) for _ in range(3)]


def not_posted(world: World, request: KeyRequest) -> object:
    world.taps.on("messenger.deliver", before=Refused("channel_not_found"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return world.pass_time(timedelta(minutes=8))


def maybe_posted(world: World, request: KeyRequest) -> object:
    world.taps.on("messenger.deliver", after=OutcomeUnknown("chat.postEphemeral"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return world.pass_time(timedelta(minutes=8))


def not_recorded(world: World, request: KeyRequest) -> object:
    world.taps.on("issuer.create_key", after=lambda: same_again(world, request))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return world.pass_time(timedelta(minutes=8))


def same_again(world: World, request: KeyRequest) -> None:
    now = world.now(request)
    world.store.commit(
        Change(now, replace(now, version=now.version + 1)), entry=world.store.entries[-1]
    )


def did_not_get(world: World, request: KeyRequest) -> object:
    return confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)


def no_receipt(world: World, request: KeyRequest) -> object:
    return [world.pass_time(timedelta(hours=12)) for _ in range(2)]


def have_it(world: World, request: KeyRequest) -> object:
    return confirm_receipt.confirm(world.services, ALICE, request.access_key_id)


def replace_it(world: World, request: KeyRequest) -> object:
    return confirm_receipt.replace_key(world.services, ALICE, request.access_key_id)


def delete_it(world: World, request: KeyRequest) -> object:
    return disable_key.delete(world.services, ALICE, request.access_key_id)


def give_up(world: World, request: KeyRequest) -> object:
    return world.pass_time(timedelta(days=7))


JOURNEYS: dict[str, Steps] = {
    "reveal": (World.approved, reveal),
    "reveal, CreateAccessKey's answer is lost": (World.approved, lost_answer),
    "reveal, Slack refuses the ephemeral": (World.approved, not_posted),
    "reveal, Slack's answer is lost": (World.approved, maybe_posted),
    "reveal, the record is refused": (World.approved, not_recorded),
    "I did not get it": (World.delivered, did_not_get),
    "I have it": (World.delivered, have_it),
    "no receipt comes": (World.delivered, no_receipt),
    "unclaimed, I have it": (World.unclaimed, have_it),
    "unclaimed, Replace it": (World.unclaimed, replace_it),
    "unclaimed, deleted by its owner": (World.unclaimed, delete_it),
    "unclaimed to the end": (World.unclaimed, give_up),
}


def calls(steps: Steps) -> list[str]:
    """The calls of a journey that nothing disturbs."""
    arrange, walk = steps
    world = make_desk()
    request = arrange(world)
    before = len(world.taps.calls)
    walk(world, request)
    return world.taps.calls[before:]


def deaths(steps: Steps) -> list[tuple[int, str]]:
    """Every call of a journey, and both its sides."""
    return [
        (call, side) for call in range(1, len(calls(steps)) + 1) for side in ("before", "after")
    ]


def walk_and_die(steps: Steps, call: int, side: str) -> tuple[World, KeyRequest]:
    arrange, walk = steps
    world = make_desk()
    request = arrange(world)
    world.taps.break_at(call, side)
    with pytest.raises(ProcessDied):
        walk(world, request)
    world.taps.calm()
    return world, request


def at_rest(world: World, request: KeyRequest) -> None:
    """Promises 1 and 2, and that nothing is stuck."""
    now = world.now(request)
    assert now.status.final
    assert not any(
        world.store.lock_holder(hold) for hold in (*request.locks, *holds_while_issuing(request))
    )
    person_has = [now.access_key_id] if now.status is Status.CONFIRMED else []
    assert world.desired() == person_has
    assert world.iam.active == person_has
    assert world.store.due(world.clock.now()) == []
    assert world.store.due(world.clock.now() + timedelta(days=365)) == [
        f"key:{key_id}" for key_id in person_has
    ]
    world.outlive()
    assert not world.store.due(world.clock.now() + timedelta(days=365))


def holds_while_issuing(request: KeyRequest) -> list[str]:
    return [f"issuing:{request.account}:{request.iam_user}"]


@pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS)
def test_whenever_the_process_dies_and_the_person_stays_away_no_living_key_is_left(
    steps: Steps,
) -> None:
    for call, side in deaths(steps):
        world, request = walk_and_die(steps, call, side)
        world.rest()
        at_rest(world, request)


@pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS)
def test_whenever_the_process_dies_the_person_who_comes_back_ends_with_one_key_or_none(
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


def come_back(world: World, now: KeyRequest) -> None:
    """What a person does who wants a key and says so: reveal; a key that stands above is theirs, another is not."""
    if now.status is Status.APPROVED:
        reveal(world, now)
    elif now.status in (Status.DELIVERED, Status.UNCLAIMED):
        seen = now.access_key_id in [key_id for _, key_id, _ in world.slack.observed]
        click = (
            confirm_receipt.confirm
            if seen
            else confirm_receipt.did_not_get
            if now.status is Status.DELIVERED
            else confirm_receipt.replace_key
        )
        click(world.services, ALICE, now.access_key_id)


def lost(call: str) -> BaseException:
    """What a call raises when its answer is lost."""
    part, _, method = call.partition(".")
    if part == "issuer":
        changes = method in ("create_key", "set_status", "delete_key")
        return OutcomeUnknown(method) if changes else IamUnavailable(method)
    if part == "store":
        return StoreUnavailable()
    return (
        OutcomeUnknown(method) if method == "deliver" else SlackUnavailable(method, "fatal_error")
    )


def refused(call: str) -> BaseException:
    """What a call raises when it did not run, for certain."""
    if call.startswith("issuer"):
        return IamThrottled("Throttling", call)
    return Refused("channel_not_found") if call == "messenger.deliver" else lost(call)


def walk_on(steps: Steps, world: World, request: KeyRequest) -> None:
    """Nothing but a KeydeskError, which has a sentence for the person, may come of what fails outside."""
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
def test_whichever_call_is_not_answered_no_living_key_is_left(
    steps: Steps, side: str, error: Callable[[str], BaseException]
) -> None:
    for call, at in deaths(steps):
        world = make_desk()
        request = steps[0](world)
        if at == side and calls(steps)[call - 1] != "messenger.render":  # which raises nothing
            world.taps.break_at(call, side, error)
            walk_on(steps, world, request)


@pytest.mark.parametrize("part", ["store", "issuer", "messenger.deliver"])
@pytest.mark.parametrize("steps", JOURNEYS.values(), ids=JOURNEYS)
def test_from_whichever_call_on_something_outside_is_away_no_living_key_is_left(
    steps: Steps, part: str
) -> None:
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
def test_a_process_that_dies_again_while_it_recovers_leaves_no_living_key_either(
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

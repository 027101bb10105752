"""Whatever call the process dies at in the rest of a key's life: at most one new key, no half left undone, none stuck.

As in `test_crashes`, for rotations that let a key go, the old key's end, enabling, more time, expiry and leaks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.errors import KeydeskError, OutcomeUnknown
from bot.domain.keys import DesiredState, KeyStatus, Origin
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_orphan,
    decide_request,
    disable_key,
    finish_rotation,
    report_leak,
)
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, CAROL, World, make_desk, reveal
from tests.unit.operations.test_crashes import (
    Steps,
    calls,
    come_back,
    deaths,
    have_it,
    holds_while_issuing,
    lost,
    lost_answer,
    not_posted,
    refused,
    walk_and_die,
)

DAY = timedelta(days=1)


def at_quota(world: World) -> KeyRequest:
    return world.rotating(full=True)


def deletion_lost(world: World, request: KeyRequest) -> object:
    world.taps.on("issuer.delete_key", after=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return reveal(world, world.now(request))


def making_fails(world: World, request: KeyRequest) -> object:
    world.taps.on("issuer.create_key", before=refused("issuer.create_key"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return reveal(world, world.now(request))


def replacing(world: World) -> KeyRequest:
    return reveal(world, world.rotating())


def grace_over(world: World, request: KeyRequest) -> object:
    return [world.pass_time(DAY), world.sweep()]


def disable_old(world: World, request: KeyRequest) -> object:
    return finish_rotation.disable_old(world.services, ALICE, request.access_key_id)


def retired(world: World) -> KeyRequest:
    request = world.rotated()
    disable_old(world, request)
    return request


def undo(world: World, request: KeyRequest) -> object:
    return finish_rotation.undo(world.services, ALICE, request.target)


def living(world: World) -> KeyRequest:
    return confirm_receipt.confirm(world.services, ALICE, world.delivered().access_key_id)


def asked_back(world: World) -> KeyRequest:
    key_id = living(world).access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still used")
    assert request is not None
    return request


def more_time(world: World) -> KeyRequest:
    return create_request.extend(world.services, ALICE, living(world).access_key_id)


def approve(world: World, request: KeyRequest) -> object:
    return decide_request.approve(world.services, CAROL, request.id)


def to_its_end(world: World, request: KeyRequest) -> object:
    return [world.pass_time(90 * DAY), world.sweep()]


def ended(world: World) -> KeyRequest:
    request = living(world)
    to_its_end(world, request)
    return request


def to_its_deletion(world: World, request: KeyRequest) -> object:
    return [(world.pass_time(6 * DAY), world.sweep(), world.pass_time(DAY), world.sweep())]


def leaked_by_owner(world: World, request: KeyRequest) -> object:
    return report_leak.report(world.services, ALICE, request.access_key_id)


def leaked_by_a_stranger(world: World, request: KeyRequest) -> object:
    report_leak.report(world.services, BOB, request.access_key_id)
    return report_leak.disable(world.services, CAROL, request.access_key_id)


ROTATIONS: dict[str, Steps] = {
    "reveal, letting a key go": (at_quota, reveal),
    "the deletion's answer is lost": (at_quota, deletion_lost),
    "making the new key fails": (at_quota, making_fails),
    "CreateAccessKey's answer is lost": (at_quota, lost_answer),
    "Slack refuses the ephemeral": (at_quota, not_posted),
    "I have it": (replacing, have_it),
}
REST: dict[str, Steps] = {
    "the grace is over": (World.rotated, grace_over),
    "disable the old key": (World.rotated, disable_old),
    "undo": (retired, undo),
    "enable": (asked_back, approve),
    "more time": (more_time, approve),
    "expiry": (living, to_its_end),
    "deletion": (ended, to_its_deletion),
    "leaked, by its owner": (living, leaked_by_owner),
    "leaked, by a stranger": (living, leaked_by_a_stranger),
    "leaked, not confirmed": (World.delivered, leaked_by_owner),
    "leaked, unclaimed": (World.unclaimed, leaked_by_owner),
    "leaked, expired": (ended, leaked_by_owner),
}
ALL = ROTATIONS | REST


def new_keys(world: World, request: KeyRequest) -> list[str]:
    """The keys made for this request that Keydesk means to be active."""
    return [
        key.id
        for key in world.records()
        if key.request_id == request.id and key.desired is DesiredState.ACTIVE
    ]


def agrees(world: World) -> None:
    """IAM shows of every key what is wanted of it, and no leaked one is on."""
    for key in world.records():
        shown = world.iam.observed(key.id)
        assert (shown.status.value.lower() if shown else "deleted") == key.desired.value
        assert not (key.leaked and key.desired is DesiredState.ACTIVE)


def at_rest(world: World, request: KeyRequest) -> None:
    """Promises 1 and 2, every half finished, nothing due that is not to come, and in the end nothing due at all."""
    now = world.now(request)
    assert now.status.final or now.status is Status.PENDING
    if now.status.final:
        assert not any(
            world.store.lock_holder(hold)
            for hold in (*request.locks, *holds_while_issuing(request))
        )
    assert set(new_keys(world, request)) <= (
        {now.access_key_id} if now.status is Status.CONFIRMED else set()
    )
    assert world.store.due(world.clock.now()) == []
    agrees(world)
    world.outlive(120)
    agrees(world)
    assert not world.still_due()


def let_go_is_true(world: World, request: KeyRequest) -> None:
    """The key that was let go is as it was, or to be deleted; and no new key was made while it stood in IAM."""
    if not request.delete_first:
        return
    record = world.store.key(request.delete_first)
    assert record is None or record.desired is DesiredState.DELETED
    if len(world.iam.made) > 2:
        assert world.iam.observed(request.delete_first) is None


def an_approver_clears_up(world: World) -> None:
    """**Delete it** for each key that was found after a lost answer: it takes the slot that was made free."""
    for key in world.records():
        if key.origin is Origin.ORPHANED and key.desired is DesiredState.INACTIVE:
            decide_orphan.decide(world.services, CAROL, key.id, DesiredState.DELETED)


@pytest.mark.parametrize("steps", ALL.values(), ids=ALL)
def test_whenever_the_process_dies_and_the_people_stay_away_nothing_is_left_half_done(
    steps: Steps,
) -> None:
    for call, side in deaths(steps):
        world, request = walk_and_die(steps, call, side)
        let_go_is_true(world, request)
        world.rest()
        let_go_is_true(world, request)
        at_rest(world, request)


@pytest.mark.parametrize("steps", ROTATIONS.values(), ids=ROTATIONS)
def test_whenever_the_process_dies_the_person_who_comes_back_ends_with_one_new_key_or_none(
    steps: Steps,
) -> None:
    for call, side in deaths(steps):
        world, request = walk_and_die(steps, call, side)
        for _ in range(80):
            world.pass_time(timedelta(seconds=30))
            an_approver_clears_up(world)
            with contextlib.suppress(KeydeskError):
                come_back(world, world.now(request))
            assert len(new_keys(world, request)) <= 1
            let_go_is_true(world, request)
        world.rest()
        assert world.now(request).status is Status.CONFIRMED
        at_rest(world, request)


@pytest.mark.parametrize(
    ("side", "error"), [("before", lost), ("after", lost), ("before", refused)]
)
@pytest.mark.parametrize("steps", ALL.values(), ids=ALL)
def test_whichever_call_is_not_answered_nothing_is_left_half_done(
    steps: Steps, side: str, error: Callable[[str], BaseException]
) -> None:
    for call, at in deaths(steps):
        if at != side:
            continue
        world = make_desk()
        request = steps[0](world)
        world.taps.break_at(
            call, side, lambda name: ProcessDied() if name == "messenger.render" else error(name)
        )
        with contextlib.suppress(KeydeskError, ProcessDied, pytest.fail.Exception):
            steps[1](world, request)
        world.taps.calm()
        let_go_is_true(world, request)
        world.rest()
        at_rest(world, request)


@pytest.mark.parametrize(
    "journey", ["reveal, letting a key go", "enable", "expiry", "leaked, by its owner", "undo"]
)
def test_a_process_that_dies_again_while_it_goes_on_leaves_nothing_half_done_either(
    journey: str,
) -> None:
    steps = ALL[journey]
    for call, _ in deaths(steps)[::2]:
        for second in range(1, 9):
            world, request = walk_and_die(steps, call, "after")
            world.taps.break_at(second, "after")
            for _ in range(20):
                with contextlib.suppress(ProcessDied):
                    world.pass_time(timedelta(minutes=1))
            world.taps.calm()
            world.rest()
            at_rest(world, request)


def in_the_console(world: World, key_id: str, what: str) -> None:
    if key_id in world.iam.made and world.iam.observed(key_id):
        if what == "gone":
            world.iam.delete_key(ALICE.email, key_id)
        else:
            world.iam.set_status(ALICE.email, key_id, KeyStatus(what))


@pytest.mark.parametrize("what", ["gone", "Inactive", "Active"])
@pytest.mark.parametrize("steps", ALL.values(), ids=ALL)
def test_whatever_somebody_does_in_the_console_at_any_moment_nothing_is_tripped_over(
    steps: Steps, what: str
) -> None:
    for call, side in deaths(steps):
        for which in ("target", "access_key_id", "delete_first"):
            world = make_desk()
            request = steps[0](world)
            name, number = nth(steps, call)
            world.taps.on(
                name,
                nth=number,
                **{
                    side: lambda w=world, r=request, a=which: in_the_console(
                        w, getattr(w.store.request(r.id), a), what
                    )
                },
            )
            with contextlib.suppress(KeydeskError, pytest.fail.Exception):
                steps[1](world, request)
            world.taps.calm()
            world.rest()
            world.outlive(120)
            assert not world.still_due()
            assert len(new_keys(world, request)) <= 1


def nth(steps: Steps, call: int) -> tuple[str, int]:
    """The name of a journey's call of this number, and the how manieth of that name it is."""
    so_far = calls(steps)[:call]
    return so_far[-1], so_far.count(so_far[-1])

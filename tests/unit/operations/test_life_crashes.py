"""Whatever call the process dies at in the rest of a key's life: nothing is left half done.

As in `test_crashes`, for rotations that free a slot, the old key, enabling, extending, expiry and
leaks. There is at most one new key, and nothing gets stuck.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.errors import KeydeskError
from bot.domain.keys import DesiredState, KeyStatus, Origin
from bot.domain.outside_errors import OutcomeUnknown
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
from tests.support.crash_journeys import (
    Steps,
    calls,
    come_back,
    deaths,
    have_it,
    issuing_locks,
    lost,
    lost_answer,
    not_posted,
    refused,
    walk_and_die,
)
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, CAROL, World, make_desk, reveal

DAY = timedelta(days=1)


def both_slots_taken(world: World) -> KeyRequest:
    return world.rotating(full=True)


def deletion_lost(world: World, request: KeyRequest) -> object:
    world.taps.on("issuer.delete_key", after=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return reveal(world, world.now(request))


def creation_fails(world: World, request: KeyRequest) -> object:
    world.taps.on("issuer.create_key", before=refused("issuer.create_key"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    return reveal(world, world.now(request))


def rotation_revealed(world: World) -> KeyRequest:
    return reveal(world, world.rotating())


def grace_period_ends(world: World, request: KeyRequest) -> object:
    return [world.pass_time(DAY), world.sweep()]


def disable_old(world: World, request: KeyRequest) -> object:
    return finish_rotation.disable_old(world.services, ALICE, request.access_key_id)


def old_key_disabled(world: World) -> KeyRequest:
    request = world.rotated()
    disable_old(world, request)
    return request


def undo(world: World, request: KeyRequest) -> object:
    return finish_rotation.undo(world.services, ALICE, request.target)


def confirmed(world: World) -> KeyRequest:
    return confirm_receipt.confirm(world.services, ALICE, world.delivered().access_key_id)


def requested_enable(world: World) -> KeyRequest:
    key_id = confirmed(world).access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still used")
    assert request is not None
    return request


def more_time(world: World) -> KeyRequest:
    return create_request.extend(world.services, ALICE, confirmed(world).access_key_id)


def approve(world: World, request: KeyRequest) -> object:
    return decide_request.approve(world.services, CAROL, request.id)


def until_expiry(world: World, request: KeyRequest) -> object:
    return [world.pass_time(90 * DAY), world.sweep()]


def expired(world: World) -> KeyRequest:
    request = confirmed(world)
    until_expiry(world, request)
    return request


def until_deletion(world: World, request: KeyRequest) -> object:
    return [(world.pass_time(6 * DAY), world.sweep(), world.pass_time(DAY), world.sweep())]


def leaked_by_owner(world: World, request: KeyRequest) -> object:
    return report_leak.report(world.services, ALICE, request.access_key_id)


def leaked_by_another_member(world: World, request: KeyRequest) -> object:
    report_leak.report(world.services, BOB, request.access_key_id)
    return report_leak.disable(world.services, CAROL, request.access_key_id)


ROTATIONS: dict[str, Steps] = {
    "reveal, freeing a slot": (both_slots_taken, reveal),
    "the deletion's answer is lost": (both_slots_taken, deletion_lost),
    "the creation fails": (both_slots_taken, creation_fails),
    "CreateAccessKey's answer is lost": (both_slots_taken, lost_answer),
    "Slack refuses the ephemeral": (both_slots_taken, not_posted),
    "I have it": (rotation_revealed, have_it),
}
REST: dict[str, Steps] = {
    "the grace period ends": (World.rotated, grace_period_ends),
    "disable the old key": (World.rotated, disable_old),
    "undo": (old_key_disabled, undo),
    "enable": (requested_enable, approve),
    "more time": (more_time, approve),
    "expiry": (confirmed, until_expiry),
    "deletion": (expired, until_deletion),
    "leaked, by its owner": (confirmed, leaked_by_owner),
    "leaked, by another member": (confirmed, leaked_by_another_member),
    "leaked, not confirmed": (World.delivered, leaked_by_owner),
    "leaked, unclaimed": (World.unclaimed, leaked_by_owner),
    "leaked, expired": (expired, leaked_by_owner),
}
ALL = ROTATIONS | REST


def new_keys(world: World, request: KeyRequest) -> list[str]:
    """Return the keys created for this request that Keydesk wants active."""
    return [
        key.id
        for key in world.records()
        if key.request_id == request.id and key.desired is DesiredState.ACTIVE
    ]


def iam_agrees(world: World) -> None:
    """Assert that every key in IAM is as desired, and that no leaked key is active."""
    for key in world.records():
        shown = world.iam.observed(key.id)
        assert (shown.status.value.lower() if shown else "deleted") == key.desired.value
        assert not (key.leaked and key.desired is DesiredState.ACTIVE)


def at_rest(world: World, request: KeyRequest) -> None:
    """Assert promises 1 and 2 (docs/testing.md), and that nothing is half done or stays due."""
    now = world.now(request)
    assert now.status.final or now.status is Status.PENDING
    if now.status.final:
        assert not any(
            world.store.lock_holder(lock) for lock in (*request.locks, *issuing_locks(request))
        )
    assert set(new_keys(world, request)) <= (
        {now.access_key_id} if now.status is Status.CONFIRMED else set()
    )
    assert world.store.due(world.clock.now()) == []
    iam_agrees(world)
    world.outlive(120)
    iam_agrees(world)
    assert not world.still_due()


def slot_was_freed_first(world: World, request: KeyRequest) -> None:
    """Assert that no new key was created before the old one was deleted."""
    if not request.delete_first:
        return
    record = world.store.key(request.delete_first)
    assert record is None or record.desired is DesiredState.DELETED
    if len(world.iam.made) > 2:
        assert world.iam.observed(request.delete_first) is None


def delete_orphans(world: World) -> None:
    """Have an approver delete each orphaned key, which takes the slot that was freed."""
    for key in world.records():
        if key.origin is Origin.ORPHANED and key.desired is DesiredState.INACTIVE:
            decide_orphan.decide(world.services, CAROL, key.id, DesiredState.DELETED)


@pytest.mark.parametrize("steps", ALL.values(), ids=ALL)
def test_a_crash_leaves_nothing_half_done(
    steps: Steps,
) -> None:
    for call, side in deaths(steps):
        world, request = walk_and_die(steps, call, side)
        slot_was_freed_first(world, request)
        world.rest()
        slot_was_freed_first(world, request)
        at_rest(world, request)


@pytest.mark.parametrize("steps", ROTATIONS.values(), ids=ROTATIONS)
def test_after_a_crash_a_rotation_ends_with_one_new_key(
    steps: Steps,
) -> None:
    for call, side in deaths(steps):
        world, request = walk_and_die(steps, call, side)
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


@pytest.mark.parametrize(
    ("side", "error"), [("before", lost), ("after", lost), ("before", refused)]
)
@pytest.mark.parametrize("steps", ALL.values(), ids=ALL)
def test_a_failed_call_leaves_nothing_half_done(
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
        slot_was_freed_first(world, request)
        world.rest()
        at_rest(world, request)


@pytest.mark.parametrize(
    "journey", ["reveal, freeing a slot", "enable", "expiry", "leaked, by its owner", "undo"]
)
def test_a_second_crash_leaves_nothing_half_done_either(
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
def test_a_console_change_at_any_moment_breaks_nothing(steps: Steps, what: str) -> None:
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
    """Return the name of a journey's call, and how often that name was called up to it."""
    so_far = calls(steps)[:call]
    return so_far[-1], so_far.count(so_far[-1])

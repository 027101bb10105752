"""Journeys of a key's later life, and what holds after a crash or failure.

They are rotations that free a slot, the old key, enabling, extending, expiry and leaks. The
journeys of a delivery are in `tests.support.crash_journeys`.
"""

from __future__ import annotations

import contextlib

import pytest

from bot.domain.errors import KeydeskError
from bot.domain.keys import DesiredState, KeyStatus, Origin
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import create_request, decide_orphan, disable_key, finish_rotation, report_leak
from tests.support.crash_journeys import (
    Steps,
    have_it,
    issuing_locks,
    lost_answer,
    not_posted,
    refused,
)
from tests.support.world import ALICE, BOB, CAROL, World, make_desk, reveal
from tests.unit.operations.key_steps import approve, confirmed, request_enable
from tests.unit.operations.key_times import DAY


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


def enable_requested(world: World) -> KeyRequest:
    key_id = confirmed(world).access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    return request_enable(world, key_id)


def more_time(world: World) -> KeyRequest:
    return create_request.extend(world.services, ALICE, confirmed(world).access_key_id)


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
    "enable": (enable_requested, approve),
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


def in_the_console(world: World, key_id: str, what: str) -> None:
    """Delete the key in the console ("gone"), or give it this status there."""
    if key_id in world.iam.made and world.iam.observed(key_id):
        if what == "gone":
            world.iam.delete_key(ALICE.email, key_id)
        else:
            world.iam.set_status(ALICE.email, key_id, KeyStatus(what))


def new_keys(world: World, request: KeyRequest) -> list[str]:
    """Return the keys created for this request whose desired state is active."""
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
    """Assert promises 1 and 2 (docs/testing.md), and that nothing stays due."""
    now = world.now(request)
    assert now.status.final or now.status is Status.PENDING
    if now.status.final:
        locks = (*request.locks, *issuing_locks(request))
        assert not any(world.store.lock_holder(lock) for lock in locks)
    received = {now.access_key_id} if now.status is Status.CONFIRMED else set()
    assert set(new_keys(world, request)) <= received
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


def walk_with_console_change(
    steps: Steps, field: str, what: str, call: str, nth: int, side: str = "before"
) -> None:
    """Walk a journey whose key in `field` changes in the console at a call.

    Assert that nothing stays due, and that at most one new key is desired.
    """
    world = make_desk()
    request = steps[0](world)
    world.taps.on(
        call,
        nth=nth,
        **{side: lambda: in_the_console(world, getattr(world.now(request), field), what)},
    )
    with contextlib.suppress(KeydeskError, pytest.fail.Exception):
        steps[1](world, request)
    world.taps.calm()
    world.rest()
    world.outlive(120)
    assert not world.still_due()
    assert len(new_keys(world, request)) <= 1

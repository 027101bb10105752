"""Undo a rotation: enable the old key again, while that is safe."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.codes import Code
from bot.domain.keys import (
    DELETION_NOTICE,
    DesiredState,
    InactiveReason,
    KeyStatus,
)
from bot.domain.outside_errors import OutcomeUnknown
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    finish_rotation,
    report_leak,
    reveal_key,
)
from bot.slack.messages import keys
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, make_desk, reveal
from tests.unit.operations.test_finish_rotation import drawn, living_key, service_key, status

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


def test_undo_enables_the_old_key_until_it_is_deleted() -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.pass_time(timedelta(minutes=15))
    world.pass_time(6 * DAY)
    assert DELETION_NOTICE in world.record(request.target).notices
    with world.nothing_happens(), refuses(Code.NOT_YOUR_KEY):
        finish_rotation.undo(world.services, BOB, request.target)
    finish_rotation.undo(world.services, ALICE, request.target)
    record = world.record(request.target)
    assert (status(world, request.target), record.desired, record.delete_at, record.notices) == (
        "Active",
        DesiredState.ACTIVE,
        None,
        (),
    )
    world.outlive()
    assert status(world, request.target) == "Active"
    with world.nothing_happens(), refuses(Code.NOTHING_TO_UNDO):
        finish_rotation.undo(world.services, ALICE, request.target)


def test_an_unconfirmed_undo_is_done_later() -> None:
    world = make_desk()
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        finish_rotation.undo(world.services, ALICE, request.target)
    world.pass_time(timedelta(seconds=15))
    assert status(world, request.target) == "Active"


def test_undo_does_not_enable_an_expired_key() -> None:
    world = make_desk(rotation_grace=DAY)
    old = living_key(world, 3 * DAY)
    world.clock.advance(HOUR)
    asked = create_request.rotate(world.services, ALICE, old)
    new = reveal(world, decide_request.approve(world.services, CAROL, asked.id)).access_key_id
    confirm_receipt.confirm(world.services, ALICE, new)
    finish_rotation.disable_old(world.services, ALICE, new)
    ends = world.record(old).expires_at
    assert ends is not None and str(int(ends.timestamp())) in drawn(
        world.record(old), f"retired:{keys._mark(world.record(old).changed_at)}"
    )
    world.clock.advance(3 * DAY)
    with refuses(Code.UNDO_EXPIRED, key_id=old):
        finish_rotation.undo(world.services, ALICE, old)
    assert world.iam.active == [new]


def test_undo_does_not_enable_a_leaked_key() -> None:
    world = make_desk()
    request = world.rotated()
    report_leak.report(world.services, ALICE, request.target)
    world.iam.set_status(ALICE.email, request.target, KeyStatus.ACTIVE)  # in the console
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    assert (status(world, request.target), world.record(request.target).inactive_reason) == (
        "Inactive",
        InactiveReason.LEAKED,
    )
    with world.nothing_happens(), refuses(Code.KEY_IS_LEAKED):
        finish_rotation.undo(world.services, ALICE, request.target)


def test_who_rotates_another_owners_service_key_can_undo_it() -> None:
    world = make_desk(iam_owner_tag="owner")
    old = service_key(world, "U0BOB U0ALICE", ALICE)
    world.clock.advance(HOUR)
    asked = create_request.rotate(
        world.services, BOB, old, options=create_request.RequestOptions(service_user="ci-deploy")
    )
    new = reveal_key.reveal(
        world.services, BOB, decide_request.approve(world.services, CAROL, asked.id).id
    ).access_key_id
    confirm_receipt.confirm(world.services, BOB, new)
    world.pass_time(DAY)
    record = world.record(old)
    assert (record.inactive_reason, record.owner, record.dm, record.is_service_user) == (
        InactiveReason.ROTATED,
        BOB.id,
        "D0BOB",
        True,
    )
    finish_rotation.undo(world.services, BOB, old)
    assert old in world.iam.active

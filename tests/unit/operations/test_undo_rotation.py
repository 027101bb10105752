"""Undo a rotation: enable the old key again, while that is safe."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code
from bot.domain.keys import DELETION_NOTICE, DesiredState, InactiveReason, KeyStatus
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.requests import KeyRequest
from bot.operations import create_request, finish_rotation, report_leak
from bot.operations.create_request import RequestOptions
from bot.slack.messages import keys
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, World, make_desk
from tests.unit.operations.key_checks import assert_fields, iam_status
from tests.unit.operations.key_steps import (
    NO_EXPIRY,
    approve,
    living,
    receive,
    rotation,
    service_key,
)
from tests.unit.operations.key_times import DAY, HOUR, ORPHAN_CHECK, SOON


def disabled_old(world: World) -> KeyRequest:
    """Return a rotation whose old key its owner has disabled."""
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    return request


def test_undo_enables_the_old_key_until_it_is_deleted() -> None:
    world = make_desk(**NO_EXPIRY)
    old = disabled_old(world).target
    world.pass_time(ORPHAN_CHECK)
    world.pass_time(6 * DAY)
    assert DELETION_NOTICE in world.record(old).notices
    with world.nothing_happens(), refuses(Code.NOT_YOUR_KEY):
        finish_rotation.undo(world.services, BOB, old)
    finish_rotation.undo(world.services, ALICE, old)
    record = world.record(old)
    assert (record.desired, record.delete_at, record.notices) == (DesiredState.ACTIVE, None, ())
    assert iam_status(world, old) == "Active"
    world.outlive()
    assert iam_status(world, old) == "Active"
    with world.nothing_happens(), refuses(Code.NOTHING_TO_UNDO):
        finish_rotation.undo(world.services, ALICE, old)


def test_an_unconfirmed_undo_is_done_later() -> None:
    world = make_desk()
    old = disabled_old(world).target
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        finish_rotation.undo(world.services, ALICE, old)
    world.pass_time(SOON)
    assert iam_status(world, old) == "Active"


def test_undo_does_not_enable_an_expired_key() -> None:
    world = make_desk(rotation_grace=DAY)
    old = living(world, 3 * DAY).access_key_id
    world.clock.advance(HOUR)
    new = receive(world, rotation(world, old))
    finish_rotation.disable_old(world.services, ALICE, new)
    record = world.record(old)
    message = keys.render(record, f"retired:{keys._mark(record.changed_at)}")
    assert record.expires_at is not None
    assert str(int(record.expires_at.timestamp())) in str(message.blocks)
    world.clock.advance(3 * DAY)
    with refuses(Code.UNDO_EXPIRED, key_id=old):
        finish_rotation.undo(world.services, ALICE, old)
    assert world.iam.active == [new]


@pytest.mark.parametrize(
    ("reporter", "code"), [(ALICE, Code.KEY_IS_LEAKED), (BOB, Code.UNDO_REPORTED)]
)
def test_undo_does_not_enable_a_reported_key(reporter: object, code: Code) -> None:
    """An owner's report disables the key. Another member's awaits a decision."""
    world = make_desk()
    request = world.rotated()
    old = request.target
    report_leak.report(world.services, reporter, old)
    world.iam.set_status(ALICE.email, old, KeyStatus.ACTIVE)
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    assert iam_status(world, old) == "Inactive"
    if reporter is ALICE:
        assert world.record(old).inactive_reason is InactiveReason.LEAKED
    with world.nothing_happens(), refuses(code, key_id=old):
        finish_rotation.undo(world.services, ALICE, old)
    assert iam_status(world, old) == "Inactive"


def test_who_rotates_another_owners_service_key_can_undo_it() -> None:
    world = make_desk(iam_owner_tag="owner")
    old = service_key(world, "U0BOB U0ALICE", ALICE)
    world.clock.advance(HOUR)
    options = RequestOptions(service_user="ci-deploy")
    request = create_request.rotate(world.services, BOB, old, options=options)
    receive(world, approve(world, request), BOB)
    world.pass_time(DAY)
    record = world.record(old)
    assert_fields(
        record,
        inactive_reason=InactiveReason.ROTATED,
        owner=BOB.id,
        dm="D0BOB",
        is_service_user=True,
    )
    finish_rotation.undo(world.services, BOB, old)
    assert old in world.iam.active

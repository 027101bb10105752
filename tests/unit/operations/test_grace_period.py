"""The grace period of a rotation: when it starts, and what its end does."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.keys import (
    DELETION_NOTICE,
    DesiredState,
    InactiveReason,
    KeyStatus,
    ManagedKey,
    ObservedState,
)
from bot.domain.outside_errors import IamUnavailable
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import finish_rotation
from tests.support.errors import refuses
from tests.support.world import ALICE, World, make_desk, reveal
from tests.unit.operations.key_checks import assert_fields, assert_nothing_due, iam_status
from tests.unit.operations.key_steps import NO_EXPIRY, confirm
from tests.unit.operations.key_times import DAY, HOUR, ORPHAN_CHECK, SECOND


@pytest.fixture
def world() -> World:
    return make_desk()


def new(world: World, request: KeyRequest) -> ManagedKey:
    """Return the record of the rotation's new key."""
    return world.record(world.now(request).access_key_id)


def disable_old(world: World, request: KeyRequest) -> ManagedKey:
    return finish_rotation.disable_old(world.services, ALICE, request.access_key_id)


def assert_grace_began(world: World, request: KeyRequest, began: datetime) -> None:
    """Assert that the rotation is confirmed, and its grace period began at this time."""
    assert world.now(request).status is Status.CONFIRMED
    record = new(world, request)
    assert record.grace_ends_at == began + world.services.settings.rotation_grace
    assert record.delivered_at is not None
    assert [key.id for key in record.snapshot] == [request.target, record.id]


@pytest.mark.parametrize(
    ("start", "after"), [("receipt", HOUR), ("late receipt", 2 * DAY), ("first use", 12 * HOUR)]
)
def test_the_grace_period_starts_with_receipt_or_first_use(start: str, after: timedelta) -> None:
    world = make_desk(**NO_EXPIRY)
    request = reveal(world, world.rotating())
    record = new(world, request)
    assert (record.grace_ends_at, record.replaces) == (None, request.target)
    world.pass_time(after)
    if start == "first use":
        world.iam.use(record.id)
        world.pass_time(12 * HOUR)
    else:
        confirm(world, record.id)
    assert_grace_began(world, request, world.clock.now())


def test_a_receipt_before_the_delivery_record_starts_the_grace() -> None:
    world = make_desk(**NO_EXPIRY)
    request = world.rotating()
    world.taps.on("messenger.deliver", after=lambda: confirm(world, new(world, request).id))
    reveal(world, request)
    began = world.clock.now()
    world.pass_time(HOUR)
    assert_grace_began(world, request, began)


def test_without_a_receipt_only_the_old_key_remains(world: World) -> None:
    request = reveal(world, world.rotating())
    world.rest()
    assert world.now(request).status is Status.EXPIRED
    assert world.iam.active == [request.target]


def test_a_receipt_needs_no_last_use_from_iam(world: World) -> None:
    request = reveal(world, world.rotating())
    world.taps.on("issuer.keys", before=IamUnavailable("ListAccessKeys"))
    confirm(world, request.access_key_id)
    record = new(world, request)
    assert record.snapshot == () and record.grace_ends_at is not None


def test_a_late_receipt_enables_the_key_and_starts_the_grace(world: World) -> None:
    request = reveal(world, world.rotating())
    for _ in range(2):
        world.pass_time(12 * HOUR)
    before = new(world, request)
    assert (world.now(request).status, before.inactive_reason) == (
        Status.UNCLAIMED,
        InactiveReason.UNCLAIMED,
    )
    confirm(world, request.access_key_id)
    after = new(world, request)
    assert_fields(
        after,
        desired=DesiredState.ACTIVE,
        observed=ObservedState.ACTIVE,
        inactive_reason=InactiveReason.NONE,
        grace_ends_at=world.clock.now() + DAY,
    )
    assert after.version == before.version + 2  # It is stored as desired, then read back.


def test_a_new_key_enabled_in_the_console_starts_the_grace(world: World) -> None:
    request = reveal(world, world.rotating())
    for _ in range(2):
        world.pass_time(12 * HOUR)
    world.pass_time(HOUR)
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.ACTIVE)
    world.iam.use(request.access_key_id)
    world.pass_time(7 * DAY)
    assert world.now(request).status is Status.CONFIRMED
    assert new(world, request).grace_ends_at == world.clock.now() + DAY
    world.outlive(3)
    assert world.iam.active == [request.access_key_id]


# The scheduler ends the grace period.


def test_an_unused_old_key_is_disabled_after_its_grace_period(world: World) -> None:
    request = world.rotated()
    world.pass_time(DAY - SECOND)
    assert iam_status(world, request.target) == "Active"
    world.pass_time(SECOND)
    assert iam_status(world, request.target) == "Inactive"
    old = world.record(request.target)
    assert_fields(old, inactive_reason=InactiveReason.ROTATED, changed_by="keydesk", dm="D0ALICE")
    assert world.slack.rendered[-1] == old.name


def test_a_use_before_the_delivery_does_not_count(world: World) -> None:
    request = world.rotating()
    world.iam.use(request.target)
    world.clock.advance(SECOND)
    confirm(world, reveal(world, request).access_key_id)
    world.pass_time(DAY)
    assert iam_status(world, request.target) == "Inactive"


def test_an_old_key_in_use_stays_active_with_daily_reminders() -> None:
    world = make_desk(rotation_grace=DAY)
    request = world.rotated()
    for day in range(1, 6):
        world.clock.advance(HOUR)
        world.iam.use(request.target)
        world.pass_time(DAY - HOUR)
        record = new(world, request)
        assert (iam_status(world, request.target), record.days_still_used) == ("Active", day)
        assert record.grace_ends_at == world.clock.now() + DAY
        with world.nothing_happens():
            world.sweep()


@pytest.mark.parametrize(("grace", "used_after"), [(3 * DAY, 2 * DAY), (DAY, 23 * HOUR)])
def test_a_used_old_key_is_disabled_after_an_unused_period(
    grace: timedelta, used_after: timedelta
) -> None:
    """A daily job may run late: a key that was used 25 hours ago stays active."""
    world = make_desk(rotation_grace=grace)
    request = world.rotated()
    world.clock.advance(used_after)
    world.iam.use(request.target)
    world.pass_time(grace - used_after)
    for day in (1, 2):
        assert iam_status(world, request.target) == "Active"
        assert new(world, request).days_still_used == day
        world.pass_time(DAY)
    assert iam_status(world, request.target) == "Inactive"


def test_an_old_key_with_unknown_last_use_stays_active(world: World) -> None:
    request = world.rotated()
    world.iam.use_unknown.add(request.target)
    world.pass_time(DAY)
    assert request.target in world.iam.active
    world.iam.use_unknown.clear()
    world.pass_time(HOUR)
    assert request.target not in world.iam.active


def test_a_disabled_old_key_is_deleted_after_one_notice() -> None:
    world = make_desk(**NO_EXPIRY)
    request = world.rotated()
    disable_old(world, request)
    world.pass_time(ORPHAN_CHECK)
    world.slack.rendered.clear()
    world.pass_time(6 * DAY - ORPHAN_CHECK - SECOND)
    assert (world.record(request.target).notices, world.slack.rendered) == ((), [])
    world.pass_time(SECOND)
    assert world.record(request.target).notices == (DELETION_NOTICE,)
    with world.nothing_happens():
        world.pass_time(DAY - SECOND)
    world.pass_time(SECOND)
    assert iam_status(world, request.target) == "gone"
    assert world.record(request.target).desired is DesiredState.DELETED
    world.rest(days=2)
    assert_nothing_due(world)
    with world.nothing_happens(), refuses(Code.NOTHING_TO_UNDO):
        finish_rotation.undo(world.services, ALICE, request.target)


def test_no_key_is_deleted_without_notice_after_an_outage() -> None:
    world = make_desk(**NO_EXPIRY)
    request = world.rotated()
    disable_old(world, request)
    world.pass_time(ORPHAN_CHECK)
    world.pass_time(30 * DAY)
    record = world.record(request.target)
    assert (iam_status(world, request.target), record.notices, record.delete_at) == (
        "Inactive",
        (DELETION_NOTICE,),
        world.clock.now() + DAY,
    )
    world.pass_time(DAY)
    assert iam_status(world, request.target) == "gone"

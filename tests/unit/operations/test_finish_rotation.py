"""Rotation after the hand-over: the old key's grace begins with the receipt, and what is still used is not broken."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    ChangePending,
    IamUnavailable,
    KeyIsLeaked,
    NotYourKey,
    OutcomeUnknown,
    WrongState,
)
from bot.domain.keys import (
    DELETION_NOTICE,
    DesiredState,
    InactiveReason,
    KeyStatus,
    ManagedKey,
    ObservedState,
)
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    disable_key,
    finish_rotation,
    report_leak,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk, reveal

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


def new(world: World, request: KeyRequest) -> ManagedKey:
    """The record of the rotation's new key."""
    return world.record(world.now(request).access_key_id)


def status(world: World, key_id: str) -> str:
    key = world.iam.observed(key_id)
    return "gone" if key is None else key.status.value


@pytest.mark.parametrize(
    "ends_with", ["receipt", "first use", "late receipt", "receipt before the note"]
)
def test_the_old_keys_grace_begins_with_the_receipt_or_the_first_use_and_never_before(
    ends_with: str,
) -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotating()
    if ends_with == "receipt before the note":
        world.taps.on(
            "messenger.deliver",
            after=lambda: confirm_receipt.confirm(world.services, ALICE, new(world, request).id),
        )
    reveal(world, request)
    if ends_with != "receipt before the note":
        assert (
            new(world, request).grace_ends_at is None
            and new(world, request).replaces == request.target
        )
    world.pass_time({"first use": 12 * HOUR, "late receipt": 2 * DAY}.get(ends_with, HOUR))
    if ends_with == "first use":
        world.iam.use(new(world, request).id)
        world.pass_time(12 * HOUR)
    elif ends_with != "receipt before the note":
        confirm_receipt.confirm(world.services, ALICE, new(world, request).id)
    assert world.now(request).status is Status.CONFIRMED
    grace = new(world, request).grace_ends_at
    began = world.clock.now() - (HOUR if ends_with == "receipt before the note" else 0 * HOUR)
    assert grace == began + world.services.settings.rotation_grace
    assert new(world, request).delivered_at is not None
    assert [key.id for key in new(world, request).snapshot] == [
        request.target,
        new(world, request).id,
    ]


def test_without_a_receipt_the_new_key_goes_and_the_old_one_stays_as_it_is() -> None:
    world = make_desk()
    request = reveal(world, world.rotating())
    world.rest()
    assert world.now(request).status is Status.EXPIRED
    assert world.iam.active == [request.target]


def test_a_receipt_stands_though_iam_does_not_say_how_the_keys_are_used() -> None:
    world = make_desk()
    request = reveal(world, world.rotating())
    world.taps.on("issuer.keys", before=IamUnavailable("ListAccessKeys"))
    confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    assert new(world, request).snapshot == () and new(world, request).grace_ends_at is not None


def test_a_late_receipt_turns_the_key_on_and_begins_the_grace_in_one_step_of_its_record() -> None:
    world = make_desk()
    request = reveal(world, world.rotating())
    world.pass_time(12 * HOUR)
    world.pass_time(12 * HOUR)
    before = new(world, request)
    assert (world.now(request).status, before.inactive_reason) == (
        Status.UNCLAIMED,
        InactiveReason.UNCLAIMED,
    )
    confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    after = new(world, request)
    assert (after.desired, after.observed, after.inactive_reason) == (
        DesiredState.ACTIVE,
        ObservedState.ACTIVE,
        InactiveReason.NONE,
    )
    assert after.version == before.version + 2  # wanted, and read back
    assert after.grace_ends_at == world.clock.now() + DAY


def test_check_again_reads_both_keys_anew() -> None:
    world = make_desk()
    request = world.rotated()
    world.iam.use(request.access_key_id)
    world.clock.advance(HOUR)
    finish_rotation.check_last_use(world.services, ALICE, request.access_key_id)
    record = new(world, request)
    assert (
        record.snapshot == world.iam.keys(ALICE.email) and record.snapshot_at == world.clock.now()
    )
    assert record.snapshot[1].last_used.at is not None  # type: ignore[union-attr]  # it was asked for


def test_not_yet_begins_the_grace_anew() -> None:
    world = make_desk()
    request = world.rotated()
    world.pass_time(23 * HOUR)
    finish_rotation.not_yet(world.services, ALICE, request.access_key_id)
    world.pass_time(DAY - SECOND)
    assert status(world, request.target) == "Active"
    world.pass_time(SECOND)
    assert status(world, request.target) == "Inactive"


@pytest.mark.parametrize(
    "click", [finish_rotation.check_last_use, finish_rotation.not_yet, finish_rotation.disable_old]
)
def test_nobody_else_clicks_there_and_nothing_is_clicked_after_the_end_or_before_the_receipt(
    click: object,
) -> None:
    world = make_desk()
    request = reveal(world, world.rotating())
    with world.nothing_happens():
        for member in (BOB, CAROL):
            with pytest.raises(NotYourKey):
                click(world.services, member, request.access_key_id)
        with pytest.raises(NotYourKey):
            click(world.services, ALICE, "AKIAIOSFODNN7EXAMPLE")
        with pytest.raises(WrongState):
            click(world.services, ALICE, request.access_key_id)
    confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    with world.nothing_happens(), refuses(Code.ROTATION_FINISHED, key_id=request.access_key_id):
        click(world.services, ALICE, request.access_key_id)


def test_the_owner_disables_the_old_key_even_while_it_is_in_use() -> None:
    world = make_desk()
    request = world.rotated()
    world.iam.use(request.target)
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    assert status(world, request.target) == "Inactive"
    old = world.record(request.target)
    assert (old.inactive_reason, old.delete_at, old.changed_by) == (
        InactiveReason.ROTATED,
        world.clock.now() + 7 * DAY,
        ALICE.id,
    )
    assert (new(world, request).replaces, new(world, request).grace_ends_at) == ("", None)


def test_after_its_grace_a_quiet_old_key_is_disabled_by_itself() -> None:
    world = make_desk()
    request = world.rotated()
    world.pass_time(DAY - SECOND)
    assert status(world, request.target) == "Active"
    world.pass_time(SECOND)
    old = world.record(request.target)
    assert (status(world, request.target), old.inactive_reason, old.changed_by) == (
        "Inactive",
        InactiveReason.ROTATED,
        "keydesk",
    )
    assert old.dm == "D0ALICE" and world.slack.rendered[-1] == old.name


def test_a_use_before_the_hand_over_does_not_count_as_still_in_use() -> None:
    world = make_desk()
    request = world.rotating()
    world.iam.use(request.target)
    world.clock.advance(SECOND)
    confirm_receipt.confirm(world.services, ALICE, reveal(world, request).access_key_id)
    world.pass_time(DAY)
    assert status(world, request.target) == "Inactive"


def test_an_old_key_in_use_is_not_broken_and_its_owner_is_told_daily() -> None:
    world = make_desk(rotation_grace=DAY)
    request = world.rotated()
    for day in range(1, 6):
        world.clock.advance(HOUR)
        world.iam.use(request.target)
        world.pass_time(DAY - HOUR)
        record = new(world, request)
        assert (status(world, request.target), record.days_still_used) == ("Active", day)
        assert record.grace_ends_at == world.clock.now() + DAY
        with world.nothing_happens():
            world.sweep()


def test_an_old_key_that_was_in_use_goes_once_it_was_quiet_for_a_whole_grace() -> None:
    world = make_desk(rotation_grace=3 * DAY)
    request = world.rotated()
    world.clock.advance(2 * DAY)
    world.iam.use(request.target)  # the last one of a roll-out
    world.pass_time(DAY)
    assert (status(world, request.target), new(world, request).days_still_used) == ("Active", 1)
    world.pass_time(DAY)
    assert (status(world, request.target), new(world, request).days_still_used) == ("Active", 2)
    world.pass_time(DAY)
    assert status(world, request.target) == "Inactive"


def test_a_daily_job_that_runs_a_little_later_each_day_is_not_broken() -> None:
    world = make_desk(rotation_grace=DAY)
    request = world.rotated()
    world.clock.advance(23 * HOUR)
    world.iam.use(request.target)
    world.pass_time(HOUR)
    assert new(world, request).days_still_used == 1
    world.pass_time(DAY)
    assert (status(world, request.target), new(world, request).days_still_used) == ("Active", 2), (
        "last used 25 hours ago"
    )
    world.pass_time(DAY)
    assert status(world, request.target) == "Inactive", "quiet for two days"


def test_undo_brings_the_old_key_back_until_it_is_deleted() -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.pass_time(timedelta(minutes=15))
    world.pass_time(6 * DAY)
    assert DELETION_NOTICE in world.record(request.target).notices
    with world.nothing_happens(), pytest.raises(NotYourKey):
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
    with world.nothing_happens(), pytest.raises(WrongState):
        finish_rotation.undo(world.services, ALICE, request.target)


def test_undo_that_iam_does_not_confirm_says_so_and_is_done_later() -> None:
    world = make_desk()
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with pytest.raises(ChangePending):
        finish_rotation.undo(world.services, ALICE, request.target)
    world.pass_time(timedelta(seconds=15))
    assert status(world, request.target) == "Active"


def test_a_disabled_old_key_is_deleted_in_the_end_with_one_notice_a_day_before() -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.pass_time(timedelta(minutes=15))
    told = len(world.slack.rendered)
    world.pass_time(6 * DAY - timedelta(minutes=15) - SECOND)
    assert (
        DELETION_NOTICE not in world.record(request.target).notices
        and len(world.slack.rendered) == told
    )
    world.pass_time(SECOND)
    assert world.record(request.target).notices == (DELETION_NOTICE,)
    with world.nothing_happens():
        world.pass_time(DAY - SECOND)
    world.pass_time(SECOND)
    assert (
        status(world, request.target) == "gone"
        and world.record(request.target).desired is DesiredState.DELETED
    )
    world.rest(days=2)
    assert not world.store.due(world.clock.now() + timedelta(days=4000))
    with world.nothing_happens(), pytest.raises(WrongState):
        finish_rotation.undo(world.services, ALICE, request.target)


def test_no_key_is_deleted_unannounced_though_nobody_swept_for_weeks() -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.pass_time(timedelta(minutes=15))
    world.pass_time(30 * DAY)
    record = world.record(request.target)
    assert (status(world, request.target), record.notices, record.delete_at) == (
        "Inactive",
        (DELETION_NOTICE,),
        world.clock.now() + DAY,
    )
    world.pass_time(DAY)
    assert status(world, request.target) == "gone"


def test_an_old_key_that_its_owner_is_deleting_ends_the_rotation() -> None:
    world = make_desk()
    request = world.rotated()
    disable_key.disable(world.services, ALICE, request.target)
    disable_key.delete(world.services, ALICE, request.target)
    world.pass_time(DAY)
    assert (
        new(world, request).replaces == ""
        and world.record(request.target).desired is DesiredState.DELETED
    )


def test_a_leaked_old_key_is_not_brought_back_by_undo_nor_covered_up_by_the_rotation() -> None:
    world = make_desk()
    request = world.rotated()
    report_leak.report(world.services, ALICE, request.target)
    world.iam.set_status(ALICE.email, request.target, KeyStatus.ACTIVE)  # in the console
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    assert (status(world, request.target), world.record(request.target).inactive_reason) == (
        "Inactive",
        InactiveReason.LEAKED,
    )
    with world.nothing_happens(), pytest.raises(KeyIsLeaked):
        finish_rotation.undo(world.services, ALICE, request.target)


def test_of_two_clicks_on_disable_the_old_key_one_does_it_and_the_other_is_told() -> None:
    world = make_desk()
    request = world.rotated()
    world.taps.on(
        "store.commit",
        before=lambda: finish_rotation.disable_old(world.services, ALICE, request.access_key_id),
    )
    with refuses(Code.ROTATION_FINISHED, key_id=request.access_key_id):
        finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    assert status(world, request.target) == "Inactive"


def test_after_a_rotation_the_next_may_be_asked_for() -> None:
    world = make_desk()
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    second = create_request.rotate(
        world.services, ALICE, request.access_key_id, delete_first=request.target
    )
    assert second.delete_first == request.target


def test_a_new_key_that_was_turned_on_in_the_console_and_is_used_begins_the_grace_at_last() -> None:
    world = make_desk()
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

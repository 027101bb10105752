"""Finish a rotation: the grace period of the old key and the owner's buttons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, Refused
from bot.domain.identity import Member
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
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    finish_rotation,
    report_leak,
    reveal_key,
)
from bot.operations.services import Services
from bot.slack.messages import keys
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk, reveal
from tests.unit.operations.test_identify import (
    CHANGES,
    TAG,
    Changed,
    desk_of,
    has_an_address_without_iam_user,
    has_another_address,
    iam_user_is_made_anew,
)

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)

Click = Callable[[Services, Member, str], ManagedKey]

each_button = pytest.mark.parametrize(
    "click", [finish_rotation.check_last_use, finish_rotation.not_yet, finish_rotation.disable_old]
)


Does = Callable[[World, str], object]


def new(world: World, request: KeyRequest) -> ManagedKey:
    """The record of the rotation's new key."""
    return world.record(world.now(request).access_key_id)


def status(world: World, key_id: str) -> str:
    key = world.iam.observed(key_id)
    return "gone" if key is None else key.status.value


def drawn(record: ManagedKey, kind: str) -> str:
    return str(keys.render(record, kind).blocks)


def living_key(world: World, lifetime: timedelta = 30 * DAY, *, confirmed: bool = True) -> str:
    """A key of Alice's that lives so long."""
    asked = create_request.create(
        world.services, ALICE, "deploy script", create_request.RequestOptions(lifetime=lifetime)
    )
    key_id = reveal(world, decide_request.approve(world.services, CAROL, asked.id)).access_key_id
    if confirmed:
        confirm_receipt.confirm(world.services, ALICE, key_id)
    return key_id


def service_key(world: World, owners: str, owner: Member = BOB) -> str:
    """A key that the service user ci-deploy got for its owner."""
    world.iam.add_user("ci-deploy", owner=owners)
    asked = create_request.create(
        world.services, owner, "nightly", create_request.RequestOptions(service_user="ci-deploy")
    )
    key_id = reveal_key.reveal(
        world.services, owner, decide_request.approve(world.services, CAROL, asked.id).id
    ).access_key_id
    confirm_receipt.confirm(world.services, owner, key_id)
    return key_id


@pytest.mark.parametrize(
    "ends_with", ["receipt", "first use", "late receipt", "receipt before the note"]
)
def test_the_grace_period_starts_with_receipt_or_first_use(
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


def test_without_a_receipt_only_the_old_key_remains() -> None:
    world = make_desk()
    request = reveal(world, world.rotating())
    world.rest()
    assert world.now(request).status is Status.EXPIRED
    assert world.iam.active == [request.target]


def test_a_receipt_needs_no_last_use_from_iam() -> None:
    world = make_desk()
    request = reveal(world, world.rotating())
    world.taps.on("issuer.keys", before=IamUnavailable("ListAccessKeys"))
    confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    assert new(world, request).snapshot == () and new(world, request).grace_ends_at is not None


def test_a_late_receipt_enables_the_key_and_starts_the_grace() -> None:
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


def test_check_again_reads_both_keys() -> None:
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


def test_not_yet_restarts_the_grace_period() -> None:
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
def test_only_the_owner_clicks_and_only_during_the_grace_period(
    click: object,
) -> None:
    world = make_desk()
    request = reveal(world, world.rotating())
    with world.nothing_happens():
        for member in (BOB, CAROL):
            with refuses(Code.NOT_YOUR_KEY):
                click(world.services, member, request.access_key_id)
        with refuses(Code.NOT_YOUR_KEY):
            click(world.services, ALICE, "AKIAIOSFODNN7EXAMPLE")
        with refuses(Code.ROTATION_FINISHED):
            click(world.services, ALICE, request.access_key_id)
    confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    with world.nothing_happens(), refuses(Code.ROTATION_FINISHED, key_id=request.access_key_id):
        click(world.services, ALICE, request.access_key_id)


@each_button
@pytest.mark.parametrize(
    "change", [change for change in CHANGES if change is not iam_user_is_made_anew]
)
def test_a_member_whose_identity_changed_is_refused(change: Changed, click: Click) -> None:
    world = desk_of(change)
    request = world.rotated()
    member = change(world)
    active = world.iam.active
    with world.nothing_happens(), pytest.raises(Refused):
        click(world.services, member, request.access_key_id)
    assert world.iam.active == active


def test_a_recreated_iam_users_keys_are_not_shown() -> None:
    world = desk_of()
    request = world.rotated()
    world.iam.use(request.target)
    member = iam_user_is_made_anew(world)
    assert (
        finish_rotation.check_last_use(world.services, member, request.access_key_id).snapshot == ()
    )


@each_button
def test_the_owner_may_use_each_button(click: Click) -> None:
    world = desk_of()
    assert click(world.services, ALICE, world.rotated().access_key_id)


@each_button
def test_the_buttons_refuse_while_aws_is_silent(click: Click) -> None:
    world = desk_of()
    request = world.rotated()
    for refused in (click, disable_key.disable):
        world.taps.on("issuer.user", before=IamUnavailable("GetUser"))
        with world.nothing_happens(), pytest.raises(IamUnavailable):
            refused(world.services, ALICE, request.access_key_id)


@each_button
def test_the_owner_tag_gives_the_buttons_whatever_the_address(
    click: Click,
) -> None:
    """The tag says whose they are, and turning off is the safe side."""
    for change in (has_another_address, has_an_address_without_iam_user):
        world = make_desk(**TAG)
        world.iam.add_user(ALICE.email, owner=ALICE.id)
        request = world.rotated()
        member = change(world)
        assert click(world.services, member, request.access_key_id)
        world.iam.add_user(ALICE.email, owner=BOB.id)
        with pytest.raises(KeydeskError):
            click(world.services, member, request.access_key_id)


def test_the_owner_disables_an_old_key_in_use() -> None:
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


def test_an_unused_old_key_is_disabled_after_its_grace_period() -> None:
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


def test_a_use_before_the_delivery_does_not_count() -> None:
    world = make_desk()
    request = world.rotating()
    world.iam.use(request.target)
    world.clock.advance(SECOND)
    confirm_receipt.confirm(world.services, ALICE, reveal(world, request).access_key_id)
    world.pass_time(DAY)
    assert status(world, request.target) == "Inactive"


def test_an_old_key_in_use_stays_active_with_daily_reminders() -> None:
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


def test_a_used_old_key_is_disabled_after_an_unused_period() -> None:
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


def test_a_daily_job_that_runs_late_keeps_the_old_key() -> None:
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


def test_an_old_key_with_unknown_last_use_stays_active() -> None:
    world = make_desk()
    request = world.rotated()
    world.iam.use_unknown.add(request.target)
    world.pass_time(DAY)
    assert request.target in world.iam.active
    world.iam.use_unknown.clear()
    world.pass_time(HOUR)
    assert request.target not in world.iam.active


def test_a_disabled_old_key_is_deleted_after_one_notice() -> None:
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
    with world.nothing_happens(), refuses(Code.NOTHING_TO_UNDO):
        finish_rotation.undo(world.services, ALICE, request.target)


def test_no_key_is_deleted_without_notice_after_an_outage() -> None:
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


def test_deleting_the_old_key_ends_the_rotation() -> None:
    world = make_desk()
    request = world.rotated()
    disable_key.disable(world.services, ALICE, request.target)
    disable_key.delete(world.services, ALICE, request.target)
    world.pass_time(DAY)
    assert (
        new(world, request).replaces == ""
        and world.record(request.target).desired is DesiredState.DELETED
    )


@pytest.mark.parametrize(
    "ends",
    [
        lambda world, new: disable_key.disable(world.services, ALICE, new),
        lambda world, new: report_leak.report(world.services, ALICE, new),
        lambda world, new: (
            disable_key.disable(world.services, ALICE, new),
            disable_key.delete(world.services, ALICE, new),
        ),
    ],
)
def test_an_inactive_new_key_leaves_the_old_one_active(
    ends: Does,
) -> None:
    world = make_desk()
    request = world.rotated()
    new = request.access_key_id
    world.clock.advance(HOUR)
    ends(world, new)
    for click in (
        finish_rotation.disable_old,
        finish_rotation.not_yet,
        finish_rotation.check_last_use,
    ):
        with refuses(Code.NEW_KEY_INACTIVE, key_id=new, old_key=request.target):
            click(world.services, ALICE, new)
    world.pass_time(DAY)
    assert world.iam.active == [request.target]
    assert "is in place" not in drawn(world.record(new), "rotation")
    assert "Disable the old key" not in drawn(world.record(new), "rotation")


def test_of_two_clicks_on_disable_one_wins() -> None:
    world = make_desk()
    request = world.rotated()
    world.taps.on(
        "store.commit",
        before=lambda: finish_rotation.disable_old(world.services, ALICE, request.access_key_id),
    )
    with refuses(Code.ROTATION_FINISHED, key_id=request.access_key_id):
        finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    assert status(world, request.target) == "Inactive"


def test_after_a_rotation_the_next_may_be_requested() -> None:
    world = make_desk()
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    second = create_request.rotate(
        world.services, ALICE, request.access_key_id, delete_first=request.target
    )
    assert second.delete_first == request.target


def test_a_new_key_enabled_in_the_console_starts_the_grace() -> None:
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

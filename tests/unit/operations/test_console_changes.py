"""Keys changed in the AWS console are noticed and recorded, not changed back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    KeydeskError,
)
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    KeyStatus,
    ManagedKey,
    ObservedState,
)
from bot.domain.requests import KeyRequest
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    finish_rotation,
    run_due,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, World, make_desk, reveal

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


ORPHAN_CHECK = timedelta(minutes=15)


def key_of(world: World, request: KeyRequest) -> ManagedKey:
    return world.record(request.access_key_id)


def living(world: World, lifetime: timedelta = 30 * DAY, *, confirmed: bool = True) -> KeyRequest:
    """A request whose key lives so long from now on, and has arrived."""
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.create(
            world.services, ALICE, "x", create_request.RequestOptions(lifetime=lifetime)
        ).id,
    )
    request = reveal(world, request)
    return (
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
        if confirmed
        else request
    )


def until(world: World, request: KeyRequest, before: timedelta) -> None:
    """Time goes on until so long before the key's end, and the sweeper comes by."""
    ends = key_of(world, request).expires_at
    assert ends is not None
    world.pass_time(ends - before - world.clock.now())


def living_key(world: World, lifetime: timedelta = 30 * DAY, *, confirmed: bool = True) -> str:
    """A key of Alice's that lives so long."""
    asked = create_request.create(
        world.services, ALICE, "deploy script", create_request.RequestOptions(lifetime=lifetime)
    )
    key_id = reveal(world, decide_request.approve(world.services, CAROL, asked.id)).access_key_id
    if confirmed:
        confirm_receipt.confirm(world.services, ALICE, key_id)
    return key_id


def new(world: World, request: KeyRequest) -> ManagedKey:
    """The record of the rotation's new key."""
    return world.record(world.now(request).access_key_id)


def status(world: World, key_id: str) -> str:
    key = world.iam.observed(key_id)
    return "gone" if key is None else key.status.value


@pytest.mark.parametrize("behind", ["gone", "inactive"])
@pytest.mark.parametrize("before", [7 * DAY, DAY, HOUR, 0 * DAY])
def test_a_console_change_is_noticed_at_every_stage(behind: str, before: timedelta) -> None:
    world = make_desk()
    request = living(world)
    until(world, request, before + SECOND)
    world.sweep()
    if behind == "gone":
        world.iam.delete_key(ALICE.email, request.access_key_id)
    else:
        world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.INACTIVE)
    until(world, request, before)
    record = key_of(world, request)
    assert (record.inactive_reason, record.desired.value, record.changed_by) == (
        InactiveReason.CONSOLE,
        "deleted" if behind == "gone" else "inactive",
        "keydesk",
    )
    assert world.store.entries[-1].action == "noticed"
    if before:
        with world.nothing_happens():
            until(world, request, SECOND)
    world.outlive(12)
    if behind == "inactive":  # its end counts all the same
        assert "expire" in [entry.action for entry in world.store.entries]
    assert world.iam.observed(request.access_key_id) is None
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


@pytest.mark.parametrize("again", [20 * DAY, 29 * DAY])
def test_off_and_on_in_the_console_does_not_extend_a_key(
    again: timedelta,
) -> None:
    world = make_desk()
    request = living(world)
    made_at, ends = key_of(world, request).created_at, key_of(world, request).expires_at
    assert ends is not None
    until(world, request, 15 * DAY)
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.INACTIVE)
    while world.clock.now() - made_at < again:
        world.pass_time(DAY)
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.ACTIVE)
    while world.clock.now() <= ends + 8 * DAY:
        world.pass_time(DAY)
        assert world.clock.now() <= ends or world.iam.active == []
    world.outlive(5)
    assert world.iam.observed(request.access_key_id) is None


def test_off_here_and_on_in_the_console_does_not_extend_a_key() -> None:
    world = make_desk()
    key_id = living_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.pass_time(HOUR)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.outlive(31)
    assert world.iam.active == [] and world.record(key_id).inactive_reason is InactiveReason.EXPIRED
    assert world.record(key_id).delete_at is not None


def test_a_key_of_a_deleted_user_is_noticed_as_deleted() -> None:
    world = make_desk()
    request = living(world)
    world.iam.delete_user(ALICE.email)
    until(world, request, 7 * DAY)
    assert (key_of(world, request).observed, key_of(world, request).desired) == (
        ObservedState.DELETED,
        DesiredState.DELETED,
    )


def test_a_key_of_a_renamed_user_is_not_taken_for_deleted() -> None:
    """It works as ever under the new name; once the user has its old name back, its life goes on."""
    world = make_desk()
    request = living(world)
    until(world, request, 7 * DAY + SECOND)
    record = key_of(world, request)
    world.iam.rename_user(ALICE.email, "alice.adams")
    until(world, request, 0 * DAY)
    assert key_of(world, request) == record and world.iam.active == [request.access_key_id]
    for click in (disable_key.disable, disable_key.delete):
        with pytest.raises(KeydeskError):
            click(world.services, ALICE, request.access_key_id)
    assert (
        world.iam.active == [request.access_key_id]
        and key_of(world, request).desired is not DesiredState.DELETED
    )

    world.iam.rename_user("alice.adams", ALICE.email)
    world.pass_time(HOUR)
    assert (key_of(world, request).observed, world.iam.active) == (ObservedState.INACTIVE, [])


@pytest.mark.parametrize("when", [ORPHAN_CHECK, 6 * DAY, 7 * DAY])
def test_an_expired_key_enabled_in_the_console_is_disabled(
    when: timedelta,
) -> None:
    world = make_desk()
    request = living(world)
    until(world, request, 0 * DAY)
    to_go = key_of(world, request).delete_at
    if when > ORPHAN_CHECK:
        world.pass_time(ORPHAN_CHECK)
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.ACTIVE)
    world.pass_time(when - (ORPHAN_CHECK if when > ORPHAN_CHECK else 0 * ORPHAN_CHECK))
    world.sweep()
    assert (
        world.iam.active == [] and key_of(world, request).inactive_reason is InactiveReason.EXPIRED
    )
    assert key_of(world, request).delete_at in (
        to_go,
        to_go + DAY,
        None,
    )  # a day later where nobody was told before
    assert "noticed" not in [entry.action for entry in world.store.entries]
    world.rest()
    assert world.iam.observed(request.access_key_id) is None


def test_an_unfinished_change_is_no_console_change() -> None:
    world = make_desk()
    request = living(world)
    disable_key.disable(world.services, ALICE, request.access_key_id)
    until(world, request, DAY)
    asked = create_request.enable(world.services, ALICE, request.access_key_id, "still needed")
    assert asked is not None

    def sweeper_comes_by() -> (
        None
    ):  # its reminders are due again at that moment, IAM still shows it inactive
        run_due.run(world.services, key_of(world, request).name)

    world.taps.on("issuer.set_status", before=sweeper_comes_by)
    decide_request.approve(world.services, CAROL, asked.id)
    record = key_of(world, request)
    assert (record.desired, record.inactive_reason) == (DesiredState.ACTIVE, InactiveReason.NONE)
    world.pass_time(ORPHAN_CHECK)
    assert world.iam.active == [record.id] and key_of(world, request).desired is DesiredState.ACTIVE


@pytest.mark.parametrize("behind", ["gone", "inactive"])
@pytest.mark.parametrize("by", ["time", "disable the old key"])
def test_an_old_key_changed_in_the_console_ends_the_rotation(behind: str, by: str) -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotated()
    if behind == "gone":
        world.iam.delete_key(ALICE.email, request.target)
    else:
        world.iam.set_status(ALICE.email, request.target, KeyStatus.INACTIVE)
    if by == "time":
        world.pass_time(DAY)
    else:
        with refuses(Code.OLD_KEY_INACTIVE, key_id=request.target):
            finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    assert (new(world, request).replaces, new(world, request).grace_ends_at) == ("", None)
    world.outlive(20)
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


@pytest.mark.parametrize("behind", ["gone", "inactive"])
def test_a_new_key_changed_in_the_console_keeps_the_old_one(behind: str) -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotated()
    if behind == "gone":
        world.iam.delete_key(ALICE.email, request.access_key_id)
    else:
        world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.INACTIVE)
    world.pass_time(DAY)
    record = new(world, request)
    assert (record.inactive_reason, record.desired.value, record.replaces) == (
        InactiveReason.CONSOLE,
        "deleted" if behind == "gone" else "inactive",
        "",
    )
    world.outlive(20)
    assert world.iam.active == [request.target]
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


@pytest.mark.parametrize("behind", ["gone", "active"])
def test_a_console_change_of_a_disabled_old_key_is_noticed(
    behind: str,
) -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.pass_time(timedelta(minutes=15))
    if behind == "gone":
        world.iam.delete_key(ALICE.email, request.target)
    else:
        world.iam.set_status(ALICE.email, request.target, KeyStatus.ACTIVE)
    world.pass_time(6 * DAY)
    record = world.record(request.target)
    assert (record.inactive_reason, record.delete_at) == (InactiveReason.CONSOLE, None)
    world.outlive(20)
    assert status(world, request.target) == ("gone" if behind == "gone" else "Active")
    assert not world.store.due(world.clock.now() + timedelta(days=4000))

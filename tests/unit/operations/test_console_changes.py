"""Keys changed in the AWS console are noticed and recorded, not changed back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus, ObservedState
from bot.operations import disable_key, finish_rotation, run_due
from tests.support.errors import refuses
from tests.support.world import ALICE, World, make_desk
from tests.unit.operations.key_checks import actions, assert_fields, assert_nothing_due, iam_status
from tests.unit.operations.key_steps import NO_EXPIRY, approve, living, request_enable, until_expiry
from tests.unit.operations.key_times import DAY, HOUR, ORPHAN_CHECK, SECOND


@pytest.fixture
def world() -> World:
    return make_desk()


def change_in_console(world: World, key_id: str, state: str) -> None:
    """Give the key this state in IAM: "gone", "user gone", "Active" or "Inactive"."""
    if state == "user gone":
        world.iam.delete_user(ALICE.email)
    elif state == "gone":
        world.iam.delete_key(ALICE.email, key_id)
    else:
        world.iam.set_status(ALICE.email, key_id, KeyStatus(state))


def assert_noticed(world: World, key_id: str, state: str) -> None:
    """Assert that the console's change is recorded as what is desired now."""
    observed = "inactive" if state == "Inactive" else "deleted"
    assert_fields(
        world.record(key_id),
        desired=DesiredState(observed),
        observed=ObservedState(observed),
        inactive_reason=InactiveReason.CONSOLE,
        changed_by="keydesk",
    )


@pytest.mark.parametrize("state", ["gone", "user gone", "Inactive"])
@pytest.mark.parametrize("before", [7 * DAY, DAY, HOUR, 0 * DAY])
def test_a_console_change_is_noticed_at_every_stage(
    world: World, state: str, before: timedelta
) -> None:
    key_id = living(world).access_key_id
    until_expiry(world, key_id, before + SECOND)
    world.sweep()
    change_in_console(world, key_id, state)
    until_expiry(world, key_id, before)
    assert_noticed(world, key_id, state)
    assert actions(world)[-1] == "noticed"
    if before:
        with world.nothing_happens():
            until_expiry(world, key_id, SECOND)
    world.outlive(12)
    assert ("expire" in actions(world)) is (state == "Inactive")
    assert iam_status(world, key_id) == "gone"
    assert_nothing_due(world)


@pytest.mark.parametrize("again", [20 * DAY, 29 * DAY])
def test_off_and_on_in_the_console_does_not_extend_a_key(world: World, again: timedelta) -> None:
    key_id = living(world).access_key_id
    created_at, ends = world.record(key_id).created_at, world.record(key_id).expires_at
    assert ends is not None
    until_expiry(world, key_id, 15 * DAY)
    change_in_console(world, key_id, "Inactive")
    while world.clock.now() - created_at < again:
        world.pass_time(DAY)
    change_in_console(world, key_id, "Active")
    while world.clock.now() <= ends + 8 * DAY:
        world.pass_time(DAY)
        assert world.clock.now() <= ends or world.iam.active == []
    world.outlive(5)
    assert iam_status(world, key_id) == "gone"


def test_off_here_and_on_in_the_console_does_not_extend_a_key(world: World) -> None:
    key_id = living(world).access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    world.pass_time(HOUR)
    change_in_console(world, key_id, "Active")
    world.outlive(31)
    record = world.record(key_id)
    assert (world.iam.active, record.inactive_reason) == ([], InactiveReason.EXPIRED)
    assert record.delete_at is not None


def test_a_key_of_a_renamed_user_is_not_taken_for_deleted(world: World) -> None:
    """It works under the new name, and expires once the user has its old one."""
    key_id = living(world).access_key_id
    until_expiry(world, key_id, 7 * DAY + SECOND)
    record = world.record(key_id)
    world.iam.rename_user(ALICE.email, "alice.adams")
    until_expiry(world, key_id)
    assert (world.record(key_id), world.iam.active) == (record, [key_id])
    for click in (disable_key.disable, disable_key.delete):
        with world.nothing_happens(), refuses(Code.IAM_USER_NOT_FOUND):
            click(world.services, ALICE, key_id)
    world.iam.rename_user("alice.adams", ALICE.email)
    world.pass_time(HOUR)
    assert (world.record(key_id).observed, world.iam.active) == (ObservedState.INACTIVE, [])


@pytest.mark.parametrize("when", [ORPHAN_CHECK, 6 * DAY, 7 * DAY])
def test_an_expired_key_enabled_in_the_console_is_disabled(world: World, when: timedelta) -> None:
    key_id = living(world).access_key_id
    until_expiry(world, key_id)
    delete_at = world.record(key_id).delete_at
    assert delete_at is not None
    checked = ORPHAN_CHECK if when > ORPHAN_CHECK else 0 * DAY
    if checked:
        world.pass_time(checked)
    change_in_console(world, key_id, "Active")
    world.pass_time(when - checked)
    world.sweep()
    record = world.record(key_id)
    assert (world.iam.active, record.inactive_reason) == ([], InactiveReason.EXPIRED)
    # It is a day later where the notice of the deletion was not due before.
    assert record.delete_at in (delete_at, delete_at + DAY, None)
    assert "noticed" not in actions(world)
    world.rest()
    assert iam_status(world, key_id) == "gone"


def test_an_unfinished_change_is_no_console_change(world: World) -> None:
    """The key's reminders are due while IAM still shows it inactive."""
    key_id = living(world).access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    until_expiry(world, key_id, DAY)
    request = request_enable(world, key_id)
    world.taps.on("issuer.set_status", before=lambda: run_due.run(world.services, f"key:{key_id}"))
    approve(world, request)
    record = world.record(key_id)
    assert (record.desired, record.inactive_reason) == (DesiredState.ACTIVE, InactiveReason.NONE)
    world.pass_time(ORPHAN_CHECK)
    assert world.iam.active == [key_id]
    assert world.record(key_id).desired is DesiredState.ACTIVE


@pytest.mark.parametrize("state", ["gone", "Inactive"])
@pytest.mark.parametrize("by", ["time", "disable the old key"])
def test_an_old_key_changed_in_the_console_ends_the_rotation(state: str, by: str) -> None:
    world = make_desk(**NO_EXPIRY)
    request = world.rotated()
    change_in_console(world, request.target, state)
    if by == "time":
        world.pass_time(DAY)
    else:
        with refuses(Code.OLD_KEY_INACTIVE, key_id=request.target):
            finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    record = world.record(request.access_key_id)
    assert (record.replaces, record.grace_ends_at) == ("", None)
    world.outlive(20)
    assert_nothing_due(world)


@pytest.mark.parametrize("state", ["gone", "Inactive"])
def test_a_new_key_changed_in_the_console_keeps_the_old_one(state: str) -> None:
    world = make_desk(**NO_EXPIRY)
    request = world.rotated()
    change_in_console(world, request.access_key_id, state)
    world.pass_time(DAY)
    assert_noticed(world, request.access_key_id, state)
    assert world.record(request.access_key_id).replaces == ""
    world.outlive(20)
    assert world.iam.active == [request.target]
    assert_nothing_due(world)


@pytest.mark.parametrize("state", ["gone", "Active"])
def test_a_console_change_of_a_disabled_old_key_is_noticed(state: str) -> None:
    world = make_desk(**NO_EXPIRY)
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.pass_time(ORPHAN_CHECK)
    change_in_console(world, request.target, state)
    world.pass_time(6 * DAY)
    record = world.record(request.target)
    assert (record.inactive_reason, record.delete_at) == (InactiveReason.CONSOLE, None)
    world.outlive(20)
    assert iam_status(world, request.target) == state
    assert_nothing_due(world)

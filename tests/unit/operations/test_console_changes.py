"""Keys changed or deleted in the console: noticed and recorded at every stage, not tripped over, not undone."""

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
    ObservedState,
)
from bot.operations import (
    create_request,
    decide_request,
    disable_key,
    finish_rotation,
    reconcile,
    run_due,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, make_desk
from tests.unit.operations.test_expire_keys import key_of, living, until
from tests.unit.operations.test_finish_rotation import new, status

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
ORPHAN_CHECK = timedelta(minutes=15)


@pytest.mark.parametrize("behind", ["gone", "inactive"])
@pytest.mark.parametrize("before", [7 * DAY, DAY, HOUR, 0 * DAY])
def test_a_key_that_changed_behind_the_desks_back_is_noticed_at_every_stage(
    behind: str, before: timedelta
) -> None:
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
def test_a_key_that_is_switched_off_and_on_in_the_console_does_not_outlive_its_end(
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


def test_a_key_whose_iam_user_is_gone_is_noticed_as_gone() -> None:
    world = make_desk()
    request = living(world)
    world.iam.delete_user(ALICE.email)
    until(world, request, 7 * DAY)
    assert (key_of(world, request).observed, key_of(world, request).desired) == (
        ObservedState.DELETED,
        DesiredState.DELETED,
    )


def test_a_key_whose_iam_user_was_renamed_is_not_taken_for_gone() -> None:
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


def test_what_was_wanted_of_a_key_is_not_called_done_while_its_iam_user_has_another_name() -> None:
    world = make_desk()
    key_id = living(world).access_key_id
    world.pass_time(DAY)
    world.taps.on(
        "issuer.set_status", before=lambda: world.iam.rename_user(ALICE.email, "alice.adams")
    )
    with refuses(
        Code.CHANGE_NOT_CONFIRMED,
        key_id=key_id,
        cause=Code.IAM_USER_RENAMED,
        iam_user=ALICE.email,
        renamed_to="alice.adams",
    ):
        disable_key.disable(world.services, ALICE, key_id)
    assert world.record(key_id).observed is ObservedState.UNKNOWN and world.iam.active == [key_id]
    world.iam.rename_user("alice.adams", ALICE.email)
    world.pass_time(HOUR)
    assert world.record(key_id).observed is ObservedState.INACTIVE and world.iam.active == []


@pytest.mark.parametrize("when", [ORPHAN_CHECK, 6 * DAY, 7 * DAY])
def test_an_expired_key_that_is_turned_on_in_the_console_is_turned_off_again(
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


def test_an_intent_that_is_not_carried_out_yet_is_not_taken_for_a_change_in_the_console() -> None:
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
def test_an_old_key_that_went_behind_the_desks_back_ends_the_rotation(behind: str, by: str) -> None:
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
def test_a_new_key_that_went_behind_the_desks_back_leaves_the_old_one_alone(behind: str) -> None:
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
def test_a_disabled_old_key_that_changed_behind_the_desks_back_is_noticed_not_tripped_over(
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


def test_a_key_that_iam_still_knows_as_its_users_is_not_taken_for_gone_though_the_user_is_not_there() -> (
    None
):
    """IAM is eventually consistent: one of its answers is old."""
    world = make_desk()
    key = world.record(world.delivered().access_key_id)
    world.clock.advance(ORPHAN_CHECK)
    del world.iam.users[ALICE.email]
    with world.nothing_happens(), refuses(Code.IAM_USER_RENAMED, key_id=key.id):
        reconcile.observe(world.services, key)

"""Apply a desired state in IAM, read it back, and repair a difference."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.codes import Code
from bot.domain.keys import (
    DesiredState,
    KeyStatus,
    ObservedState,
)
from bot.domain.outside_errors import AccessKeyNotFound
from bot.domain.requests import KeyRequest
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    reconcile,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, World, make_desk, reveal

SOON = timedelta(seconds=15)

ORPHAN_CHECK = timedelta(minutes=15)

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


def a_key(world: World, status: KeyStatus = KeyStatus.ACTIVE) -> str:
    """A key of Alice's, made in the console some time ago."""
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.iam.set_status(ALICE.email, key_id, status)
    world.clock.advance(timedelta(hours=1))
    return key_id


def stands(world: World, key_id: str) -> KeyStatus | None:
    key = world.iam.observed(key_id)
    return key.status if key else None


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


def test_a_key_that_iam_still_lists_is_not_deleted() -> None:
    """IAM's parts do not agree at every moment, however old the key is."""
    world = make_desk()
    key_id = a_key(world, KeyStatus.INACTIVE)
    world.taps.on("issuer.delete_key", before=AccessKeyNotFound("DeleteAccessKey"))
    with refuses(Code.KEY_NOT_KNOWN_EVERYWHERE, key_id=key_id, desired=DesiredState.DELETED):
        disable_key.delete(world.services, ALICE, key_id)
    assert world.iam.observed(key_id) is not None
    world.pass_time(SOON)
    assert world.iam.observed(key_id) is None
    assert world.record(key_id).observed is ObservedState.DELETED


def test_a_new_key_is_retried_until_iam_knows_it() -> None:
    world = make_desk()
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.taps.on("issuer.set_status", before=lambda: world.iam.hidden.add(key_id))
    with refuses(Code.KEY_TOO_NEW, key_id=key_id, desired=DesiredState.INACTIVE):
        disable_key.disable(world.services, ALICE, key_id)
    with world.nothing_happens():  # waiting is no news for the audit trail
        for _ in range(19):
            world.pass_time(SOON)
    assert world.store.reschedule_count(f"key:{key_id}") <= 5
    world.iam.hidden.clear()
    world.pass_time(SOON)
    assert stands(world, key_id) is KeyStatus.INACTIVE


def test_a_new_key_that_iam_only_lists_is_retried_soon() -> None:
    world = make_desk()
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.taps.on("issuer.set_status", before=AccessKeyNotFound("UpdateAccessKey"))
    with refuses(Code.KEY_TOO_NEW, key_id=key_id, desired=DesiredState.INACTIVE):
        disable_key.disable(world.services, ALICE, key_id)
    world.pass_time(SOON)
    assert stands(world, key_id) is KeyStatus.INACTIVE


def test_a_change_undone_by_a_late_call_is_repaired() -> None:
    world = make_desk()
    key_id = a_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.pass_time(ORPHAN_CHECK)
    assert stands(world, key_id) is KeyStatus.INACTIVE
    world.pass_time(ORPHAN_CHECK)
    assert world.record(key_id).check_at is None


def test_a_deleted_key_needs_no_more_checks() -> None:
    world = make_desk()
    key_id = a_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.delete_key(ALICE.email, key_id)
    world.pass_time(ORPHAN_CHECK)
    assert (world.record(key_id).observed, world.record(key_id).check_at) == (
        ObservedState.DELETED,
        None,
    )


def test_a_key_of_a_deleted_user_needs_no_more_checks() -> None:
    world = make_desk()
    key_id = a_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.delete_user(ALICE.email)
    world.pass_time(ORPHAN_CHECK)
    assert (world.record(key_id).observed, world.record(key_id).check_at) == (
        ObservedState.DELETED,
        None,
    )


def test_a_change_waits_while_the_iam_user_is_renamed() -> None:
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


def test_a_key_with_a_known_owner_is_not_taken_for_deleted() -> None:
    """IAM is eventually consistent: one of its answers is old."""
    world = make_desk()
    key = world.record(world.delivered().access_key_id)
    world.clock.advance(ORPHAN_CHECK)
    del world.iam.users[ALICE.email]
    with world.nothing_happens(), refuses(Code.IAM_USER_RENAMED, key_id=key.id):
        reconcile.observe(world.services, key)

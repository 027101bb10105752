"""Recover after a lease: ask about a recorded key, look for any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.keys import CONSISTENCY_DELAY, DesiredState, ObservedState, Origin
from bot.domain.outside_errors import AccessKeyNotFound, IamDenied, OutcomeUnknown, StoreUnavailable
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import disable_key, recover_delivery, report_leak, run_due
from tests.support.errors import refuses
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, World, fails, make_desk, reveal
from tests.unit.operations.key_checks import assert_fields, iam_status
from tests.unit.operations.key_times import HOUR, LEASE, ORPHAN_CHECK, SECOND

CREATE_KEY = "issuer.create_key"


@pytest.fixture
def world() -> World:
    return make_desk()


def crash(world: World, call: str, side: str = "before") -> KeyRequest:
    """Let the process die while Alice reveals. Return the request."""
    request = world.approved()
    world.taps.on(call, **{side: ProcessDied()})
    with pytest.raises(ProcessDied):
        reveal(world, request)
    return world.now(request)


def checked(world: World, request: KeyRequest) -> KeyRequest:
    """Return the request after its lease and the orphan check."""
    for span in (LEASE, ORPHAN_CHECK):
        world.pass_time(span)
    return world.now(request)


def orphans(world: World) -> list[str]:
    return [key.id for key in world.records() if key.origin is Origin.ORPHANED]


# A key is on record.


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_recorded_key_asks_the_requester_and_not_iam(world: World, side: str) -> None:
    request = crash(world, "messenger.deliver", side)
    world.clock.advance(LEASE - SECOND)
    with world.nothing_happens():
        world.sweep()
    world.taps.calls.clear()
    world.pass_time(SECOND)
    now = world.now(request)
    assert (now.status, now.access_key_id, now.reveals, now.delivered_at, now.deadline) == (
        Status.DELIVERED,
        *world.iam.made,
        0,
        world.clock.now(),
        world.clock.now() + 12 * HOUR,
    )
    assert not [call for call in world.taps.calls if call.startswith("issuer")]
    assert world.store.entries[-1].detail == Detail(Code.LEASE_EXPIRED_WITH_KEY)
    assert world.iam.active == [now.access_key_id]
    world.pass_time(CONSISTENCY_DELAY)
    assert world.now(request).status is Status.DELIVERED, "the key is in IAM, so it stays"
    assert world.iam.active == [now.access_key_id]


def test_a_key_deleted_without_a_database_is_replaced(world: World) -> None:
    """The process that could not show the key deletes it, but cannot record that."""
    request = world.approved()
    world.taps.on(
        CREATE_KEY, after=lambda: world.taps.away_from(3, "store", lambda call: StoreUnavailable())
    )
    fails(world, request, Code.UNRECORDED_KEY_DELETED, cause=Code.DATABASE_DID_NOT_ANSWER)
    (key_id,) = world.iam.made
    assert iam_status(world, key_id) == "gone"
    world.taps.calm()
    assert world.now(request).access_key_id == key_id, "recorded, but not that it is deleted"
    world.pass_time(LEASE)
    assert world.now(request).status is Status.DELIVERED, "not known yet"
    world.pass_time(CONSISTENCY_DELAY)
    now = world.now(request)
    assert_fields(
        now,
        status=Status.APPROVED,
        deleted_keys=(key_id,),
        detail=Detail(Code.KEY_DELETED_REVEAL_AGAIN, {"key_id": key_id}),
    )
    (gone,) = [entry for entry in world.store.entries if entry.action == "key_gone"]
    assert gone.detail == Detail(Code.KEY_GONE_FROM_IAM, {"key_id": key_id})
    assert world.record(key_id).observed is ObservedState.DELETED
    again = reveal(world, now)
    assert world.iam.active == [again.access_key_id]


# No key is on record: the orphan check.


def test_without_a_recorded_key_the_lock_stays_until_the_check(world: World) -> None:
    request = crash(world, CREATE_KEY, "after")
    lock = f"issuing:{request.account}:{ALICE.email}"
    with world.nothing_happens():
        for _ in range(15):
            world.pass_time(LEASE)
    assert world.store.lock_holder(lock) == request.id
    world.pass_time(LEASE)
    assert world.now(request).status is Status.APPROVED
    assert world.store.lock_holder(lock) is None


def test_an_orphaned_key_is_disabled_and_not_deleted(world: World) -> None:
    request = checked(world, crash(world, CREATE_KEY, "after"))
    (key_id,) = world.iam.made
    record = world.record(key_id)
    assert_fields(
        record,
        origin=Origin.ORPHANED,
        desired=DesiredState.INACTIVE,
        owner=ALICE.id,
        request_id=request.id,
    )
    assert iam_status(world, key_id) == "Inactive"
    assert request.detail == Detail(Code.ORPHAN_FOUND, {"key_ids": key_id, "free_slots": "1"})
    assert request.deadline == world.clock.now() + 72 * HOUR
    assert [e.detail for e in world.store.entries if e.action == "orphan_check"] == [request.detail]
    assert reveal(world, request).access_key_id != key_id


def test_without_an_orphan_the_requester_may_reveal_again(world: World) -> None:
    request = checked(world, crash(world, CREATE_KEY))
    assert (request.status, request.lease) == (Status.APPROVED, None)
    assert request.detail == world.store.entries[-1].detail == Detail(Code.NO_ORPHAN_FOUND)
    assert reveal(world, request).status is Status.DELIVERED


@pytest.mark.parametrize("change", ["renamed", "deleted"])
def test_the_orphan_check_is_impossible_without_the_iam_user(world: World, change: str) -> None:
    """A renamed user keeps its keys, also one that was never shown."""
    request = crash(world, CREATE_KEY, "after")
    started_at = world.clock.now()
    if change == "renamed":
        world.iam.rename_user(ALICE.email, "alice.new")
    else:
        world.iam.delete_user(ALICE.email)
    now = checked(world, request)
    assert (now.status, now.lease) == (Status.APPROVED, None)
    facts = {"iam_user": ALICE.email, "iam_path": "/", "started_at": started_at.isoformat()}
    assert now.detail == Detail(Code.ORPHAN_CHECK_IMPOSSIBLE, facts)
    assert world.store.entries[-1].detail == now.detail
    with world.nothing_happens(), refuses(Code.IAM_USER_NOT_FOUND):
        reveal(world, request)


def use(world: World, key_id: str) -> None:
    world.iam.use(key_id)


def record(world: World, key_id: str) -> None:
    disable_key.disable(world.services, ALICE, key_id)


def hide_last_use(world: World, key_id: str) -> None:
    """IAM does not know the last use of a key that is too new."""
    world.taps.on("issuer.last_used", before=AccessKeyNotFound("GetAccessKeyLastUsed"))


@pytest.mark.parametrize(
    ("user", "change", "found"),
    [
        (ALICE.email, None, True),
        (ALICE.email, hide_last_use, True),
        (ALICE.email, use, False),
        (ALICE.email, record, False),
        (BOB.email, None, False),
    ],
)
def test_only_an_unused_unrecorded_key_of_the_user_is_orphaned(
    world: World, user: str, change: Callable[[World, str], None] | None, found: bool
) -> None:
    """An admin creates a key in the console after the lease began."""
    request = crash(world, CREATE_KEY)
    key_id = world.iam.create_key(user)[0].id
    if change:
        change(world, key_id)
    checked(world, request)
    assert orphans(world) == ([key_id] if found else [])


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_key_older_than_the_request_is_not_orphaned(world: World, side: str) -> None:
    older = world.iam.create_key(ALICE.email)[0].id
    request = checked(world, crash(world, CREATE_KEY, side))
    assert orphans(world) == [key_id for key_id in world.iam.made if key_id != older]
    if side == "after":
        assert request.detail is not None and request.detail.facts["free_slots"] == "0"


@pytest.mark.parametrize(("minutes", "found"), [(4, 1), (5, 1), (6, 0)])
def test_a_key_five_minutes_older_than_the_lease_is_not_orphaned(
    world: World, minutes: int, found: int
) -> None:
    request = world.approved()
    world.iam.create_key(ALICE.email)
    world.clock.advance(timedelta(minutes=minutes))
    world.taps.on(CREATE_KEY, before=ProcessDied())
    with pytest.raises(ProcessDied):
        reveal(world, request)
    checked(world, request)
    assert len(orphans(world)) == found


def test_a_key_reported_before_the_check_is_orphaned(world: World) -> None:
    """A leak report gives the key a record, which does not make it anyone's key."""
    request = world.approved()
    world.taps.on(CREATE_KEY, after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, Code.KEY_CREATION_UNCONFIRMED)
    (key_id,) = world.iam.made
    report_leak.report(world.services, BOB, key_id)
    request, reported = checked(world, request), world.record(key_id)
    assert_fields(
        reported,
        origin=Origin.ORPHANED,
        desired=DesiredState.INACTIVE,
        request_id=request.id,
        reported_by=BOB.id,
    )
    assert request.detail is not None and request.detail.facts["key_ids"] == key_id
    assert world.iam.active == []


# Other processes, and failures of the check.


def test_a_key_recorded_during_the_check_keeps_its_record(world: World) -> None:
    request = crash(world, CREATE_KEY, "after")
    world.clock.advance(LEASE + ORPHAN_CHECK)
    world.taps.on("store.commit", before=lambda: record(world, *world.iam.made))
    with refuses(Code.CONFLICT):
        run_due.run(world.services, request.name)
    assert world.record(*world.iam.made).origin is Origin.ADOPTED
    world.sweep()
    assert world.now(request).status is Status.APPROVED and world.iam.active == []


def test_of_two_recoveries_only_one_counts(world: World) -> None:
    request = crash(world, CREATE_KEY, "after")
    world.clock.advance(LEASE + ORPHAN_CHECK)
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, request.name))
    with refuses(Code.CONFLICT):
        run_due.run(world.services, request.name)
    with world.nothing_happens():
        recover_delivery.recover(world.services, world.now(request))
        world.sweep()


def test_a_check_that_iam_does_not_answer_is_repeated(world: World) -> None:
    request = crash(world, CREATE_KEY, "after")
    world.clock.advance(LEASE + ORPHAN_CHECK)
    world.taps.on("issuer.listed", before=IamDenied("AccessDenied", "ListAccessKeys"))
    with world.nothing_happens():
        world.sweep()
    world.pass_time(LEASE)
    assert world.now(request).status is Status.APPROVED


def test_a_running_lease_is_not_recovered(world: World) -> None:
    request = crash(world, "messenger.deliver")
    with world.nothing_happens():
        recover_delivery.recover(world.services, request)
        recover_delivery.recover(world.services, replace(request, lease=None))

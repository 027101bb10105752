"""Recovery after a lease: a recorded key is asked about, and an orphan check finds any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.keys import CONSISTENCY_DELAY, DesiredState, ObservedState, Origin
from bot.domain.outside_errors import (
    AccessKeyNotFound,
    Conflict,
    IamDenied,
    IamUserNotFound,
    OutcomeUnknown,
    StoreUnavailable,
)
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import disable_key, recover_delivery, report_leak, run_due
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, World, fails, make_desk, reveal

LEASE, ORPHAN_CHECK = timedelta(seconds=60), timedelta(minutes=15)


def dies(world: World, call: str, side: str = "before", nth: int = 1) -> KeyRequest:
    """Let the process die while Alice reveals. Return the request."""
    request = world.approved()
    world.taps.on(call, nth=nth, **{side: ProcessDied()})
    with pytest.raises(ProcessDied):
        reveal(world, request)
    return world.now(request)


def checked(world: World, request: KeyRequest) -> KeyRequest:
    """Return the request after its lease and the orphan check."""
    for span in (LEASE, ORPHAN_CHECK):
        world.pass_time(span)
    return world.now(request)


@pytest.mark.parametrize(
    ("call", "side"), [("messenger.deliver", "before"), ("messenger.deliver", "after")]
)
def test_a_recorded_key_asks_the_requester_and_not_iam(call: str, side: str) -> None:
    world = make_desk()
    request = dies(world, call, side)
    world.clock.advance(LEASE - timedelta(seconds=1))
    with world.nothing_happens():
        world.sweep()
    before = len(world.taps.calls)
    world.pass_time(timedelta(seconds=1))
    now = world.now(request)
    assert (now.status, now.access_key_id, now.reveals, now.delivered_at) == (
        Status.DELIVERED,
        *world.iam.made,
        0,
        world.clock.now(),
    )
    assert now.deadline == world.clock.now() + timedelta(hours=12)
    assert not [one for one in world.taps.calls[before:] if one.startswith("issuer")]
    assert world.store.entries[-1].detail == Detail(Code.LEASE_EXPIRED_WITH_KEY)
    assert world.iam.active == [now.access_key_id]


def test_without_a_recorded_key_the_lock_stays_until_the_check() -> None:
    world = make_desk()
    request = dies(world, "issuer.create_key", "after")
    with world.nothing_happens():
        for _ in range(15):
            world.pass_time(LEASE)
    assert world.store.lock_holder(f"issuing:{request.account}:{ALICE.email}") == request.id
    world.pass_time(LEASE)
    assert world.now(request).status is Status.APPROVED
    assert world.store.lock_holder(f"issuing:{request.account}:{ALICE.email}") is None


@pytest.mark.parametrize("change", ["renamed", "deleted"])
def test_the_orphan_check_is_impossible_without_the_iam_user(change: str) -> None:
    """A renamed user keeps its keys, also one that was never shown."""
    world = make_desk()
    request = dies(world, "issuer.create_key", "after")
    if change == "renamed":
        world.iam.rename_user(ALICE.email, "alice.new")
    else:
        world.iam.delete_user(ALICE.email)
    now = checked(world, request)
    assert (now.status, now.lease) == (Status.APPROVED, None)
    started_at = world.clock.now() - LEASE - ORPHAN_CHECK
    facts = {"iam_user": ALICE.email, "iam_path": "/", "started_at": started_at.isoformat()}
    assert now.detail == Detail(Code.ORPHAN_CHECK_IMPOSSIBLE, facts)
    assert world.store.entries[-1].detail == now.detail
    with world.nothing_happens(), pytest.raises(IamUserNotFound):
        reveal(world, request)


def test_an_orphaned_key_is_disabled_and_not_deleted() -> None:
    world = make_desk()
    request = checked(world, dies(world, "issuer.create_key", "after"))
    (key_id,) = world.iam.made
    record = world.record(key_id)
    assert (record.origin, record.desired, record.owner, record.request_id) == (
        Origin.ORPHANED,
        DesiredState.INACTIVE,
        ALICE.id,
        request.id,
    )
    in_iam = world.iam.observed(key_id)
    assert in_iam is not None and not in_iam.active
    assert request.detail == Detail(Code.ORPHAN_FOUND, {"key_ids": key_id, "free_slots": "1"})
    assert request.deadline == world.clock.now() + timedelta(hours=72)
    assert [e.detail for e in world.store.entries if e.action == "orphan_check"] == [request.detail]
    assert reveal(world, request).access_key_id != key_id


def test_without_an_orphan_the_requester_may_reveal_again() -> None:
    world = make_desk()
    request = checked(world, dies(world, "issuer.create_key", "before"))
    assert (request.status, request.lease) == (Status.APPROVED, None)
    assert request.detail == world.store.entries[-1].detail == Detail(Code.NO_ORPHAN_FOUND)
    assert reveal(world, request).status is Status.DELIVERED


def console_key(world: World) -> str:
    return world.iam.create_key(ALICE.email)[0].id


def orphans(
    before: Callable[[World], object] = lambda world: None,
    after: Callable[[World, str], object] = lambda world, key_id: None,
) -> list[str]:
    """Return the orphaned keys, where an admin created a key in the console at that time."""
    world = make_desk()
    earlier = before(world)
    request = dies(world, "issuer.create_key", "before")
    key_id = earlier if isinstance(earlier, str) else console_key(world)
    after(world, key_id)
    checked(world, request)
    return [key.id for key in world.records() if key.origin is Origin.ORPHANED]


def test_a_key_created_after_the_lease_is_orphaned() -> None:
    assert len(orphans()) == 1


def test_a_key_older_than_the_request_is_not_orphaned() -> None:
    assert orphans(before=console_key) == []


def test_a_used_key_is_not_orphaned() -> None:
    assert orphans(after=lambda world, key_id: world.iam.use(key_id)) == []


def test_a_recorded_key_is_not_orphaned() -> None:
    assert (
        orphans(after=lambda world, key_id: disable_key.disable(world.services, ALICE, key_id))
        == []
    )


@pytest.mark.parametrize(("minutes", "found"), [(4, 1), (6, 0)])
def test_a_key_five_minutes_older_than_the_lease_is_not_orphaned(minutes: int, found: int) -> None:
    world = make_desk()
    request = world.approved()
    console_key(world)
    world.clock.advance(timedelta(minutes=minutes))
    world.taps.on("issuer.create_key", before=ProcessDied())
    with pytest.raises(ProcessDied):
        reveal(world, request)
    checked(world, request)
    assert len([key for key in world.records() if key.origin is Origin.ORPHANED]) == found


def test_a_key_of_another_iam_user_is_not_orphaned() -> None:
    assert orphans(before=lambda world: world.iam.create_key(BOB.email)[0].id) == []


def test_a_key_too_new_for_a_last_use_is_orphaned() -> None:
    def unknown(world: World, key_id: str) -> None:
        world.taps.on("issuer.last_used", before=AccessKeyNotFound("GetAccessKeyLastUsed"))

    assert len(orphans(after=unknown)) == 1


def test_a_key_recorded_during_the_check_keeps_its_record() -> None:
    world = make_desk()
    request = dies(world, "issuer.create_key", "after")
    world.clock.advance(LEASE + ORPHAN_CHECK)
    world.taps.on(
        "store.commit", before=lambda: disable_key.disable(world.services, ALICE, *world.iam.made)
    )
    with pytest.raises(Conflict):
        run_due.run(world.services, request.name)
    assert world.record(*world.iam.made).origin is Origin.ADOPTED
    world.sweep()
    assert world.now(request).status is Status.APPROVED and world.iam.active == []


def test_of_two_recoveries_only_one_counts() -> None:
    world = make_desk()
    request = dies(world, "issuer.create_key", "after")
    world.clock.advance(LEASE + ORPHAN_CHECK)
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, request.name))
    with pytest.raises(Conflict):
        run_due.run(world.services, request.name)
    with world.nothing_happens():
        recover_delivery.recover(world.services, world.now(request))
        world.sweep()


def test_a_check_that_iam_does_not_answer_is_repeated() -> None:
    world = make_desk()
    request = dies(world, "issuer.create_key", "after")
    world.clock.advance(LEASE + ORPHAN_CHECK)
    world.taps.on("issuer.listed", before=IamDenied("AccessDenied", "ListAccessKeys"))
    with world.nothing_happens():
        world.sweep()
    world.pass_time(LEASE)
    assert world.now(request).status is Status.APPROVED


def test_a_deleted_iam_user_does_not_block_the_request() -> None:
    world = make_desk()
    request = dies(world, "issuer.create_key", "before")
    del world.iam.users[ALICE.email]
    assert checked(world, request).status is Status.APPROVED


def test_a_running_lease_is_not_recovered() -> None:
    world = make_desk()
    request = dies(world, "messenger.deliver")
    with world.nothing_happens():
        recover_delivery.recover(world.services, request)
        recover_delivery.recover(world.services, replace(request, lease=None))


def test_an_orphan_in_the_last_slot_leaves_none_free() -> None:
    world = make_desk()
    console_key(world)
    request = checked(world, dies(world, "issuer.create_key", "after"))
    assert request.detail is not None and request.detail.facts["free_slots"] == "0"


def test_a_key_reported_before_the_check_is_orphaned() -> None:
    """A leak report gives the key a record, which does not make it anyone's key."""
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, Code.KEY_CREATION_UNCONFIRMED)
    (key_id,) = world.iam.made
    report_leak.report(world.services, BOB, key_id)
    request = checked(world, request)
    record = world.record(key_id)
    assert (record.origin, record.desired, record.request_id) == (
        Origin.ORPHANED,
        DesiredState.INACTIVE,
        request.id,
    )
    assert record.reported_by == BOB.id and world.iam.active == []
    assert request.detail is not None and request.detail.facts["key_ids"] == key_id


def test_a_key_deleted_without_a_database_is_replaced() -> None:
    """The process that could not show the key deletes it. It is on record until IAM is read."""
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "issuer.create_key",
        after=lambda: world.taps.away_from(3, "store", lambda call: StoreUnavailable()),
    )
    fails(world, request, Code.UNRECORDED_KEY_DELETED, cause=Code.DATABASE_DID_NOT_ANSWER)
    [key_id] = world.iam.made
    assert world.iam.observed(key_id) is None
    world.taps.calm()
    assert world.now(request).access_key_id == key_id, "recorded, but not that it is deleted"

    world.pass_time(LEASE)
    assert world.now(request).status is Status.DELIVERED, "not known yet"
    world.pass_time(CONSISTENCY_DELAY)
    now = world.now(request)
    assert (now.status, now.deleted_keys) == (Status.APPROVED, (key_id,))
    assert now.detail == Detail(Code.KEY_DELETED_REVEAL_AGAIN, {"key_id": key_id})
    (gone,) = [entry for entry in world.store.entries if entry.action == "key_gone"]
    assert gone.detail == Detail(Code.KEY_GONE_FROM_IAM, {"key_id": key_id})
    assert world.record(key_id).observed is ObservedState.DELETED
    delivered = reveal(world, now)
    assert world.iam.active == [delivered.access_key_id]


def test_a_recorded_key_that_is_in_iam_stays_with_its_requester() -> None:
    world = make_desk()
    request = dies(world, "messenger.deliver", "after")
    world.pass_time(LEASE)
    world.pass_time(CONSISTENCY_DELAY)
    assert world.now(request).status is Status.DELIVERED
    assert world.iam.active == [request.access_key_id]

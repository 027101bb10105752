"""A lease ran out: the person is asked where a key is on record; where none is, a look finds what nobody recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    AccessKeyNotFound,
    Conflict,
    DeliveryFailed,
    IamDenied,
    IamUserNotFound,
    NotAllowed,
    NotYourKey,
    OutcomeUnknown,
    utc_text,
)
from bot.domain.keys import DesiredState, Origin
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import decide_orphan, disable_key, recover_delivery, run_due
from tests.support.errors import refuses
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk, reveal

LEASE, ORPHAN_CHECK = timedelta(seconds=60), timedelta(minutes=15)


def dies(world: World, call: str, side: str = "before", nth: int = 1) -> KeyRequest:
    """The process dies while Alice reveals."""
    request = world.approved()
    world.taps.on(call, nth=nth, **{side: ProcessDied()})
    with pytest.raises(ProcessDied):
        reveal(world, request)
    return world.now(request)


def looked_at(world: World, request: KeyRequest) -> KeyRequest:
    """The request after its lease and the look."""
    for span in (LEASE, ORPHAN_CHECK):
        world.pass_time(span)
    return world.now(request)


@pytest.mark.parametrize(
    ("call", "side"), [("messenger.deliver", "before"), ("messenger.deliver", "after")]
)
def test_a_lease_over_with_a_key_on_record_asks_the_person_and_not_iam(
    call: str, side: str
) -> None:
    world = make_desk()
    request = dies(world, call, side)
    world.clock.advance(LEASE - timedelta(seconds=1))
    with world.nothing_happens():
        world.sweep()
    asked = len(world.taps.calls)
    world.pass_time(timedelta(seconds=1))
    now = world.now(request)
    assert (now.status, now.access_key_id, now.reveals, now.delivered_at) == (
        Status.DELIVERED,
        *world.iam.made,
        0,
        world.clock.now(),
    )
    assert now.deadline == world.clock.now() + timedelta(hours=12)
    assert not [made for made in world.taps.calls[asked:] if made.startswith("issuer")]
    assert world.iam.active == [now.access_key_id]


def test_a_lease_over_without_a_key_on_record_keeps_request_and_hold_until_the_look() -> None:
    world = make_desk()
    request = dies(world, "issuer.create_key", "after")
    with world.nothing_happens():
        for _ in range(15):
            world.pass_time(LEASE)
    assert world.store.lock_holder(f"issuing:{request.account}:{ALICE.email}") == request.id
    world.pass_time(LEASE)
    assert world.now(request).status is Status.APPROVED
    assert world.store.lock_holder(f"issuing:{request.account}:{ALICE.email}") is None


@pytest.mark.parametrize("goes", ["renamed", "deleted"])
def test_of_a_user_who_is_gone_by_then_nobody_says_that_no_key_was_made(goes: str) -> None:
    """A renamed one takes its keys along, also the one that nobody has seen."""
    world = make_desk()
    request = dies(world, "issuer.create_key", "after")
    if goes == "renamed":
        world.iam.rename_user(ALICE.email, "alice.new")
    else:
        world.iam.delete_user(ALICE.email)
    now = looked_at(world, request)
    assert (now.status, now.lease) == (Status.APPROVED, None) and "no key was made" not in now.note
    assert f"The last try, about {utc_text(world.clock.now() - LEASE - ORPHAN_CHECK)}" in now.note
    assert f"AWS shows the desk no IAM user {ALICE.email} any more" in now.note
    assert "whoever looks after AWS" in now.note
    assert (
        world.store.entries[-1].reason
        == f"not looked: AWS shows no IAM user {ALICE.email} any more"
    )
    with world.nothing_happens(), pytest.raises(IamUserNotFound):
        reveal(world, request)


def test_a_key_found_is_made_inactive_not_deleted_and_its_person_is_told() -> None:
    world = make_desk()
    request = looked_at(world, dies(world, "issuer.create_key", "after"))
    (key_id,) = world.iam.made
    record = world.record(key_id)
    assert (record.origin, record.desired, record.owner, record.request_id) == (
        Origin.ORPHANED,
        DesiredState.INACTIVE,
        ALICE.id,
        request.id,
    )
    shown = world.iam.observed(key_id)
    assert shown is not None and not shown.active
    assert key_id in request.note and request.deadline == world.clock.now() + timedelta(hours=72)
    assert reveal(world, request).access_key_id != key_id


def test_where_no_key_was_made_the_person_may_reveal_again() -> None:
    world = make_desk()
    request = looked_at(world, dies(world, "issuer.create_key", "before"))
    assert (request.status, request.lease) == (Status.APPROVED, None)
    assert "no key was made" in request.note
    assert reveal(world, request).status is Status.DELIVERED


def console_key(world: World) -> str:
    return world.iam.create_key(ALICE.email)[0].id


def spare(
    before: Callable[[World], object] = lambda world: None,
    after: Callable[[World, str], object] = lambda world, key_id: None,
) -> list[str]:
    """The keys that a look finds, where someone made a key elsewhere at about the same time."""
    world = make_desk()
    made = before(world)
    request = dies(world, "issuer.create_key", "before")
    key_id = made if isinstance(made, str) else console_key(world)
    after(world, key_id)
    looked_at(world, request)
    return [key.id for key in world.records() if key.origin is Origin.ORPHANED]


def test_a_key_made_since_the_lease_began_is_a_candidate() -> None:
    assert len(spare()) == 1


def test_a_key_that_was_there_when_the_request_was_made_is_none() -> None:
    assert spare(before=console_key) == []


def test_a_key_that_has_been_used_is_none() -> None:
    assert spare(after=lambda world, key_id: world.iam.use(key_id)) == []


def test_a_key_that_has_a_record_is_none() -> None:
    assert (
        spare(after=lambda world, key_id: disable_key.disable(world.services, ALICE, key_id)) == []
    )


@pytest.mark.parametrize(("minutes", "found"), [(4, 1), (6, 0)])
def test_a_key_made_more_than_five_minutes_before_the_lease_by_iams_clock_is_none(
    minutes: int, found: int
) -> None:
    world = make_desk()
    request = world.approved()
    console_key(world)
    world.clock.advance(timedelta(minutes=minutes))
    world.taps.on("issuer.create_key", before=ProcessDied())
    with pytest.raises(ProcessDied):
        reveal(world, request)
    looked_at(world, request)
    assert len([key for key in world.records() if key.origin is Origin.ORPHANED]) == found


def test_a_key_of_another_iam_user_is_none() -> None:
    assert spare(before=lambda world: world.iam.create_key(BOB.email)[0].id) == []


def test_a_listed_key_that_iam_does_not_know_otherwise_yet_is_a_candidate() -> None:
    def unknown(world: World, key_id: str) -> None:
        world.taps.on("issuer.last_used", before=AccessKeyNotFound("GetAccessKeyLastUsed"))

    assert len(spare(after=unknown)) == 1


def test_a_key_that_gets_a_record_during_the_look_is_left_to_that_record() -> None:
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


def test_a_recovery_by_many_is_one() -> None:
    world = make_desk()
    request = dies(world, "issuer.create_key", "after")
    world.clock.advance(LEASE + ORPHAN_CHECK)
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, request.name))
    with pytest.raises(Conflict):
        run_due.run(world.services, request.name)
    with world.nothing_happens():
        recover_delivery.recover(world.services, world.now(request))
        world.sweep()


def test_a_look_that_iam_does_not_answer_is_made_again() -> None:
    world = make_desk()
    request = dies(world, "issuer.create_key", "after")
    world.clock.advance(LEASE + ORPHAN_CHECK)
    world.taps.on("issuer.listed", before=IamDenied("AccessDenied", "ListAccessKeys"))
    with world.nothing_happens():
        world.sweep()
    world.pass_time(LEASE)
    assert world.now(request).status is Status.APPROVED


def test_an_iam_user_that_is_gone_has_no_keys() -> None:
    world = make_desk()
    request = dies(world, "issuer.create_key", "before")
    del world.iam.users[ALICE.email]
    assert looked_at(world, request).status is Status.APPROVED


# What becomes of a found key ------------------------------------------------------------------------------------------


def found(world: World) -> str:
    looked_at(world, dies(world, "issuer.create_key", "after"))
    return next(iter(world.iam.made))


@pytest.mark.parametrize("desired", [DesiredState.ACTIVE, DesiredState.DELETED])
def test_an_approver_decides_what_becomes_of_a_found_key(desired: DesiredState) -> None:
    world = make_desk()
    key_id = found(world)
    record = decide_orphan.decide(world.services, CAROL, key_id, desired)
    assert (record.desired, record.changed_by) == (desired, CAROL.id)
    assert world.iam.active == ([key_id] if desired is DesiredState.ACTIVE else [])
    assert (world.iam.observed(key_id) is None) is (desired is DesiredState.DELETED)


def test_nobody_else_decides_about_it_nor_about_any_other_key() -> None:
    world = make_desk()
    key_id = found(world)
    world.people.may_approve |= {ALICE.id}
    with world.nothing_happens():
        for member in (ALICE, BOB):
            with pytest.raises(NotAllowed):
                decide_orphan.decide(world.services, member, key_id, DesiredState.DELETED)
        with pytest.raises(NotYourKey):
            decide_orphan.decide(
                world.services, CAROL, "AKIAIOSFODNN7EXAMPLE", DesiredState.DELETED
            )
    issued = reveal(world, world.now(world.store.requests_of(ALICE.id)[0])).access_key_id
    with world.nothing_happens(), pytest.raises(NotYourKey):
        decide_orphan.decide(world.services, CAROL, issued, DesiredState.DELETED)


def test_of_two_approvers_the_second_is_told_what_was_decided_by_whom() -> None:
    world = make_desk()
    key_id = found(world)
    world.taps.on(
        "store.commit",
        before=lambda: decide_orphan.decide(world.services, ERIN, key_id, DesiredState.ACTIVE),
    )
    with refuses(Code.ORPHAN_DECIDED, key_id=key_id, status="active", by=ERIN.id):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED)
    assert world.iam.active == [key_id]


def test_a_decision_that_meets_the_sweeper_reading_the_key_stands_all_the_same() -> None:
    world = make_desk()
    key_id = found(world)
    record = world.record(key_id)
    world.clock.advance(ORPHAN_CHECK)
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, record.name))
    assert (
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED).desired
        is DesiredState.DELETED
    )
    assert world.iam.observed(key_id) is None


def test_a_found_key_that_somebody_deleted_cannot_be_enabled_and_the_approver_is_told() -> None:
    world = make_desk()
    key_id = found(world)
    world.iam.delete_key(ALICE.email, key_id)
    with refuses(Code.CHANGED_KEY_GONE, key_id=key_id, desired=DesiredState.ACTIVE):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    asked = len(world.taps.calls)
    world.rest(days=1)
    assert "issuer.set_status" not in world.taps.calls[asked:]
    assert world.record(key_id).check_at is None


def test_the_process_that_made_a_found_key_deletes_it_when_it_wakes_up() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=lambda: [looked_at(world, request)])
    with pytest.raises(DeliveryFailed, match="is deleted again"):
        reveal(world, request)
    (key_id,) = world.iam.made
    assert world.iam.observed(key_id) is None
    assert world.record(key_id).desired is DesiredState.DELETED
    with refuses(Code.ORPHAN_DECIDED, key_id=key_id, status="deleted", by="keydesk"):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)


def test_a_late_process_whose_deletion_is_lost_leaves_the_intent_to_the_sweeper() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=lambda: [looked_at(world, request)])
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(DeliveryFailed, match="could not be deleted yet either"):
        reveal(world, request)
    world.pass_time(LEASE)
    assert world.iam.observed(*world.iam.made) is None


def test_a_lease_that_still_runs_is_not_recovered() -> None:
    world = make_desk()
    request = dies(world, "messenger.deliver")
    with world.nothing_happens():
        recover_delivery.recover(world.services, request)
        recover_delivery.recover(world.services, replace(request, lease=None))

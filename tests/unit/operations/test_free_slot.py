"""Rotating with both slots taken: one key is chosen first and deleted at the reveal click."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import AlreadyOpen, KeydeskError, MustChooseKey, NotYourKey
from bot.domain.keys import (
    DesiredState,
    KeyStatus,
    LastUsed,
    ObservedState,
)
from bot.domain.outside_errors import (
    IamDenied,
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
    StoreUnavailable,
)
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    report_leak,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, fails, make_desk, reveal

SOON = timedelta(seconds=15)


def full() -> tuple[World, KeyRequest]:
    """Return a world with Alice's approved rotation, which deletes her other key."""
    world = make_desk()
    return world, world.rotating(full=True)


def test_with_both_slots_taken_the_requester_must_choose_first() -> None:
    world = make_desk()
    first, second = world.console_key(), world.console_key()
    world.iam.use(second)
    with world.nothing_happens(), pytest.raises(MustChooseKey) as refused:
        create_request.rotate(world.services, ALICE, first)
    assert refused.value.key_id == first
    assert [(key.id, key.active, key.last_used) for key in refused.value.keys] == [
        (first, True, LastUsed()),
        (second, True, LastUsed(world.clock.now(), "s3", "eu-central-1")),
    ]


@pytest.mark.parametrize("whose", ["bob's", "unknown"])
def test_only_own_keys_are_rotated_or_deleted(
    whose: str,
) -> None:
    world = make_desk()
    mine = world.console_key(), world.console_key()
    other = world.console_key(BOB) if whose == "bob's" else "AKIAIOSFODNN7EXAMPLE"
    with world.nothing_happens():
        for key_id, delete_first in ((mine[0], other), (other, mine[0]), (other, "")):
            with pytest.raises(NotYourKey) as refused:
                create_request.rotate(world.services, ALICE, key_id, delete_first=delete_first)
            assert other not in (*refused.value.facts.values(), str(refused.value))


def test_the_chosen_key_is_part_of_the_request() -> None:
    world = make_desk()
    first, second = world.console_key(), world.console_key()
    request = create_request.rotate(world.services, ALICE, first, delete_first=second)
    assert (request.target, request.delete_first, request.reason) == (first, second, "")
    assert [key.id for key in request.keys] == [first, second]


def test_with_a_free_slot_no_key_may_be_chosen() -> None:
    """A key that was chosen for deletion is never kept without a word."""
    world = make_desk()
    key_id = world.console_key()
    with world.nothing_happens(), refuses(Code.NO_KEY_TO_DELETE, key_id=key_id):
        create_request.rotate(world.services, ALICE, key_id, delete_first=key_id)
    with world.nothing_happens(), pytest.raises(NotYourKey):
        create_request.rotate(world.services, ALICE, key_id, delete_first="AKIAIOSFODNN7EXAMPLE")
    assert create_request.rotate(world.services, ALICE, key_id).delete_first == ""


@pytest.mark.parametrize("state", ["pending", "approved", "delivered"])
def test_only_one_rotation_is_open_at_a_time(state: str) -> None:
    world = make_desk()
    key_id = world.console_key()
    request = create_request.rotate(world.services, ALICE, key_id)
    if state != "pending":
        decide_request.approve(world.services, CAROL, request.id)
    if state == "delivered":
        reveal(world, request)
    with world.nothing_happens(), pytest.raises(AlreadyOpen) as refused:
        create_request.rotate(world.services, ALICE, key_id)
    assert refused.value.request_id == request.id


def test_the_chosen_key_lives_until_the_reveal_click() -> None:
    world, request = full()
    world.pass_time(timedelta(hours=71))
    assert sorted(world.iam.active) == sorted((request.target, request.delete_first))
    delivered = reveal(world, request)
    assert sorted(world.iam.active) == sorted((request.target, delivered.access_key_id))
    assert (
        world.record(request.delete_first).desired,
        world.record(request.delete_first).observed,
    ) == (
        DesiredState.DELETED,
        ObservedState.DELETED,
    )
    assert world.record(delivered.access_key_id).replaces == request.target


def test_the_deletion_is_stored_and_done_before_the_creation() -> None:
    world, request = full()
    before = len(world.taps.calls)
    seen: list[DesiredState] = []
    world.taps.on(
        "issuer.delete_key", before=lambda: seen.append(world.record(request.delete_first).desired)
    )
    reveal(world, request)
    calls = [
        c
        for c in world.taps.calls[before:]
        if c in ("store.commit", "issuer.delete_key", "issuer.create_key")
    ]
    assert calls[:4] == ["store.commit", "issuer.delete_key", "store.commit", "issuer.create_key"]
    assert seen == [DesiredState.DELETED]
    (entry,) = [entry for entry in world.store.entries if entry.action == "reveal"]
    assert (entry.by, entry.reason) == (ALICE.id, "")
    assert entry.detail == Detail(Code.SLOT_FREED, {"key_id": request.delete_first})


def test_a_replaced_key_that_is_deleted_has_no_grace_period() -> None:
    world = make_desk()
    first, second = world.console_key(), world.console_key()
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, first, delete_first=first).id,
    )
    delivered = confirm_receipt.confirm(world.services, ALICE, reveal(world, request).access_key_id)
    assert sorted(world.iam.active) == sorted((second, delivered.access_key_id))
    record = world.record(delivered.access_key_id)
    assert (record.replaces, record.grace_ends_at) == ("", None)


@pytest.mark.parametrize("change", ["used", "inactive"])
def test_a_changed_key_lives_until_the_next_click(
    change: str,
) -> None:
    world, request = full()
    if change == "used":
        world.iam.use(request.delete_first)
    else:
        world.iam.set_status(ALICE.email, request.delete_first, KeyStatus.INACTIVE)
    rendered = len(world.slack.rendered)
    (now_in_iam,) = (k for k in world.iam.keys(ALICE.email) if k.id == request.delete_first)
    with refuses(Code.KEY_TO_DELETE_CHANGED, key_id=request.delete_first, key=now_in_iam):
        reveal(world, request)
    now = world.now(request)
    assert (now.status, now.last_event) == (Status.APPROVED, Event.REFRESH)
    assert now.key(request.delete_first) == now_in_iam
    assert (
        world.slack.rendered[rendered:] == [request.name]
        and world.iam.observed(request.delete_first) is not None
    )
    assert now.deadline == request.deadline
    reveal(world, request)
    assert world.iam.observed(request.delete_first) is None


def test_a_key_with_an_unknown_last_use_is_not_deleted() -> None:
    """IAM is eventually consistent. It may list a key that GetAccessKeyLastUsed does not know."""
    world, request = full()
    world.iam.use_unknown.add(request.delete_first)
    with world.nothing_happens(), refuses(Code.LAST_USE_UNKNOWN, key_id=request.delete_first):
        reveal(world, request)
    world.iam.use_unknown.clear()
    reveal(world, request)
    assert world.iam.observed(request.delete_first) is None


def test_a_last_use_that_stays_unknown_is_no_change() -> None:
    world = make_desk()
    target, delete_first = world.console_key(), world.console_key()
    world.iam.use_unknown.add(delete_first)
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, target, delete_first=delete_first).id,
    )
    reveal(world, request)
    assert world.iam.observed(delete_first) is None


def test_two_clicks_after_a_change_are_both_refused() -> None:
    world, request = full()
    world.iam.use(request.delete_first)

    def another_click() -> None:
        with refuses(Code.KEY_TO_DELETE_CHANGED):
            reveal(world, request)

    world.taps.on("store.commit", before=another_click)
    with refuses(Code.KEY_TO_DELETE_CHANGED):
        reveal(world, request)
    assert len(world.iam.active) == 2


def test_a_record_that_changes_at_the_click_stops_the_reveal() -> None:
    world, request = full()
    disable_key.set_desired_state(
        world.services,
        ALICE,
        world.iam.user(ALICE.email),
        world.iam.keys(ALICE.email)[1],
        DesiredState.ACTIVE,
        "enable",
    )

    def touched() -> None:
        record = world.record(request.delete_first)
        world.store.commit(
            Change(record, record.updated(disable_note="x")), entry=world.store.entries[-1]
        )

    world.taps.on("store.commit", before=touched)
    with refuses(Code.REQUEST_JUST_CHANGED):
        reveal(world, request)
    assert len(world.iam.active) == 2 and world.now(request).status is Status.APPROVED
    reveal(world, request)
    assert world.iam.observed(request.delete_first) is None


@pytest.mark.parametrize(
    "problem",
    [
        IamThrottled("Throttling", "CreateAccessKey"),
        IamUnavailable("CreateAccessKey"),
        IamDenied("AccessDenied", "CreateAccessKey"),
    ],
)
def test_a_failed_creation_says_that_the_old_key_is_deleted(
    problem: KeydeskError,
) -> None:
    world, request = full()
    world.taps.on("issuer.create_key", before=problem)
    facts = {
        "key_id": request.delete_first,
        "cause": problem.code,
        "aws_code": getattr(problem, "aws_code", ""),
    }
    fails(world, request, Code.OLD_KEY_DELETED_NO_NEW_KEY, **facts)
    now = world.now(request)
    assert now.status is Status.APPROVED
    assert now.detail == Detail(Code.OLD_KEY_DELETED_NO_NEW_KEY, facts)
    assert world.iam.active == [request.target]
    delivered = reveal(world, request)
    assert sorted(world.iam.active) == sorted((request.target, delivered.access_key_id))


def test_the_time_of_the_deletion_stays_on_record() -> None:
    world, request = full()
    assert request.delete_first_at is None
    began = world.clock.now()
    for _ in range(2):
        world.taps.on("issuer.create_key", before=IamThrottled("Throttling", "CreateAccessKey"))
        fails(world, request, Code.OLD_KEY_DELETED_NO_NEW_KEY)
        assert world.now(request).delete_first_at == began
        world.clock.advance(SOON)
    assert create_request.cancel(world.services, ALICE, request.id).delete_first_at == began
    assert world.iam.active == [request.target]


@pytest.mark.parametrize(
    "problem",
    [
        IamThrottled("Throttling", "DeleteAccessKey"),
        IamUnavailable("DeleteAccessKey"),
        IamDenied("AccessDenied", "DeleteAccessKey"),
    ],
)
def test_without_a_certain_deletion_no_key_is_created(
    problem: KeydeskError,
) -> None:
    world, request = full()
    world.taps.on("issuer.delete_key", before=problem)
    facts = {
        "key_id": request.delete_first,
        "cause": problem.code,
        "aws_code": getattr(problem, "aws_code", ""),
    }
    fails(world, request, Code.OLD_KEY_NOT_DELETED, **facts)
    assert world.now(request).detail == Detail(Code.OLD_KEY_NOT_DELETED, facts)
    assert world.now(request).status is Status.APPROVED and len(world.iam.made) == 2
    world.pass_time(SOON)
    assert world.iam.observed(request.delete_first) is None
    assert reveal(world, request).status is Status.DELIVERED


def test_a_lost_answer_to_the_deletion_costs_one_more_click() -> None:
    world, request = full()
    world.taps.on("issuer.delete_key", after=OutcomeUnknown("DeleteAccessKey"))
    fails(world, request, Code.OLD_KEY_DELETION_UNCONFIRMED)
    assert len(world.iam.made) == 2
    assert reveal(world, request).status is Status.DELIVERED


def test_a_database_failure_after_the_lease_costs_one_more_click() -> None:
    world, request = full()
    world.taps.on(
        "store.commit", after=lambda: world.taps.on("store.key", before=StoreUnavailable())
    )
    fails(world, request, Code.OLD_KEY_NOT_DELETED)
    assert len(world.iam.made) == 2 and world.now(request).status is Status.APPROVED
    assert reveal(world, request).status is Status.DELIVERED


def test_a_deletion_that_iam_does_not_confirm_stops_the_creation() -> None:
    world = make_desk()
    target, young = world.console_key(), world.iam.create_key(ALICE.email)[0].id
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, target, delete_first=young).id,
    )
    world.taps.on("issuer.delete_key", before=lambda: world.iam.hidden.add(young))
    fails(world, request, Code.OLD_KEY_DELETION_UNCONFIRMED, key_id=young)
    assert len(world.iam.made) == 2
    world.iam.hidden.clear()
    world.rest(days=1)
    assert world.iam.observed(young) is None and reveal(world, request).status is Status.DELIVERED


def test_a_key_that_is_deleted_already_is_no_obstacle() -> None:
    world, request = full()
    world.iam.delete_key(ALICE.email, request.delete_first)
    assert reveal(world, request).status is Status.DELIVERED


def test_the_deletion_closes_the_request_of_the_deleted_key() -> None:
    world = make_desk()
    first = world.delivered()
    world.clock.advance(timedelta(hours=1))
    target = world.console_key()
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, target, delete_first=first.access_key_id).id,
    )
    reveal(world, request)
    assert (world.now(first).status, world.now(first).last_event) == (
        Status.EXPIRED,
        Event.OWNER_DELETED,
    )
    with refuses(Code.REQUEST_MOVED_ON, last_event="owner_deleted"):
        confirm_receipt.confirm(world.services, ALICE, first.access_key_id)


def test_a_leaked_key_can_be_chosen_and_stays_leaked() -> None:
    world = make_desk()
    target, leaked = world.console_key(), world.console_key()
    report_leak.report(world.services, ALICE, leaked)
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.rotate(world.services, ALICE, target, delete_first=leaked).id,
    )
    reveal(world, request)
    assert world.iam.observed(leaked) is None and world.record(leaked).leaked


def test_a_request_cancelled_before_the_click_deletes_nothing() -> None:
    world, request = full()
    create_request.cancel(world.services, ALICE, request.id)
    world.rest(days=8)
    assert len(world.iam.active) == 2 and world.store.key(request.delete_first) is None


def test_a_last_use_that_becomes_known_is_shown_first() -> None:
    world, request = full()
    now = world.now(request)
    unknown = tuple(replace(key, last_used=None) for key in now.keys)
    world.store.commit(
        Change(now, replace(now, keys=unknown, version=now.version + 1)),
        entry=world.store.entries[-1],
    )
    with refuses(Code.KEY_TO_DELETE_CHANGED):
        reveal_key.reveal(world.services, ALICE, request.id)
    key = world.now(request).key(request.delete_first)
    assert key is not None and key.last_used == LastUsed()

"""Retiring one's own keys: seen, turned off, deleted; written first, done then, read back later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    AccessKeyNotFound,
    IamDenied,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    KeydeskError,
    KeyNotInAccount,
    NotAllowed,
    NotYourKey,
    OutcomeUnknown,
    StoreUnavailable,
)
from bot.domain.keys import (
    DesiredState,
    KeyStatus,
    ObservedState,
    Origin,
)
from bot.domain.states import Event, Status
from bot.operations import confirm_receipt, disable_key, key_owner
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk

ORPHAN_CHECK = timedelta(minutes=15)
SOON = timedelta(seconds=15)
NOBODYS = "AKIAIOSFODNN7EXAMPLE"


def a_key(world: World, status: KeyStatus = KeyStatus.ACTIVE) -> str:
    """A key of Alice's, made in the console some time ago."""
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.iam.set_status(ALICE.email, key_id, status)
    world.clock.advance(timedelta(hours=1))
    return key_id


def stands(world: World, key_id: str) -> KeyStatus | None:
    key = world.iam.observed(key_id)
    return key.status if key else None


def test_a_person_sees_their_own_keys_oldest_first_with_their_last_use() -> None:
    world = make_desk()
    first, second = a_key(world), a_key(world)
    world.iam.create_key(BOB.email)
    world.iam.use(second)
    with world.nothing_happens():
        keys = key_owner.keys_of(world.services, ALICE)
        assert key_owner.owned_key(world.services, ALICE, second) == keys[1]
    assert [key.id for key in keys] == [first, second]
    assert keys[0].last_used is not None and keys[0].last_used.at is None
    assert keys[1].last_used is not None and keys[1].last_used.service == "s3"


def test_an_approver_sees_the_last_use_of_any_key_of_the_account() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.iam.use(key_id)
    with world.nothing_happens():
        assert (
            disable_key.last_use(world.services, CAROL, key_id)
            == disable_key.last_use(world.services, ALICE, key_id)
            == world.iam.keys(ALICE.email)[0]
        )
        with pytest.raises(KeyNotInAccount):
            disable_key.last_use(world.services, CAROL, "AKIAIOSFODNN7EXAMPLE")
        for foreign in (key_id, "AKIAIOSFODNN7EXAMPLE"):
            with pytest.raises(NotYourKey):
                disable_key.last_use(world.services, BOB, foreign)


@pytest.mark.parametrize("verb", [key_owner.owned_key, disable_key.disable, disable_key.delete])
def test_a_key_of_somebody_else_and_one_that_is_none_are_refused_in_the_same_words(
    verb: object,
) -> None:
    world = make_desk()
    bobs = world.iam.create_key(BOB.email)[0].id
    answers = []
    with world.nothing_happens():
        for key_id in (bobs, NOBODYS):
            with pytest.raises(NotYourKey) as refused:
                verb(world.services, ALICE, key_id)
            answers.append((refused.value.code, refused.value.facts))
    assert answers == [(Code.NOT_YOUR_KEY, {})] * 2


@pytest.mark.parametrize("verb", [disable_key.disable, disable_key.delete])
def test_a_person_without_an_iam_user_or_not_named_in_its_tag_is_refused(verb: object) -> None:
    world = make_desk(iam_owner_tag="Owner")
    key_id = a_key(world)
    with world.nothing_happens():
        with pytest.raises(IamUserNotFound):
            verb(world.services, CAROL, key_id)
        with pytest.raises(NotAllowed):
            verb(world.services, ALICE, key_id)


def test_a_key_is_turned_off_and_the_audit_trail_says_by_whom() -> None:
    world = make_desk()
    key_id = a_key(world)
    retired = disable_key.disable(world.services, ALICE, key_id)
    assert (retired.key.status, retired.already) == (KeyStatus.INACTIVE, False)
    assert stands(world, key_id) is KeyStatus.INACTIVE
    record = world.record(key_id)
    assert (record.origin, record.desired, record.observed, record.owner) == (
        Origin.ADOPTED,
        DesiredState.INACTIVE,
        ObservedState.INACTIVE,
        ALICE.id,
    )
    assert [(e.by, e.action) for e in world.store.entries] == [
        (ALICE.id, "disable"),
        ("keydesk", "inactive"),
    ]


def test_turning_a_key_off_twice_is_well() -> None:
    world = make_desk()
    key_id = a_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    with world.nothing_happens():
        assert disable_key.disable(world.services, ALICE, key_id).already


def test_an_active_key_is_not_deleted() -> None:
    world = make_desk()
    key_id = a_key(world)
    with world.nothing_happens(), refuses(Code.KEY_IS_ACTIVE, key_id=key_id):
        disable_key.delete(world.services, ALICE, key_id)


def test_an_inactive_key_is_deleted() -> None:
    world = make_desk()
    key_id = a_key(world, KeyStatus.INACTIVE)
    disable_key.delete(world.services, ALICE, key_id)
    assert stands(world, key_id) is None
    assert world.record(key_id).desired is DesiredState.DELETED
    world.rest(days=1)
    assert (
        world.record(key_id).observed is ObservedState.DELETED
        and world.record(key_id).check_at is None
    )


def test_a_key_that_iam_lists_after_saying_that_it_does_not_know_it_is_not_called_deleted() -> None:
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


@pytest.mark.parametrize("state", ["delivered", "unclaimed"])
def test_deleting_a_key_closes_the_request_that_waits_for_its_receipt(state: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    disable_key.disable(world.services, ALICE, request.access_key_id)
    disable_key.delete(world.services, ALICE, request.access_key_id)
    now = world.now(request)
    assert (
        now.status is Status.EXPIRED
        and now.last_event is Event.OWNER_DELETED
        and now.last_event_by == ALICE.id
    )
    assert world.pending().status is Status.PENDING


def test_deleting_a_confirmed_key_leaves_its_finished_request_alone() -> None:
    world = make_desk()
    request = confirm_receipt.confirm(world.services, ALICE, world.delivered().access_key_id)
    disable_key.disable(world.services, ALICE, request.access_key_id)
    disable_key.delete(world.services, ALICE, request.access_key_id)
    assert world.now(request) == request


@pytest.mark.parametrize(
    "problem",
    [
        OutcomeUnknown("UpdateAccessKey"),
        IamUnavailable("UpdateAccessKey"),
        IamDenied("AccessDenied", "UpdateAccessKey"),
        IamThrottled("Throttling", "UpdateAccessKey"),
    ],
)
def test_what_iam_does_not_confirm_is_on_record_said_so_and_done_later(
    problem: KeydeskError,
) -> None:
    world = make_desk()
    key_id = a_key(world)
    world.taps.on("issuer.set_status", before=problem)
    facts = {"key_id": key_id, "desired": DesiredState.INACTIVE, "cause": problem.code}
    with refuses(Code.CHANGE_NOT_CONFIRMED, **facts):
        disable_key.disable(world.services, ALICE, key_id)
    assert world.record(key_id).desired is DesiredState.INACTIVE
    world.pass_time(SOON)
    assert stands(world, key_id) is KeyStatus.INACTIVE


def test_without_the_store_nothing_is_done_in_iam() -> None:
    world = make_desk()
    key_id = a_key(world)
    world.taps.on("store.commit", before=StoreUnavailable())
    with world.nothing_happens(), pytest.raises(StoreUnavailable):
        disable_key.disable(world.services, ALICE, key_id)


def test_a_young_key_that_iam_does_not_know_everywhere_is_tried_again_until_it_does() -> None:
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


def test_a_young_key_that_iam_lists_and_does_not_know_otherwise_is_tried_again_soon() -> None:
    world = make_desk()
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.taps.on("issuer.set_status", before=AccessKeyNotFound("UpdateAccessKey"))
    with refuses(Code.KEY_TOO_NEW, key_id=key_id, desired=DesiredState.INACTIVE):
        disable_key.disable(world.services, ALICE, key_id)
    world.pass_time(SOON)
    assert stands(world, key_id) is KeyStatus.INACTIVE


def test_a_change_is_read_back_later_and_repaired_where_a_late_call_undid_it() -> None:
    world = make_desk()
    key_id = a_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.pass_time(ORPHAN_CHECK)
    assert stands(world, key_id) is KeyStatus.INACTIVE
    world.pass_time(ORPHAN_CHECK)
    assert world.record(key_id).check_at is None


def test_a_key_that_is_gone_when_it_is_read_back_needs_no_more_looks() -> None:
    world = make_desk()
    key_id = a_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.delete_key(ALICE.email, key_id)
    world.pass_time(ORPHAN_CHECK)
    assert (world.record(key_id).observed, world.record(key_id).check_at) == (
        ObservedState.DELETED,
        None,
    )


def test_a_key_whose_iam_user_is_gone_needs_no_more_looks() -> None:
    world = make_desk()
    key_id = a_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.delete_user(ALICE.email)
    world.pass_time(ORPHAN_CHECK)
    assert (world.record(key_id).observed, world.record(key_id).check_at) == (
        ObservedState.DELETED,
        None,
    )


def test_turning_off_never_takes_back_that_a_key_must_go() -> None:
    world = make_desk()
    request = world.delivered()
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))

    def withdrawn_meanwhile() -> None:
        with pytest.raises(KeydeskError):
            confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)

    world.taps.on("store.commit", before=withdrawn_meanwhile)
    with refuses(Code.KEY_ALREADY_DELETED, key_id=request.access_key_id):
        disable_key.disable(world.services, ALICE, request.access_key_id)
    assert world.record(request.access_key_id).desired is DesiredState.DELETED
    world.rest(days=1)
    assert stands(world, request.access_key_id) is None


def test_an_approver_turns_off_anybodys_key_and_its_owner_is_told_why() -> None:
    world = make_desk()
    key_id = a_key(world)
    with world.nothing_happens():
        with pytest.raises(NotAllowed):
            disable_key.disable_for(world.services, BOB, key_id, "too old")
        with pytest.raises(KeyNotInAccount):
            disable_key.disable_for(world.services, CAROL, NOBODYS, "too old")
    assert not disable_key.disable_for(world.services, CAROL, key_id, "too old").already
    record = world.record(key_id)
    assert stands(world, key_id) is KeyStatus.INACTIVE
    assert (record.owner, record.dm, record.disable_note, record.changed_by) == (
        ALICE.id,
        "D0ALICE",
        "too old",
        CAROL.id,
    )
    with world.nothing_happens():
        assert disable_key.disable_for(world.services, CAROL, key_id, "too old").already


def test_an_approver_does_not_turn_off_the_desks_own_credentials() -> None:
    world = make_desk()
    key_id = a_key(world)
    world.iam.own = frozenset({key_id})
    with world.nothing_happens(), refuses(Code.KEYDESK_OWN_KEY):
        disable_key.disable_for(world.services, CAROL, key_id, "too old")


def test_two_who_turn_a_key_off_at_once_both_succeed() -> None:
    world = make_desk()
    key_id = a_key(world)
    world.taps.on("store.commit", before=lambda: disable_key.disable(world.services, ALICE, key_id))
    disable_key.disable(world.services, ALICE, key_id)
    assert stands(world, key_id) is KeyStatus.INACTIVE

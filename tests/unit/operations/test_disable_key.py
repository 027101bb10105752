"""Disable and delete keys, for their owners and for approvers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, NotAllowed
from bot.domain.identity import Member
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    KeyStatus,
    ObservedState,
    Origin,
)
from bot.domain.outside_errors import (
    IamDenied,
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
    SlackUnavailable,
    StoreUnavailable,
)
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
from tests.support.world import ALICE, BOB, CAROL, World, make_desk

SOON = timedelta(seconds=15)

NOBODYS = "AKIAIOSFODNN7EXAMPLE"

Does = Callable[[World, str], object]

AWAY = SlackUnavailable("conversations.open", "user_disabled")


def a_key(world: World, status: KeyStatus = KeyStatus.ACTIVE) -> str:
    """A key of Alice's, made in the console some time ago."""
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.iam.set_status(ALICE.email, key_id, status)
    world.clock.advance(timedelta(hours=1))
    return key_id


def stands(world: World, key_id: str) -> KeyStatus | None:
    key = world.iam.observed(key_id)
    return key.status if key else None


def new_key(world: World) -> str:
    """A key that Alice has just been given, and that AWS does not know everywhere yet."""
    key_id = world.delivered().access_key_id
    world.iam.hidden.add(key_id)
    return key_id


def known_at_last(world: World) -> None:
    world.iam.hidden.clear()
    world.rest(days=1)


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


def test_disabling_is_audited_with_who_did_it() -> None:
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


def test_disabling_twice_changes_nothing() -> None:
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


@pytest.mark.parametrize("state", ["delivered", "unclaimed"])
def test_deleting_a_key_closes_the_request_awaiting_its_receipt(state: str) -> None:
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


def test_deleting_a_confirmed_key_keeps_its_request() -> None:
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
def test_an_unconfirmed_change_is_pending_and_done_later(
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


def test_without_the_database_nothing_is_done_in_iam() -> None:
    world = make_desk()
    key_id = a_key(world)
    world.taps.on("store.commit", before=StoreUnavailable())
    with world.nothing_happens(), pytest.raises(StoreUnavailable):
        disable_key.disable(world.services, ALICE, key_id)


def test_disabling_never_cancels_a_deletion() -> None:
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


def test_two_who_disable_a_key_at_once_both_succeed() -> None:
    world = make_desk()
    key_id = a_key(world)
    world.taps.on("store.commit", before=lambda: disable_key.disable(world.services, ALICE, key_id))
    disable_key.disable(world.services, ALICE, key_id)
    assert stands(world, key_id) is KeyStatus.INACTIVE


def test_an_owner_disables_a_new_service_key_without_its_user() -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user(BOB.email, owner=BOB.id)
    world.iam.add_user("ci-deploy", owner=BOB.id)
    asked = create_request.create(
        world.services, BOB, "nightly", create_request.RequestOptions(service_user="ci-deploy")
    )
    key_id = reveal_key.reveal(
        world.services, BOB, decide_request.approve(world.services, CAROL, asked.id).id
    ).access_key_id
    world.iam.hidden.add(key_id)
    world.taps.on("issuer.owner", after=world.iam.hidden.clear)
    disable_key.disable(world.services, BOB, key_id)
    assert world.iam.active == []


def test_an_approver_disables_any_key_and_stores_why() -> None:
    world = make_desk()
    key_id = a_key(world)
    with world.nothing_happens():
        with pytest.raises(NotAllowed):
            disable_key.disable_for(world.services, BOB, key_id, "too old")
        with refuses(Code.KEY_NOT_IN_ACCOUNT):
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


def test_an_approver_cannot_disable_keydesks_own_key() -> None:
    world = make_desk()
    key_id = a_key(world)
    world.iam.own = frozenset({key_id})
    with world.nothing_happens(), refuses(Code.KEYDESK_OWN_KEY):
        disable_key.disable_for(world.services, CAROL, key_id, "too old")


def test_an_approver_disables_a_key_too_new_for_aws() -> None:
    world = make_desk()
    key_id = new_key(world)
    with world.nothing_happens():
        assert disable_key.last_use(world.services, CAROL, key_id).active
    with refuses(Code.KEY_TOO_NEW, key_id=key_id):
        disable_key.disable_for(world.services, CAROL, key_id, "not for this")
    assert (world.record(key_id).inactive_reason, world.record(key_id).disable_note) == (
        InactiveReason.DISABLED,
        "not for this",
    )
    known_at_last(world)
    assert world.iam.active == []


@pytest.mark.parametrize("owners", ["S0OPS", "U0BOB U0ALICE"])
def test_a_service_keys_owner_is_told_of_an_approvers_disable(owners: str) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    key_id = service_key(world, owners)
    assert (
        disable_key.disable_for(world.services, CAROL, key_id, "too old").notified_owner == BOB.id
    )
    assert (world.record(key_id).owner, world.record(key_id).dm) == (BOB.id, "D0BOB")


@pytest.mark.parametrize(
    "does",
    [
        lambda world, key_id: report_leak.disable(world.services, CAROL, key_id),
        lambda world, key_id: disable_key.disable_for(world.services, CAROL, key_id, "they left"),
    ],
)
def test_a_key_is_disabled_though_slack_cant_reach_its_owner(does: Does) -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("messenger.dm", before=AWAY)
    does(world, key_id)
    assert world.iam.active == [] and world.record(key_id).owner == ALICE.id


def test_disabling_after_an_approver_leaves_it_to_approvers() -> None:
    world = make_desk(approval_free=frozenset({"disable", "delete", "enable"}))
    key_id = world.console_key()
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        disable_key.disable_for(world.services, CAROL, key_id, "too old")
    disable_key.disable(world.services, ALICE, key_id)
    assert world.iam.active == []
    assert create_request.enable(world.services, ALICE, key_id, "still used") is not None, (
        "an approver is asked"
    )


def test_enabling_clears_the_approvers_reason() -> None:
    world = make_desk()
    key_id = world.console_key()
    disable_key.disable_for(world.services, CAROL, key_id, "too old")
    asked = create_request.enable(world.services, ALICE, key_id, "still used")
    assert asked is not None
    decide_request.approve(world.services, CAROL, asked.id)
    assert world.record(key_id).disable_note == ""

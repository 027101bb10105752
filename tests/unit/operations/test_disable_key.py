"""Disable and delete keys, for their owners and for approvers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus, ObservedState, Origin
from bot.domain.outside_errors import (
    IamDenied,
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.domain.states import Event, Status
from bot.operations import confirm_receipt, create_request, disable_key, report_leak, reveal_key
from bot.operations.create_request import RequestOptions
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk
from tests.unit.operations.key_checks import assert_fields, iam_status
from tests.unit.operations.key_steps import UNKNOWN_KEY, approve, confirmed, service_key
from tests.unit.operations.key_times import SOON


@pytest.fixture
def world() -> World:
    return make_desk()


@pytest.fixture
def key_id(world: World) -> str:
    """Return an active key of Alice's that was created in the console."""
    return world.console_key()


def test_disabling_is_audited_with_who_did_it(world: World, key_id: str) -> None:
    retired = disable_key.disable(world.services, ALICE, key_id)
    assert (retired.key.status, retired.already) == (KeyStatus.INACTIVE, False)
    assert iam_status(world, key_id) == "Inactive"
    record = world.record(key_id)
    assert_fields(
        record,
        origin=Origin.ADOPTED,
        desired=DesiredState.INACTIVE,
        observed=ObservedState.INACTIVE,
        owner=ALICE.id,
    )
    assert [(e.by, e.action) for e in world.store.entries] == [
        (ALICE.id, "disable"),
        ("keydesk", "inactive"),
    ]
    with world.nothing_happens():
        assert disable_key.disable(world.services, ALICE, key_id).already


def test_only_an_inactive_key_is_deleted(world: World, key_id: str) -> None:
    with world.nothing_happens(), refuses(Code.KEY_IS_ACTIVE, key_id=key_id):
        disable_key.delete(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    disable_key.delete(world.services, ALICE, key_id)
    assert iam_status(world, key_id) == "gone"
    assert world.record(key_id).desired is DesiredState.DELETED
    world.rest(days=1)
    record = world.record(key_id)
    assert (record.observed, record.check_at) == (ObservedState.DELETED, None)


@pytest.mark.parametrize("state", ["delivered", "unclaimed", "confirmed"])
def test_deleting_a_key_closes_the_request_awaiting_its_receipt(world: World, state: str) -> None:
    request = confirmed(world) if state == "confirmed" else getattr(world, state)()
    disable_key.disable(world.services, ALICE, request.access_key_id)
    disable_key.delete(world.services, ALICE, request.access_key_id)
    now = world.now(request)
    if state == "confirmed":
        assert now == request
    else:
        expected = (Status.EXPIRED, Event.OWNER_DELETED, ALICE.id)
        assert (now.status, now.last_event, now.last_event_by) == expected
    assert world.pending().status is Status.PENDING


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
    world: World, key_id: str, problem: KeydeskError
) -> None:
    world.taps.on("issuer.set_status", before=problem)
    facts = {"key_id": key_id, "desired": DesiredState.INACTIVE, "cause": problem.code}
    with refuses(Code.CHANGE_NOT_CONFIRMED, **facts):
        disable_key.disable(world.services, ALICE, key_id)
    assert world.record(key_id).desired is DesiredState.INACTIVE
    world.pass_time(SOON)
    assert iam_status(world, key_id) == "Inactive"


def test_without_the_database_nothing_is_done_in_iam(world: World, key_id: str) -> None:
    world.taps.on("store.commit", before=StoreUnavailable())
    with world.nothing_happens(), refuses(Code.STORE_UNAVAILABLE):
        disable_key.disable(world.services, ALICE, key_id)


def test_disabling_never_cancels_a_deletion(world: World) -> None:
    key_id = world.delivered().access_key_id
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))

    def deleted_meanwhile() -> None:
        with refuses(Code.KEY_DELETION_PENDING):
            confirm_receipt.did_not_get(world.services, ALICE, key_id)

    world.taps.on("store.commit", before=deleted_meanwhile)
    with refuses(Code.KEY_ALREADY_DELETED, key_id=key_id):
        disable_key.disable(world.services, ALICE, key_id)
    assert world.record(key_id).desired is DesiredState.DELETED
    world.rest(days=1)
    assert iam_status(world, key_id) == "gone"


def test_two_who_disable_a_key_at_once_both_succeed(world: World, key_id: str) -> None:
    world.taps.on("store.commit", before=lambda: disable_key.disable(world.services, ALICE, key_id))
    disable_key.disable(world.services, ALICE, key_id)
    assert iam_status(world, key_id) == "Inactive"


def test_an_owner_disables_a_new_service_key_without_its_user() -> None:
    """AWS does not list the key yet, and the service user is not named."""
    world = make_desk(iam_owner_tag="owner")
    for user in (BOB.email, "ci-deploy"):
        world.iam.add_user(user, owner=BOB.id)
    options = RequestOptions(service_user="ci-deploy")
    request = approve(world, create_request.create(world.services, BOB, "nightly", options))
    key_id = reveal_key.reveal(world.services, BOB, request.id).access_key_id
    world.iam.hidden.add(key_id)
    world.taps.on("issuer.owner", after=world.iam.hidden.clear)
    disable_key.disable(world.services, BOB, key_id)
    assert world.iam.active == []


# An approver disables the key.


def test_an_approver_disables_any_key_and_stores_why(world: World, key_id: str) -> None:
    with world.nothing_happens():
        with refuses(Code.NOT_AN_APPROVER):
            disable_key.disable_for(world.services, BOB, key_id, "too old")
        with refuses(Code.KEY_NOT_IN_ACCOUNT):
            disable_key.disable_for(world.services, CAROL, UNKNOWN_KEY, "too old")
    assert not disable_key.disable_for(world.services, CAROL, key_id, "too old").already
    record = world.record(key_id)
    assert iam_status(world, key_id) == "Inactive"
    assert_fields(record, owner=ALICE.id, dm="D0ALICE", disable_note="too old", changed_by=CAROL.id)
    with world.nothing_happens():
        assert disable_key.disable_for(world.services, CAROL, key_id, "too old").already


def test_an_approver_cannot_disable_keydesks_own_key(world: World, key_id: str) -> None:
    world.iam.own = frozenset({key_id})
    with world.nothing_happens(), refuses(Code.KEYDESK_OWN_KEY):
        disable_key.disable_for(world.services, CAROL, key_id, "too old")


def test_an_approver_disables_a_key_too_new_for_aws(world: World) -> None:
    key_id = world.delivered().access_key_id
    world.iam.hidden.add(key_id)
    with world.nothing_happens():
        assert disable_key.last_use(world.services, CAROL, key_id).active
    with refuses(Code.KEY_TOO_NEW, key_id=key_id):
        disable_key.disable_for(world.services, CAROL, key_id, "not for this")
    record = world.record(key_id)
    assert_fields(record, inactive_reason=InactiveReason.DISABLED, disable_note="not for this")
    world.iam.hidden.clear()
    world.rest(days=1)
    assert world.iam.active == []


@pytest.mark.parametrize("owners", ["S0OPS", "U0BOB U0ALICE"])
def test_a_service_keys_owner_is_told_of_an_approvers_disable(owners: str) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    key_id = service_key(world, owners)
    result = disable_key.disable_for(world.services, CAROL, key_id, "too old")
    record = world.record(key_id)
    assert (result.notified_owner, record.owner, record.dm) == (BOB.id, BOB.id, "D0BOB")


@pytest.mark.parametrize(
    "disable",
    [
        lambda world, key_id: report_leak.disable(world.services, CAROL, key_id),
        lambda world, key_id: disable_key.disable_for(world.services, CAROL, key_id, "they left"),
    ],
)
def test_a_key_is_disabled_though_slack_cant_reach_its_owner(
    world: World, key_id: str, disable: Callable[[World, str], object]
) -> None:
    world.taps.on("messenger.dm", before=SlackUnavailable("conversations.open", "user_disabled"))
    disable(world, key_id)
    assert world.iam.active == [] and world.record(key_id).owner == ALICE.id

"""Receipts: each answer is about the key on record, and only its requester may give it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import ChangePending, NotYourKey
from bot.domain.identity import Member
from bot.domain.keys import DesiredState, KeyStatus, ObservedState
from bot.domain.outside_errors import Conflict, IamUnavailable, OutcomeUnknown, StoreUnavailable
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, disable_key
from bot.operations.services import MAX_CONFLICTS, Services
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, fails, make_desk, no_key_is_left, reveal

Click = Callable[[Services, Member, str], KeyRequest]
every_click = pytest.mark.parametrize(
    "click", [confirm_receipt.confirm, confirm_receipt.did_not_get, confirm_receipt.replace_key]
)


def test_a_receipt_ends_the_request_and_leaves_the_key_alone() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    before = len(world.taps.calls)
    request = confirm_receipt.confirm(world.services, ALICE, key_id)
    assert (request.status, request.deadline, request.last_event_by) == (
        Status.CONFIRMED,
        None,
        ALICE.id,
    )
    assert world.iam.active == world.desired() == [key_id]
    assert not [call for call in world.taps.calls[before:] if call.startswith("issuer")]


def test_a_second_receipt_changes_nothing() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    first = confirm_receipt.confirm(world.services, ALICE, key_id)
    with world.nothing_happens():
        assert confirm_receipt.confirm(world.services, ALICE, key_id) == first


def test_a_key_that_did_not_arrive_is_deleted_and_revealed_again() -> None:
    world = make_desk()
    delivered = world.delivered()
    world.clock.advance(timedelta(hours=6))
    request = confirm_receipt.did_not_get(world.services, ALICE, delivered.access_key_id)
    no_key_is_left(world)
    assert world.iam.observed(delivered.access_key_id) is None
    assert (request.status, request.access_key_id, request.deleted_keys, request.decided_by) == (
        Status.APPROVED,
        "",
        (delivered.access_key_id,),
        CAROL.id,
    )
    assert request.deadline == world.clock.now() + timedelta(hours=72)
    assert request.detail == Detail(
        Code.KEY_DELETED_REVEAL_AGAIN, {"key_id": delivered.access_key_id}
    )
    assert reveal(world, request).access_key_id != delivered.access_key_id


def test_a_receipt_enables_an_unclaimed_key() -> None:
    world = make_desk()
    request = world.unclaimed()
    assert world.iam.active == []
    assert (
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id).status
        is Status.CONFIRMED
    )
    assert world.iam.active == world.desired() == [request.access_key_id]
    world.rest()
    assert world.iam.active == [request.access_key_id]


def test_an_enabled_key_is_enabled_once_more_then_left_alone() -> None:
    """The first change may be a call whose answer was lost. A later one is by an AWS admin."""
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    confirm_receipt.confirm(world.services, ALICE, key_id)
    world.iam.set_status(
        ALICE.email, key_id, KeyStatus.INACTIVE
    )  # a call whose answer was lost runs late
    world.pass_time(timedelta(minutes=15))
    assert world.iam.active == [key_id]
    world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    world.rest(days=1)
    assert world.iam.active == []


def test_an_unclaimed_key_is_replaced() -> None:
    world = make_desk()
    request = confirm_receipt.replace_key(world.services, ALICE, world.unclaimed().access_key_id)
    no_key_is_left(world)
    assert request.status is Status.APPROVED
    assert reveal(world, request).status is Status.DELIVERED


def test_an_unclaimed_key_gone_from_iam_can_only_be_replaced() -> None:
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    world.iam.delete_key(ALICE.email, key_id)
    with world.nothing_happens(), refuses(Code.KEY_GONE, key_id=key_id):
        confirm_receipt.confirm(world.services, ALICE, key_id)
    assert confirm_receipt.replace_key(world.services, ALICE, key_id).status is Status.APPROVED


def test_without_iam_an_unclaimed_key_stays_unclaimed() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.taps.on("issuer.listed", before=IamUnavailable("ListAccessKeys"))
    with world.nothing_happens(), pytest.raises(IamUnavailable):
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)


def test_an_enabling_whose_answer_is_lost_is_done_later() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with pytest.raises(ChangePending):
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    world.pass_time(timedelta(seconds=15))
    assert world.iam.active == [request.access_key_id]


@every_click
@pytest.mark.parametrize("member", [BOB, CAROL])
def test_only_the_requester_gives_a_receipt(click: Click, member: Member) -> None:
    world = make_desk()
    request = world.delivered()
    with world.nothing_happens(), pytest.raises(NotYourKey):
        click(world.services, member, request.access_key_id)


@every_click
def test_a_button_of_an_earlier_reveal_does_nothing(click: Click) -> None:
    world = make_desk()
    earlier = world.delivered()
    request = confirm_receipt.did_not_get(world.services, ALICE, earlier.access_key_id)
    with world.nothing_happens(), refuses(Code.STALE_KEY, key_id=earlier.access_key_id):
        click(world.services, ALICE, earlier.access_key_id)
    reveal(world, request)
    with world.nothing_happens(), refuses(Code.STALE_KEY, key_id=earlier.access_key_id):
        click(world.services, ALICE, earlier.access_key_id)


@every_click
def test_a_key_without_a_request_has_no_receipt(click: Click) -> None:
    world = make_desk()
    elsewhere = world.iam.create_key(ALICE.email)[0].id
    disable_key.disable(world.services, ALICE, elsewhere)
    with world.nothing_happens():
        for key_id in (elsewhere, "AKIAIOSFODNN7EXAMPLE"):
            with pytest.raises(NotYourKey):
                click(world.services, ALICE, key_id)


@pytest.mark.parametrize(
    ("state", "click"),
    [("unclaimed", confirm_receipt.did_not_get), ("delivered", confirm_receipt.replace_key)],
)
def test_each_button_belongs_to_its_state(state: str, click: Click) -> None:
    world = make_desk()
    request = getattr(world, state)()
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status=request.status.value):
        click(world.services, ALICE, request.access_key_id)


@pytest.mark.parametrize("click", [confirm_receipt.did_not_get, confirm_receipt.replace_key])
def test_a_confirmed_key_is_not_deleted_any_more(click: Click) -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    confirm_receipt.confirm(world.services, ALICE, key_id)
    confirmed = refuses(Code.REQUEST_MOVED_ON, status="confirmed", by=ALICE.id)
    with world.nothing_happens(), confirmed:
        click(world.services, ALICE, key_id)


def test_of_two_concurrent_answers_only_one_counts() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    world.taps.on(
        "store.commit", before=lambda: confirm_receipt.confirm(world.services, ALICE, key_id)
    )
    with refuses(Code.REQUEST_MOVED_ON, status="confirmed"):
        confirm_receipt.did_not_get(world.services, ALICE, key_id)
    assert world.iam.active == [key_id]


def test_a_receipt_at_the_end_of_its_time_enables_the_key() -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(timedelta(hours=12))
    world.clock.advance(timedelta(hours=12))
    world.taps.on("store.commit", before=world.sweep)
    assert (
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id).status
        is Status.CONFIRMED
    )
    assert world.iam.active == world.desired() == [request.access_key_id]


def test_a_deletion_that_iam_does_not_confirm_is_done_later() -> None:
    world = make_desk()
    request = world.delivered()
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with refuses(Code.KEY_DELETION_PENDING, key_id=request.access_key_id):
        confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)
    assert world.record(request.access_key_id).desired is DesiredState.DELETED
    world.rest(days=1)
    no_key_is_left(world)


@pytest.mark.parametrize(
    ("side", "status"), [("before", Status.DELIVERED), ("after", Status.DELETING)]
)
def test_without_a_database_no_deletion_is_promised(side: str, status: Status) -> None:
    world = make_desk()
    request = world.delivered()
    world.taps.on("store.commit", **{side: StoreUnavailable()})
    with refuses(Code.RECEIPT_NOT_CONFIRMED, key_id=request.access_key_id):
        confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)
    assert world.now(request).status is status and world.iam.active == [request.access_key_id]


def test_a_late_receipt_does_not_stop_a_deletion() -> None:
    world = make_desk()
    request = world.unclaimed()
    record = world.record(request.access_key_id)
    deleting = record.set_desired(
        DesiredState.DELETED, ALICE.id, world.clock.now(), check_at=world.services.retry_at()
    )
    world.store.commit(Change(record, deleting), entry=world.store.entries[-1])
    with (
        world.nothing_happens(),
        refuses(Code.KEY_BEING_DELETED, key_id=request.access_key_id),
    ):
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)


def test_a_receipt_that_is_overtaken_too_often_gives_up() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    for nth in range(1, MAX_CONFLICTS + 1):
        world.taps.on("store.commit", nth=nth, before=Conflict("request:id1"))
    with world.nothing_happens(), refuses(Code.KEY_BUSY, key_id=key_id):
        confirm_receipt.confirm(world.services, ALICE, key_id)


def test_a_receipt_for_an_unnoticed_deletion_is_corrected() -> None:
    """The answer by Slack is lost, then the database is away: the key is deleted unrecorded.

    Its late message is believed until IAM shows that the key is gone.
    """
    world = make_desk()
    request = world.approved()
    world.taps.on("messenger.deliver", after=OutcomeUnknown("chat.postEphemeral"))
    world.taps.on("store.commit", nth=3, before=StoreUnavailable())
    fails(world, request, Code.UNRECORDED_KEY_DELETED)
    (key_id,) = world.iam.made
    world.pass_time(world.services.settings.lease_ttl)
    confirm_receipt.confirm(world.services, ALICE, key_id)
    world.pass_time(world.services.settings.look_after)
    record = world.record(key_id)
    assert (record.desired, record.observed) == (DesiredState.DELETED, ObservedState.DELETED)
    assert world.store.entries[-1].action == "noticed"


def test_a_fast_clock_does_not_prove_that_a_new_key_is_gone() -> None:
    """IAM does not know the key everywhere yet, and said so. The key must not count as deleted."""
    world = make_desk()
    hour = timedelta(hours=1)
    key_id = world.delivered().access_key_id
    world.iam.hidden.add(key_id)
    world.clock.advance(hour)
    world.clock.ahead = hour
    request = confirm_receipt.did_not_get(world.services, ALICE, key_id)
    assert request.status is Status.DELETING
    assert world.record(key_id).observed is ObservedState.UNKNOWN
    world.iam.hidden.clear()
    world.clock.ahead = timedelta(0)
    world.pass_time(world.services.settings.look_after)
    assert world.now(request).status is Status.APPROVED and world.iam.observed(key_id) is None

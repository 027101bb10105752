"""Take the requester's answer about the key on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.identity import Member
from bot.domain.keys import DesiredState, KeyStatus, ObservedState
from bot.domain.outside_errors import Conflict, IamUnavailable, OutcomeUnknown, StoreUnavailable
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, disable_key
from bot.operations.services import MAX_CONFLICTS
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, fails, make_desk, no_key_is_left, reveal

HOUR = timedelta(hours=1)


def confirm(world: World, key_id: str, member: Member = ALICE) -> KeyRequest:
    return confirm_receipt.confirm(world.services, member, key_id)


def did_not_get(world: World, key_id: str, member: Member = ALICE) -> KeyRequest:
    return confirm_receipt.did_not_get(world.services, member, key_id)


def replace_key(world: World, key_id: str, member: Member = ALICE) -> KeyRequest:
    return confirm_receipt.replace_key(world.services, member, key_id)


Click = Callable[..., KeyRequest]
each_click = pytest.mark.parametrize("click", [confirm, did_not_get, replace_key])


@pytest.fixture
def world() -> World:
    return make_desk()


@pytest.fixture
def delivered(world: World) -> KeyRequest:
    """Return a request that waits for a receipt of its key."""
    return world.delivered()


@pytest.fixture
def unclaimed(world: World) -> KeyRequest:
    """Return a request with a key that was turned off, since no receipt came."""
    return world.unclaimed()


# -- I have it


def test_a_receipt_ends_the_request_without_calling_iam(
    world: World, delivered: KeyRequest
) -> None:
    before = len(world.taps.calls)
    request = confirm(world, delivered.access_key_id)
    end = (request.status, request.deadline, request.last_event_by)
    assert end == (Status.CONFIRMED, None, ALICE.id)
    assert world.iam.active == world.desired() == [delivered.access_key_id]
    assert not [call for call in world.taps.calls[before:] if call.startswith("issuer")]
    with world.nothing_happens():
        assert confirm(world, delivered.access_key_id) == request


def test_a_receipt_enables_an_unclaimed_key(world: World, unclaimed: KeyRequest) -> None:
    assert world.iam.active == []
    assert confirm(world, unclaimed.access_key_id).status is Status.CONFIRMED
    assert world.iam.active == world.desired() == [unclaimed.access_key_id]
    world.rest()
    assert world.iam.active == [unclaimed.access_key_id]


def test_an_enabled_key_is_enabled_once_more_then_left_alone(
    world: World, unclaimed: KeyRequest
) -> None:
    """Take the first change for a lost call, and a later one for an AWS admin's."""
    key_id = unclaimed.access_key_id
    confirm(world, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    world.pass_time(timedelta(minutes=15))
    assert world.iam.active == [key_id]
    world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    world.rest(days=1)
    assert world.iam.active == []


def test_without_iam_an_unclaimed_key_stays_unclaimed(world: World, unclaimed: KeyRequest) -> None:
    world.taps.on("issuer.listed", before=IamUnavailable("ListAccessKeys"))
    with world.nothing_happens(), refuses(Code.AWS_UNAVAILABLE):
        confirm(world, unclaimed.access_key_id)


def test_an_unanswered_enabling_is_done_later(world: World, unclaimed: KeyRequest) -> None:
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED, key_id=unclaimed.access_key_id):
        confirm(world, unclaimed.access_key_id)
    assert world.iam.active == []
    world.pass_time(timedelta(seconds=15))
    assert world.iam.active == [unclaimed.access_key_id]


def test_a_receipt_as_its_time_ends_enables_the_key(world: World, delivered: KeyRequest) -> None:
    world.pass_time(12 * HOUR)
    world.clock.advance(12 * HOUR)
    world.taps.on("store.commit", before=world.sweep)
    assert confirm(world, delivered.access_key_id).status is Status.CONFIRMED
    assert world.iam.active == world.desired() == [delivered.access_key_id]


def test_a_late_receipt_does_not_stop_a_deletion(world: World, unclaimed: KeyRequest) -> None:
    key_id = unclaimed.access_key_id
    record, now = world.record(key_id), world.clock.now()
    deleting = record.set_desired(
        DesiredState.DELETED, ALICE.id, now, check_at=world.services.retry_at()
    )
    world.store.commit(Change(record, deleting), entry=world.store.entries[-1])
    with world.nothing_happens(), refuses(Code.KEY_BEING_DELETED, key_id=key_id):
        confirm(world, key_id)


@pytest.mark.parametrize("click", [confirm, did_not_get])
def test_an_answer_that_loses_every_race_gives_up(
    world: World, delivered: KeyRequest, click: Click
) -> None:
    for nth in range(1, MAX_CONFLICTS + 1):
        world.taps.on("store.commit", nth=nth, before=Conflict(delivered.name))
    with world.nothing_happens(), refuses(Code.KEY_BUSY, key_id=delivered.access_key_id):
        click(world, delivered.access_key_id)


def test_a_receipt_for_an_unnoticed_deletion_is_corrected(world: World) -> None:
    """Believe a receipt until IAM shows that the key is gone.

    Slack's answer was lost, then the database was away, so the key was deleted unrecorded.
    """
    request = world.approved()
    world.taps.on("messenger.deliver", after=OutcomeUnknown("chat.postEphemeral"))
    world.taps.on("store.commit", nth=3, before=StoreUnavailable())
    fails(world, request, Code.UNRECORDED_KEY_DELETED)
    (key_id,) = world.iam.made
    world.pass_time(world.services.settings.lease_ttl)
    confirm(world, key_id)
    world.pass_time(world.services.settings.look_after)
    record = world.record(key_id)
    assert (record.desired, record.observed) == (DesiredState.DELETED, ObservedState.DELETED)
    assert world.store.entries[-1].action == "noticed"


# -- I did not get it, and Replace it


def test_a_key_that_did_not_arrive_is_deleted_and_revealed_again(
    world: World, delivered: KeyRequest
) -> None:
    key_id = delivered.access_key_id
    world.clock.advance(6 * HOUR)
    request = did_not_get(world, key_id)
    no_key_is_left(world)
    assert world.iam.observed(key_id) is None
    assert (request.status, request.access_key_id) == (Status.APPROVED, "")
    assert (request.deleted_keys, request.decided_by) == ((key_id,), CAROL.id)
    assert request.deadline == world.clock.now() + 72 * HOUR
    assert request.detail == Detail(Code.KEY_DELETED_REVEAL_AGAIN, {"key_id": key_id})
    assert reveal(world, request).access_key_id != key_id


def test_an_unclaimed_key_is_replaced(world: World, unclaimed: KeyRequest) -> None:
    request = replace_key(world, unclaimed.access_key_id)
    no_key_is_left(world)
    assert request.status is Status.APPROVED
    assert reveal(world, request).status is Status.DELIVERED


def test_an_unclaimed_key_gone_from_iam_can_only_be_replaced(
    world: World, unclaimed: KeyRequest
) -> None:
    key_id = unclaimed.access_key_id
    world.iam.delete_key(ALICE.email, key_id)
    with world.nothing_happens(), refuses(Code.KEY_GONE, key_id=key_id):
        confirm(world, key_id)
    assert replace_key(world, key_id).status is Status.APPROVED


def test_a_deletion_that_iam_does_not_confirm_is_done_later(
    world: World, delivered: KeyRequest
) -> None:
    key_id = delivered.access_key_id
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with refuses(Code.KEY_DELETION_PENDING, key_id=key_id, cause=Code.OUTCOME_UNKNOWN):
        did_not_get(world, key_id)
    assert world.record(key_id).desired is DesiredState.DELETED
    world.rest(days=1)
    no_key_is_left(world)


@pytest.mark.parametrize(
    ("side", "status"), [("before", Status.DELIVERED), ("after", Status.DELETING)]
)
def test_without_a_database_no_deletion_is_promised(
    world: World, delivered: KeyRequest, side: str, status: Status
) -> None:
    world.taps.on("store.commit", **{side: StoreUnavailable()})
    with refuses(Code.RECEIPT_NOT_CONFIRMED, key_id=delivered.access_key_id):
        did_not_get(world, delivered.access_key_id)
    assert world.now(delivered).status is status
    assert world.iam.active == [delivered.access_key_id]


def test_a_fast_clock_does_not_prove_that_a_new_key_is_gone(
    world: World, delivered: KeyRequest
) -> None:
    """Do not count a key as deleted while IAM may not know it everywhere yet."""
    key_id = delivered.access_key_id
    world.iam.hidden.add(key_id)
    world.clock.advance(HOUR)
    world.clock.ahead = HOUR
    request = did_not_get(world, key_id)
    assert request.status is Status.DELETING
    assert world.record(key_id).observed is ObservedState.UNKNOWN
    world.iam.hidden.clear()
    world.clock.ahead = timedelta(0)
    world.pass_time(world.services.settings.look_after)
    assert world.now(request).status is Status.APPROVED and world.iam.observed(key_id) is None


# -- who may answer, about which key, and when


@each_click
def test_only_the_requester_answers_about_their_issued_key(
    world: World, delivered: KeyRequest, click: Click
) -> None:
    bobs = world.console_key(BOB)
    disable_key.disable(world.services, BOB, bobs)
    unknown = "AKIAIOSFODNN7EXAMPLE"
    with world.nothing_happens():
        for member in (BOB, CAROL):
            with refuses(Code.NOT_YOUR_KEY):
                click(world, delivered.access_key_id, member)
        for member, key_id in ((BOB, bobs), (ALICE, unknown)):
            with refuses(Code.NOT_YOUR_KEY):
                click(world, key_id, member)


@each_click
def test_a_button_of_an_earlier_reveal_does_nothing(
    world: World, delivered: KeyRequest, click: Click
) -> None:
    request = did_not_get(world, delivered.access_key_id)
    for again in (False, True):
        if again:
            reveal(world, request)
        with world.nothing_happens(), refuses(Code.STALE_KEY, key_id=delivered.access_key_id):
            click(world, delivered.access_key_id)


@pytest.mark.parametrize(
    ("state", "click"),
    [
        ("unclaimed", did_not_get),
        ("delivered", replace_key),
        ("confirmed", did_not_get),
        ("confirmed", replace_key),
    ],
)
def test_each_button_belongs_to_its_state(world: World, state: str, click: Click) -> None:
    request = world.unclaimed() if state == "unclaimed" else world.delivered()
    if state == "confirmed":
        confirm(world, request.access_key_id)
    by = world.now(request).last_event_by
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status=state, by=by):
        click(world, request.access_key_id)


def test_of_two_answers_at_once_only_one_counts(world: World, delivered: KeyRequest) -> None:
    key_id = delivered.access_key_id
    world.taps.on("store.commit", before=lambda: confirm(world, key_id))
    with refuses(Code.REQUEST_MOVED_ON, status="confirmed", by=ALICE.id):
        did_not_get(world, key_id)
    assert world.iam.active == [key_id]

"""The receipt: I have it, I did not get it, Replace it; each for the key on record and by its person alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    DeliveryFailed,
    IamUnavailable,
    NotYourKey,
    OutcomeUnknown,
    StaleKey,
    StoreUnavailable,
    WrongState,
)
from bot.domain.identity import Member
from bot.domain.keys import DesiredState, KeyStatus
from bot.domain.ports import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, disable_key
from bot.operations.services import Services
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, make_desk, no_key_is_left, reveal

Click = Callable[[Services, Member, str], KeyRequest]
every_click = pytest.mark.parametrize(
    "click", [confirm_receipt.confirm, confirm_receipt.did_not_get, confirm_receipt.replace_key]
)


def test_i_have_it_ends_the_request_and_leaves_the_key_alone() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    asked = len(world.taps.calls)
    request = confirm_receipt.confirm(world.services, ALICE, key_id)
    assert (request.status, request.deadline, request.last_event_by) == (
        Status.CONFIRMED,
        None,
        ALICE.id,
    )
    assert world.iam.active == world.desired() == [key_id]
    assert not [call for call in world.taps.calls[asked:] if call.startswith("issuer")]


def test_i_have_it_twice_is_well() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    first = confirm_receipt.confirm(world.services, ALICE, key_id)
    with world.nothing_happens():
        assert confirm_receipt.confirm(world.services, ALICE, key_id) == first


def test_i_did_not_get_it_withdraws_the_key_and_brings_reveal_back_under_the_same_approval() -> (
    None
):
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
    assert (
        f"{delivered.access_key_id} is withdrawn" in request.note
        and "reveal another" in request.note
    )
    assert reveal(world, request).access_key_id != delivered.access_key_id


def test_an_unclaimed_key_that_its_person_has_is_made_active_again() -> None:
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


def test_an_enabled_key_is_read_back_and_turned_on_once_more_and_after_that_the_console_is_right() -> (
    None
):
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


def test_an_unclaimed_key_that_is_gone_from_iam_cannot_be_enabled_and_may_be_replaced() -> None:
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    world.iam.delete_key(ALICE.email, key_id)
    with (
        world.nothing_happens(),
        pytest.raises(DeliveryFailed, match="is gone from AWS. \\*Replace it\\*"),
    ):
        confirm_receipt.confirm(world.services, ALICE, key_id)
    assert confirm_receipt.replace_key(world.services, ALICE, key_id).status is Status.APPROVED


def test_while_iam_is_away_an_unclaimed_key_stays_unclaimed() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.taps.on("issuer.listed", before=IamUnavailable("ListAccessKeys"))
    with world.nothing_happens(), pytest.raises(IamUnavailable):
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)


def test_an_enabling_whose_answer_is_lost_is_on_record_and_done_later() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED, desired=DesiredState.ACTIVE):
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    world.pass_time(timedelta(seconds=15))
    assert world.iam.active == [request.access_key_id]


@every_click
@pytest.mark.parametrize("member", [BOB, CAROL])
def test_nobody_but_the_requester_gives_a_receipt(click: Click, member: Member) -> None:
    world = make_desk()
    request = world.delivered()
    with world.nothing_happens(), pytest.raises(NotYourKey):
        click(world.services, member, request.access_key_id)


@every_click
def test_a_button_of_an_older_reveal_moves_nothing(click: Click) -> None:
    world = make_desk()
    older = world.delivered()
    request = confirm_receipt.did_not_get(world.services, ALICE, older.access_key_id)
    with world.nothing_happens(), pytest.raises(StaleKey):
        click(world.services, ALICE, older.access_key_id)
    reveal(world, request)
    with world.nothing_happens(), pytest.raises(StaleKey):
        click(world.services, ALICE, older.access_key_id)


@every_click
def test_a_key_that_no_request_made_has_no_receipt(click: Click) -> None:
    world = make_desk()
    elsewhere = world.iam.create_key(ALICE.email)[0].id
    disable_key.disable(world.services, ALICE, elsewhere)
    with world.nothing_happens():
        for key_id in (elsewhere, "AKIAIOSFODNN7EXAMPLE"):
            with pytest.raises(NotYourKey):
                click(world.services, ALICE, key_id)


@pytest.mark.parametrize(
    ("state", "click", "words"),
    [
        ("unclaimed", confirm_receipt.did_not_get, "waiting for a receipt"),
        ("delivered", confirm_receipt.replace_key, "handed over"),
    ],
)
def test_each_button_belongs_to_its_state(state: str, click: Click, words: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    with world.nothing_happens(), pytest.raises(WrongState, match=words):
        click(world.services, ALICE, request.access_key_id)


@pytest.mark.parametrize("click", [confirm_receipt.did_not_get, confirm_receipt.replace_key])
def test_a_key_that_its_person_has_is_not_withdrawn_any_more(click: Click) -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    confirm_receipt.confirm(world.services, ALICE, key_id)
    with world.nothing_happens(), pytest.raises(WrongState, match="already finished by <@U0ALICE>"):
        click(world.services, ALICE, key_id)


def test_of_two_answers_at_once_one_counts_and_the_other_is_told() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    world.taps.on(
        "store.commit", before=lambda: confirm_receipt.confirm(world.services, ALICE, key_id)
    )
    with pytest.raises(WrongState, match="already finished"):
        confirm_receipt.did_not_get(world.services, ALICE, key_id)
    assert world.iam.active == [key_id]


def test_a_receipt_that_meets_the_end_of_its_time_makes_the_key_active_again() -> None:
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


def test_a_withdrawal_that_iam_does_not_confirm_is_on_record_and_done_later() -> None:
    world = make_desk()
    request = world.delivered()
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(DeliveryFailed, match="is being withdrawn: .* I keep trying"):
        confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)
    assert world.record(request.access_key_id).desired is DesiredState.DELETED
    world.rest(days=1)
    no_key_is_left(world)


@pytest.mark.parametrize(
    ("side", "status"), [("before", Status.DELIVERED), ("after", Status.DELETING)]
)
def test_where_the_store_does_not_answer_no_withdrawal_is_claimed(
    side: str, status: Status
) -> None:
    world = make_desk()
    request = world.delivered()
    world.taps.on("store.commit", **{side: StoreUnavailable()})
    with pytest.raises(DeliveryFailed, match="I cannot say whether that is noted"):
        confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)
    assert world.now(request).status is status and world.iam.active == [request.access_key_id]


def test_a_late_receipt_does_not_take_back_that_a_key_must_go() -> None:
    world = make_desk()
    request = world.unclaimed()
    record = world.record(request.access_key_id)
    going = record.set_desired(
        DesiredState.DELETED, ALICE.id, world.clock.now(), check_at=world.services.retry_at()
    )
    world.store.commit(Change(record, going), entry=world.store.entries[-1])
    with (
        world.nothing_happens(),
        pytest.raises(DeliveryFailed, match=r"is being deleted\. \*Replace it\*"),
    ):
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)

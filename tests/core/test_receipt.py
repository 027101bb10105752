"""The receipt: I have it, I did not get it, Replace it; each for the key on record and by its person alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.core.access_key import KeyStatus, Wanted
from bot.core.errors import (
    HandOverFailed,
    IamUnavailable,
    NotYourKey,
    OlderKey,
    OutcomeUnknown,
    StillTrying,
    StoreUnavailable,
    WrongState,
)
from bot.core.moves import Status
from bot.core.people import Member
from bot.core.ports import Change
from bot.core.request import KeyRequest
from bot.core.workflow import receipt, retire
from bot.core.workflow.desk import Desk
from tests.core.fakes import ALICE, BOB, CAROL, make_desk, no_key_is_left, reveal

Click = Callable[[Desk, Member, str], KeyRequest]
every_click = pytest.mark.parametrize(
    "click", [receipt.confirm, receipt.did_not_get, receipt.replace_key]
)


def test_i_have_it_ends_the_request_and_leaves_the_key_alone() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    asked = len(world.taps.calls)
    request = receipt.confirm(world.desk, ALICE, key_id)
    assert (request.status, request.deadline, request.moved_by) == (
        Status.CONFIRMED,
        None,
        ALICE.id,
    )
    assert world.iam.active == world.wanted() == [key_id]
    assert not [call for call in world.taps.calls[asked:] if call.startswith("issuer")]


def test_i_have_it_twice_is_well() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    first = receipt.confirm(world.desk, ALICE, key_id)
    with world.nothing_happens():
        assert receipt.confirm(world.desk, ALICE, key_id) == first


def test_i_did_not_get_it_withdraws_the_key_and_brings_reveal_back_under_the_same_approval() -> (
    None
):
    world = make_desk()
    delivered = world.delivered()
    world.clock.advance(timedelta(hours=6))
    request = receipt.did_not_get(world.desk, ALICE, delivered.access_key_id)
    no_key_is_left(world)
    assert world.iam.shown(delivered.access_key_id) is None
    assert (request.status, request.access_key_id, request.withdrawn, request.decided_by) == (
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
    assert receipt.confirm(world.desk, ALICE, request.access_key_id).status is Status.CONFIRMED
    assert world.iam.active == world.wanted() == [request.access_key_id]
    world.rest()
    assert world.iam.active == [request.access_key_id]


def test_an_enabled_key_is_read_back_and_turned_on_once_more_and_after_that_the_console_is_right() -> (
    None
):
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    receipt.confirm(world.desk, ALICE, key_id)
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
    request = receipt.replace_key(world.desk, ALICE, world.unclaimed().access_key_id)
    no_key_is_left(world)
    assert request.status is Status.APPROVED
    assert reveal(world, request).status is Status.DELIVERED


def test_an_unclaimed_key_that_is_gone_from_iam_cannot_be_enabled_and_may_be_replaced() -> None:
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    world.iam.delete_key(ALICE.email, key_id)
    with (
        world.nothing_happens(),
        pytest.raises(HandOverFailed, match="is gone from AWS. \\*Replace it\\*"),
    ):
        receipt.confirm(world.desk, ALICE, key_id)
    assert receipt.replace_key(world.desk, ALICE, key_id).status is Status.APPROVED


def test_while_iam_is_away_an_unclaimed_key_stays_unclaimed() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.taps.on("issuer.listed", before=IamUnavailable("ListAccessKeys"))
    with world.nothing_happens(), pytest.raises(IamUnavailable):
        receipt.confirm(world.desk, ALICE, request.access_key_id)


def test_an_enabling_whose_answer_is_lost_is_on_record_and_done_later() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with pytest.raises(StillTrying, match="has not confirmed yet that AKIAA{15}B is turned on"):
        receipt.confirm(world.desk, ALICE, request.access_key_id)
    world.pass_time(timedelta(seconds=15))
    assert world.iam.active == [request.access_key_id]


@every_click
@pytest.mark.parametrize("member", [BOB, CAROL])
def test_nobody_but_the_requester_gives_a_receipt(click: Click, member: Member) -> None:
    world = make_desk()
    request = world.delivered()
    with world.nothing_happens(), pytest.raises(NotYourKey):
        click(world.desk, member, request.access_key_id)


@every_click
def test_a_button_of_an_older_reveal_moves_nothing(click: Click) -> None:
    world = make_desk()
    older = world.delivered()
    request = receipt.did_not_get(world.desk, ALICE, older.access_key_id)
    with world.nothing_happens(), pytest.raises(OlderKey):
        click(world.desk, ALICE, older.access_key_id)
    reveal(world, request)
    with world.nothing_happens(), pytest.raises(OlderKey):
        click(world.desk, ALICE, older.access_key_id)


@every_click
def test_a_key_that_no_request_made_has_no_receipt(click: Click) -> None:
    world = make_desk()
    elsewhere = world.iam.create_key(ALICE.email)[0].id
    retire.disable(world.desk, ALICE, elsewhere)
    with world.nothing_happens():
        for key_id in (elsewhere, "AKIAIOSFODNN7EXAMPLE"):
            with pytest.raises(NotYourKey):
                click(world.desk, ALICE, key_id)


@pytest.mark.parametrize(
    ("state", "click", "words"),
    [
        ("unclaimed", receipt.did_not_get, "waiting for a receipt"),
        ("delivered", receipt.replace_key, "handed over"),
    ],
)
def test_each_button_belongs_to_its_state(state: str, click: Click, words: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    with world.nothing_happens(), pytest.raises(WrongState, match=words):
        click(world.desk, ALICE, request.access_key_id)


@pytest.mark.parametrize("click", [receipt.did_not_get, receipt.replace_key])
def test_a_key_that_its_person_has_is_not_withdrawn_any_more(click: Click) -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    receipt.confirm(world.desk, ALICE, key_id)
    with world.nothing_happens(), pytest.raises(WrongState, match="already finished by <@U0ALICE>"):
        click(world.desk, ALICE, key_id)


def test_of_two_answers_at_once_one_counts_and_the_other_is_told() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    world.taps.on("store.commit", before=lambda: receipt.confirm(world.desk, ALICE, key_id))
    with pytest.raises(WrongState, match="already finished"):
        receipt.did_not_get(world.desk, ALICE, key_id)
    assert world.iam.active == [key_id]


def test_a_receipt_that_meets_the_end_of_its_time_makes_the_key_active_again() -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(timedelta(hours=12))
    world.clock.advance(timedelta(hours=12))
    world.taps.on("store.commit", before=world.sweep)
    assert receipt.confirm(world.desk, ALICE, request.access_key_id).status is Status.CONFIRMED
    assert world.iam.active == world.wanted() == [request.access_key_id]


def test_a_withdrawal_that_iam_does_not_confirm_is_on_record_and_done_later() -> None:
    world = make_desk()
    request = world.delivered()
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(HandOverFailed, match="is being withdrawn: .* I keep trying"):
        receipt.did_not_get(world.desk, ALICE, request.access_key_id)
    assert world.record(request.access_key_id).wanted is Wanted.DELETED
    world.rest(days=1)
    no_key_is_left(world)


@pytest.mark.parametrize(
    ("side", "status"), [("before", Status.DELIVERED), ("after", Status.WITHDRAWING)]
)
def test_where_the_store_does_not_answer_no_withdrawal_is_claimed(
    side: str, status: Status
) -> None:
    world = make_desk()
    request = world.delivered()
    world.taps.on("store.commit", **{side: StoreUnavailable()})
    with pytest.raises(HandOverFailed, match="I cannot say whether that is noted"):
        receipt.did_not_get(world.desk, ALICE, request.access_key_id)
    assert world.now(request).status is status and world.iam.active == [request.access_key_id]


def test_a_late_receipt_does_not_take_back_that_a_key_must_go() -> None:
    world = make_desk()
    request = world.unclaimed()
    record = world.record(request.access_key_id)
    going = record.want(Wanted.DELETED, ALICE.id, world.clock.now(), due=world.desk.soon())
    world.store.commit(Change(record, going), entry=world.store.entries[-1])
    with (
        world.nothing_happens(),
        pytest.raises(HandOverFailed, match=r"is being deleted\. \*Replace it\*"),
    ):
        receipt.confirm(world.desk, ALICE, request.access_key_id)

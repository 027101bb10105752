"""What is answered about keys that others turned off: what is so now, and by which way such a key comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from slack_sdk import WebClient

from bot.core.people import Member
from bot.core.workflow import leak, retire
from bot.slack import handing, retiring
from bot.slack.boundary import Answer
from bot.slack.context import Context, Handle
from bot.slack.forms import Typed, Usual
from bot.slack.payload import Payload
from tests.core.fakes import ALICE, BOB, CAROL, TEAM, World, make_desk

DAY = timedelta(days=1)
WHY = "it is in a public file"


class Heard:
    """An answer that keeps what it says."""

    def __init__(self) -> None:
        self.words = ""

    def say(self, text: str, *, replace: bool = False) -> None:
        self.words = text


def answered(world: World, member: Member, handle: Any, about: object) -> str:
    """What a person is answered who clicks a button with this value, or submits what they typed."""
    heard, context = Heard(), Context(world.desk, WebClient(), Usual())
    if isinstance(about, Typed):
        handle(context, member, cast(Answer, heard), about)
    else:
        click = Payload(person=member.id, team=TEAM, delivery="", value=str(about))
        cast(Handle, handle)(context, member, cast(Answer, heard), click)
    return heard.words


def test_an_approver_is_told_that_the_key_was_off_and_that_the_reason_is_noted_once() -> None:
    world = make_desk()
    key_id = world.console_key()
    retire.disable(world.desk, ALICE, key_id)
    typed = Typed(WHY, key_id=key_id)
    assert answered(world, CAROL, retiring.submit_disable_for, typed) == (
        f"{key_id} was off already; why it must stay so is noted, and its owner is told."
    )
    assert (
        answered(world, CAROL, retiring.submit_disable_for, typed)
        == f"{key_id} is inactive already."
    )
    other = world.console_key()
    assert answered(world, CAROL, retiring.submit_disable_for, Typed(WHY, key_id=other)) == (
        f"{other} is turned off, and its owner is told."
    )


def test_a_late_receipt_of_a_key_that_stays_off_says_so_and_how_to_ask_for_it() -> None:
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    retire.disable_for(world.desk, CAROL, key_id, WHY)
    assert answered(world, ALICE, handing.enable_unclaimed, key_id) == (
        f"Noted: you have {key_id}. It stays off: `/key list` says why, and `/key enable {key_id} <reason>` asks for "
        "it back."
    )


def test_a_late_receipt_of_a_reported_key_says_that_it_was_reported() -> None:
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    leak.report(world.desk, BOB, key_id)
    assert "It was reported as leaked, so it stays off: `/key enable" in answered(
        world, ALICE, handing.enable_unclaimed, key_id
    )


def test_who_withdraws_a_key_that_an_approver_turned_off_is_told_that_the_request_is_closed() -> (
    None
):
    world = make_desk()
    key_id = world.delivered().access_key_id
    world.pass_time(DAY / 4)
    retire.disable_for(world.desk, CAROL, key_id, WHY)
    assert answered(world, ALICE, handing.did_not_get, key_id) == (
        f"{key_id} is withdrawn. <@{CAROL.id}> had turned it off, so this request is closed."
    )


def test_undo_is_promised_only_where_it_brings_the_old_key_back() -> None:
    world = make_desk()
    request = world.rotated()
    leak.report(world.desk, BOB, request.target)
    told = answered(world, ALICE, handing.disable_old, request.access_key_id)
    assert told == f"{request.target} is turned off. `/key list` says why it stays off."
    world = make_desk()
    told = answered(world, ALICE, handing.disable_old, world.rotated().access_key_id)
    assert told.endswith("If something breaks, *Undo* brings it back.")

"""What is answered about keys that others turned off: what is so now, and by which way such a key comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from slack_sdk import WebClient

from bot.domain.identity import Member
from bot.operations import disable_key, report_leak
from bot.slack.listeners import delivery, keys, rotation
from bot.slack.listeners.context import HandleClick, ListenerContext
from bot.slack.listeners.responder import Responder
from bot.slack.messages.modals import FormDefaults, FormInput
from bot.slack.payload import Payload
from tests.support.world import ALICE, BOB, CAROL, TEAM, World, make_desk

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
    heard, context = Heard(), ListenerContext(world.services, WebClient(), FormDefaults())
    if isinstance(about, FormInput):
        handle(context, member, cast(Responder, heard), about)
    else:
        click = Payload(user=member.id, team=TEAM, delivery="", value=str(about))
        cast(HandleClick, handle)(context, member, cast(Responder, heard), click)
    return heard.words


def test_an_approver_is_told_that_the_key_was_off_and_that_the_reason_is_noted_once() -> None:
    world = make_desk()
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    typed = FormInput(WHY, key_id=key_id)
    assert answered(world, CAROL, keys.submit_disable_for, typed) == (
        f"{key_id} was off already; why it must stay so is noted, and its owner is told."
    )
    assert (
        answered(world, CAROL, keys.submit_disable_for, typed) == f"{key_id} is inactive already."
    )
    other = world.console_key()
    assert answered(world, CAROL, keys.submit_disable_for, FormInput(WHY, key_id=other)) == (
        f"{other} is turned off, and its owner is told."
    )


def test_a_late_receipt_of_a_key_that_stays_off_says_so_and_how_to_ask_for_it() -> None:
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    disable_key.disable_for(world.services, CAROL, key_id, WHY)
    assert answered(world, ALICE, delivery.enable_unclaimed, key_id) == (
        f"Noted: you have {key_id}. It stays off: `/key list` says why, and `/key enable {key_id} &lt;reason&gt;` "
        "asks for it back."
    )


def test_a_late_receipt_of_a_reported_key_says_that_it_was_reported() -> None:
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    report_leak.report(world.services, BOB, key_id)
    assert "It was reported as leaked, so it stays off: `/key enable" in answered(
        world, ALICE, delivery.enable_unclaimed, key_id
    )


def test_who_withdraws_a_key_that_an_approver_turned_off_is_told_that_the_request_is_closed() -> (
    None
):
    world = make_desk()
    key_id = world.delivered().access_key_id
    world.pass_time(DAY / 4)
    disable_key.disable_for(world.services, CAROL, key_id, WHY)
    assert answered(world, ALICE, delivery.did_not_get, key_id) == (
        f"{key_id} is withdrawn. <@{CAROL.id}> had turned it off, so this request is closed."
    )


def test_undo_is_promised_only_where_it_brings_the_old_key_back() -> None:
    world = make_desk()
    request = world.rotated()
    report_leak.report(world.services, BOB, request.target)
    told = answered(world, ALICE, rotation.disable_old, request.access_key_id)
    assert told == f"{request.target} is turned off. `/key list` says why it stays off."
    world = make_desk()
    told = answered(world, ALICE, rotation.disable_old, world.rotated().access_key_id)
    assert told.endswith("If something breaks, *Undo* brings it back.")

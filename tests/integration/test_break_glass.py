"""Journeys of urgent requests, for the group that BREAK_GLASS names."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.codes import Code
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.server import Sandbox
from tests.integration.steps import refused, refuses
from tests.support.key_life import arrives, card_of, record, types, until
from tests.support.running_world import APPROVERS, World
from tests.support.seen_by_user import form_opens

ONCALL = "S0ONCALL"
SETTINGS = {"BREAK_GLASS": ONCALL}


def on_call(world: World, *people: str) -> None:
    """Make these the members of the group that may break glass."""

    def change(box: Sandbox) -> None:
        groups = box.workspace.groups
        groups[ONCALL] = replace(groups[APPROVERS], id=ONCALL, handle="on-call", users=people)

    world.slack.look(change)


def offers_urgent(person: LocalPerson) -> bool:
    """Open the form of create, and say whether it has the field for an urgent request."""
    person.command("/key create")
    view = form_opens(person, action_ids.CREATE_FORM)
    return any(block.get("block_id") == action_ids.URGENT_BLOCK for block in view["blocks"])


def test_an_urgent_key_lives_four_hours(timed: World) -> None:
    person = timed.engineer()
    on_call(timed, person.id)

    types(timed, person, "/key create --urgent --for 30d the shop is down")

    card = card_of(timed, person)
    assert card.words.count("@key-approvers") == 1 and "the shop is down" in card.words
    entry = timed.entries(timed.request(person))[0]
    assert (entry["action"], entry["reason"]) == ("break_glass", "the shop is down")
    timed.carol.click(card, action_ids.APPROVE)
    key = arrives(timed, person)
    made = record(timed, key.key_id)
    assert made.expires_at == made.created_at + timedelta(hours=4)
    timed.pass_time(hours=3, minutes=10)
    notice = person.wait_for("dm", key.key_id, action_ids.ROTATE)
    assert not notice.has_button(action_ids.EXTEND)
    person.post_action(notice, action_ids.EXTEND, key.key_id)
    refused(timed, person, Code.URGENT_KEY_NOT_EXTENDED)
    timed.pass_time(hours=1)
    until(timed, lambda: timed.keys(person) == {key.key_id: "Inactive"}, "it has expired")


def test_the_form_offers_urgent_requests_to_members_alone(timed: World) -> None:
    """It can be ticked there, and is where it was typed before."""
    person, other, typed = timed.engineer(), timed.engineer(), timed.engineer()
    on_call(timed, person.id, typed.id)
    assert offers_urgent(person) and not offers_urgent(other)

    person.submit({"reason": "the shop is down", "urgent": ["urgent"]})
    timed.answered(person)
    typed.command("/key create --urgent")
    form_opens(typed, action_ids.CREATE_FORM)
    typed.submit({"reason": "the shop is down"})
    timed.answered(typed)

    assert timed.request(person).urgent and timed.request(typed).urgent


def test_who_is_not_in_the_group_is_refused(timed: World) -> None:
    """Also who leaves it while the form is open, and all while Slack hides it."""
    person, other = timed.engineer(), timed.engineer()
    on_call(timed, person.id)
    refuses(timed, other, "/key create --urgent the shop is down", Code.URGENT_NOT_ALLOWED)
    other.command("/key create --urgent")
    refused(timed, other, Code.URGENT_NOT_ALLOWED)
    timed.slack.faults.fail("usergroups.users.list", "internal_error")
    refuses(timed, person, "/key create --urgent the shop is down", Code.GROUP_UNREADABLE)

    person.command("/key create --urgent")
    form_opens(person, action_ids.CREATE_FORM)
    on_call(timed, "U0BOB")
    person.submit({"reason": "the shop is down"})

    refused(timed, person, Code.URGENT_NOT_ALLOWED)
    timed.nothing_happened(person)
    timed.nothing_happened(other)

"""Break glass: those whom BREAK_GLASS names ask urgently, by command and by form; the key lives a few hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import NotAllowed
from bot.domain.outside_errors import SlackUnavailable
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.server import Sandbox
from tests.support.key_life import arrives, record, types, until
from tests.support.running_world import APPROVERS, World, form_opens

ONCALL = "S0ONCALL"


@pytest.fixture
def urgent(build: Callable[..., World]) -> World:
    """A desk where the group of those on call may break glass."""
    world = build(BREAK_GLASS=ONCALL)
    _on_call(world, "U0BOB")
    return world


def offers_urgent(person: LocalPerson) -> bool:
    """Say whether the form that is open has the field for an urgent request."""
    view = person.modal
    return view is not None and any(
        block.get("block_id") == action_ids.URGENT_BLOCK for block in view["blocks"]
    )


def _on_call(world: World, *people: str) -> None:
    """From now on these are on call."""

    def change(box: Sandbox) -> None:
        groups = box.workspace.groups
        groups[ONCALL] = replace(groups[APPROVERS], id=ONCALL, handle="on-call", users=people)

    world.slack.look(change)


def test_an_urgent_key_lives_four_hours(
    urgent: World,
) -> None:
    person = urgent.engineer()
    _on_call(urgent, person.id)

    types(urgent, person, "/key create --urgent --for 30d the shop is down")

    card = urgent.carol.wait_for("key-approvals", button=action_ids.APPROVE)
    assert card.words.count("@key-approvers") == 1 and "the shop is down" in card.words
    entry = urgent.entries(urgent.request(person))[0]  # what the key may do is learnt after that
    assert (entry["action"], entry["reason"]) == ("break_glass", "the shop is down")
    urgent.carol.click(card, action_ids.APPROVE)
    key = arrives(urgent, person)
    made = record(urgent, key.key_id)
    assert made.expires_at == made.created_at + timedelta(hours=4)

    urgent.pass_time(hours=3, minutes=10)
    notice = person.wait_for("dm", key.key_id, action_ids.ROTATE)
    assert not notice.has_button(action_ids.EXTEND)
    person.post_action(notice, "extend", key.key_id)
    urgent.answered(person, NotAllowed)

    urgent.pass_time(hours=1)
    until(urgent, lambda: urgent.keys(person) == {key.key_id: "Inactive"}, "it has ended")


def test_who_is_not_named_is_refused_with_what_works(urgent: World) -> None:
    person = urgent.engineer()

    types(
        urgent,
        person,
        "/key create --urgent the shop is down",
        NotAllowed,
    )
    person.command("/key create --urgent")
    urgent.answered(person, NotAllowed)

    urgent.nothing_happened(person)


def test_where_it_is_not_set_up_nobody_may(timed: World) -> None:
    person = timed.engineer()

    types(
        timed,
        person,
        "/key create --urgent the shop is down",
        NotAllowed,
    )
    person.command("/key create")
    form_opens(person, action_ids.CREATE_FORM)
    assert not offers_urgent(person)

    timed.nothing_happened(person)


def test_the_form_offers_it_to_those_who_may_and_to_nobody_else(urgent: World) -> None:
    person, other = urgent.engineer(), urgent.engineer()
    _on_call(urgent, person.id)
    for one in (person, other):
        one.command("/key create")
        form_opens(one, action_ids.CREATE_FORM)
    assert offers_urgent(person) and not offers_urgent(other)

    person.submit({"reason": "the shop is down", "urgent": ["urgent"]})

    urgent.answered(person)
    assert urgent.request(person).urgent


def test_what_was_typed_before_the_form_is_chosen_in_it(urgent: World) -> None:
    person = urgent.engineer()
    _on_call(urgent, person.id)
    person.command("/key create --urgent")
    form_opens(person, action_ids.CREATE_FORM)

    person.submit({"reason": "the shop is down"})

    urgent.answered(person)


def test_leaving_the_group_before_submitting_is_refused(urgent: World) -> None:
    person = urgent.engineer()
    _on_call(urgent, person.id)
    person.command("/key create --urgent")
    form_opens(person, action_ids.CREATE_FORM)
    _on_call(urgent, "U0BOB")

    person.submit({"reason": "the shop is down"})

    urgent.answered(person, NotAllowed)
    urgent.nothing_happened(person)


def test_an_unreadable_group_offers_and_allows_nothing_urgent(
    urgent: World,
) -> None:
    person = urgent.engineer()
    _on_call(urgent, person.id)
    urgent.slack.faults.fail("usergroups.users.list", "internal_error", times=2)
    person.command("/key create")
    form_opens(person, action_ids.CREATE_FORM)
    assert not offers_urgent(person)

    types(
        urgent,
        person,
        "/key create --urgent the shop is down",
        SlackUnavailable,
        "group_unreadable",
    )

    urgent.nothing_happened(person)

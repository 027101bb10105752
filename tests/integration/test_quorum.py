"""Journeys with several approvals, which can be withdrawn or revoked."""

from __future__ import annotations

from functools import partial

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.kinds import OUTCOME, REVOKED
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.integration.steps import asks_for, clicks, named
from tests.support.concurrent_steps import at_once
from tests.support.key_life import types, until
from tests.support.running_world import APPROVERS, World
from tests.support.seen_by_user import ephemerals

SETTINGS = {"APPROVALS_REQUIRED": "2"}


def announced(world: World, approver: LocalPerson) -> list[SeenMessage]:
    """Return the lasting messages outside of cards that name this approver."""
    return [
        one
        for one in world.carol.messages("key-approvals")
        if not one.ephemeral and not one.buttons and named(approver) in one.words
    ]


def card_says(world: World, card: SeenMessage, words: str, button: str = "") -> SeenMessage:
    """Wait until this very card has the words and the button."""

    def found() -> SeenMessage | None:
        [now] = [one for one in world.carol.messages("key-approvals") if one.ts == card.ts]
        return now if words in now.words and (not button or now.has_button(button)) else None

    return until(world, found, f"the card says {words!r}")


def approves(world: World, approver: LocalPerson, card: SeenMessage) -> None:
    """Let this approver approve."""
    clicks(world, approver, card, action_ids.APPROVE)


def test_two_approvals_are_needed_and_shown(world: World) -> None:
    person, [first, second, third] = world.engineer(), world.approvers(3)
    card = world.asks(person)

    approves(world, first, card)

    card_says(world, card, named(first))
    person.wait_for("dm", named(first))
    assert world.request(person).approvers == (first.id,)
    assert person.last("dm", button=action_ids.REVEAL) is None
    for who in (second, person):
        assert named(first) in types(world, who, "/key requests").words
        who.open_home()
        who.wait_for_home(named(first))
    clicks(world, first, card, action_ids.APPROVE, Code.ALREADY_APPROVED)

    approves(world, second, card)

    outcome = world.message(person, world.request(person).name, OUTCOME).words
    assert named(first) in outcome and named(second) in outcome
    assert named(first) in card_says(world, card, named(second)).words
    until(world, lambda: named(person) not in second.home_words, "it waits no more")
    clicks(world, third, card, action_ids.APPROVE, Code.REQUEST_MOVED_ON)
    told = ephemerals(third, "key-approvals")[-1].words
    assert named(first) in told and named(second) in told
    assert world.reveals(person).key_id in world.keys(person)


def test_an_approval_whose_right_is_lost_does_not_count(world: World) -> None:
    person, [leaver, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    approves(world, leaver, card)
    world.slack.set_group(APPROVERS, ["U0CAROL", second.id])

    approves(world, second, card)

    card_says(world, card, named(second))
    assert world.request(person).status == "pending"
    approves(world, world.carol, card)
    assert world.reaches(person, "approved").approvers == (second.id, "U0CAROL")


def test_an_approver_withdraws_their_approval(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card)
    card = card_says(world, card, named(first), button=action_ids.TAKE_BACK)
    assert asks_for(world, first, card, action_ids.TAKE_BACK)

    clicks(world, world.carol, card, action_ids.TAKE_BACK, Code.NOT_APPROVED_BY_YOU)
    assert world.request(person).approvers == (first.id,)
    clicks(world, first, card, action_ids.TAKE_BACK)
    assert (world.request(person).status, world.request(person).approvals) == ("pending", ())


def test_an_approval_is_revoked_until_the_reveal(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card)
    approves(world, world.carol, card)
    revealable = world.revealable(person)
    card = card_says(world, card, named(first), button=action_ids.REVOKE)

    clicks(world, person, card, action_ids.REVOKE, Code.OWN_REQUEST)
    clicks(world, world.carol, card, action_ids.REVOKE)

    assert "@carol" in world.message(person, world.request(person).name, REVOKED).words
    until(world, lambda: not person.last("dm", button=action_ids.REVEAL), "nothing can be revealed")
    until(world, lambda: not card_says(world, card, "@carol").buttons, "no button is left")
    clicks(world, person, revealable, action_ids.REVEAL, Code.REQUEST_MOVED_ON)
    assert world.request(person).status == "denied" and not world.changes(person)


def test_revoking_after_the_reveal_names_the_key(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card)
    approves(world, world.carol, card)
    card = card_says(world, card, named(first), button=action_ids.REVOKE)
    key = world.reveals(person)
    world.receipt(person, key)

    clicks(world, world.carol, card, action_ids.REVOKE, Code.REVOKE_TOO_LATE)

    assert key.key_id in ephemerals(world.carol, "key-approvals")[-1].words
    assert world.request(person).status == "delivered"
    assert world.keys(person) == {key.key_id: "Active"}


def test_a_change_of_approvers_is_posted_once(world: World) -> None:
    person, [newcomer] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, newcomer, card)
    until(world, lambda: announced(world, newcomer), "the new approver is announced")
    world.slack.set_group(APPROVERS, ["U0CAROL"])

    at_once(*[partial(newcomer.click, card, action_ids.DENY)] * 3)

    until(world, lambda: len(announced(world, newcomer)) == 2, "the change is posted")
    assert world.request(person).status == "pending"
    world.settle()
    assert len(announced(world, newcomer)) == 2

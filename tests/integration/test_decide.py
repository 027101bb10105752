"""Journeys of a decision: only approvers decide, never about themselves, and once."""

from __future__ import annotations

from functools import partial

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.kinds import OUTCOME, REQUESTED
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.integration.steps import SECRET_LOOKING, asks_for, clicks, refused, refuses
from tests.support.concurrent_steps import at_once
from tests.support.key_life import until
from tests.support.running_world import APPROVERS, World
from tests.support.seen_by_user import ephemerals, form_opens

NOT_MEMBERS = (
    {"is_restricted": True},
    {"is_ultra_restricted": True},
    {"is_bot": True},
    {"deleted": True},
)

UNKNOWN_REQUEST = {
    action_ids.APPROVE: Code.REQUEST_NOT_FOUND,
    action_ids.DENY: Code.REQUEST_NOT_FOUND,
    action_ids.NUDGE: Code.NOT_THE_REQUESTER,
    action_ids.REVEAL: Code.NOT_THE_REQUESTER,
    action_ids.CANCEL: Code.NOT_THE_REQUESTER,
}


def rendered(world: World, card: SeenMessage) -> SeenMessage | None:
    """Return the card once it offers no approval any more."""
    now = next(one for one in world.carol.messages("key-approvals") if one.ts == card.ts)
    return now if not now.has_button(action_ids.APPROVE) else None


def is_still_pending(world: World, person: LocalPerson, card: SeenMessage) -> None:
    """Assert that request and card are as they were made, and IAM did not change."""
    request = world.request(person)
    assert (request.status, request.version, request.decided_by) == ("pending", 2, "")
    assert rendered(world, card) is None
    assert person.last("dm", button=action_ids.REVEAL) is None
    assert not world.changes(person)


def opens_denial(approver: LocalPerson, card: SeenMessage) -> None:
    """Open the form that asks for the reason of a denial."""
    approver.click(card, action_ids.DENY)
    form_opens(approver, action_ids.DENY_FORM)


def test_approval_lets_the_requester_reveal(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    clicks(world, world.carol, card, action_ids.APPROVE)

    message = world.revealable(person)
    assert [one.action_id for one in message.buttons] == [action_ids.REVEAL, action_ids.CANCEL]
    assert asks_for(world, person, message, action_ids.REVEAL)
    done = until(world, lambda: rendered(world, card), "the card shows the approval")
    assert [button.action_id for button in done.buttons] == [action_ids.REVOKE]
    assert not world.changes(person), "approval makes no key"


def test_a_denial_tells_who_and_why(world: World) -> None:
    """It needs a reason without a secret. The next request shows approvers the denial."""
    person = world.engineer()
    card = world.asks(person)
    opens_denial(world.carol, card)
    for why in (" \u00a0", f"see {SECRET_LOOKING}"):
        assert list(world.carol.submit({"reason": why}).errors) == ["reason"]
    is_still_pending(world, person, card)
    world.carol.close_modal()
    reason = "Use the role of <the build server> & no key."

    world.denies(card, f" {reason} ")

    request = world.request(person)
    told = world.message(person, request.name, OUTCOME)
    done = until(world, lambda: rendered(world, card), "the card shows the denial")
    assert "@carol" in told.words and reason in told.words and reason in done.words
    assert (request.status, request.denial_reason) == ("denied", reason)
    assert world.entries(request)[-1]["reason"] == reason
    assert not done.buttons
    clicks(world, world.carol, card, action_ids.APPROVE, Code.REQUEST_MOVED_ON)
    assert world.request(person) == request and not world.changes(person)
    world.asks(person)
    until(world, lambda: (now := world.card(person)) and reason in now.words, "it is on the card")


def test_no_approver_decides_their_own_request(world: World) -> None:
    """Nor by a button in another message, which a hostile client can make up."""
    person = world.engineer()
    world.slack.set_group(APPROVERS, ["U0CAROL", person.id])
    card = world.asks(person)
    request = world.request(person)

    for button in (action_ids.APPROVE, action_ids.DENY):
        clicks(world, person, card, button, Code.OWN_REQUEST)
    asked = world.message(person, request.name, REQUESTED)
    person.post_action(asked, action_ids.APPROVE, request.id)
    refused(world, person, Code.OWN_REQUEST)

    is_still_pending(world, person, card)


def test_only_approvers_decide(world: World) -> None:
    """The right is read from Slack at each click.

    Membership of the channel gives none.
    """
    person, other, [former] = world.engineer(), world.engineer(), world.approvers(1)
    card = world.asks(person)
    world.slack.set_group(APPROVERS, ["U0CAROL"])

    for button in (action_ids.APPROVE, action_ids.DENY, action_ids.ON_IT):
        for one in (other, former):
            clicks(world, one, card, button, Code.NOT_AN_APPROVER)

    is_still_pending(world, person, card)


def test_no_decision_while_slack_hides_the_approvers(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)
    world.slack.faults.fail("usergroups.users.list", "internal_error")

    clicks(world, world.carol, card, action_ids.APPROVE, Code.GROUP_UNREADABLE)

    is_still_pending(world, person, card)
    world.carol.click(card, action_ids.APPROVE)
    world.revealable(person)


def test_only_full_members_are_served(world: World) -> None:
    """Guests, bots, deactivated and external users are refused."""
    person = world.engineer()
    card = world.asks(person)
    people = [world.engineer(**permissions) for permissions in NOT_MEMBERS]
    outsider, unknown = world.slack.outsider(), world.slack.outsider(name="ora")
    world.slack.change_person(unknown.id, is_stranger=True)
    everyone = [*people, outsider, unknown]
    world.slack.set_group(APPROVERS, ["U0CAROL", *(one.id for one in everyone)])

    for one in everyone:
        one.click(card, action_ids.APPROVE)
        refused(world, one, Code.NOT_A_MEMBER)
    for line in ("/key create x", "/key help", "/key nonsense"):
        refuses(world, people[0], line, Code.NOT_A_MEMBER)
    forged = {"user": {"id": outsider.id, "team_id": "T0KEYDESK"}}
    outsider.post_action(card, action_ids.APPROVE, world.request(person).id, **forged)
    refused(world, outsider, Code.NOT_A_MEMBER)

    world.nothing_happened(people[0])
    is_still_pending(world, person, card)


def test_a_click_on_a_decided_request_names_who_decided(world: World) -> None:
    """Also a denial whose form was open before."""
    person, [second] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    opens_denial(second, card)
    clicks(world, world.carol, card, action_ids.APPROVE)
    world.revealable(person)
    approved = world.request(person)

    second.submit({"reason": "not needed"})
    refused(world, second, Code.REQUEST_MOVED_ON)
    for button in (action_ids.APPROVE, action_ids.ON_IT, action_ids.DENY):
        clicks(world, second, card, button, Code.REQUEST_MOVED_ON)

    assert "@carol" in ephemerals(second, "key-approvals")[-1].words
    assert world.request(person) == approved and approved.decided_by == "U0CAROL"


def test_unknown_buttons_and_requests_are_answered(world: World) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    card = world.asks(person)

    for value in ("0" * 30, "../../x"):
        for button, code in UNKNOWN_REQUEST.items():
            approver.post_action(card, button, value)
            refused(world, approver, code)
    approver.post_action(card, "frobnicate", world.request(person).id)
    refused(world, approver, Code.UNKNOWN_BUTTON)

    is_still_pending(world, person, card)


def test_of_many_decisions_at_once_one_counts(world: World) -> None:
    """Five approve and one denies in the same instant. All others learn who decided."""
    person, people = world.engineer(), world.approvers(6)
    card = world.asks(person)
    opens_denial(people[0], card)
    world.answered(people[0])

    deliveries = at_once(
        partial(people[0].submit, {"reason": "not needed"}),
        *[partial(one.click, card, action_ids.APPROVE) for one in people[1:]],
    )

    assert all(delivery.acked for delivery in deliveries)
    request = world.decided(person)
    for one in people:
        if one.id == request.decided_by:
            world.answered(one)
        else:
            refused(world, one, Code.REQUEST_MOVED_ON)
    assert (request.status == "denied") == (request.decided_by == people[0].id)

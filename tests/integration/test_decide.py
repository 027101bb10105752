"""Deciding: approvers alone, never about their own; one of them decides, and the others are told what happened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bot.domain.errors import (
    KeydeskError,
    NotAllowed,
    NotAMember,
    RequestNotFound,
    UnknownControl,
    WrongState,
)
from bot.domain.outside_errors import SlackUnavailable
from bot.slack import action_ids
from bot.slack.messages.kinds import OUTCOME, REQUESTED
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import (
    APPROVERS,
    World,
    at_once,
    ephemerals,
    form_opens,
    iam_name,
)

NOT_MEMBERS = {
    "a guest": {"is_restricted": True},
    "a guest of one channel": {"is_ultra_restricted": True},
    "a bot": {"is_bot": True},
    "somebody deactivated": {"deleted": True},
}
Build = Callable[..., World]


def answers(world: World, person: LocalPerson, error: type[KeydeskError] | None = None) -> int:
    """Count the user's answers of this kind: successes, or refusals by this class."""
    return sum(one.is_of(error) for one in world.answers.of(person.id))


def test_approval_lets_the_requester_reveal(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    world.carol.click(card, action_ids.APPROVE)

    message = world.revealable(person)
    assert [button.action_id for button in message.buttons] == [
        action_ids.REVEAL,
        action_ids.CANCEL,
    ]
    confirm = message.buttons[0].confirm
    assert confirm
    world.answered(world.carol)
    redrawn = world.slack.wait_until(lambda: _redrawn(world, card), why="the card is redrawn")
    assert [button.action_id for button in redrawn.buttons] == [action_ids.REVOKE]
    assert not world.changes(person), "approval makes no key"


def test_denial_is_told_with_who_and_why_and_makes_nothing(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    world.denies(card, " Use the role of <the build server> & no key. ")

    told = world.message(person, world.request(person).name, OUTCOME)
    redrawn = world.slack.wait_until(lambda: _redrawn(world, card), why="the card is redrawn")
    for message in (told, redrawn):
        assert "Use the role of <the build server> & no key." in message.words
    assert world.request(person).denial_reason == "Use the role of <the build server> & no key."
    assert world.entries(world.request(person))[-1]["reason"] == world.request(person).denial_reason
    assert not redrawn.buttons
    world.carol.click(card, action_ids.APPROVE)
    world.answered(world.carol, WrongState)
    assert world.request(person).status == "denied"
    assert not world.changes(person)


def test_nobody_decides_their_own_request(world: World) -> None:
    """Not even an approver; nor by a button of another message, which a hostile client can make up."""
    person = world.engineer()
    world.slack.set_group(APPROVERS, ["U0CAROL", person.id])
    card = world.asks(person)
    request = world.request(person)

    person.click(card, action_ids.APPROVE)
    world.answered(person, NotAllowed)
    asked = world.message(person, request.name, REQUESTED)
    person.post_action(asked, action_ids.APPROVE, request.id)
    world.answered(person, NotAllowed)
    person.click(card, action_ids.DENY)
    world.answered(person, NotAllowed)

    _still_pending(world, person, card)


def test_an_approver_of_the_same_iam_user_cannot_decide(build: Build, tmp_path: Path) -> None:
    pairs = tmp_path / "people.csv"
    pairs.write_text(
        "U0ALICE,shared\nalice@example.com,shared\ncarol@example.com,SHARED\nU0BOB,bob\n"
    )
    world = build(IAM_USERNAME=str(pairs), APPROVERS="U0CAROL,U0BOB")
    alice, bob = world.slack.person("alice"), world.slack.person("bob")
    world.iam.create_user(UserName="shared")
    alice.command("/key create x")
    card = world.carol.wait_for("key-approvals", button=action_ids.APPROVE)

    world.carol.click(card, action_ids.APPROVE)
    world.answered(world.carol, NotAllowed)
    world.carol.click(card, action_ids.DENY)
    world.answered(world.carol, NotAllowed)
    assert world.request(alice).status == "pending"

    bob.click(card, action_ids.APPROVE)
    alice.wait_for("dm", button=action_ids.REVEAL)


def test_somebody_who_is_no_approver_decides_nothing(world: World) -> None:
    """Membership of the approval channel gives no right."""
    person, other = world.engineer(), world.engineer()
    card = world.asks(person)

    for button in (action_ids.APPROVE, action_ids.ON_IT):
        other.click(card, button)
    world.slack.wait_until(
        lambda: answers(world, other, NotAllowed) == 2,
        why="both refused",
    )
    other.click(card, action_ids.DENY)
    world.answered(other, NotAllowed)

    _still_pending(world, person, card)


def test_the_right_to_approve_is_asked_for_at_each_decision(world: World) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    world.slack.set_group(APPROVERS, ["U0CAROL"])

    approver.click(card, action_ids.APPROVE)

    world.answered(approver, NotAllowed)
    _still_pending(world, person, card)


def test_while_slack_does_not_say_who_approves_nobody_does(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)
    world.slack.faults.fail("usergroups.users.list", "internal_error")

    world.carol.click(card, action_ids.APPROVE)

    world.answered(world.carol, SlackUnavailable, "group_unreadable")
    _still_pending(world, person, card)
    world.carol.click(card, action_ids.APPROVE)
    world.revealable(person)


@pytest.mark.parametrize("permissions", NOT_MEMBERS.values(), ids=NOT_MEMBERS)
def test_an_approver_must_be_a_full_member(world: World, permissions: dict[str, bool]) -> None:
    person = world.engineer()
    card = world.asks(person)
    other = world.engineer(**permissions)
    world.slack.set_group(APPROVERS, ["U0CAROL", other.id])

    other.click(card, action_ids.APPROVE)
    world.answered(other, NotAMember)
    for line in ("/key create x", "/key list", "/key help", "/key nonsense"):
        other.command(line)
    world.slack.wait_until(
        lambda: answers(world, other, NotAMember) == 5,
        why="each command is refused",
    )

    world.nothing_happened(other)
    _still_pending(world, person, card)


@pytest.mark.parametrize("stranger", [False, True])
def test_an_external_user_in_a_shared_channel_is_refused(world: World, stranger: bool) -> None:
    """Whatever the payload says of their workspace: who they are is asked of Slack."""
    person = world.engineer()
    card = world.asks(person)
    outsider = world.slack.outsider()
    world.slack.change_person(outsider.id, is_stranger=stranger)
    world.slack.set_group(APPROVERS, ["U0CAROL", outsider.id])

    outsider.click(card, action_ids.APPROVE)
    forged = {"user": {"id": outsider.id, "team_id": "T0KEYDESK"}}
    outsider.post_action(card, "approve", world.request(person).id, **forged)

    world.slack.wait_until(
        lambda: answers(world, outsider, NotAMember) == 2, why="both are refused"
    )
    _still_pending(world, person, card)


def test_a_click_on_a_decided_request_names_who_decided(
    world: World,
) -> None:
    person, [second] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    world.carol.click(card, action_ids.APPROVE)
    world.revealable(person)

    for button in (action_ids.APPROVE, action_ids.ON_IT):
        second.click(card, button)
    second.click(card, action_ids.DENY)

    world.slack.wait_until(lambda: answers(world, second, WrongState) == 3, why="each is told")
    assert "@carol" in ephemerals(second, "key-approvals")[-1].words
    assert world.request(person).decided_by == "U0CAROL"


@pytest.mark.parametrize("value", ["0" * 30, "", "../../x", "AKIAIOSFODNN7EXAMPLE", "x" * 2000])
def test_a_click_on_a_request_that_is_gone_is_answered(world: World, value: str) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    card = world.asks(person)

    for action_id in ("approve", "on_it", "nudge", "reveal", "cancel"):
        approver.post_action(card, action_id, value)
    for error, times in ((RequestNotFound, 2), (NotAllowed, 3)):
        world.slack.wait_until(
            lambda e=error, n=times: answers(world, approver, e) == n,
            why="each click is answered",
        )
    approver.post_action(card, "deny", value)
    world.answered(approver, RequestNotFound)
    _still_pending(world, person, card)


def test_an_unknown_button_is_answered(world: World) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    card = world.asks(person)

    approver.post_action(card, "frobnicate", world.request(person).id)

    world.answered(approver, UnknownControl)
    _still_pending(world, person, card)


def test_of_twenty_approvals_at_once_one_decides(
    world: World,
) -> None:
    person, people = world.engineer(), world.approvers(20)
    card = world.asks(person)

    clicks = at_once(*[partial(one.click, card, action_ids.APPROVE) for one in people])

    assert all(click.acked for click in clicks)
    world.slack.wait_until(
        lambda: all(world.answers.of(one.id) for one in people),
        why="all are answered",
    )
    [winner] = [one for one in people if answers(world, one)]
    assert sum(answers(world, one, WrongState) for one in people) == 19
    assert [one.by for one in world.request(person).approvals] == [winner.id]


def test_approve_and_deny_in_the_same_instant_decide_once(world: World) -> None:
    person, [first, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    second.click(card, action_ids.DENY)
    form_opens(second, action_ids.DENY_FORM)

    at_once(
        partial(first.click, card, action_ids.APPROVE),
        partial(second.submit, {"reason": "not needed"}),
    )

    approved = world.decided(person).status == "approved"
    world.answered(first, None if approved else WrongState)
    world.answered(second, WrongState if approved else None)
    assert world.request(person).decided_by == (first if approved else second).id


def test_a_request_decided_under_an_open_form_is_refused(world: World) -> None:
    person, [second] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    second.click(card, action_ids.DENY)
    form_opens(second, action_ids.DENY_FORM)
    world.carol.click(card, action_ids.APPROVE)
    world.revealable(person)

    second.submit({"reason": "not needed"})

    world.answered(second, WrongState)
    assert (world.request(person).status, world.request(person).denial_reason) == ("approved", "")


def test_a_denial_needs_a_reason_without_a_secret(
    world: World,
) -> None:
    person = world.engineer()
    card = world.asks(person)
    world.carol.click(card, action_ids.DENY)
    form_opens(world.carol, action_ids.DENY_FORM)

    for why in (" \u00a0", "see wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"):
        assert list(world.carol.submit({"reason": why}).errors) == ["reason"]

    _still_pending(world, person, card)


def _redrawn(world: World, card: SeenMessage) -> SeenMessage | None:
    now = next(one for one in world.carol.messages("key-approvals") if one.ts == card.ts)
    return now if not now.has_button(action_ids.APPROVE) else None


def _still_pending(world: World, person: LocalPerson, card: SeenMessage) -> None:
    """Nothing happened: the request stands as it was asked, its card too, and IAM was not changed."""
    request = world.request(person)
    assert (request.status, request.version, request.decided_by) == (
        "pending",
        2,
        "",
    )  # asked, learnt
    assert _redrawn(world, card) is None
    assert person.last("dm", button=action_ids.REVEAL) is None
    assert not world.changes(person), iam_name(person)

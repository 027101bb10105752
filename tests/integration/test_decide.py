"""Deciding: approvers alone, never about their own; one of them decides, and the others are told what happened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import APPROVERS, World, at_once, handle, iam_name

MEMBERS_ONLY = "Only full members of this workspace can use the key desk"
NOT_MEMBERS = {
    "a guest": {"is_restricted": True},
    "a guest of one channel": {"is_ultra_restricted": True},
    "a bot": {"is_bot": True},
    "somebody deactivated": {"deleted": True},
}
Build = Callable[..., World]


def approvals(world: World, person: LocalPerson, containing: str) -> int:
    """How many private answers with these words the person sees in the approval channel."""
    return sum(
        one.ephemeral and containing in one.words for one in person.messages("key-approvals")
    )


def test_approval_redraws_the_card_and_brings_reveal_to_the_requester(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    world.carol.click(card, "Approve")

    message = world.revealable(person)
    assert "Your request is approved by @carol. Reveal it by" in message.words
    assert [button.text for button in message.buttons] == ["Reveal my key", "Cancel request"]
    confirm = message.buttons[0].confirm
    assert (
        confirm
        and "Shown once, here. Are you at the machine that needs it?" in confirm["text"]["text"]
    )
    world.carol.wait_for(
        "key-approvals", f"Approved. I have told @{handle(person)}: the key can be revealed now"
    )
    redrawn = world.slack.wait_until(lambda: _redrawn(world, card), why="the card is redrawn")
    assert "Approved by @carol, " in redrawn.words
    assert [button.text for button in redrawn.buttons] == ["Revoke"]
    assert not world.changes(person), "approval makes no key"


def test_denial_is_told_with_who_and_why_and_makes_nothing(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    world.denies(card, " Use the role of <the build server> & no key. ")

    told = person.wait_for("dm", "Your request was denied by @carol:")
    redrawn = world.slack.wait_until(lambda: _redrawn(world, card), why="the card is redrawn")
    assert "Denied by @carol, " in redrawn.words
    for message in (told, redrawn):
        assert "Use the role of <the build server> & no key." in message.words
    assert world.request(person).denial_reason == "Use the role of <the build server> & no key."
    assert world.entries(world.request(person))[-1]["reason"] == world.request(person).denial_reason
    assert not redrawn.buttons
    world.carol.click(card, "Approve")
    world.carol.wait_for("key-approvals", "This request was already denied by @carol on")
    assert world.request(person).status == "denied"
    assert not world.changes(person)


def test_nobody_decides_their_own_request(world: World) -> None:
    """Not even an approver; nor by a button of another message, which a hostile client can make up."""
    person = world.engineer()
    world.slack.set_group(APPROVERS, ["U0CAROL", person.id])
    card = world.asks(person)
    request = world.request(person)

    person.click(card, "Approve")
    person.wait_for("key-approvals", "Nobody decides their own request; an approver must")
    person.post_action(person.wait_for("dm", "You asked"), "approve", request.id)
    person.wait_for("dm", "Nobody decides their own request")
    person.click(card, "Deny")
    person.wait_for_modal("Nobody decides their own request")

    _still_pending(world, person, card)


def test_an_approver_of_the_same_iam_user_decides_nothing_about_it(
    build: Build, tmp_path: Path
) -> None:
    pairs = tmp_path / "people.csv"
    pairs.write_text(
        "U0ALICE,shared\nalice@example.com,shared\ncarol@example.com,SHARED\nU0BOB,bob\n"
    )
    world = build(IAM_USERNAME=str(pairs), APPROVERS="U0CAROL,U0BOB")
    alice, bob = world.slack.person("alice"), world.slack.person("bob")
    world.iam.create_user(UserName="shared")
    alice.command("/key create x")
    card = world.carol.wait_for("key-approvals", "@alice asks", button="Approve")

    world.carol.click(card, "Approve")
    world.carol.wait_for("key-approvals", "You and the requester share the IAM user shared")
    world.carol.click(card, "Deny")
    world.carol.wait_for_modal("You and the requester share the IAM user shared")
    assert world.request(alice).status == "pending"

    bob.click(card, "Approve")
    alice.wait_for("dm", "Your request is approved by @bob", button="Reveal my key")


def test_somebody_who_is_no_approver_decides_nothing(world: World) -> None:
    """Membership of the approval channel gives no right."""
    person, other = world.engineer(), world.engineer()
    card = world.asks(person)

    for button in ("Approve", "I'm on it"):
        other.click(card, button)
    world.slack.wait_until(
        lambda: approvals(world, other, "Only the desk's approvers can decide this") == 2,
        why="both refused",
    )
    other.click(card, "Deny")
    other.wait_for_modal("Only the desk's approvers can decide this")

    _still_pending(world, person, card)


def test_the_right_to_approve_is_asked_for_at_each_decision(world: World) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    world.slack.set_group(APPROVERS, ["U0CAROL"])

    approver.click(card, "Approve")

    approver.wait_for("key-approvals", "Only the desk's approvers can decide this")
    _still_pending(world, person, card)


def test_while_slack_does_not_say_who_approves_nobody_does(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)
    world.slack.faults.fail("usergroups.users.list", "internal_error")

    world.carol.click(card, "Approve")

    world.carol.wait_for(
        "key-approvals",
        "I cannot tell who is in the user group S0APPROVERS (Slack did not answer: "
        "internal_error), so I have done nothing. Try again in a minute.",
    )
    _still_pending(world, person, card)
    world.carol.click(card, "Approve")
    world.revealable(person)


@pytest.mark.parametrize("permissions", NOT_MEMBERS.values(), ids=NOT_MEMBERS)
def test_who_is_no_full_member_is_refused_though_named_an_approver(
    world: World, permissions: dict[str, bool]
) -> None:
    person = world.engineer()
    card = world.asks(person)
    other = world.engineer(**permissions)
    world.slack.set_group(APPROVERS, ["U0CAROL", other.id])

    other.click(card, "Approve")
    other.wait_for("key-approvals", MEMBERS_ONLY)
    for line in ("/key create x", "/key list", "/key help", "/key nonsense"):
        other.command(line)
    told = f"{MEMBERS_ONLY}; guests and bots cannot. Ask a full member."
    world.slack.wait_until(
        lambda: [one.words for one in other.messages("general")] == 4 * [told],
        why="each command is refused",
    )

    world.nothing_happened(other)
    _still_pending(world, person, card)


@pytest.mark.parametrize("stranger", [False, True])
def test_somebody_of_another_workspace_in_a_shared_channel_is_refused(
    world: World, stranger: bool
) -> None:
    """Whatever the payload says of their workspace: who they are is asked of Slack."""
    person = world.engineer()
    card = world.asks(person)
    outsider = world.slack.outsider()
    world.slack.change_person(outsider.id, is_stranger=stranger)
    world.slack.set_group(APPROVERS, ["U0CAROL", outsider.id])

    outsider.click(card, "Approve")
    forged = {"user": {"id": outsider.id, "team_id": "T0KEYDESK"}}
    outsider.post_action(card, "approve", world.request(person).id, **forged)

    world.slack.wait_until(
        lambda: approvals(world, outsider, MEMBERS_ONLY) == 2, why="both are refused"
    )
    _still_pending(world, person, card)


def test_a_click_on_a_decided_request_is_answered_with_what_happened_who_and_when(
    world: World,
) -> None:
    person, [second] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    world.carol.click(card, "Approve")
    world.revealable(person)

    for button in ("Approve", "I'm on it"):
        second.click(card, button)
    second.click(card, "Deny")

    second.wait_for_modal("This request was already approved by @carol on")
    world.slack.wait_until(
        lambda: approvals(world, second, "This request was already approved by @carol on") == 2,
        why="both are told",
    )
    answer = second.wait_for("key-approvals", "This request was already approved by @carol on")
    decided = world.request(person).decided_at
    assert decided and f"{decided:%H:%M} UTC" in answer.words
    assert world.request(person).decided_by == "U0CAROL"


@pytest.mark.parametrize("value", ["0" * 30, "", "../../x", "AKIAIOSFODNN7EXAMPLE", "x" * 2000])
def test_a_click_on_a_request_that_is_gone_is_answered(world: World, value: str) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    card = world.asks(person)

    for action_id in ("approve", "on_it", "nudge", "reveal", "cancel"):
        approver.post_action(card, action_id, value)
    for words, times in (
        ("I do not know that request any more", 2),
        ("Only the person who asked can do that", 3),
    ):
        world.slack.wait_until(
            lambda w=words, n=times: approvals(world, approver, w) == n,
            why="each click is answered",
        )
    approver.post_action(card, "deny", value)
    approver.wait_for_modal("I do not know that request any more")
    _still_pending(world, person, card)


def test_an_unknown_button_is_answered(world: World) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    card = world.asks(person)

    approver.post_action(card, "frobnicate", world.request(person).id)

    approver.wait_for("key-approvals", "I do not know that button")
    _still_pending(world, person, card)


def test_of_twenty_approvals_in_the_same_instant_one_decides_and_the_others_are_told(
    world: World,
) -> None:
    person, people = world.engineer(), world.approvers(20)
    card = world.asks(person)

    clicks = at_once(*[partial(one.click, card, "Approve") for one in people])

    assert all(click.acked for click in clicks)
    world.slack.wait_until(
        lambda: sum(approvals(world, one, "pproved") for one in people) == 20,
        why="all are answered",
    )
    [winner] = [
        one for one in people if approvals(world, one, f"Approved. I have told @{handle(person)}")
    ]
    told = f"This request was already approved by @{handle(winner)} on"
    assert sum(approvals(world, one, told) for one in people) == 19
    assert [one.by for one in world.request(person).approvals] == [winner.id]


def test_approve_and_deny_in_the_same_instant_decide_once(world: World) -> None:
    person, [first, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    second.click(card, "Deny")
    second.wait_for_modal("Why not?")

    at_once(partial(first.click, card, "Approve"), partial(second.submit, {"reason": "not needed"}))

    first.wait_for(
        "key-approvals",
        "pproved. I have told"
        if world.decided(person).status == "approved"
        else (f"This request was already denied by @{handle(second)}"),
    )
    approved = world.decided(person).status == "approved"
    second.wait_for_modal(
        f"This request was already approved by @{handle(first)}" if approved else "Denied. I have"
    )
    assert world.request(person).decided_by == (first if approved else second).id


def test_a_request_decided_while_the_form_is_open_is_said_so_in_the_form(world: World) -> None:
    person, [second] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    second.click(card, "Deny")
    second.wait_for_modal("Why not?")
    world.carol.click(card, "Approve")
    world.revealable(person)

    second.submit({"reason": "not needed"})

    second.wait_for_modal("This request was already approved by @carol on")
    assert (world.request(person).status, world.request(person).denial_reason) == ("approved", "")


def test_a_denial_without_a_reason_or_with_a_secret_in_it_is_refused_at_its_field(
    world: World,
) -> None:
    person = world.engineer()
    card = world.asks(person)
    world.carol.click(card, "Deny")
    world.carol.wait_for_modal("Why not?")
    assert "nightly backup" in world.carol.modal_words

    for why in (" \u00a0", "see wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"):
        assert list(world.carol.submit({"reason": why}).errors) == ["reason"]

    _still_pending(world, person, card)


def _redrawn(world: World, card: SeenMessage) -> SeenMessage | None:
    now = next(one for one in world.carol.messages("key-approvals") if one.ts == card.ts)
    return now if not now.has_button("Approve") else None


def _still_pending(world: World, person: LocalPerson, card: SeenMessage) -> None:
    """Nothing happened: the request stands as it was asked, its card too, and IAM was not changed."""
    request = world.request(person)
    assert (request.status, request.version, request.decided_by) == (
        "pending",
        2,
        "",
    )  # asked, learnt
    assert _redrawn(world, card) is None
    assert person.last("dm", button="Reveal my key") is None
    assert not world.changes(person), iam_name(person)

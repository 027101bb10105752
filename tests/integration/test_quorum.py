"""Several approvers through the running bot: each counts once, one no ends it, a yes is taken back, all see it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, NotAllowed, WrongState
from bot.domain.outside_errors import SlackUnavailable
from bot.runtime.scheduler import Scheduler
from bot.slack import action_ids
from bot.slack.messages.kinds import OUTCOME, REVOKED
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.answers import Answer
from tests.support.key_life import old_key, types, until
from tests.support.running_world import APPROVERS, World, at_once, ephemerals, handle

SETTINGS = {"APPROVALS_REQUIRED": "2"}
Start = Callable[..., World]


def at(person: LocalPerson) -> str:
    return f"@{handle(person)}"


def announced(world: World, approver: LocalPerson) -> list[SeenMessage]:
    """Return the lasting messages outside of cards that name this approver."""
    return [
        one
        for one in world.carol.messages("key-approvals")
        if not one.ephemeral and not one.buttons and at(approver) in one.words
    ]


def says(
    world: World,
    person: LocalPerson,
    words: str,
    channel: str = "dm",
    but: SeenMessage | None = None,
) -> SeenMessage:
    """Waits until a lasting message in that channel, as that person sees it, holds the words."""

    def said() -> SeenMessage | None:
        return next(
            (
                one
                for one in person.messages(channel)
                if not one.ephemeral and words in one.words and (not but or one.ts != but.ts)
            ),
            None,
        )

    return until(world, said, f"{person.id} reads {words!r}")


def card_says(world: World, card: SeenMessage, words: str, button: str = "") -> SeenMessage:
    """Waits until this very card, as Carol sees it, holds the words and the button."""

    def drawn() -> SeenMessage | None:
        [now] = [one for one in world.carol.messages("key-approvals") if one.ts == card.ts]
        return now if words in now.words and (not button or now.has_button(button)) else None

    return until(world, drawn, f"the card says {words!r}")


def clicks(
    world: World,
    person: LocalPerson,
    card: SeenMessage,
    button: str,
    error: type[KeydeskError] | None = None,
    code: str = "",
) -> Answer:
    """Click a button and return the answer: a success, or a refusal by this class."""
    world.answers.skip(person.id)
    assert person.click(card, button).acked
    return world.answered(person, error, code)


def approves(world: World, approver: LocalPerson, card: SeenMessage) -> None:
    """Let this approver approve."""
    clicks(world, approver, card, action_ids.APPROVE)


def test_two_approvals_are_needed_and_shown(world: World) -> None:
    person, [first, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)

    approves(world, first, card)

    card_says(world, card, at(first))
    says(world, person, at(first))
    assert world.request(person).approvers == (first.id,)
    assert person.last("dm", button=action_ids.REVEAL) is None
    assert at(first) in types(world, person, "/key requests").words
    assert at(first) in types(world, second, "/key requests").words
    for who in (second, person):
        who.open_home()
        who.wait_for_home(at(first))
    clicks(world, first, card, action_ids.APPROVE, NotAllowed)

    approves(world, second, card)

    outcome = world.message(person, world.request(person).name, OUTCOME).words
    assert at(first) in outcome and at(second) in outcome
    assert at(first) in card_says(world, card, at(second)).words
    until(world, lambda: f"@{handle(person)}" not in second.home_words, "it waits no more")
    assert world.reveals(person).key_id in world.keys(person)


def test_a_third_click_on_what_two_have_approved_is_told_by_whom(world: World) -> None:
    person, [first, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    approves(world, first, card)
    approves(world, second, card)

    clicks(world, world.carol, card, action_ids.APPROVE, WrongState)
    told = ephemerals(world.carol, "key-approvals")[-1].words
    assert at(first) in told and at(second) in told


def test_the_requesters_own_approval_never_counts_beside_another(world: World) -> None:
    person = world.engineer()
    world.slack.set_group(APPROVERS, ["U0CAROL", person.id])
    card = world.asks(person)
    approves(world, world.carol, card)

    clicks(world, person, card, action_ids.APPROVE, NotAllowed)
    assert world.request(person).approvers == ("U0CAROL",)


def test_one_denial_ends_it_though_another_has_approved(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card)

    world.denies(card)

    assert "@carol" in world.message(person, world.request(person).name, OUTCOME).words
    clicks(world, first, card, action_ids.APPROVE, WrongState)
    assert world.request(person).status == "denied" and not world.changes(person)


def test_an_approval_without_the_right_does_not_count(
    world: World,
) -> None:
    person, [leaver, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    approves(world, leaver, card)
    world.slack.set_group(APPROVERS, ["U0CAROL", second.id])

    approves(world, second, card)

    card_says(world, card, at(second))
    assert world.request(person).status == "pending"
    assert person.last("dm", button=action_ids.REVEAL) is None
    approves(world, world.carol, card)
    assert world.reaches(person, "approved").approvers == (second.id, "U0CAROL")


def test_three_approvals_at_once_lose_nothing(
    world: World,
) -> None:
    person, board = world.engineer(), world.approvers(3)
    card = world.asks(person)

    at_once(*[partial(one.click, card, action_ids.APPROVE) for one in board])

    approved = world.reaches(person, "approved")
    assert len(set(approved.approvers)) == 2 and set(approved.approvers) <= {
        one.id for one in board
    }
    [late] = [one for one in board if one.id not in approved.approvers]
    world.answered(late, WrongState)
    told = ephemerals(late, "key-approvals")[-1].words
    assert all(f"@{one.removeprefix('U0').lower()}" in told for one in approved.approvers)


def test_an_approver_withdraws_their_approval(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card)
    card = card_says(world, card, at(first), button=action_ids.TAKE_BACK)
    [button] = [one for one in card.buttons if one.action_id == action_ids.TAKE_BACK]
    assert button.confirm

    clicks(world, world.carol, card, action_ids.TAKE_BACK, NotAllowed)
    clicks(world, first, card, action_ids.TAKE_BACK)
    assert (world.request(person).status, world.request(person).approvals) == ("pending", ())


def test_an_approval_can_be_revoked_until_the_reveal(
    world: World,
) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card)
    approves(world, world.carol, card)
    revealable = world.revealable(person)
    card = card_says(world, card, at(first), button=action_ids.REVOKE)

    clicks(world, person, card, action_ids.REVOKE, NotAllowed)
    clicks(world, world.carol, card, action_ids.REVOKE)
    told = world.message(person, world.request(person).name, REVOKED)
    assert "@carol" in told.words
    until(
        world,
        lambda: person.last("dm", button=action_ids.REVEAL) is None,
        "nothing can be revealed",
    )
    until(world, lambda: not card_says(world, card, "@carol").buttons, "no button is left")
    clicks(world, person, revealable, action_ids.REVEAL, WrongState)
    assert world.request(person).status == "denied" and not world.changes(person)


def test_revoking_after_the_reveal_names_the_key(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card)
    approves(world, world.carol, card)
    card = card_says(world, card, at(first), button=action_ids.REVOKE)
    key = world.reveals(person)
    world.receipt(person, key)

    clicks(world, world.carol, card, action_ids.REVOKE, WrongState, Code.REVOKE_TOO_LATE)
    answer = ephemerals(world.carol, "key-approvals")[-1].words

    assert key.key_id in answer
    assert world.request(person).status == "delivered" and world.keys(person) == {
        key.key_id: "Active"
    }


def test_enabling_needs_the_second_approval(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    key_id = old_key(world, person)
    types(world, person, f"/key disable {key_id}")
    types(world, person, f"/key enable {key_id} the nightly job needs it")
    card = world.carol.wait_for("key-approvals", key_id, action_ids.APPROVE)

    approves(world, first, card)
    assert world.keys(person) == {key_id: "Inactive"}
    approves(world, world.carol, card)

    assert world.keys(person) == {key_id: "Active"}


def test_a_change_of_approvers_is_posted_once(world: World) -> None:
    person, [newcomer] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, newcomer, card)
    says(world, world.carol, at(newcomer), "key-approvals", but=card)
    world.slack.set_group(APPROVERS, ["U0CAROL"])

    at_once(*[partial(newcomer.click, card, action_ids.DENY)] * 3)

    until(world, lambda: len(announced(world, newcomer)) == 2, "the change is posted")
    assert world.request(person).status == "pending"
    world.settle()
    assert len(announced(world, newcomer)) == 2


# -- with settings of their own


def test_three_approvers_are_needed(build: Start) -> None:
    world = build(APPROVALS_REQUIRED="3")
    person, [first, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    for approver in (first, second, world.carol):
        assert world.request(person).status == "pending"
        approves(world, approver, card)
    assert world.reaches(person, "approved").approvers == (first.id, second.id, "U0CAROL")


def test_the_sweeper_notices_a_change_and_an_outage_is_none(build: Start) -> None:
    world = build()
    world.sweep()

    def looks_again() -> None:
        """As after two minutes: a sweeper that has just begun looks at once."""
        assert world.built
        Scheduler(world.built.services, timedelta(seconds=15)).run_once()

    world.slack.faults.fail("usergroups.users.list", "internal_error")
    looks_again()
    world.slack.set_group(APPROVERS, ["U0CAROL", "U0BOB"])
    looks_again()
    looks_again()
    [posted] = world.carol.messages("key-approvals")
    assert "@bob" in posted.words


def test_a_start_with_other_settings_is_a_change_that_is_posted(start: Start) -> None:
    one = start(APPROVERS="U0CAROL,U0BOB")
    until(one, lambda: one.store.announced_approvers(), "the first start has noted who may approve")
    assert not one.carol.messages("key-approvals")

    start(beside=one, APPROVERS="U0CAROL,U0ALICE")

    assert "@bob" in says(one, one.carol, "@alice", "key-approvals").words


def test_an_unreadable_user_group_refuses_a_click(build: Start) -> None:
    world = build()
    person = world.engineer()
    card = world.asks(person)
    world.slack.faults.fail("usergroups.users.list", "plan_upgrade_required")

    clicks(
        world, world.carol, card, action_ids.APPROVE, SlackUnavailable, Code.GROUP_NEEDS_PAID_PLAN
    )

    assert world.request(person).status == "pending"

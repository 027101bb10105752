"""Several approvers through the running bot: each counts once, one no ends it, a yes is taken back, all see it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from bot.runtime.scheduler import Scheduler
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.key_life import old_key, types, until
from tests.support.running_world import APPROVERS, World, at_once, handle

SETTINGS = {"APPROVALS_REQUIRED": "2"}
CHANGED = "Who may approve here has changed"
Start = Callable[..., World]


def at(person: LocalPerson) -> str:
    return f"@{handle(person)}"


def says(world: World, person: LocalPerson, words: str, channel: str = "dm") -> SeenMessage:
    """Waits until a lasting message in that channel, as that person sees it, holds the words."""

    def said() -> SeenMessage | None:
        return next(
            (one for one in person.messages(channel) if not one.ephemeral and words in one.words),
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
    world: World, person: LocalPerson, card: SeenMessage, button: str, answer: str
) -> SeenMessage:
    """The person clicks, and is answered privately with these words."""
    channel = "dm" if card.channel.startswith("D") else "key-approvals"
    known = {one.ts for one in person.messages(channel)}
    assert person.click(card, button).acked

    def answered() -> SeenMessage | None:
        return next(
            (
                one
                for one in person.messages(channel)
                if one.ephemeral and one.ts not in known and answer in one.words
            ),
            None,
        )

    return until(world, answered, f"{person.id} is answered {answer!r} to {button}")


def approves(world: World, approver: LocalPerson, card: SeenMessage, answer: str) -> None:
    clicks(world, approver, card, "Approve", answer)


def test_two_approvers_are_needed_and_everybody_sees_who_has_approved(world: World) -> None:
    person, [first, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    assert "two approvals are needed" in card.words.lower()
    says(world, person, "Two approvals are needed")

    approves(
        world, first, card, f"Your approval is noted. Approved by {at(first)}; one more is needed."
    )

    tally = f"Approved by {at(first)}; one more is needed."
    card_says(world, card, tally)
    says(world, person, tally)
    assert person.last("dm", button="Reveal my key") is None
    lower = tally.replace("Approved", "approved").rstrip(".")
    assert lower in types(world, person, "/key requests", "Your open requests").words
    assert lower in types(world, second, "/key requests", "Waiting for approvers").words
    for who in (second, person):
        who.open_home()
        who.wait_for_home(lower)
    clicks(world, first, card, "Approve", "You have approved this already; one more is needed.")

    approves(
        world, second, card, f"Approved. I have told {at(person)}: the key can be revealed now."
    )

    both = f"approved by {at(first)} and {at(second)}"
    says(world, person, f"Your request is {both}.")
    card_says(world, card, f"A{both[1:]}, ")
    second.wait_for_home("Nothing waits.")
    assert world.reveals(person).key_id in world.keys(person)


def test_a_third_click_on_what_two_have_approved_is_told_by_whom(world: World) -> None:
    person, [first, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    approves(world, first, card, "Your approval is noted.")
    approves(world, second, card, "the key can be revealed now")

    clicks(
        world,
        world.carol,
        card,
        "Approve",
        f"This request was already approved by {at(first)} and {at(second)} on",
    )


def test_the_requesters_own_approval_never_counts_beside_another(world: World) -> None:
    person = world.engineer()
    world.slack.set_group(APPROVERS, ["U0CAROL", person.id])
    card = world.asks(person)
    approves(world, world.carol, card, "one more is needed")

    clicks(world, person, card, "Approve", "Nobody decides their own request")
    assert world.request(person).approvers == ("U0CAROL",)


def test_one_denial_ends_it_though_another_has_approved(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card, "one more is needed")

    world.denies(card)

    person.wait_for("dm", "Your request was denied by @carol")
    clicks(world, first, card, "Approve", "This request was already denied by @carol on")
    assert world.request(person).status == "denied" and not world.changes(person)


def test_whoever_has_lost_the_right_by_then_does_not_count_and_the_card_says_so(
    world: World,
) -> None:
    person, [leaver, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    approves(world, leaver, card, "one more is needed")
    world.slack.set_group(APPROVERS, ["U0CAROL", second.id])

    dropped = f"one more is needed ({at(leaver)} may not approve any more, so that does not count)"
    approves(world, second, card, f"Your approval is noted. Approved by {at(second)}; {dropped}.")

    card_says(world, card, f"Approved by {at(second)}; {dropped}.")
    assert person.last("dm", button="Reveal my key") is None
    approves(world, world.carol, card, "the key can be revealed now")
    says(world, person, f"Your request is approved by {at(second)} and @carol.")


def test_two_completing_clicks_and_a_first_one_in_the_same_instant_lose_nothing(
    world: World,
) -> None:
    person, board = world.engineer(), world.approvers(3)
    card = world.asks(person)

    at_once(*[partial(one.click, card, "Approve") for one in board])

    approved = world.reaches(person, "approved")
    assert len(set(approved.approvers)) == 2 and set(approved.approvers) <= {
        one.id for one in board
    }
    [late] = [one for one in board if one.id not in approved.approvers]
    names = " and ".join(f"@{one.removeprefix('U0').lower()}" for one in approved.approvers)
    told = f"This request was already approved by {names} on"
    until(
        world,
        lambda: any(told in one.words for one in late.messages("key-approvals")),
        "the third is told",
    )


def test_an_approver_takes_their_own_approval_back_while_it_waits(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card, "one more is needed")
    card = card_says(world, card, f"Approved by {at(first)}", button="Withdraw my approval")
    [button] = [one for one in card.buttons if one.text == "Withdraw my approval"]
    assert button.confirm and "Take back your approval?" in button.confirm["title"]["text"]

    clicks(world, world.carol, card, "Withdraw my approval", "You have not approved this")
    clicks(
        world,
        first,
        card,
        "Withdraw my approval",
        "Your approval is taken back. Two approvals are needed.",
    )
    assert (world.request(person).status, world.request(person).approvals) == ("pending", ())


def test_an_approval_is_revoked_until_the_key_is_revealed_and_the_requester_is_told(
    world: World,
) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card, "one more is needed")
    approves(world, world.carol, card, "the key can be revealed now")
    revealable = world.revealable(person)
    card = card_says(world, card, f"Approved by {at(first)} and @carol", button="Revoke")

    clicks(world, person, card, "Revoke", "Nobody decides their own request")
    clicks(
        world,
        world.carol,
        card,
        "Revoke",
        f"Revoked. I have told {at(person)}: there is nothing to reveal",
    )
    told = person.wait_for(
        "dm", "The approval of your request was revoked by @carol. No key is kept."
    )
    assert not told.ephemeral and "/key create starts a new request" in told.words
    until(
        world, lambda: person.last("dm", button="Reveal my key") is None, "nothing can be revealed"
    )
    card_says(world, card, "revoked by @carol, ")
    clicks(
        world, person, revealable, "Reveal my key", "This request was already revoked by @carol on"
    )
    assert world.request(person).status == "denied" and not world.changes(person)


def test_revoking_what_is_revealed_is_answered_with_how_to_turn_the_key_off(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, first, card, "one more is needed")
    approves(world, world.carol, card, "the key can be revealed now")
    card = card_says(world, card, f"Approved by {at(first)} and @carol", button="Revoke")
    key = world.reveals(person)
    world.receipt(person, key)

    answer = clicks(
        world, world.carol, card, "Revoke", "It is too late to revoke the approval"
    ).words

    assert f"This request was already handed over by {at(person)} on" in answer
    assert (
        f"/key list with the name of {at(person)} lets you turn the key off, and /key leaked {key.key_id}"
        in answer
    )
    assert world.request(person).status == "delivered" and world.keys(person) == {
        key.key_id: "Active"
    }


def test_an_inactive_key_comes_back_after_the_second_approval_and_not_before(world: World) -> None:
    person, [first] = world.engineer(), world.approvers(1)
    key_id = old_key(world, person)
    types(world, person, f"/key disable {key_id}", f"{key_id} is inactive.")
    types(world, person, f"/key enable {key_id} the nightly job needs it", "Asked.")
    card = world.carol.wait_for(
        "key-approvals", f"{at(person)} asks to turn {key_id} on again", button="Approve"
    )

    approves(world, first, card, "one more is needed")
    assert world.keys(person) == {key_id: "Inactive"}
    approves(world, world.carol, card, f"Approved and done. I have told {at(person)}.")

    assert world.keys(person) == {key_id: "Active"}


def test_a_change_in_who_may_approve_is_posted_once_by_whoever_notices_it(world: World) -> None:
    person, [newcomer] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    approves(world, newcomer, card, "one more is needed")
    says(world, world.carol, f"{at(newcomer)} may", "key-approvals")
    world.slack.set_group(APPROVERS, ["U0CAROL"])

    at_once(*[partial(newcomer.click, card, "Deny")] * 3)

    told = f"{CHANGED}: {at(newcomer)} may not any more."
    says(world, world.carol, told, "key-approvals")
    assert world.request(person).status == "pending"
    assert sum(told in one.words for one in world.carol.messages("key-approvals")) == 1


# -- with settings of their own


def test_three_approvers_are_needed(build: Start) -> None:
    world = build(APPROVALS_REQUIRED="3")
    person, [first, second] = world.engineer(), world.approvers(2)
    card = world.asks(person)
    for approver, words in (
        (first, "two more are needed"),
        (second, "one more is needed"),
        (world.carol, "the key can be revealed now"),
    ):
        approves(world, approver, card, words)
    says(world, person, f"Your request is approved by {at(first)}, {at(second)} and @carol.")


def test_the_sweeper_notices_a_change_and_an_outage_is_none(build: Start) -> None:
    world = build()
    world.run_once()

    def looks_again() -> None:
        """As after two minutes: a sweeper that has just begun looks at once."""
        assert world.built
        Scheduler(world.built.services, timedelta(seconds=15)).run_once()

    world.slack.faults.fail("usergroups.users.list", "internal_error")
    looks_again()
    world.slack.set_group(APPROVERS, ["U0CAROL", "U0BOB"])
    looks_again()
    looks_again()
    posted = [one.words for one in world.carol.messages("key-approvals") if CHANGED in one.words]
    assert posted == [f"{CHANGED}: @bob may."]


def test_a_start_with_other_settings_is_a_change_that_is_posted(start: Start) -> None:
    one = start(APPROVERS="U0CAROL,U0BOB")
    until(one, lambda: one.store.announced_approvers(), "the first start has noted who may approve")
    assert one.carol.last("key-approvals", CHANGED) is None

    start(beside=one, APPROVERS="U0CAROL,U0ALICE")

    says(one, one.carol, f"{CHANGED}: @alice may, @bob may not any more.", "key-approvals")


def test_without_a_paid_plan_a_click_says_what_would_make_it_work(build: Start) -> None:
    world = build()
    person = world.engineer()
    card = world.asks(person)
    world.slack.faults.fail("usergroups.users.list", "plan_upgrade_required")

    clicks(
        world,
        world.carol,
        card,
        "Approve",
        "(user groups need a paid plan of Slack), so I have done nothing. "
        "Whoever runs Keydesk must name people (U…) instead of groups.",
    )

    assert world.request(person).status == "pending"

"""Journeys of a waiting request: claims, reminders, nudges, expiry."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.kinds import EXPIRED
from sandbox.local_person import LocalPerson
from tests.integration.steps import clicks, named, refused, thread
from tests.support.key_life import until
from tests.support.running_world import World
from tests.support.seen_by_user import shown_keys


def expired(world: World, person: LocalPerson) -> None:
    """Wait until the expiry is stored and told, and no lasting message has a button."""
    world.reaches(person, "expired")
    world.message(person, world.request(person).name, EXPIRED)

    def without_buttons() -> bool:
        lasting = [one for one in person.messages("dm") if not one.ephemeral]
        card = world.card(person)
        return card is not None and not any(one.buttons for one in (*lasting, card))

    until(world, without_buttons, "no button is left")


def test_a_claim_is_shown_and_reserves_nothing(timed: World) -> None:
    """It can be taken over and ended, and ends by itself after a quarter of an hour."""
    person, [second] = timed.engineer(), timed.approvers(1)
    card = timed.asks(person)
    before = timed.request(person)
    clicks(timed, person, card, action_ids.ON_IT, Code.OWN_REQUEST)
    assert timed.request(person) == before

    clicks(timed, timed.carol, card, action_ids.ON_IT)
    second.wait_for("key-approvals", "@carol", button=action_ids.APPROVE)
    person.wait_for("dm", "@carol", button=action_ids.NUDGE)
    clicks(timed, second, card, action_ids.ON_IT)
    assert timed.request(person).reviewer == second.id
    clicks(timed, second, card, action_ids.ON_IT)
    assert timed.request(person).reviewer == ""
    clicks(timed, timed.carol, card, action_ids.ON_IT)
    timed.pass_time(minutes=14)
    assert timed.request(person).reviewer == "U0CAROL"
    timed.pass_time(minutes=1)
    assert (timed.request(person).reviewer, timed.request(person).status) == ("", "pending")
    clicks(timed, timed.carol, card, action_ids.ON_IT)

    clicks(timed, second, card, action_ids.APPROVE)

    timed.revealable(person)
    until(
        timed, lambda: (now := timed.card(person)) and "@carol" not in now.words, "no claim is left"
    )


def test_approvers_are_reminded_until_the_decision(timed: World) -> None:
    """After each third of the time, in the card's thread.

    The older one points to the newer.
    """
    person = timed.engineer()
    card = timed.asks(person)
    timed.pass_time(hours=23)
    assert thread(timed, card) == []
    timed.pass_time(hours=1)
    until(timed, lambda: len(thread(timed, card)) == 1, "the first reminder")

    timed.pass_time(hours=24)

    until(timed, lambda: len(thread(timed, card)) == 2, "the second reminder")
    until(timed, lambda: "@key-approvers" not in thread(timed, card)[0], "the first is outdated")
    assert thread(timed, card)[1].count("@key-approvers") == 1
    timed.denies(card)
    until(
        timed,
        lambda: "@key-approvers" not in "".join(thread(timed, card)),
        "both say it is decided",
    )
    timed.pass_time(hours=30)
    assert len(thread(timed, card)) == 2


def test_a_requester_nudges_once_an_hour(timed: World) -> None:
    person, other = timed.engineer(), timed.engineer()
    card = timed.asks(person)
    asked = person.wait_for("dm", button=action_ids.NUDGE)
    other.post_action(card, action_ids.NUDGE, timed.request(person).id)
    refused(timed, other, Code.NOT_THE_REQUESTER)

    clicks(timed, person, asked, action_ids.NUDGE)
    until(timed, lambda: len(thread(timed, card)) == 1, "it stands in the card's thread")
    [line] = thread(timed, card)
    assert named(person) in line and "@key-approvers" in line
    clicks(timed, person, asked, action_ids.NUDGE, Code.NUDGED_RECENTLY)
    assert len(thread(timed, card)) == 1

    timed.pass_time(hours=1)
    clicks(timed, person, asked, action_ids.NUDGE)
    until(timed, lambda: len(thread(timed, card)) == 2, "a second nudge")
    timed.denies(card)
    clicks(timed, person, asked, action_ids.NUDGE, Code.REQUEST_MOVED_ON)
    assert len(thread(timed, card)) == 2


def test_an_undecided_request_expires_once(timed: World) -> None:
    person = timed.engineer()
    card = timed.asks(person)
    asked = person.wait_for("dm", button=action_ids.CANCEL)
    timed.pass_time(hours=71)
    assert timed.request(person).status == "pending"

    timed.pass_time(hours=2)

    expired(timed, person)
    clicks(timed, timed.carol, card, action_ids.APPROVE, Code.REQUEST_MOVED_ON)
    clicks(timed, person, asked, action_ids.CANCEL, Code.REQUEST_MOVED_ON)
    timed.settle()
    request, posts = timed.request(person), len(timed.slack.calls("chat.postMessage"))
    for _ in range(3):
        timed.pass_time(hours=1)
    assert timed.request(person) == request and not timed.changes(person)
    assert len(timed.slack.calls("chat.postMessage")) == posts
    timed.asks(person, "another")


def test_an_approval_waits_three_days_for_the_requester(timed: World) -> None:
    """A user who was away at the approval finds it later. No key has waited for them."""
    person = timed.engineer()
    card = timed.asks(person)
    timed.pass_time(hours=70)
    person.go_away()
    timed.carol.click(card, action_ids.APPROVE)
    message = timed.revealable(person)
    timed.pass_time(hours=71)
    person.come_back()
    assert timed.request(person).status == "approved", "its time began with the approval"
    assert not timed.changes(person)
    key = timed.reveals(person)
    assert [one.key_id for one in shown_keys(person)] == [key.key_id]
    clicks(timed, person, timed.receipt(person, key), action_ids.DID_NOT_GET)
    timed.revealable(person)

    timed.pass_time(hours=73)

    expired(timed, person)
    clicks(timed, person, message, action_ids.REVEAL, Code.REQUEST_MOVED_ON)
    assert timed.keys(person) == {}


def test_an_overdue_request_is_refused_before_it_expires(timed: World) -> None:
    one, other = timed.engineer(), timed.engineer()
    card, message = timed.asks(one), timed.approved(other)
    assert timed.clock
    timed.clock.move(hours=73)

    clicks(timed, timed.carol, card, action_ids.APPROVE, Code.REQUEST_MOVED_ON)
    clicks(timed, other, message, action_ids.REVEAL, Code.REQUEST_MOVED_ON)

    expired(timed, one)
    expired(timed, other)
    assert not timed.changes(one) and not timed.changes(other)


def test_a_wrong_clock_delivers_and_expires_nothing(timed: World) -> None:
    person, waiting = timed.engineer(), timed.engineer()
    message = timed.approved(person)
    timed.asks(waiting)
    assert timed.clock
    timed.clock.ahead = timedelta(seconds=6)

    clicks(timed, person, message, action_ids.REVEAL, Code.CLOCK_SKEWED)
    timed.pass_time(hours=73)

    assert timed.request(person).status == "approved"
    assert timed.request(waiting).status == "pending"
    assert not timed.changes(person)

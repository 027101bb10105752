"""Waiting: who is looking, reminders in the card's thread, the requester's nudge; each seen by whom it concerns."""

from __future__ import annotations

from bot.domain.errors import NotAllowed, WrongState
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.key_life import until
from tests.support.running_world import World, form_opens, handle


def card_of(world: World, person: LocalPerson) -> SeenMessage:
    card = world.card(person)
    assert card
    return card


def thread(world: World, card: SeenMessage) -> list[str]:
    """What stands in the card's thread, oldest first."""
    return [one.words for one in world.carol.messages("key-approvals") if one.thread_ts == card.ts]


def test_a_review_is_shown_and_reserves_nothing(
    world: World,
) -> None:
    person, [second] = world.engineer(), world.approvers(1)
    card = world.asks(person)

    world.carol.click(card, action_ids.ON_IT)

    world.answered(world.carol)
    second.wait_for("key-approvals", "@carol", button=action_ids.APPROVE)
    person.wait_for("dm", "@carol", button=action_ids.NUDGE)
    second.click(card, action_ids.APPROVE)
    world.revealable(person)
    until(
        world,
        lambda: (now := world.card(person)) and "@carol" not in now.words,
        "nobody is said to look at it any more",
    )


def test_it_is_taken_over_and_taken_back(world: World) -> None:
    person, [second] = world.engineer(), world.approvers(1)
    card = world.asks(person)
    world.carol.click(card, action_ids.ON_IT)
    until(world, lambda: world.request(person).reviewer == "U0CAROL", "she looks at it")

    second.click(card, action_ids.ON_IT)
    until(world, lambda: world.request(person).reviewer == second.id, "it is taken over")
    second.click(card, action_ids.ON_IT)

    world.answered(second)
    until(world, lambda: not world.request(person).reviewer, "nobody looks at it")
    assert world.request(person).status == "pending"


def test_the_requester_is_not_on_it(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    before = world.request(person)

    person.click(card, action_ids.ON_IT)

    world.answered(person, NotAllowed)
    assert world.request(person) == before and before.reviewer == ""


def test_it_can_be_said_and_is_seen_on_the_home_tab(world: World) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    world.asks(person, "home reason")
    approver.open_home()
    approver.wait_for_home("home reason")
    oldest = world.store.pending(1)[0]

    approver.click_in_home(action_ids.ON_IT)

    approver.wait_for_home(f"@{handle(approver)}")
    found = world.store.request(oldest.id)
    assert found and found.reviewer == approver.id


def test_a_denial_from_the_home_tab_asks_why_too(world: World) -> None:
    person, [approver] = world.engineer(), world.approvers(1)
    world.asks(person, "home denial")
    approver.open_home()
    approver.wait_for_home("home denial")
    oldest = world.store.pending(1)[0]

    approver.click_in_home(action_ids.DENY)
    form_opens(approver, action_ids.DENY_FORM)
    approver.submit({"reason": "no longer needed"})

    denied = until(
        world,
        lambda: (now := world.store.request(oldest.id)) and now.status == "denied" and now or None,
        "it is denied",
    )
    assert denied.denial_reason == "no longer needed"


def test_it_ends_after_a_quarter_of_an_hour(timed: World) -> None:
    person = timed.engineer()
    timed.carol.click(timed.asks(person), action_ids.ON_IT)
    until(timed, lambda: timed.request(person).reviewer == "U0CAROL", "she looks at it")

    timed.pass_time(minutes=14)
    assert timed.request(person).reviewer == "U0CAROL"
    timed.pass_time(minutes=1)

    until(timed, lambda: not timed.request(person).reviewer, "it has ended")
    assert timed.request(person).reviewer == ""


def test_approvers_are_reminded_at_one_and_two_thirds(
    timed: World,
) -> None:
    person = timed.engineer()
    card = timed.asks(person)
    timed.pass_time(hours=23)
    assert thread(timed, card) == []

    timed.pass_time(hours=1)
    until(timed, lambda: len(thread(timed, card)) == 1, "the first reminder")
    timed.pass_time(hours=24)

    until(timed, lambda: len(thread(timed, card)) == 2, "the second reminder")
    until(
        timed,
        lambda: "@key-approvers" not in thread(timed, card)[0],
        "the first says that there is a newer one",
    )
    last = thread(timed, card)[1]
    assert last.count("@key-approvers") == 1
    timed.pass_time(hours=1)
    assert len(thread(timed, card)) == 2


def test_a_decided_request_is_not_reminded_of(
    timed: World,
) -> None:
    person = timed.engineer()
    card = timed.asks(person)
    timed.pass_time(hours=25)
    until(timed, lambda: len(thread(timed, card)) == 1, "the first reminder")

    timed.denies(card)

    until(
        timed,
        lambda: "@key-approvers" not in "".join(thread(timed, card)),
        "the reminder says it is decided",
    )
    timed.pass_time(hours=30)
    assert len(thread(timed, card)) == 1


def test_after_a_long_silence_of_the_desk_one_reminder_is_posted(timed: World) -> None:
    person = timed.engineer()
    card = timed.asks(person)

    timed.pass_time(hours=60)

    until(timed, lambda: len(thread(timed, card)) == 1, "the newest reminder")
    timed.sweep()
    assert timed.request(person).reminders == ("2",) and len(thread(timed, card)) == 1


def test_a_failed_reminder_is_posted_later(
    timed: World,
) -> None:
    one, other = timed.engineer(), timed.engineer()
    card, decided = timed.asks(one), timed.asks(other)
    timed.slack.faults.status("chat.postMessage", 500, times=50)
    timed.pass_time(hours=25)
    until(timed, lambda: timed.request(other).reminders == ("1",), "it is recorded")
    timed.carol.click(decided, action_ids.APPROVE)
    timed.reaches(other, "approved")
    timed.slack.faults.clear()

    timed.pass_time(minutes=5)

    until(timed, lambda: len(thread(timed, card)) == 1, "it is posted")
    timed.revealable(other)
    assert thread(timed, decided) == []


def test_a_requester_nudges_once_an_hour(timed: World) -> None:
    person = timed.engineer()
    card = timed.asks(person)
    asked = person.wait_for("dm", button=action_ids.NUDGE)

    person.click(asked, action_ids.NUDGE)
    timed.answered(person)
    until(timed, lambda: len(thread(timed, card)) == 1, "it stands in the card's thread")
    [line] = thread(timed, card)
    assert f"@{handle(person)}" in line and "@key-approvers" in line
    person.wait_for("dm", button=action_ids.NUDGE)

    person.click(asked, action_ids.NUDGE)
    timed.answered(person, NotAllowed)
    assert len(thread(timed, card)) == 1

    timed.pass_time(hours=1)
    person.click(asked, action_ids.NUDGE)
    until(timed, lambda: len(thread(timed, card)) == 2, "a second nudge")
    until(
        timed,
        lambda: "@key-approvers" not in thread(timed, card)[0],
        "the first says that there is a newer one",
    )


def test_only_the_requester_nudges_a_pending_request(
    world: World,
) -> None:
    person, other = world.engineer(), world.engineer()
    card = world.asks(person)
    asked, before = person.wait_for("dm", button=action_ids.NUDGE), world.request(person)

    other.post_action(card, "nudge", before.id)
    world.answered(other, NotAllowed)
    assert world.request(person) == before
    world.denies(card)
    person.click(asked, action_ids.NUDGE)

    world.answered(person, WrongState)
    assert thread(world, card) == []

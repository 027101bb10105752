"""Time passes: requests lapse, approvals wait for people who are away, and a wrong clock hands over nothing."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.errors import ClockSkewed, WrongState
from bot.slack import action_ids
from bot.slack.messages.kinds import EXPIRED
from sandbox.local_person import LocalPerson
from tests.support.running_world import World, ephemerals, iam_name


def test_an_undecided_request_expires(timed: World) -> None:
    person = timed.engineer()
    card = timed.asks(person)
    asked = person.wait_for("dm", button=action_ids.CANCEL)
    timed.pass_time(hours=71)
    assert timed.request(person).status == "pending"

    timed.pass_time(hours=2)

    _expired(timed, person)
    timed.carol.click(card, action_ids.APPROVE)
    timed.answered(timed.carol, WrongState)
    person.click(asked, action_ids.CANCEL)
    timed.answered(person, WrongState)
    assert not timed.changes(person)
    timed.asks(person, "another")


def test_an_unused_approval_expires(timed: World) -> None:
    person = timed.engineer()
    card = timed.asks(person)
    timed.pass_time(hours=70)
    timed.carol.click(card, action_ids.APPROVE)
    message = timed.revealable(person)
    timed.pass_time(hours=71)
    assert timed.request(person).status == "approved", "its time began with the approval"

    timed.pass_time(hours=2)

    _expired(timed, person)
    assert "@carol" in (card.words if (card := timed.card(person)) else "")
    person.click(message, action_ids.REVEAL)
    timed.answered(person, WrongState)
    assert not timed.changes(person)


def test_an_expired_request_is_refused_before_the_scheduler_runs(timed: World) -> None:
    one, other = timed.engineer(), timed.engineer()
    card, message = timed.asks(one), timed.approved(other)
    assert timed.clock
    timed.clock.move(hours=73)

    timed.carol.click(card, action_ids.APPROVE)
    other.click(message, action_ids.REVEAL)

    timed.answered(timed.carol, WrongState)
    timed.answered(other, WrongState)
    _expired(timed, one)
    _expired(timed, other)
    assert not timed.changes(one) and not timed.changes(other)


def test_who_is_away_at_the_approval_reveals_the_next_day(timed: World) -> None:
    person = timed.engineer()
    card = timed.asks(person)
    person.go_away()
    timed.carol.click(card, action_ids.APPROVE)
    timed.reaches(person, "approved")

    timed.pass_time(hours=24)
    person.come_back()

    assert not timed.changes(person), "no key has waited for them"
    key = timed.reveals(person)
    assert timed.aws.call_as(key.key_id, key.secret).endswith(iam_name(person))
    timed.receipt(person, key)
    person.click(key.message, action_ids.SAVED)
    timed.reaches(person, "confirmed")


def test_a_wrong_clock_delivers_and_expires_nothing(
    timed: World,
) -> None:
    person, waiting = timed.engineer(), timed.engineer()
    message = timed.approved(person)
    timed.asks(waiting)
    assert timed.clock
    timed.clock.ahead = timedelta(seconds=6)

    person.click(message, action_ids.REVEAL)
    timed.answered(person, ClockSkewed)
    timed.pass_time(hours=71)
    timed.pass_time(hours=2)

    assert timed.request(person).status == "approved"
    assert timed.request(waiting).status == "pending"
    assert not timed.changes(person)


def test_sweeping_often_does_each_thing_once(timed: World) -> None:
    person = timed.engineer()
    timed.asks(person)
    timed.pass_time(hours=73)
    _expired(timed, person)
    # A call is counted a moment after its message is seen: once all is drawn.
    timed.slack.wait_until(
        lambda: not timed.store.unrendered(timed.time() + timedelta(days=1)), why="all is drawn"
    )
    version, posts = timed.request(person).version, len(timed.slack.calls("chat.postMessage"))

    for _ in range(3):
        timed.pass_time(hours=1)

    assert timed.request(person).version == version
    assert len(timed.slack.calls("chat.postMessage")) == posts


def _expired(world: World, person: LocalPerson) -> None:
    """It is stored, told in a message of its own, and no copy has a button any more."""
    world.reaches(person, "expired")
    world.message(person, world.request(person).name, EXPIRED)
    world.slack.wait_until(
        lambda: world.card(person) and not _buttons(world, person), why="no button is left"
    )


def _buttons(world: World, person: LocalPerson) -> bool:
    card = world.card(person)
    lasting = [one for one in person.messages("dm") if one not in ephemerals(person)]
    return any(one.buttons for one in lasting) or bool(card and card.buttons)

"""The receipt: a key whose person does not say that they have it is asked about, looked up, turned off, and deleted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.errors import NotYourKey, StaleKey, WrongState
from bot.slack import action_ids
from bot.slack.messages.kinds import REMINDER
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import HandedOver, World, handle


def unclaimed(world: World, person: LocalPerson) -> tuple[HandedOver, SeenMessage]:
    """A key that was handed over, never used and never confirmed; and the message about it."""
    key = world.delivered(person)
    world.pass_time(hours=12.1)
    person.wait_for("dm", key.key_id, action_ids.HAVE_IT)
    world.pass_time(hours=12)
    message = person.wait_for("dm", key.key_id, action_ids.REPLACE)
    return key, message


def test_at_half_time_the_person_is_reminded_once(timed: World) -> None:
    person = timed.engineer()
    key = timed.delivered(person)
    timed.pass_time(hours=11.9)
    assert person.last("dm", button=action_ids.HAVE_IT) == person.last(
        "dm", button=action_ids.HAVE_IT
    )

    timed.pass_time(hours=0.2)

    reminder = person.wait_for("dm", key.key_id, action_ids.HAVE_IT)
    assert timed.keys(person) == {key.key_id: "Active"}
    timed.pass_time(hours=1)
    kinds = [one.kind for one in timed.store.messages(timed.request(person).name)]
    assert sum(kind.startswith(REMINDER) for kind in kinds) == 1

    person.click(reminder, action_ids.HAVE_IT)

    timed.reaches(person, "confirmed")
    timed.slack.wait_until(lambda: not _lasting_buttons(person), why="no lasting button is left")
    timed.pass_time(hours=48)
    assert timed.keys(person) == {key.key_id: "Active"}


@pytest.mark.parametrize("hours", [12.1, 24.1], ids=["at half time", "at the end"])
def test_a_key_that_was_used_has_arrived(timed: World, hours: float) -> None:
    person = timed.engineer()
    key = timed.delivered(person)
    if hours > 24:
        timed.pass_time(hours=12.1)
        timed.message(person, timed.request(person).name, REMINDER)
        hours -= 12.1
    timed.aws.mark_used(key.key_id, datetime.now(UTC))

    timed.pass_time(hours=hours)

    timed.reaches(person, "confirmed")
    assert timed.keys(person) == {key.key_id: "Active"}
    timed.slack.wait_until(
        lambda: (card := timed.card(person)) and key.key_id in card.words, why="the card names it"
    )
    timed.slack.wait_until(lambda: not _lasting_buttons(person), why="no lasting button is left")


def test_an_unused_unconfirmed_key_becomes_inactive(timed: World) -> None:
    person = timed.engineer()

    key, message = unclaimed(timed, person)

    assert timed.keys(person) == {key.key_id: "Inactive"}
    assert timed.request(person).status == "unclaimed"
    assert [button.action_id for button in message.buttons] == [
        action_ids.ENABLE_UNCLAIMED,
        action_ids.REPLACE,
    ]


def test_i_have_it_enable_it_turns_the_key_on_again(timed: World) -> None:
    person = timed.engineer()
    key, message = unclaimed(timed, person)

    person.click(message, action_ids.ENABLE_UNCLAIMED)

    timed.answered(person)
    assert timed.keys(person) == {key.key_id: "Active"}
    assert timed.request(person).status == "confirmed"
    timed.pass_time(days=8)
    assert timed.keys(person) == {key.key_id: "Active"}
    assert timed.aws.call_as(key.key_id, key.secret)


def test_replace_it_brings_another_key_under_the_same_approval(timed: World) -> None:
    person = timed.engineer()
    key, message = unclaimed(timed, person)

    person.click(message, action_ids.REPLACE)

    timed.answered(person)
    assert timed.keys(person) == {}
    another = timed.reveals(person)
    assert timed.keys(person) == {another.key_id: "Active"}
    timed.receipt(person, another)
    person.click(message, action_ids.ENABLE_UNCLAIMED)
    timed.answered(person, StaleKey)
    assert timed.keys(person) == {another.key_id: "Active"}


def test_an_unclaimed_key_is_deleted_in_the_end(timed: World) -> None:
    person = timed.engineer()
    key, message = unclaimed(timed, person)
    timed.pass_time(days=6.9)
    assert timed.keys(person) == {key.key_id: "Inactive"}

    timed.pass_time(days=0.2)

    timed.reaches(person, "expired")
    assert timed.keys(person) == {}
    timed.reaches(person, "expired")
    timed.slack.wait_until(lambda: not _lasting_buttons(person), why="no lasting button is left")
    person.click(message, action_ids.ENABLE_UNCLAIMED)
    timed.answered(person, WrongState)
    timed.asks(person, "another")


def test_an_unclaimed_key_may_be_deleted_by_its_person(timed: World) -> None:
    person = timed.engineer()
    key, _ = unclaimed(timed, person)

    person.command(f"/key delete {key.key_id}")
    person.click(person.wait_for("general", button=action_ids.DELETE), action_ids.DELETE)

    assert timed.reaches(person, "expired").last_event == "owner_deleted"
    timed.slack.wait_until(lambda: timed.keys(person) == {}, why="the key is deleted")


def test_nobody_else_answers_for_a_key(timed: World) -> None:
    person, other = timed.engineer(), timed.engineer()
    key, _ = unclaimed(timed, person)
    card = timed.asks(other)

    for action_id in ("have_it", "did_not_get", "enable_unclaimed", "replace", "saved"):
        other.post_action(card, action_id, key.key_id)

    timed.slack.wait_until(
        lambda: sum(one.is_of(NotYourKey) for one in timed.answers.of(other.id)) == 5,
        why=f"{handle(other)} is refused five times",
    )
    assert timed.request(person).status == "unclaimed"
    assert timed.keys(person) == {key.key_id: "Inactive"}


def test_a_receipt_deadline_waits_for_aws(timed: World) -> None:
    person = timed.engineer()
    key = timed.delivered(person)
    timed.pass_time(hours=12.1)
    timed.message(person, timed.request(person).name, REMINDER)
    timed.aws.faults.down()

    timed.pass_time(hours=12)

    assert timed.request(person).status == "delivered"
    timed.aws.faults.down(False)
    timed.pass_time(hours=1)
    timed.reaches(person, "unclaimed")
    assert timed.keys(person) == {key.key_id: "Inactive"}


def _lasting_buttons(person: LocalPerson) -> bool:
    return any(one.buttons for one in person.messages("dm") if not one.ephemeral)

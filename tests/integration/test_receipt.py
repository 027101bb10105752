"""Journeys of a key without a receipt: reminded of, disabled, enabled, deleted."""

from __future__ import annotations

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.kinds import REMINDER
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.integration.steps import clicks, refused
from tests.support.key_life import until
from tests.support.running_world import World
from tests.support.seen_by_user import ShownKey


def unclaimed(world: World, person: LocalPerson) -> tuple[ShownKey, SeenMessage]:
    """Return a key that was shown but never confirmed, and the message about it."""
    key = world.delivered(person)
    world.pass_time(hours=12.1)
    person.wait_for("dm", key.key_id, action_ids.HAVE_IT)
    world.pass_time(hours=12)
    return key, person.wait_for("dm", key.key_id, action_ids.REPLACE)


def no_lasting_button(world: World, person: LocalPerson) -> None:
    """Wait until no lasting message to this user has a button."""
    until(
        world,
        lambda: not any(one.buttons for one in person.messages("dm") if not one.ephemeral),
        "no lasting button is left",
    )


def test_at_half_time_the_owner_is_reminded_once(timed: World) -> None:
    person = timed.engineer()
    key = timed.delivered(person)
    name = timed.request(person).name
    timed.pass_time(hours=11.9)
    assert timed.last_message(person, name, REMINDER) is None

    timed.pass_time(hours=0.2)

    reminder = timed.message(person, name, REMINDER)
    timed.pass_time(hours=1)
    kinds = [one.kind for one in timed.store.messages(name)]
    assert sum(kind.startswith(REMINDER) for kind in kinds) == 1
    clicks(timed, person, reminder, action_ids.HAVE_IT)
    assert timed.request(person).status == "confirmed"
    no_lasting_button(timed, person)
    timed.pass_time(hours=48)
    assert timed.keys(person) == {key.key_id: "Active"}


def test_a_used_key_counts_as_received(timed: World) -> None:
    """The deadline waits until AWS answers."""
    person = timed.engineer()
    key = timed.delivered(person)
    timed.pass_time(hours=12.1)
    timed.message(person, timed.request(person).name, REMINDER)
    timed.aws.call_as(key.key_id, key.secret)
    timed.aws.faults.down()
    timed.pass_time(hours=12)
    assert timed.request(person).status == "delivered"
    timed.aws.faults.down(False)

    timed.pass_time(hours=1)

    timed.reaches(person, "confirmed")
    assert timed.keys(person) == {key.key_id: "Active"}
    until(timed, lambda: (card := timed.card(person)) and key.key_id in card.words, "on the card")
    no_lasting_button(timed, person)


def test_an_unclaimed_key_is_enabled_by_its_button(timed: World) -> None:
    person = timed.engineer()
    key, message = unclaimed(timed, person)
    assert timed.keys(person) == {key.key_id: "Inactive"}
    assert timed.request(person).status == "unclaimed"
    buttons = [button.action_id for button in message.buttons]
    assert buttons == [action_ids.ENABLE_UNCLAIMED, action_ids.REPLACE]

    clicks(timed, person, message, action_ids.ENABLE_UNCLAIMED)

    assert timed.request(person).status == "confirmed"
    timed.pass_time(days=8)
    assert timed.keys(person) == {key.key_id: "Active"}
    assert timed.aws.call_as(key.key_id, key.secret)


def test_an_unclaimed_key_is_replaced_by_its_button(timed: World) -> None:
    person = timed.engineer()
    _, message = unclaimed(timed, person)

    clicks(timed, person, message, action_ids.REPLACE)

    assert timed.keys(person) == {}
    another = timed.reveals(person)
    timed.receipt(person, another)
    clicks(timed, person, message, action_ids.ENABLE_UNCLAIMED, Code.STALE_KEY)
    assert timed.keys(person) == {another.key_id: "Active"}


def test_an_unclaimed_key_is_deleted_after_a_week(timed: World) -> None:
    """Until then no one else can answer for it."""
    person, other = timed.engineer(), timed.engineer()
    key, message = unclaimed(timed, person)
    card = timed.asks(other)
    for button in (action_ids.ENABLE_UNCLAIMED, action_ids.REPLACE):
        other.post_action(card, button, key.key_id)
        refused(timed, other, Code.NOT_YOUR_KEY)
    timed.pass_time(days=6.9)
    assert timed.keys(person) == {key.key_id: "Inactive"}
    assert timed.request(person).status == "unclaimed"

    timed.pass_time(days=0.2)

    timed.reaches(person, "expired")
    assert timed.keys(person) == {}
    no_lasting_button(timed, person)
    clicks(timed, person, message, action_ids.ENABLE_UNCLAIMED, Code.REQUEST_MOVED_ON)
    timed.asks(person, "another")

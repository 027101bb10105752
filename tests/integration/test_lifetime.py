"""A key's life has an end: shown on the card, reminded of, kept though the key is in use, and mended by more time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.errors import NotAllowed
from bot.slack import action_ids
from bot.slack.messages.keys import DELETED, EXPIRED
from bot.slack.messages.text import duration_text, utc_text
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.key_life import approves, card_of, days_pass, given, record, told, types, until
from tests.support.running_world import World, form_opens, iam_name

Build = Callable[..., World]


def reminders(person: LocalPerson) -> list[SeenMessage]:
    """Return the reminders that a key expires, as the owner sees them now."""
    return [one for one in told(person, "") if one.has_button(action_ids.EXTEND)]


@pytest.mark.parametrize(
    ("typed", "lives"),
    [
        ("", timedelta(days=90)),
        ("--for 30d", timedelta(days=30)),
        ("--for 12h", timedelta(hours=12)),
        ("--for 2w", timedelta(days=14)),
        ("\u2014for 365d", timedelta(days=365)),
    ],
)
def test_a_key_lives_as_long_as_requested(timed: World, typed: str, lives: timedelta) -> None:
    person = timed.engineer()
    types(timed, person, f"/key create {typed} nightly backup")
    card = card_of(timed, person)
    assert duration_text(lives) in card.words
    timed.carol.click(card, action_ids.APPROVE)

    key = timed.reveals(person)

    kept = record(timed, key.key_id)
    assert kept.expires_at == kept.created_at + lives
    listed = types(timed, person, "/key list", names=key.key_id)
    assert utc_text(kept.expires_at) in listed.words


@pytest.mark.parametrize("typed", ["31d", "never", "5w"])
def test_a_lifetime_over_the_maximum_is_refused(build: Build, typed: str) -> None:
    world = build(KEY_TTL="7d", KEY_TTL_MAX="30d")
    person = world.engineer(keys=1)
    [old] = world.keys(person)

    for line in (f"/key create --for {typed} x", f"/key rotate {old} --for {typed}"):
        answer = types(world, person, line, NotAllowed)
        assert "--for 30d" in answer.words

    world.nothing_happened(person)


def test_where_the_setting_allows_it_a_key_lives_for_ever(build: Build) -> None:
    world = build(KEY_TTL_MAX="never")
    person = world.engineer()
    types(world, person, "/key create --for never nightly backup")
    approves(world, person)
    key = world.reveals(person)
    person.click(world.receipt(person, key), action_ids.HAVE_IT)
    world.reaches(person, "confirmed")

    for _ in range(3):
        world.pass_time(days=1000)

    assert world.keys(person) == {key.key_id: "Active"}
    assert not reminders(person)


def test_expiry_reminders_come_7_days_1_day_and_1_hour_before(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 30d")
    days_pass(timed, 22.9)
    assert not reminders(person)

    for number, hours in enumerate((24 * 0.2, 24 * 5.9 + 1, 23.2 - 1 + 0.5), 1):
        timed.pass_time(hours=hours)
        timed.sweep()
        until(timed, lambda number=number: len(reminders(person)) == number, f"reminder {number}")
        newest = reminders(person)[-1]
        assert [button.action_id for button in newest.buttons] == [
            action_ids.ROTATE,
            action_ids.EXTEND,
        ]
        assert key.key_id in newest.words
        timed.sweep()
    assert timed.keys(person) == {key.key_id: "Active"}
    assert len(reminders(person)) == 3


def test_a_short_life_has_only_the_reminders_that_fit_into_it(timed: World) -> None:
    person = timed.engineer()
    given(timed, person, "--for 12h")
    timed.pass_time(hours=10.9)
    assert not reminders(person)

    timed.pass_time(hours=0.2)

    until(timed, lambda: len(reminders(person)) == 1, "an hour before")


def test_a_key_in_use_expires_and_is_deleted_later(
    timed: World,
) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 10d")
    days_pass(timed, 9.99)
    assert timed.aws.call_as(key.key_id, key.secret)

    days_pass(timed, 0.1)

    assert timed.keys(person) == {key.key_id: "Inactive"}, "disabled, never deleted at once"
    ended = person.wait_for("dm", key.key_id, action_ids.ENABLE)
    assert "us-east-1" in ended.words
    until(
        timed,
        lambda: not any(one.has_button(action_ids.ROTATE) for one in told(person, key.key_id)),
        "reminders are over",
    )
    days_pass(timed, 5.8)
    assert timed.last_message(person, f"key:{key.key_id}", DELETED) is None
    days_pass(timed, 0.5)
    timed.message(person, f"key:{key.key_id}", DELETED)
    days_pass(timed, 1)
    assert timed.keys(person) == {}


def test_an_end_is_kept_though_redis_was_restarted_in_between(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 10d")
    assert timed.server
    days_pass(timed, 3.1)
    until(timed, lambda: len(reminders(person)) == 1, "reminded a week before")

    timed.settle()
    timed.server.stop()
    timed.pass_time(days=7)
    assert timed.keys(person) == {key.key_id: "Active"}, "without its memory the desk does nothing"
    timed.server.start()
    for _ in range(3):
        timed.sweep()

    until(timed, lambda: timed.keys(person) == {key.key_id: "Inactive"}, "its end is a promise")
    timed.message(person, f"key:{key.key_id}", EXPIRED)
    assert len(reminders(person)) <= 2


def test_an_end_is_kept_as_soon_as_aws_answers_again(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 10d")
    timed.aws.faults.down()
    days_pass(timed, 11)
    timed.aws.faults.down(False)

    timed.pass_time(hours=2)
    timed.sweep()

    until(
        timed, lambda: timed.keys(person) == {key.key_id: "Inactive"}, "turned off late, not never"
    )


def reminded(world: World, days: int = 30) -> tuple[str, SeenMessage]:
    person = world.engineer()
    given(world, person, f"--for {days}d")
    days_pass(world, days - 6.9)
    until(world, lambda: reminders(person), "reminded")
    return person.id, reminders(person)[-1]


def test_seven_more_days_are_asked_for_approved_and_lived(timed: World) -> None:
    person_id, reminder = reminded(timed)
    person = timed.slack.person(person_id)
    [key_id] = timed.keys(person)
    ends = record(timed, key_id).expires_at
    assert ends

    person.click(reminder, action_ids.EXTEND)

    timed.answered(person)
    assert record(timed, key_id).expires_at == ends, "asking gives nothing"
    approves(timed, person)
    timed.reaches(person, "confirmed")
    until(
        timed,
        lambda: record(timed, key_id).expires_at == ends + timedelta(days=7),
        "seven days more",
    )
    until(timed, lambda: not reminders(person), "the old reminder asks nothing any more")
    days_pass(timed, 7)
    assert timed.keys(person) == {key_id: "Active"}
    assert len(reminders(person)) >= 1, "it is reminded of anew"
    days_pass(timed, 7.5)
    assert timed.keys(person) == {key_id: "Inactive"}


def test_more_time_ends_at_the_longest_life(build: Build) -> None:
    world = build(KEY_TTL="30d", KEY_TTL_MAX="32d")
    person_id, reminder = reminded(world)
    person = world.slack.person(person_id)

    person.click(reminder, action_ids.EXTEND)

    world.answered(person, NotAllowed)
    assert world.request(person).verb == "create", "no other request is stored"


def test_rotate_in_the_reminder_chooses_its_key(timed: World) -> None:
    person_id, reminder = reminded(timed)
    person = timed.slack.person(person_id)
    [key_id] = timed.keys(person)

    person.click(reminder, action_ids.ROTATE)
    form_opens(person, action_ids.ROTATE_FORM)
    person.submit({})

    timed.answered(person)
    card_of(timed, person)


def test_an_ended_key_is_asked_for_back_and_then_lives_a_week(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 10d")
    days_pass(timed, 10.1)
    ended = person.wait_for("dm", key.key_id, action_ids.ENABLE)

    person.click(ended, action_ids.ENABLE)
    form_opens(person, action_ids.ENABLE_FORM)
    person.submit({"reason": "the nightly job still uses it"})

    timed.answered(person)
    approves(timed, person)
    timed.reaches(person, "confirmed")
    until(timed, lambda: timed.keys(person) == {key.key_id: "Active"}, "active again")
    assert timed.aws.call_as(key.key_id, key.secret).endswith(iam_name(person))
    days_pass(timed, 6)
    assert timed.keys(person) == {key.key_id: "Active"}
    days_pass(timed, 2)
    assert timed.keys(person) == {key.key_id: "Inactive"}

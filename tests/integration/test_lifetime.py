"""A key's life has an end: shown on the card, reminded of, kept though the key is in use, and mended by more time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from sandbox.seen import SeenMessage
from tests.support.key_life import approves, card_of, days_pass, given, record, told, types, until
from tests.support.running_world import World, iam_name

Build = Callable[..., World]
REMINDER = "It is turned off then, in use or not."


@pytest.mark.parametrize(
    ("typed", "observed", "lives"),
    [
        ("", "90 days", timedelta(days=90)),
        ("--for 30d", "30 days", timedelta(days=30)),
        ("--for 12h", "12 hours", timedelta(hours=12)),
        ("--for 2w", "14 days", timedelta(days=14)),
        ("\u2014for 365d", "365 days", timedelta(days=365)),
    ],
)
def test_the_card_shows_how_long_the_key_lives_and_so_long_it_lives(
    timed: World, typed: str, observed: str, lives: timedelta
) -> None:
    person = timed.engineer()
    types(timed, person, f"/key create {typed} nightly backup", "Asked.")
    assert f"New key  lives for {observed}" in card_of(timed, person, "for an access key").words
    timed.carol.click(card_of(timed, person, "for an access key"), "Approve")

    key = timed.reveals(person)

    kept = record(timed, key.key_id)
    assert kept.expires_at == kept.created_at + lives
    assert "ends" in types(timed, person, "/key list", key.key_id).words


@pytest.mark.parametrize(
    ("typed", "asked"), [("31d", "31 days"), ("never", "one without an end"), ("5w", "35 days")]
)
def test_longer_than_the_longest_is_refused_before_any_approver_is_bothered(
    build: Build, typed: str, asked: str
) -> None:
    world = build(KEY_TTL="7d", KEY_TTL_MAX="30d")
    person = world.engineer(keys=1)
    [old] = world.keys(person)

    for line in (f"/key create --for {typed} x", f"/key rotate {old} --for {typed}"):
        answer = types(
            world, person, line, f"A key may live 30 days here at most, and you asked for {asked}"
        )
        assert "--for 30d" in answer.words

    world.nothing_happened(person)


def test_where_the_setting_allows_it_a_key_lives_for_ever(build: Build) -> None:
    world = build(KEY_TTL_MAX="never")
    person = world.engineer()
    types(world, person, "/key create --for never nightly backup", "Asked.")
    assert "New key  lives for ever" in card_of(world, person, "for an access key").words
    approves(world, person, "for an access key")
    key = world.reveals(person)
    person.click(world.receipt(person, key), "I have it")
    world.reaches(person, "confirmed")

    for _ in range(3):
        world.pass_time(days=1000)

    assert world.keys(person) == {key.key_id: "Active"}
    assert not told(person, REMINDER)


def test_reminders_come_seven_days_a_day_and_an_hour_before_the_end(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 30d")
    days_pass(timed, 22.9)
    assert not told(person, REMINDER)

    for number, hours in enumerate((24 * 0.2, 24 * 5.9 + 1, 23.2 - 1 + 0.5), 1):
        timed.pass_time(hours=hours)
        timed.sweep()
        until(
            timed, lambda number=number: len(told(person, REMINDER)) == number, f"reminder {number}"
        )
        newest = told(person, REMINDER)[-1]
        assert [button.text for button in newest.buttons] == ["Rotate", "Ask for 7 more days"]
        assert f"Key {key.key_id} ends" in newest.words
        timed.sweep()
    assert timed.keys(person) == {key.key_id: "Active"}
    assert len(told(person, REMINDER)) == 3


def test_a_short_life_has_only_the_reminders_that_fit_into_it(timed: World) -> None:
    person = timed.engineer()
    given(timed, person, "--for 12h")
    timed.pass_time(hours=10.9)
    assert not told(person, REMINDER)

    timed.pass_time(hours=0.2)

    until(timed, lambda: len(told(person, REMINDER)) == 1, "an hour before")


def test_the_end_holds_even_for_a_key_in_use_which_is_disabled_and_deleted_later(
    timed: World,
) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 10d")
    days_pass(timed, 9.99)
    assert timed.aws.call_as(key.key_id, key.secret)

    days_pass(timed, 0.1)

    assert timed.keys(person) == {key.key_id: "Inactive"}, "disabled, never deleted at once"
    ended = person.wait_for(
        "dm", f"Key {key.key_id} has ended and is turned off", button="Ask to turn it on again"
    )
    assert "for sts in us-east-1" in ended.words and "It is deleted" in ended.words
    until(
        timed,
        lambda: not any(one.has_button("Rotate") for one in told(person, key.key_id)),
        "reminders are over",
    )
    days_pass(timed, 5.8)
    assert not told(person, f"The inactive key {key.key_id} is deleted")
    days_pass(timed, 0.5)
    person.wait_for(
        "dm", f"The inactive key {key.key_id} is deleted", button="Ask to turn it on again"
    )
    days_pass(timed, 1)
    assert timed.keys(person) == {}


def test_an_end_is_kept_though_redis_was_restarted_in_between(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 10d")
    assert timed.server
    days_pass(timed, 3.1)
    until(timed, lambda: len(told(person, REMINDER)) == 1, "reminded a week before")

    timed.settle()
    timed.server.stop()
    timed.pass_time(days=7)
    assert timed.keys(person) == {key.key_id: "Active"}, "without its memory the desk does nothing"
    timed.server.start()
    for _ in range(3):
        timed.sweep()

    until(timed, lambda: timed.keys(person) == {key.key_id: "Inactive"}, "its end is a promise")
    person.wait_for("dm", f"Key {key.key_id} has ended and is turned off")
    assert len(told(person, REMINDER)) <= 2


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
    until(world, lambda: told(person, REMINDER), "reminded")
    return person.id, told(person, REMINDER)[-1]


def test_seven_more_days_are_asked_for_approved_and_lived(timed: World) -> None:
    person_id, reminder = reminded(timed)
    person = timed.slack.person(person_id)
    [key_id] = timed.keys(person)
    ends = record(timed, key_id).expires_at
    assert ends

    person.click(reminder, "Ask for 7 more days")

    person.wait_for("dm", "Asked. Your request waits for an approver")
    assert record(timed, key_id).expires_at == ends, "asking gives nothing"
    approves(timed, person, f"for 7 more days for {key_id}")
    person.wait_for("dm", "lives 7 days longer")
    until(
        timed,
        lambda: record(timed, key_id).expires_at == ends + timedelta(days=7),
        "seven days more",
    )
    until(timed, lambda: not told(person, REMINDER), "the old reminder asks nothing any more")
    days_pass(timed, 7)
    assert timed.keys(person) == {key_id: "Active"}
    assert len(told(person, REMINDER)) >= 1, "it is reminded of anew"
    days_pass(timed, 7.5)
    assert timed.keys(person) == {key_id: "Inactive"}


def test_more_time_ends_at_the_longest_life(build: Build) -> None:
    world = build(KEY_TTL="30d", KEY_TTL_MAX="32d")
    person_id, reminder = reminded(world)
    person = world.slack.person(person_id)

    person.click(reminder, "Ask for 7 more days")

    person.wait_for("dm", "cannot live longer than 32 days")
    assert world.carol.last("key-approvals", "for 7 more days") is None


def test_rotate_in_the_reminder_opens_the_form_with_this_key_chosen(timed: World) -> None:
    person_id, reminder = reminded(timed)
    person = timed.slack.person(person_id)
    [key_id] = timed.keys(person)

    person.click(reminder, "Rotate")
    person.wait_for_modal("Which key is to be replaced?")
    person.submit({})

    person.wait_for_modal("Asked. Your request waits for an approver")
    card_of(timed, person, f"to rotate {key_id}")


def test_an_ended_key_is_asked_for_back_and_then_lives_a_week(timed: World) -> None:
    person = timed.engineer()
    key = given(timed, person, "--for 10d")
    days_pass(timed, 10.1)
    ended = person.wait_for("dm", f"Key {key.key_id} has ended", button="Ask to turn it on again")

    person.click(ended, "Ask to turn it on again")
    person.wait_for_modal("Why is it needed again?")
    person.submit({"reason": "the nightly job still uses it"})

    person.wait_for_modal("Asked.")
    approves(timed, person, f"to turn {key.key_id} on again")
    person.wait_for("dm", f"Key {key.key_id} is active again")
    until(timed, lambda: timed.keys(person) == {key.key_id: "Active"}, "active again")
    assert timed.aws.call_as(key.key_id, key.secret).endswith(iam_name(person))
    days_pass(timed, 6)
    assert timed.keys(person) == {key.key_id: "Active"}
    days_pass(timed, 2)
    assert timed.keys(person) == {key.key_id: "Inactive"}

"""Rotation, led by evidence: the old key goes once the new one is in use and it is quiet; nothing that works breaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import NotYourKey, WrongState
from bot.slack import action_ids
from bot.slack.messages.keys import DELETED, ROTATION, STILL_USED
from tests.support.key_life import (
    approves,
    arrives,
    card_of,
    days_pass,
    given,
    old_key,
    record,
    rotated,
    told,
    types,
    until,
)
from tests.support.running_world import World, handed_over, handle, iam_name

Build = Callable[..., World]


def test_a_rotation_is_revealed_like_a_key(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)

    types(timed, person, f"/key rotate {old} --for 30d it is too old")

    card = card_of(timed, person)
    for words in (
        "it is too old",
        old,
    ):
        assert words in card.words
    assert not timed.changes(person), "asking makes no key"
    timed.carol.click(card, action_ids.APPROVE)
    key = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}
    assert timed.changes(person) == ["CreateAccessKey"]
    assert record(timed, key.key_id).expires_at == record(timed, key.key_id).created_at + timedelta(
        days=30
    )


def test_the_old_keys_use_is_shown(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    new, message = rotated(timed, person, old)
    assert old in message.words and new.key_id in message.words, "side by side"

    assert timed.clock
    timed.clock.move(minutes=1)
    timed.aws.call_as(old, timed.aws.secrets[old])
    person.click(message, action_ids.CHECK)
    message = person.wait_for("dm", "us-east-1", action_ids.CHECK)

    timed.aws.call_as(new.key_id, new.secret)
    person.click(message, action_ids.CHECK)
    until(
        timed,
        lambda: (
            len(record(timed, new.key_id).snapshot) == 2
            and all(
                fact.last_used and fact.last_used.at for fact in record(timed, new.key_id).snapshot
            )
        ),
        "both uses are read",
    )
    person.wait_for("dm", button=action_ids.DISABLE_OLD)
    assert timed.keys(person)[old] == "Active"


def test_an_unused_old_key_is_disabled_and_undone(
    timed: World,
) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    timed.aws.mark_used(old, timed.time() - timedelta(hours=3), "s3", "eu-west-1")
    new, message = rotated(timed, person, old)
    assert timed.clock
    timed.clock.move(minutes=1)
    timed.aws.call_as(new.key_id, new.secret)
    person.click(message, action_ids.CHECK)
    message = person.wait_for("dm", "eu-west-1", action_ids.NOT_YET)
    dialog = next(
        button for button in message.buttons if button.action_id == action_ids.DISABLE_OLD
    ).confirm
    assert dialog and old in dialog["text"]["text"] and "eu-west-1" in dialog["text"]["text"]

    person.click(message, action_ids.DISABLE_OLD)

    off = person.wait_for("dm", old, action_ids.UNDO)
    assert timed.keys(person) == {old: "Inactive", new.key_id: "Active"}
    until(timed, lambda: not record(timed, new.key_id).replaces, "the rotation is over")
    person.click(off, action_ids.UNDO)
    timed.answered(person)
    until(timed, lambda: timed.keys(person)[old] == "Active", "the old key works again")
    assert timed.aws.call_as(old, timed.aws.secrets[old])
    person.click(off, action_ids.UNDO)
    timed.answered(person, WrongState, Code.NOTHING_TO_UNDO)
    days_pass(timed, 9)
    assert timed.keys(person) == {old: "Active", new.key_id: "Active"}, (
        "what was brought back stays"
    )


def test_not_yet_begins_the_grace_anew(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    new, message = rotated(timed, person, old)
    timed.pass_time(hours=20)

    person.click(message, action_ids.NOT_YET)

    timed.answered(person)
    timed.pass_time(hours=20)
    assert timed.keys(person)[old] == "Active", "though a day has passed since the receipt"
    timed.pass_time(hours=5)
    until(timed, lambda: timed.keys(person)[old] == "Inactive", "off after its grace")
    assert timed.keys(person)[new.key_id] == "Active"


def test_an_unused_old_key_is_disabled_then_deleted(
    timed: World,
) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    new, _ = rotated(timed, person, old)
    days_pass(timed, 0.9)
    assert timed.keys(person)[old] == "Active"

    days_pass(timed, 0.2)

    assert timed.keys(person) == {old: "Inactive", new.key_id: "Active"}
    person.wait_for("dm", old, action_ids.UNDO)
    days_pass(timed, 5.5)
    assert timed.last_message(person, f"key:{old}", DELETED) is None
    days_pass(timed, 1)
    notice = timed.message(person, f"key:{old}", DELETED)
    assert notice.has_button(action_ids.UNDO)
    assert timed.keys(person)[old] == "Inactive"
    days_pass(timed, 1)
    assert timed.keys(person) == {new.key_id: "Active"}
    until(timed, lambda: not any(one.buttons for one in told(person, old)), "no button is left")
    person.click(notice, action_ids.UNDO)
    timed.answered(person, WrongState, Code.NOTHING_TO_UNDO)


def test_an_old_key_in_use_stays_and_is_reported_daily(
    timed: World,
) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    new, _ = rotated(timed, person, old)

    for day in (1, 2, 3):
        _channel_is_told(timed, new.key_id, day > 3)
        timed.aws.mark_used(old, timed.time() + timedelta(hours=23), "dynamodb", "eu-west-1")
        days_pass(timed, 1.01)
        person.wait_for("dm", old, action_ids.NOT_YET)
        kinds = [one.kind for one in timed.store.messages(f"key:{new.key_id}")]
        assert sum(kind.startswith("used:") for kind in kinds) == day, "one a day"
    assert timed.keys(person)[old] == "Active"
    words = timed.message(person, f"key:{new.key_id}", "used").words
    assert "eu-west-1" in words
    channel = timed.message(timed.carol, f"key:{new.key_id}", STILL_USED)
    assert (
        old in channel.words
        and f"@{handle(person)}" in channel.words
        and new.key_id in channel.words
    )

    days_pass(timed, 1.01)
    assert timed.keys(person)[old] == "Active", "quiet for a day, which a daily job may be, too"
    days_pass(timed, 1.01)

    until(timed, lambda: timed.keys(person)[old] == "Inactive", "quiet, so it is turned off")
    off = person.wait_for("dm", old, action_ids.UNDO)
    person.click(off, action_ids.UNDO)
    until(timed, lambda: timed.keys(person)[old] == "Active", "brought back")
    assert timed.aws.call_as(old, timed.aws.secrets[old]), "and it works"


def _channel_is_told(world: World, new: str, yes: bool) -> None:
    found = world.last_message(world.carol, f"key:{new}", STILL_USED)
    assert (found is not None) is yes


def test_the_grace_begins_with_the_receipt_never_before(timed: World) -> None:
    """Not with the reveal; a key that nobody claims does not cost anybody the one they have."""
    person = timed.engineer()
    old = old_key(timed, person)
    types(timed, person, f"/key rotate {old}")
    approves(timed, person)
    key = timed.reveals(person)
    timed.receipt(person, key)

    days_pass(timed, 9)

    assert timed.keys(person) == {old: "Active"}, "unclaimed, and deleted; the old one stays"
    assert timed.last_message(person, f"key:{key.key_id}", ROTATION) is None


def test_the_first_use_of_the_new_key_is_a_receipt_too(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    types(timed, person, f"/key rotate {old}")
    approves(timed, person)
    key = timed.reveals(person)
    timed.receipt(person, key)
    timed.pass_time(minutes=1)
    timed.aws.call_as(key.key_id, key.secret)

    timed.pass_time(hours=12.1)

    assert timed.reaches(person, "confirmed").access_key_id == key.key_id
    person.wait_for("dm", key.key_id, action_ids.NOT_YET)


def test_a_rotation_that_was_not_got_withdraws_the_new_key_alone(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    types(timed, person, f"/key rotate {old}")
    approves(timed, person)
    key = timed.reveals(person)

    person.click(timed.receipt(person, key), action_ids.DID_NOT_GET)

    timed.answered(person)
    assert timed.keys(person) == {old: "Active"}
    another = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", another.key_id: "Active"}
    person.wait_for("dm", another.key_id, action_ids.CHECK)


def test_rotation_grace_is_a_setting(build: Build) -> None:
    world = build(ROTATION_GRACE="2h", DELETE_AFTER="3h")
    person = world.engineer()
    old = old_key(world, person)
    rotated(world, person, old)

    world.pass_time(hours=1.9)
    assert world.keys(person)[old] == "Active"
    world.pass_time(hours=0.2)
    until(world, lambda: world.keys(person)[old] == "Inactive", "off after two hours")
    world.sweep()  # its owner is told at once of a deletion that is less than a day away
    for _ in range(3):
        world.pass_time(hours=1.1)
    until(world, lambda: old not in world.keys(person), "and deleted three hours later")


@pytest.mark.parametrize("button", [action_ids.CHECK, action_ids.NOT_YET, action_ids.DISABLE_OLD])
def test_nobody_else_turns_off_the_old_key(timed: World, button: str) -> None:
    person, other = timed.engineer(), timed.engineer()
    old = old_key(timed, person)
    new, message = rotated(timed, person, old)
    action_id = button
    theirs = types(timed, other, "/key list")

    other.post_action(theirs, action_id, new.key_id)

    timed.answered(other, NotYourKey)
    assert timed.keys(person)[old] == "Active"


def test_rotating_a_key_that_the_desk_gave_works_alike(timed: World) -> None:
    person = timed.engineer()
    first = given(timed, person)
    second, _ = rotated(timed, person, first.key_id)

    days_pass(timed, 9.5)

    assert timed.keys(person) == {second.key_id: "Active"}
    assert handed_over(person) == []
    assert timed.aws.call_as(second.key_id, second.secret).endswith(iam_name(person))

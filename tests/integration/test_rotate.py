"""Rotation, led by evidence: the old key goes once the new one is in use and it is quiet; nothing that works breaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

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


def test_a_rotation_is_asked_for_approved_and_revealed_like_a_key(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)

    types(
        timed,
        person,
        f"/key rotate {old} --for 30d it is too old",
        "Asked. Your request waits for an approver",
    )

    card = card_of(timed, person, f"to rotate {old}")
    for words in (
        "it is too old",
        "New key  lives for 30 days",
        "95 days old",
        f"{old} stays until the new key is in use",
    ):
        assert words in card.words
    assert not timed.changes(person), "asking makes no key"
    timed.carol.click(card, "Approve")
    key = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}
    assert timed.changes(person) == ["CreateAccessKey"]
    assert record(timed, key.key_id).expires_at == record(timed, key.key_id).created_at + timedelta(
        days=30
    )


def test_while_the_old_key_is_in_use_turning_it_off_is_not_advised(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    new, message = rotated(timed, person, old)
    assert old in message.words and new.key_id in message.words, "side by side"
    assert "The new key has not been used yet" in message.words

    assert timed.clock
    timed.clock.move(minutes=1)
    timed.aws.call_as(old, timed.aws.secrets[old])
    person.click(message, "Check again")
    message = person.wait_for(
        "dm", "Do not turn the old key off yet: something still uses it", button="Check again"
    )
    assert "for sts in us-east-1" in message.words

    timed.aws.call_as(new.key_id, new.secret)
    person.click(message, "Check again")
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
    person.wait_for("dm", "Do not turn the old key off yet", button="Disable the old key")
    assert timed.keys(person)[old] == "Active"


def test_with_the_new_key_in_use_and_the_old_one_quiet_it_is_advised_done_and_undone(
    timed: World,
) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    timed.aws.mark_used(old, timed.time() - timedelta(hours=3), "s3", "eu-west-1")
    new, message = rotated(timed, person, old)
    assert timed.clock
    timed.clock.move(minutes=1)
    timed.aws.call_as(new.key_id, new.secret)
    person.click(message, "Check again")
    message = person.wait_for(
        "dm", "The new key is in use and the old one is quiet: it can go", button="Not yet"
    )
    assert "for s3 in eu-west-1" in message.words
    dialog = next(
        button for button in message.buttons if button.text == "Disable the old key"
    ).confirm
    assert (
        dialog and old in dialog["text"]["text"] and "for s3 in eu-west-1" in dialog["text"]["text"]
    )

    person.click(message, "Disable the old key")

    off = person.wait_for("dm", f"The old key {old} is turned off", button="Undo")
    assert timed.keys(person) == {old: "Inactive", new.key_id: "Active"}
    person.wait_for("dm", "Rotation finished")
    person.click(off, "Undo")
    person.wait_for("dm", f"{old} is active again")
    until(timed, lambda: timed.keys(person)[old] == "Active", "the old key works again")
    assert timed.aws.call_as(old, timed.aws.secrets[old])
    person.click(off, "Undo")
    person.wait_for("dm", "there is nothing to undo")
    days_pass(timed, 9)
    assert timed.keys(person) == {old: "Active", new.key_id: "Active"}, (
        "what was brought back stays"
    )


def test_not_yet_begins_the_grace_anew(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    new, message = rotated(timed, person, old)
    timed.pass_time(hours=20)

    person.click(message, "Not yet")

    person.wait_for("dm", f"Then {old} stays on for now")
    timed.pass_time(hours=20)
    assert timed.keys(person)[old] == "Active", "though a day has passed since the receipt"
    timed.pass_time(hours=5)
    until(timed, lambda: timed.keys(person)[old] == "Inactive", "off after its grace")
    assert timed.keys(person)[new.key_id] == "Active"


def test_a_quiet_old_key_is_turned_off_by_itself_and_deleted_later_with_a_notice_a_day_before(
    timed: World,
) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    new, _ = rotated(timed, person, old)
    days_pass(timed, 0.9)
    assert timed.keys(person)[old] == "Active"

    days_pass(timed, 0.2)

    assert timed.keys(person) == {old: "Inactive", new.key_id: "Active"}
    person.wait_for("dm", f"The old key {old} is turned off", button="Undo")
    days_pass(timed, 5.5)
    assert not told(person, f"The inactive key {old} is deleted")
    days_pass(timed, 1)
    notice = person.wait_for("dm", f"The inactive key {old} is deleted", button="Undo")
    assert timed.keys(person)[old] == "Inactive"
    days_pass(timed, 1)
    assert timed.keys(person) == {new.key_id: "Active"}
    until(timed, lambda: not any(one.buttons for one in told(person, old)), "no button is left")
    person.click(notice, "Undo")
    person.wait_for("dm", "there is nothing to undo")


def test_an_old_key_in_use_is_not_broken_its_owner_is_told_daily_and_after_three_days_the_channel(
    timed: World,
) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    new, _ = rotated(timed, person, old)

    for day in (1, 2, 3):
        _channel_is_told(timed, old, day > 3)
        timed.aws.mark_used(old, timed.time() + timedelta(hours=23), "dynamodb", "eu-west-1")
        days_pass(timed, 1.01)
        person.wait_for("dm", f"The old key {old} is still in use", button="Not yet")
        assert (
            len(told(person, "is still in use")) + len(told(person, "was found in use on day"))
            == day
        ), "one a day"
    assert timed.keys(person)[old] == "Active"
    words = told(person, f"The old key {old} is still in use")[-1].words
    assert "for dynamodb in eu-west-1" in words and "Do not turn the old key off yet" in words
    channel = timed.carol.wait_for("key-approvals", "The old key of a rotation is still in use")
    assert (
        old in channel.words
        and f"@{handle(person)}" in channel.words
        and new.key_id in channel.words
    )

    days_pass(timed, 1.01)
    assert timed.keys(person)[old] == "Active", "quiet for a day, which a daily job may be, too"
    days_pass(timed, 1.01)

    until(timed, lambda: timed.keys(person)[old] == "Inactive", "quiet, so it is turned off")
    off = person.wait_for("dm", f"The old key {old} is turned off", button="Undo")
    person.click(off, "Undo")
    until(timed, lambda: timed.keys(person)[old] == "Active", "brought back")
    assert timed.aws.call_as(old, timed.aws.secrets[old]), "and it works"


def _channel_is_told(world: World, old: str, yes: bool) -> None:
    found = [
        one
        for one in world.carol.messages("key-approvals")
        if "still in use" in one.words and old in one.words
    ]
    assert bool(found) is yes


def test_the_grace_begins_with_the_receipt_never_before(timed: World) -> None:
    """Not with the reveal; a key that nobody claims does not cost anybody the one they have."""
    person = timed.engineer()
    old = old_key(timed, person)
    types(timed, person, f"/key rotate {old}", "Asked.")
    approves(timed, person, f"to rotate {old}")
    key = timed.reveals(person)
    timed.receipt(person, key)

    days_pass(timed, 9)

    assert timed.keys(person) == {old: "Active"}, "unclaimed, and deleted; the old one stays"
    assert not told(person, "is in place")


def test_the_first_use_of_the_new_key_is_a_receipt_too(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    types(timed, person, f"/key rotate {old}", "Asked.")
    approves(timed, person, f"to rotate {old}")
    key = timed.reveals(person)
    timed.receipt(person, key)
    timed.pass_time(minutes=1)
    timed.aws.call_as(key.key_id, key.secret)

    timed.pass_time(hours=12.1)

    assert timed.reaches(person, "confirmed").access_key_id == key.key_id
    message = person.wait_for("dm", f"Your new key {key.key_id} is in place", button="Not yet")
    assert "The new key is in use and the old one is quiet: it can go" in message.words


def test_a_rotation_that_was_not_got_withdraws_the_new_key_alone(timed: World) -> None:
    person = timed.engineer()
    old = old_key(timed, person)
    types(timed, person, f"/key rotate {old}", "Asked.")
    approves(timed, person, f"to rotate {old}")
    key = timed.reveals(person)

    person.click(timed.receipt(person, key), "I did not get it")

    person.wait_for("dm", f"{key.key_id} is withdrawn. Reveal my key is back")
    assert timed.keys(person) == {old: "Active"}
    another = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", another.key_id: "Active"}
    person.wait_for("dm", f"Your new key {another.key_id} is in place", button="Check again")


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


@pytest.mark.parametrize("button", ["Check again", "Not yet", "Disable the old key"])
def test_nobody_else_turns_off_the_old_key(timed: World, button: str) -> None:
    person, other = timed.engineer(), timed.engineer()
    old = old_key(timed, person)
    new, message = rotated(timed, person, old)
    action_id = next(one.action_id for one in message.buttons if one.text == button)
    theirs = types(timed, other, "/key list", "You have no access keys")

    other.post_action(theirs, action_id, new.key_id)

    other.wait_for("general", "You have no access key with that ID")
    assert timed.keys(person)[old] == "Active"


def test_rotating_a_key_that_the_desk_gave_works_alike(timed: World) -> None:
    person = timed.engineer()
    first = given(timed, person)
    second, _ = rotated(timed, person, first.key_id)

    days_pass(timed, 9.5)

    assert timed.keys(person) == {second.key_id: "Active"}
    assert handed_over(person) == []
    assert timed.aws.call_as(second.key_id, second.secret).endswith(iam_name(person))

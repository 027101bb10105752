"""Journeys of a rotation: the old key is disabled once it is unused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.keys import DELETED, STILL_USED
from sandbox.local_person import LocalPerson
from tests.integration.steps import asks_for, clicks, named, refused, refuses
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
from tests.support.running_world import World
from tests.support.seen_by_user import ephemerals, shown_keys


def test_both_uses_are_shown_and_the_old_key_disabled(timed: World) -> None:
    """**Undo** brings it back, and it stays."""
    person, other = timed.engineer(), timed.engineer()
    old = old_key(timed, person)
    timed.aws.mark_used(old, timed.time() - timedelta(hours=3), "s3", "eu-west-1")
    types(timed, person, f"/key rotate {old} --for 30d it is too old")
    card = card_of(timed, person)
    assert "it is too old" in card.words and old in card.words
    assert not timed.changes(person), "a request makes no key"
    timed.carol.click(card, action_ids.APPROVE)
    new = arrives(timed, person)
    made = record(timed, new.key_id)
    assert made.expires_at == made.created_at + timedelta(days=30)
    assert timed.keys(person) == {old: "Active", new.key_id: "Active"}
    message = person.wait_for("dm", new.key_id, action_ids.CHECK)
    assert old in message.words, "side by side"

    assert timed.clock
    timed.clock.move(minutes=1)
    timed.aws.call_as(new.key_id, new.secret)
    clicks(timed, person, message, action_ids.CHECK)
    message = person.wait_for("dm", "eu-west-1", action_ids.DISABLE_OLD)
    dialog = asks_for(timed, person, message, action_ids.DISABLE_OLD)
    assert old in dialog and "eu-west-1" in dialog
    theirs = types(timed, other, "/key list")
    for button in (action_ids.CHECK, action_ids.NOT_YET, action_ids.DISABLE_OLD):
        other.post_action(theirs, button, new.key_id)
        refused(timed, other, Code.NOT_YOUR_KEY)
    assert timed.keys(person) == {old: "Active", new.key_id: "Active"}

    clicks(timed, person, message, action_ids.DISABLE_OLD)

    off = person.wait_for("dm", old, action_ids.UNDO)
    assert timed.keys(person) == {old: "Inactive", new.key_id: "Active"}
    until(timed, lambda: not record(timed, new.key_id).replaces, "the rotation is over")
    clicks(timed, person, off, action_ids.UNDO)
    until(timed, lambda: timed.keys(person)[old] == "Active", "the old key works again")
    assert timed.aws.call_as(old, timed.aws.secrets[old])
    clicks(timed, person, off, action_ids.UNDO, Code.NOTHING_TO_UNDO)
    days_pass(timed, 3)
    assert timed.keys(person) == {old: "Active", new.key_id: "Active"}, "it stays"


def test_an_unused_old_key_is_disabled_then_deleted(timed: World) -> None:
    """Also one that Keydesk gave. **Not yet** restarts the grace period of a day."""
    person = timed.engineer()
    old = given(timed, person).key_id
    new, message = rotated(timed, person, old)
    timed.pass_time(hours=20)
    clicks(timed, person, message, action_ids.NOT_YET)
    timed.pass_time(hours=20)
    assert timed.keys(person)[old] == "Active", "though a day has passed since the receipt"

    timed.pass_time(hours=5)

    off = person.wait_for("dm", old, action_ids.UNDO)
    assert timed.keys(person) == {old: "Inactive", new.key_id: "Active"}
    timed.pass_time(days=5.5)
    assert timed.last_message(person, f"key:{old}", DELETED) is None
    days_pass(timed, 1)
    assert timed.message(person, f"key:{old}", DELETED).has_button(action_ids.UNDO)
    assert timed.keys(person)[old] == "Inactive"
    days_pass(timed, 1)
    assert timed.keys(person) == {new.key_id: "Active"}
    until(timed, lambda: not any(one.buttons for one in told(person, old)), "no button is left")
    clicks(timed, person, off, action_ids.UNDO, Code.NOTHING_TO_UNDO)
    assert shown_keys(person) == []
    assert timed.aws.call_as(new.key_id, new.secret)


def test_an_old_key_in_use_stays_and_is_reported_daily(timed: World) -> None:
    """After three days the approvers are told, too."""
    person = timed.engineer()
    old = old_key(timed, person)
    new, _ = rotated(timed, person, old)
    name = f"key:{new.key_id}"

    for day in (1, 2, 3):
        assert timed.last_message(timed.carol, name, STILL_USED) is None
        timed.aws.mark_used(old, timed.time() + timedelta(hours=23), "dynamodb", "eu-west-1")
        days_pass(timed, 1.01)
        person.wait_for("dm", old, action_ids.NOT_YET)
        kinds = [one.kind for one in timed.store.messages(name)]
        assert sum(kind.startswith("used:") for kind in kinds) == day, "one a day"
    assert timed.keys(person)[old] == "Active"
    assert "eu-west-1" in timed.message(person, name, "used").words
    channel = timed.message(timed.carol, name, STILL_USED).words
    assert all(words in channel for words in (old, named(person), new.key_id))

    days_pass(timed, 1.01)
    assert timed.keys(person)[old] == "Active", "unused for a day, as a daily job may be"
    days_pass(timed, 1.01)
    until(timed, lambda: timed.keys(person)[old] == "Inactive", "unused, so it is disabled")


# -- with both of IAM's slots taken


def two_keys(world: World) -> tuple[LocalPerson, str, str]:
    """Return a user, their key to be replaced, which is in use, and another one."""
    person = world.engineer()
    old, other = old_key(world, person, 95), old_key(world, person, 40)
    world.aws.mark_used(old, world.time() - timedelta(hours=1), "s3", "eu-west-1")
    world.aws.mark_used(other, world.time() - timedelta(days=30), "ec2", "us-west-2")
    return person, old, other


def test_a_full_user_chooses_which_key_is_deleted_first(timed: World) -> None:
    """It is deleted at the reveal, not before."""
    person, old, other = two_keys(timed)
    words = refuses(timed, person, f"/key rotate {old}", Code.MUST_CHOOSE_KEY).words
    assert all(word in words for word in (old, "eu-west-1", other, "us-west-2"))
    timed.nothing_happened(person)
    types(timed, person, f"/key rotate {old} --delete {other} --for 2w")
    card = card_of(timed, person)
    assert all(word in card.words for word in (old, other, "us-west-2"))

    timed.carol.click(card, action_ids.APPROVE)

    assert "us-west-2" in asks_for(timed, person, timed.revealable(person), action_ids.REVEAL)
    assert set(timed.keys(person)) == {old, other} and not timed.changes(person)
    key = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}
    assert timed.changes(person) == ["DeleteAccessKey", "CreateAccessKey"]
    assert record(timed, other).desired == "deleted"
    person.wait_for("dm", key.key_id, action_ids.CHECK)


def approved(world: World) -> tuple[LocalPerson, str, str]:
    """Return a user with an approved rotation, the old key, and the key to be deleted."""
    person, old, other = two_keys(world)
    types(world, person, f"/key rotate {old} --delete {other}")
    approves(world, person)
    world.revealable(person)
    return person, old, other


def test_a_changed_key_to_delete_is_refused_once(timed: World) -> None:
    person, old, other = approved(timed)
    timed.aws.call_as(other, timed.aws.secrets[other])

    message = timed.revealable(person)
    clicks(timed, person, message, action_ids.REVEAL, Code.KEY_TO_DELETE_CHANGED)

    assert other in ephemerals(person)[-1].words and not shown_keys(person)
    assert set(timed.keys(person)) == {old, other} and not timed.changes(person)
    until(
        timed,
        lambda: "sts" in asks_for(timed, person, timed.revealable(person), action_ids.REVEAL),
        "the dialog shows the new use",
    )
    key = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}


@pytest.mark.parametrize(
    ("action", "code", "done"),
    [
        ("DeleteAccessKey", Code.OLD_KEY_NOT_DELETED, ["DeleteAccessKey"]),
        (
            "CreateAccessKey",
            Code.OLD_KEY_DELETED_NO_NEW_KEY,
            ["DeleteAccessKey", "CreateAccessKey"],
        ),
    ],
)
def test_a_failed_deletion_or_creation_can_be_retried(
    timed: World, action: str, code: Code, done: list[str]
) -> None:
    person, old, other = approved(timed)
    timed.aws.faults.fail(action, "AccessDenied")

    clicks(timed, person, timed.revealable(person), action_ids.REVEAL, code)

    assert timed.changes(person) == done
    assert timed.reaches(person, "approved").delete_first == other
    key = arrives(timed, person)
    assert timed.keys(person) == {old: "Active", key.key_id: "Active"}

"""Journeys of list, used, disable, enable, delete and requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from tests.integration.steps import (
    asks_for,
    clicks,
    named,
    refused,
    refuses,
    set_key,
    with_inactive,
)
from tests.support.key_life import NEVER_MADE, card_of, types, until
from tests.support.running_world import World
from tests.support.seen_by_user import form_opens
from tests.support.watched_person import iam_name


def lines(words: str) -> list[str]:
    """Return the lines that stand for one key or request each."""
    return [line for line in words.splitlines() if " · " in line]


# -- list and used


def test_the_list_shows_each_own_key_with_its_actions(world: World) -> None:
    person, other = world.engineer(keys=2), world.engineer(keys=1)
    assert not types(world, world.engineer(), "/key list").buttons
    old, new = sorted(world.keys(person))
    world.aws.backdate(old, datetime.now(UTC) - timedelta(days=90, minutes=1))
    world.aws.mark_used(old, datetime.now(UTC) - timedelta(days=2), "dynamodb", "eu-west-1")
    set_key(world, person, new)

    message = types(world, person, "/key list")

    assert message.ephemeral
    first, second = lines(message.words)
    assert old in first and "dynamodb" in first and "eu-west-1" in first
    assert new in second
    assert not any(key_id in message.words for key_id in world.keys(other))
    assert [(button.action_id, button.value) for button in message.buttons] == [
        (action_ids.ROTATE, old),
        (action_ids.DISABLE, old),
        (action_ids.ENABLE, new),
        (action_ids.DELETE, new),
    ]
    assert not world.changes(person)


def test_the_last_use_of_an_own_key_is_shown(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    at = datetime.now(UTC) - timedelta(days=3, hours=1)
    world.aws.mark_used(key_id, at, "dynamodb", "eu-west-1")

    words = types(world, person, f"/key used {key_id.lower()}").words

    assert f"{at.day} {at:%b %Y}" in words and "eu-west-1" in words
    assert not world.changes(person)


# -- disable


def test_a_key_is_disabled_by_its_button_after_a_dialog(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    message = types(world, person, "/key list")
    assert key_id in asks_for(world, person, message, action_ids.DISABLE)

    clicks(world, person, message, action_ids.DISABLE)

    assert world.keys(person) == {key_id: "Inactive"}
    until(
        world, lambda: not person.last("general", button=action_ids.DISABLE), "the list is replaced"
    )


def test_a_key_is_disabled_by_a_command_and_once(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    world.aws.mark_used(key_id, datetime.now(UTC) - timedelta(days=2), "s3", "eu-west-1")

    answer = types(world, person, f"/key disable \u201c{key_id.lower()}\u201d")
    types(world, person, f"/key disable {key_id}")

    assert "eu-west-1" in answer.words
    assert world.keys(person) == {key_id: "Inactive"}
    assert world.changes(person) == ["UpdateAccessKey"]
    assert world.card(person) is None, "no approval is needed"


@pytest.mark.parametrize("verb", ["disable", "delete", "enable", "used"])
def test_foreign_and_missing_keys_are_refused_alike(world: World, verb: str) -> None:
    person, (other, theirs) = world.engineer(keys=1), with_inactive(world)
    reason = " x" if verb == "enable" else ""

    answers = {
        refuses(world, person, f"/key {verb} {key_id}{reason}", Code.NOT_YOUR_KEY).words
        for key_id in (theirs, NEVER_MADE)
    }
    if verb in (action_ids.DISABLE, action_ids.DELETE):
        message = types(world, person, "/key list")
        for value in (theirs, NEVER_MADE, "../../x"):
            person.post_action(message, verb, value)
            refused(world, person, Code.NOT_YOUR_KEY)

    assert len(answers) == 1
    assert world.keys(other) == {theirs: "Inactive"}
    assert set(world.keys(person).values()) == {"Active"}
    world.nothing_happened(person)


# -- delete


def test_an_active_key_is_not_deleted(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)

    refuses(world, person, f"/key delete {key_id}", Code.KEY_IS_ACTIVE)
    person.post_action(types(world, person, "/key list"), action_ids.DELETE, key_id)
    refused(world, person, Code.KEY_IS_ACTIVE)

    assert world.keys(person) == {key_id: "Active"} and not world.changes(person)


def test_an_inactive_key_is_deleted_after_a_dialog(world: World) -> None:
    person = world.engineer(keys=2)
    key_id, other = sorted(world.keys(person))
    world.aws.mark_used(key_id, datetime.now(UTC) - timedelta(days=2), "s3", "eu-west-1")
    set_key(world, person, key_id)

    message = types(world, person, f"/key delete {key_id}")

    assert set(world.keys(person)) == {key_id, other}, "not before the dialog"
    dialog = asks_for(world, person, message, action_ids.DELETE)
    assert key_id in dialog and "eu-west-1" in dialog
    clicks(world, person, message, action_ids.DELETE)
    assert world.keys(person) == {other: "Active"}
    person.post_action(message, action_ids.DELETE, key_id)
    refused(world, person, Code.NOT_YOUR_KEY)


def test_deleting_an_unconfirmed_key_closes_its_request(world: World) -> None:
    """Disabling it does not, since the user may still say that the key arrived."""
    person = world.engineer()
    key = world.delivered(person)
    receipt = world.receipt(person, key)
    types(world, person, f"/key disable {key.key_id}")
    assert world.request(person).status == "delivered"

    question = types(world, person, f"/key delete {key.key_id}")
    clicks(world, person, question, action_ids.DELETE)

    assert world.reaches(person, "expired").access_key_id == key.key_id
    assert world.keys(person) == {}
    clicks(world, person, receipt, action_ids.HAVE_IT, Code.REQUEST_MOVED_ON)
    world.asks(person, "a new one")


# -- enable


def test_an_inactive_key_is_enabled_after_an_approval(world: World) -> None:
    person, key_id = with_inactive(world)

    types(world, person, f"/key enable {key_id} the nightly job still uses it")

    card = card_of(world, person)
    assert "the nightly job still uses it" in card.words and key_id in card.words
    assert world.keys(person) == {key_id: "Inactive"}
    clicks(world, world.carol, card, action_ids.APPROVE)
    assert world.reaches(person, "confirmed").verb == "enable"
    assert world.keys(person) == {key_id: "Active"}
    assert world.aws.call_as(key_id, world.aws.secrets[key_id])


def test_an_active_key_is_not_enabled(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    refuses(world, person, f"/key enable {key_id} x", Code.KEY_ALREADY_ACTIVE)
    world.nothing_happened(person)


# -- the keys of another user


def test_an_approver_disables_another_users_key(world: World) -> None:
    person, carol = world.engineer(keys=2), world.carol
    one, other = world.keys(person)
    world.aws.mark_used(one, datetime.now(UTC) - timedelta(days=2), "s3", "eu-west-1")
    set_key(world, person, other)

    answer = types(world, carol, f"/key list {named(person)}")

    assert "eu-west-1" in answer.words
    [button] = answer.buttons
    assert (button.action_id, button.value) == (action_ids.DISABLE_FOR, one)
    carol.click(answer, action_ids.DISABLE_FOR)
    form_opens(carol, action_ids.DISABLE_FOR_FORM)
    carol.submit({"reason": "   "})
    assert list(carol.field_errors) == ["reason"] and world.keys(person)[one] == "Active"
    carol.submit({"reason": "it is in a public <file> & more"})
    world.answered(carol)
    assert world.keys(person) == {one: "Inactive", other: "Inactive"}
    told = person.wait_for("dm", one, action_ids.ENABLE)
    assert "it is in a public <file> & more" in told.words

    person.click(told, action_ids.ENABLE)
    form_opens(person, action_ids.ENABLE_FORM)
    person.submit({"reason": "the file is gone", "key": one})
    world.answered(person)
    card_of(world, person)


def test_only_approvers_see_and_disable_others_keys(world: World) -> None:
    person, other = world.engineer(keys=1), world.engineer()
    [key_id] = world.keys(person)

    answer = refuses(world, other, f"/key list {named(person)}", Code.NOT_AN_APPROVER)
    other.post_action(answer, action_ids.DISABLE_FOR, key_id)
    refused(world, other, Code.NOT_AN_APPROVER)
    assert not any(key_id in one.words for one in other.messages("general"))
    assert world.keys(person) == {key_id: "Active"}
    nothing = world.engineer(iam=False)
    refuses(world, world.carol, f"/key list {named(nothing)}", Code.MEMBER_WITHOUT_USER)


# -- /key requests


def test_own_requests_are_listed_and_cancelled_there(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    assert not types(world, person, "/key requests").buttons
    world.asks(person)
    answer = types(world, person, "/key requests")
    clicks(world, person, answer, action_ids.CANCEL)
    world.reaches(person, "cancelled")
    types(world, person, f"/key rotate {key_id}")

    first, second = lines(types(world, person, "/key requests").words)

    assert key_id in first and "cancelled" not in first
    assert key_id not in second and "cancelled" in second


def test_approvers_see_also_what_waits_for_them(world: World) -> None:
    person = world.engineer()
    world.asks(person)
    words = types(world, world.carol, "/key requests").words
    assert any(line.startswith(f"{named(person)} ") for line in lines(words))
    assert iam_name(person) not in types(world, world.engineer(), "/key requests").words

"""Seeing and retiring one's own keys: the list, turning off, deleting; never a word about anybody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.errors import KeydeskError, KeyIsActive, NotYourKey, WrongState
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.key_life import types
from tests.support.running_world import World, ephemerals, iam_name

WITHIN = 45.0  # seconds; no test waits that long unless it fails
NEVER_MADE = "AKIAIOSFODNN7EXAMPLE"


def listed(person: LocalPerson) -> SeenMessage:
    known = {one.ts for one in person.messages("general")}
    person.command("/key list")

    def there() -> SeenMessage | None:
        newest = person.last("general")
        return newest if newest and newest.ts not in known else None

    return person.wait_until(there, why="the list")


def refused(world: World, person: LocalPerson, error: type[KeydeskError], times: int) -> bool:
    """Say whether the user was refused so often by this class."""
    return sum(one.is_of(error) for one in world.answers.of(person.id)) == times


def test_the_list_shows_each_key_with_its_actions(world: World) -> None:
    person = world.engineer(keys=2)
    old, new = sorted(world.keys(person))
    world.aws.backdate(old, datetime.now(UTC) - timedelta(days=90, minutes=1))
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(old, used, "dynamodb", "eu-west-1")
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=new, Status="Inactive")

    message = listed(person)

    assert message.ephemeral
    first, second = [line for line in message.words.splitlines() if " · " in line]
    assert old in first
    assert "dynamodb" in first and "eu-west-1" in first
    assert new in second
    assert [(button.action_id, button.value) for button in message.buttons] == [
        (action_ids.ROTATE, old),
        (action_ids.DISABLE, old),
        (action_ids.ENABLE, new),
        (action_ids.DELETE, new),
    ]
    assert not world.changes(person)


def test_without_keys_the_list_has_no_button(world: World) -> None:
    person = world.engineer()
    assert not types(world, person, "/key list").buttons


def test_the_list_asks_for_last_uses_in_parallel(
    world: World,
) -> None:
    person = world.engineer(keys=2)
    holds = [world.aws.faults.hold("GetAccessKeyLastUsed", nth=nth) for nth in (1, 2)]

    person.command("/key list")

    assert all(hold.reached.wait(WITHIN) for hold in holds), (
        "one is asked only after the other was answered"
    )
    asked = {call.parameters["AccessKeyId"] for call in world.aws.calls("GetAccessKeyLastUsed")}
    assert set(world.keys(person)) <= asked, "and not one of them twice"
    for hold in holds:
        hold.release()
    world.answered(person)
    lists = [
        call
        for call in world.aws.calls("ListAccessKeys")
        if call.parameters["UserName"] == iam_name(person)
    ]
    assert len(lists) == 1


def test_the_list_shows_nobody_elses_keys(world: World) -> None:
    person, other = world.engineer(keys=1), world.engineer(keys=1)

    words = listed(person).words

    assert next(iter(world.keys(other))) not in words


# -- turning off


def test_a_key_is_turned_off_by_its_button_after_a_dialog(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    message = listed(person)
    confirm = next(
        button for button in message.buttons if button.action_id == action_ids.DISABLE
    ).confirm
    assert confirm and key_id in confirm["text"]["text"]

    person.click(message, action_ids.DISABLE)

    world.answered(person)
    answer = ephemerals(person, "general")[-1]
    assert key_id in answer.words, "how to turn it on again"
    assert world.keys(person) == {key_id: "Inactive"}
    assert person.last("general", button=action_ids.DISABLE) is None, "the list is replaced"


def test_a_key_is_disabled_by_a_command(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(key_id, used, "s3", "eu-west-1")

    person.command(f"/key disable \u201c{key_id.lower()}\u201d")

    world.answered(person)
    answer = ephemerals(person, "general")[-1]
    assert "eu-west-1" in answer.words
    assert world.keys(person) == {key_id: "Inactive"}
    assert world.card(person) is None, "no approval is needed"


def test_turning_off_twice_is_well(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    person.command(f"/key disable {key_id}")
    world.answered(person)

    person.command(f"/key disable {key_id}")

    world.answered(person)
    assert world.keys(person) == {key_id: "Inactive"}
    assert world.changes(person) == ["UpdateAccessKey"]


def test_disabling_an_unconfirmed_key_keeps_its_request(
    world: World,
) -> None:
    person = world.engineer()
    key = world.delivered(person)

    person.command(f"/key disable {key.key_id}")

    world.answered(person)
    assert world.keys(person) == {key.key_id: "Inactive"}
    assert world.request(person).status == "delivered"


@pytest.mark.parametrize("verb", ["disable", "delete"])
def test_other_and_missing_keys_are_answered_alike(world: World, verb: str) -> None:
    person, other = world.engineer(keys=1), world.engineer(keys=1)
    [theirs], [mine] = world.keys(other), world.keys(person)
    if verb == "delete":
        world.iam.update_access_key(UserName=iam_name(other), AccessKeyId=theirs, Status="Inactive")
    before = world.keys(other)

    for key_id in (theirs, NEVER_MADE):
        person.command(f"/key {verb} {key_id}")
    world.slack.wait_until(lambda: refused(world, person, NotYourKey, 2), why="both are refused")
    message = listed(person)
    for value in (theirs, NEVER_MADE, "", "../../x", "x" * 2000):
        person.post_action(message, verb, value)
    world.slack.wait_until(lambda: refused(world, person, NotYourKey, 7), why="clicks, too")

    answers = {one.words for one in ephemerals(person, "general") if one.ts != message.ts}
    assert len(answers) == 1
    assert world.keys(other) == before and world.keys(person) == {mine: "Active"}
    assert not world.changes(person) and not world.changes(other)


# -- deleting


def test_an_active_key_is_not_deleted(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)

    person.command(f"/key delete {key_id}")
    world.answered(person, KeyIsActive)
    person.post_action(listed(person), "delete", key_id)
    world.slack.wait_until(
        lambda: refused(world, person, KeyIsActive, 2), why="refused by its button, too"
    )

    assert world.keys(person) == {key_id: "Active"}
    assert not world.changes(person)


def test_an_inactive_key_is_deleted_after_a_dialog(
    world: World,
) -> None:
    person = world.engineer(keys=2)
    key_id, other = sorted(world.keys(person))
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(key_id, used, "s3", "eu-west-1")
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=key_id, Status="Inactive")

    person.command(f"/key delete {key_id}")

    message = person.wait_for("general", button=action_ids.DELETE)
    assert key_id in message.words
    assert set(world.keys(person)) == {key_id, other}, "not before the dialog"
    [button] = message.buttons
    assert button.confirm
    dialog = button.confirm["text"]["text"]
    assert key_id in dialog and "eu-west-1" in dialog

    person.click(message, action_ids.DELETE)

    world.slack.wait_until(lambda: world.keys(person) == {other: "Active"}, why="it is deleted")
    person.post_action(message, "delete", key_id)
    world.answered(person, NotYourKey)


def test_deleting_an_unconfirmed_key_closes_its_request(world: World) -> None:
    person = world.engineer()
    key = world.delivered(person)
    receipt = world.receipt(person, key)
    person.command(f"/key disable {key.key_id}")
    world.answered(person)
    person.command(f"/key delete {key.key_id}")

    person.click(person.wait_for("general", button=action_ids.DELETE), action_ids.DELETE)

    world.answered(person)
    assert world.reaches(person, "expired").access_key_id == key.key_id
    assert world.keys(person) == {}
    person.click(receipt, action_ids.HAVE_IT)
    world.answered(person, WrongState)
    world.asks(person, "a new one")

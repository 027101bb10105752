"""Seeing and retiring one's own keys: the list, turning off, deleting; never a word about anybody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.local_person import LocalPerson
from sandbox.seen import SeenMessage
from tests.support.running_world import World, ephemerals, iam_name

WITHIN = 45.0  # seconds; no test waits that long unless it fails
NOT_YOURS = "You have no access key with that ID. /key list shows yours."
NEVER_MADE = "AKIAIOSFODNN7EXAMPLE"


def listed(person: LocalPerson) -> SeenMessage:
    person.command("/key list")
    return person.wait_for("general", "You have")


def says(person: LocalPerson, words: str, times: int = 1) -> bool:
    return sum(words in one.words for one in ephemerals(person, "general")) == times


def test_the_list_shows_id_status_age_and_last_use_with_an_action_each(world: World) -> None:
    person = world.engineer(keys=2)
    old, new = sorted(world.keys(person))
    world.aws.backdate(old, datetime.now(UTC) - timedelta(days=90, minutes=1))
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(old, used, "dynamodb", "eu-west-1")
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=new, Status="Inactive")

    message = listed(person)

    assert message.ephemeral
    first, second = [line for line in message.words.splitlines() if " · " in line]
    assert f"{old} · active · 90 days old · last used {used.day} {used:%b %Y}" in first
    assert first.endswith("for dynamodb in eu-west-1")
    assert second == f"{new} · inactive · made today · never used"
    assert [(button.text, button.value) for button in message.buttons] == [
        ("Rotate", old),
        ("Disable", old),
        ("Enable", new),
        ("Delete", new),
    ]
    assert not world.changes(person)


def test_without_keys_the_list_says_so(world: World) -> None:
    assert (
        "You have no access keys. /key create <reason> asks for one."
        in listed(world.engineer()).words
    )


def test_the_list_is_one_question_for_the_keys_and_those_for_their_last_use_side_by_side(
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
    person.wait_for("general", "You have 2 access keys")
    lists = [
        call
        for call in world.aws.calls("ListAccessKeys")
        if call.parameters["UserName"] == iam_name(person)
    ]
    assert len(lists) == 1


def test_the_list_shows_nobody_elses_keys(world: World) -> None:
    person, other = world.engineer(keys=1), world.engineer(keys=1)

    words = listed(person).words

    assert "You have 1 access key." in words
    assert next(iter(world.keys(other))) not in words


# -- turning off


def test_a_key_is_turned_off_by_its_button_after_a_dialog(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    message = listed(person)
    confirm = next(button for button in message.buttons if button.text == "Disable").confirm
    assert (
        confirm
        and key_id in confirm["text"]["text"]
        and "stops working at once" in confirm["text"]["text"]
    )

    person.click(message, "Disable")

    answer = person.wait_for("general", f"{key_id} is inactive.")
    assert "It was never used, so nothing should stop working" in answer.words
    assert f"/key enable {key_id} <reason>" in answer.words, "how to turn it on again"
    assert world.keys(person) == {key_id: "Inactive"}
    assert person.last("general", button="Disable") is None, "the list is replaced"


def test_a_key_is_turned_off_by_typing_and_what_stops_working_is_told(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(key_id, used, "s3", "eu-west-1")

    person.command(f"/key disable \u201c{key_id.lower()}\u201d")

    answer = person.wait_for("general", f"{key_id} is inactive.")
    assert (
        "Whatever used it stops working now" in answer.words
        and f"last used {used.day}" in answer.words
    )
    assert "for s3 in eu-west-1" in answer.words
    assert world.keys(person) == {key_id: "Inactive"}
    assert world.card(person) is None, "no approval is needed"


def test_turning_off_twice_is_well(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)
    person.command(f"/key disable {key_id}")
    person.wait_for("general", f"{key_id} is inactive.")

    person.command(f"/key disable {key_id}")

    person.wait_for("general", f"{key_id} is inactive already.")
    assert world.keys(person) == {key_id: "Inactive"}
    assert world.changes(person) == ["UpdateAccessKey"]


def test_turning_off_a_key_that_waits_for_its_receipt_leaves_the_request_to_its_person(
    world: World,
) -> None:
    person = world.engineer()
    key = world.delivered(person)

    person.command(f"/key disable {key.key_id}")

    person.wait_for("general", f"{key.key_id} is inactive.")
    assert world.keys(person) == {key.key_id: "Inactive"}
    assert world.request(person).status == "delivered"


@pytest.mark.parametrize("verb", ["disable", "delete"])
def test_a_key_of_somebody_else_and_one_that_does_not_exist_are_answered_word_for_word_alike(
    world: World, verb: str
) -> None:
    person, other = world.engineer(keys=1), world.engineer(keys=1)
    [theirs], [mine] = world.keys(other), world.keys(person)
    if verb == "delete":
        world.iam.update_access_key(UserName=iam_name(other), AccessKeyId=theirs, Status="Inactive")
    before = world.keys(other)

    for key_id in (theirs, NEVER_MADE):
        person.command(f"/key {verb} {key_id}")
    world.slack.wait_until(lambda: says(person, NOT_YOURS, 2), why="both are refused")
    message = listed(person)
    for value in (theirs, NEVER_MADE, "", "../../x", "x" * 2000):
        person.post_action(message, verb, value)
    world.slack.wait_until(lambda: says(person, NOT_YOURS, 7), why="clicks, too")

    answers = {one.words for one in ephemerals(person, "general") if "no access key" in one.words}
    assert answers == {NOT_YOURS}
    assert world.keys(other) == before and world.keys(person) == {mine: "Active"}
    assert not world.changes(person) and not world.changes(other)


# -- deleting


def test_an_active_key_is_not_deleted(world: World) -> None:
    person = world.engineer(keys=1)
    [key_id] = world.keys(person)

    person.command(f"/key delete {key_id}")
    person.wait_for(
        "general", f"{key_id} is still active. Turn it off first with /key disable {key_id}"
    )
    person.post_action(listed(person), "delete", key_id)
    world.slack.wait_until(
        lambda: says(person, f"{key_id} is still active", 2), why="refused by its button, too"
    )

    assert world.keys(person) == {key_id: "Active"}
    assert not world.changes(person)


def test_an_inactive_key_is_deleted_after_a_dialog_that_names_it_and_its_last_use(
    world: World,
) -> None:
    person = world.engineer(keys=2)
    key_id, other = sorted(world.keys(person))
    used = datetime.now(UTC) - timedelta(days=2)
    world.aws.mark_used(key_id, used, "s3", "eu-west-1")
    world.iam.update_access_key(UserName=iam_name(person), AccessKeyId=key_id, Status="Inactive")

    person.command(f"/key delete {key_id}")

    message = person.wait_for("general", "Delete this key for good?", button="Delete")
    assert key_id in message.words and f"last used {used.day}" in message.words
    assert set(world.keys(person)) == {key_id, other}, "not before the dialog"
    [button] = message.buttons
    assert button.confirm
    dialog = button.confirm["text"]["text"]
    assert (
        key_id in dialog
        and "for s3 in eu-west-1" in dialog
        and "It cannot be brought back" in dialog
    )

    person.click(message, "Delete")

    person.wait_for("general", f"{key_id} is deleted. There is room for a new key")
    assert world.keys(person) == {other: "Active"}
    person.post_action(message, "delete", key_id)
    person.wait_for("general", NOT_YOURS)


def test_deleting_a_key_that_waits_for_its_receipt_closes_its_request(world: World) -> None:
    person = world.engineer()
    key = world.delivered(person)
    receipt = world.receipt(person, key)
    person.command(f"/key disable {key.key_id}")
    person.wait_for("general", f"{key.key_id} is inactive.")
    person.command(f"/key delete {key.key_id}")

    person.click(person.wait_for("general", "Delete this key for good?", button="Delete"), "Delete")

    person.wait_for("general", f"{key.key_id} is deleted.")
    assert world.reaches(person, "expired").access_key_id == key.key_id
    assert world.keys(person) == {}
    world.carol.wait_for("key-approvals", "Closed: its owner deleted the key.")
    person.click(receipt, "I have it")
    person.wait_for("dm", "This request was already closed, its key deleted by")
    world.asks(person, "a new one")

"""Handing over: the key is made when its person clicks, shown once, and is withdrawn whenever that fails."""

from __future__ import annotations

from functools import partial

import pytest

from bot.slack.listeners.user_concurrency import MAX_CONCURRENT
from sandbox.local_person import LocalPerson
from tests.support.canary import leaks
from tests.support.running_world import (
    HandedOver,
    World,
    at_once,
    ephemerals,
    handed_over,
    handle,
    iam_name,
)

WITHIN = 45.0  # seconds; no test waits that long unless it fails


def test_a_person_asks_is_approved_reveals_and_saves_a_key_that_works(world: World) -> None:
    person = world.engineer()
    world.approved(person)

    key = world.reveals(person)

    for form in (
        f"[keydesk]\naws_access_key_id = {key.key_id}\naws_secret_access_key = {key.secret}",
        f"export AWS_ACCESS_KEY_ID={key.key_id}\nexport AWS_SECRET_ACCESS_KEY={key.secret}",
        f"aws configure --profile keydesk set aws_secret_access_key {key.secret}",
        "may take a minute to work",
    ):
        assert form in key.message.words
    assert world.aws.secrets[key.key_id] == key.secret
    assert world.aws.call_as(key.key_id, key.secret).endswith(f":user/{iam_name(person)}")
    lasting = world.receipt(person, key)
    assert not lasting.ephemeral
    assert [button.text for button in lasting.buttons] == ["I have it", "I did not get it"]
    assert key.secret not in lasting.words

    person.click(key.message, "I saved it")

    world.slack.wait_until(lambda: not handed_over(person), why="the ephemeral is removed")
    world.reaches(person, "confirmed")
    world.carol.wait_for("key-approvals", f"Key {key.key_id} arrived and was confirmed")
    assert world.keys(person) == {key.key_id: "Active"}
    assert world.changes(person) == ["CreateAccessKey"]


def test_the_secret_stands_in_its_ephemeral_message_and_nowhere_else(world: World) -> None:
    """The positive control of the canary: it knows the secret when it sees it."""
    person = world.engineer()
    key = world.delivered(person)

    assert key.secret in world.slack.ephemeral_text()
    calls = [
        call for call in world.slack.calls() if key.secret in repr(call.args) + repr(call.answer)
    ]
    assert [(call.method, call.args["channel"], call.args["user"]) for call in calls] == [
        ("chat.postEphemeral", person.dm, person.id)
    ]
    assert leaks(world) == []


def test_nothing_is_made_before_the_click_nor_by_anybody_elses(world: World) -> None:
    person, other = world.engineer(), world.engineer()
    message = world.approved(person)
    request = world.request(person)

    other.post_action(world.asks(other), "reveal", request.id)

    other.wait_for("key-approvals", "Only the person who asked can do that")
    assert not world.changes(person)
    assert world.request(person) == request
    assert message.ts == world.revealable(person).ts


def test_of_six_reveals_in_the_same_instant_one_makes_a_key_and_the_others_are_told(
    world: World,
) -> None:
    person = world.engineer()
    message = world.approved(person)

    clicks = at_once(
        *[partial(person.click, message, "Reveal my key") for _ in range(MAX_CONCURRENT)]
    )

    assert all(click.acked for click in clicks)
    world.slack.wait_until(
        lambda: len(ephemerals(person)) == MAX_CONCURRENT, why="each click is answered"
    )
    [key] = handed_over(person)
    told = [one.words for one in ephemerals(person) if one.ts != key.message.ts]
    assert all("being issued" in words or "already handed over" in words for words in told), told
    world.receipt(person, key)
    assert world.changes(person) == ["CreateAccessKey"]
    assert world.keys(person) == {key.key_id: "Active"}
    assert world.request(person).reveals == 1


def test_while_a_key_is_being_made_its_request_cannot_be_cancelled_or_revealed_again(
    world: World,
) -> None:
    person = world.engineer()
    message = world.approved(person)
    hold = world.aws.faults.hold("CreateAccessKey")
    person.click(message, "Reveal my key")
    assert hold.reached.wait(WITHIN)

    person.click(message, "Reveal my key")
    person.click(message, "Cancel request")
    world.slack.wait_until(
        lambda: [one.words for one in ephemerals(person) if "already being issued" in one.words][
            1:
        ],
        why="told twice",
    )

    hold.release()
    key = world.slack.wait_until(lambda: handed_over(person), why="the key is shown")[0]
    world.receipt(person, key)
    assert world.changes(person) == ["CreateAccessKey"]


# -- the ephemeral is lost


def test_a_lost_message_is_replaced_by_another_key_not_recovered(world: World) -> None:
    """Slack says ok though the person has closed Slack by then, and shows them nothing."""
    person = world.engineer()
    first = _lost(world, person)
    message = person.wait_for("dm", f"Key {first}", button="I did not get it")
    confirm = next(one.confirm for one in message.buttons if one.text == "I did not get it")
    assert (
        confirm
        and f"This withdraws the key {first}. You can then reveal another."
        in confirm["text"]["text"]
    )

    person.click(message, "I did not get it")

    person.wait_for("dm", f"{first} is withdrawn. Reveal my key is back in your newest message")
    world.revealable(person, "Reveals left: 2")
    assert world.keys(person) == {}
    second = world.reveals(person)
    assert second.key_id != first
    world.receipt(person, second)
    assert world.keys(person) == {second.key_id: "Active"}
    assert world.request(person).approvals[0].by == "U0CAROL", "the same approval"


def test_a_reload_loses_the_message(world: World) -> None:
    person = world.engineer()
    key = world.delivered(person)

    person.reload()

    assert handed_over(person) == []
    person.click(world.receipt(person, key), "I did not get it")
    another = world.reveals(person)
    assert world.keys(person) == {another.key_id: "Active"}


def test_a_request_has_three_reveals(world: World) -> None:
    person = world.engineer()
    world.approved(person)
    for left in (2, 1, 0):
        key = world.reveals(person)
        message = world.receipt(person, key)
        if left == 0:
            confirm = next(one.confirm for one in message.buttons if one.text == "I did not get it")
            assert confirm and "This was the last of three reveals" in confirm["text"]["text"]
        stale = world.request(person).id
        person.click(message, "I did not get it")
        person.wait_for("dm", f"{key.key_id} is withdrawn")

    world.reaches(person, "expired")
    person.wait_for("dm", "That was the last of three reveals")
    person.wait_for("dm", "Closed after the last reveal; the key is withdrawn.")
    assert person.last("dm", button="Reveal my key") is None
    person.post_action(message, "reveal", stale)
    person.wait_for("dm", "This request was already closed after its last reveal on")
    assert world.keys(person) == {}
    assert world.changes(person).count("CreateAccessKey") == 3
    world.asks(person, "another try")


@pytest.mark.parametrize("button", ["I have it", "I did not get it"])
def test_the_buttons_of_an_older_reveal_move_nothing(world: World, button: str) -> None:
    person = world.engineer()
    first = world.delivered(person)
    stale = world.receipt(person, first)
    person.click(stale, "I did not get it")
    second = world.reveals(person)
    world.receipt(person, second)
    before = world.request(person)

    person.click(stale, button)
    person.wait_for(
        "dm", f"{first.key_id} is not the key this request stands at any more; nothing was changed"
    )

    assert world.request(person) == before
    assert world.keys(person) == {second.key_id: "Active"}
    person.click(first.message, "I saved it")
    world.slack.wait_until(
        lambda: [one.key_id for one in handed_over(person)] == [second.key_id],
        why="the dead secret is removed",
    )
    assert world.request(person) == before


def test_i_have_it_ends_the_request_and_clicking_twice_is_well(world: World) -> None:
    person, other = world.engineer(), world.engineer()
    key = world.delivered(person)
    message = world.receipt(person, key)

    other.post_action(world.asks(other), "have_it", key.key_id)
    other.wait_for("key-approvals", "You have no access key with that ID")
    assert world.request(person).status == "delivered"

    for _ in range(2):
        person.click(message, "I have it")
    world.slack.wait_until(
        lambda: sum(f"Good. {key.key_id} is yours" in one.words for one in ephemerals(person)) == 2,
        why="answered",
    )
    assert world.request(person).status == "confirmed"
    person.click(message, "I did not get it")
    person.wait_for("dm", f"This request was already finished by @{handle(person)} on")
    assert world.keys(person) == {key.key_id: "Active"}


# -- Slack does not take it


@pytest.mark.parametrize("fault", ["refused", "500", "429", "cut before", "cut after"])
def test_when_slack_does_not_confirm_the_message_no_key_is_left_and_the_person_is_told(
    world: World, fault: str
) -> None:
    person = world.engineer()
    message, faults = world.approved(person), world.slack.faults
    match fault:
        case "refused":
            faults.fail("chat.postEphemeral", "user_not_in_channel")
        case "500" | "429":
            faults.status("chat.postEphemeral", int(fault))
        case _:
            faults.drop("chat.postEphemeral", "before" if fault == "cut before" else "after")

    person.click(message, "Reveal my key")

    told = person.wait_for("dm", "Slack did not confirm that it showed you the key")
    key_id = next(iter(world.request(person).deleted_keys))
    assert f"{key_id} is withdrawn and does not work, even if it stands above" in told.words
    assert world.keys(person) == {}
    assert [one.key_id for one in handed_over(person)] == ([key_id] if fault == "cut after" else [])
    world.revealable(person, "Reveals left: 3")  # only accepted ones count
    person.reload()
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}


def _lost(world: World, person: LocalPerson) -> str:
    """The person reveals, and closes Slack before the key is there. Returns its ID, once they are back."""
    message = world.approved(person)
    hold = world.aws.faults.hold("CreateAccessKey")
    person.click(message, "Reveal my key")
    assert hold.reached.wait(WITHIN)
    person.go_away()
    hold.release()
    world.reaches(person, "delivered")
    person.come_back()
    nothing: list[HandedOver] = handed_over(person)
    assert nothing == []
    return world.request(person).access_key_id

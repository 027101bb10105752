"""Handing over: the key is made when its person clicks, shown once, and is withdrawn whenever that fails."""

from __future__ import annotations

from functools import partial

import pytest

from bot.domain.codes import Code
from bot.domain.errors import DeliveryFailed, NotAllowed, NotYourKey, StaleKey, WrongState
from bot.slack import action_ids
from bot.slack.listeners.user_concurrency import MAX_CONCURRENT
from sandbox.local_person import LocalPerson
from tests.support.answers import Answer
from tests.support.canary import leaks
from tests.support.running_world import (
    HandedOver,
    World,
    at_once,
    ephemerals,
    handed_over,
    iam_name,
)

WITHIN = 45.0  # seconds; no test waits that long unless it fails


def test_a_revealed_key_works(world: World) -> None:
    person = world.engineer()
    world.approved(person)

    key = world.reveals(person)

    for form in (
        f"[keydesk]\naws_access_key_id = {key.key_id}\naws_secret_access_key = {key.secret}",
        f"export AWS_ACCESS_KEY_ID={key.key_id}\nexport AWS_SECRET_ACCESS_KEY={key.secret}",
        f"aws configure --profile keydesk set aws_secret_access_key {key.secret}",
    ):
        assert form in key.message.words
    assert world.aws.secrets[key.key_id] == key.secret
    assert world.aws.call_as(key.key_id, key.secret).endswith(f":user/{iam_name(person)}")
    lasting = world.receipt(person, key)
    assert not lasting.ephemeral
    assert [button.action_id for button in lasting.buttons] == [
        action_ids.HAVE_IT,
        action_ids.DID_NOT_GET,
    ]
    assert key.secret not in lasting.words

    person.click(key.message, action_ids.SAVED)

    world.slack.wait_until(lambda: not handed_over(person), why="the ephemeral is removed")
    world.reaches(person, "confirmed")
    world.slack.wait_until(
        lambda: (card := world.card(person)) and key.key_id in card.words, why="the card names it"
    )
    assert world.keys(person) == {key.key_id: "Active"}
    assert world.changes(person) == ["CreateAccessKey"]


def test_the_secret_is_in_its_ephemeral_message_alone(world: World) -> None:
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

    world.answered(other, NotAllowed)
    assert not world.changes(person)
    assert world.request(person) == request
    assert message.ts == world.revealable(person).ts


def test_of_six_reveals_at_once_one_makes_a_key(
    world: World,
) -> None:
    person = world.engineer()
    message = world.approved(person)

    clicks = at_once(
        *[partial(person.click, message, action_ids.REVEAL) for _ in range(MAX_CONCURRENT)]
    )

    assert all(click.acked for click in clicks)
    world.slack.wait_until(
        lambda: len(ephemerals(person)) == MAX_CONCURRENT, why="each click is answered"
    )
    [key] = handed_over(person)

    def reveals() -> list[Answer]:
        return [one for one in world.answers.of(person.id) if one.verb == action_ids.REVEAL]

    world.slack.wait_until(lambda: len(reveals()) == MAX_CONCURRENT, why="each is logged")
    assert sum(one.is_of(None) for one in reveals()) == 1
    refused = {one.code for one in reveals() if not one.is_of(None)}
    assert refused <= {Code.REVEAL_RUNNING, Code.REQUEST_MOVED_ON}, refused
    world.receipt(person, key)
    assert world.changes(person) == ["CreateAccessKey"]
    assert world.keys(person) == {key.key_id: "Active"}
    assert world.request(person).reveals == 1


def test_a_running_reveal_cannot_be_cancelled_or_repeated(
    world: World,
) -> None:
    person = world.engineer()
    message = world.approved(person)
    hold = world.aws.faults.hold("CreateAccessKey")
    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(WITHIN)

    person.click(message, action_ids.REVEAL)
    person.click(message, action_ids.CANCEL)
    world.slack.wait_until(
        lambda: sum(one.is_of(WrongState) for one in world.answers.of(person.id)) == 2,
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
    message = person.wait_for("dm", first, action_ids.DID_NOT_GET)
    confirm = next(
        one.confirm for one in message.buttons if one.action_id == action_ids.DID_NOT_GET
    )
    assert confirm and first in confirm["text"]["text"]

    person.click(message, action_ids.DID_NOT_GET)

    world.answered(person)
    world.revealable(person)
    assert world.request(person).reveals_left == 2
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
    person.click(world.receipt(person, key), action_ids.DID_NOT_GET)
    another = world.reveals(person)
    assert world.keys(person) == {another.key_id: "Active"}


def test_a_request_has_three_reveals(world: World) -> None:
    person = world.engineer()
    world.approved(person)
    for left in (2, 1, 0):
        key = world.reveals(person)
        message = world.receipt(person, key)
        if left == 0:
            confirm = next(
                one.confirm for one in message.buttons if one.action_id == action_ids.DID_NOT_GET
            )
            assert confirm
        stale = world.request(person).id
        person.click(message, action_ids.DID_NOT_GET)
        world.answered(person)

    world.reaches(person, "expired")
    world.slack.wait_until(
        lambda: person.last("dm", button=action_ids.REVEAL) is None, why="nothing can be revealed"
    )
    assert world.request(person).reveals_left == 0
    person.post_action(message, "reveal", stale)
    world.answered(person, WrongState)
    assert world.keys(person) == {}
    assert world.changes(person).count("CreateAccessKey") == 3
    world.asks(person, "another try")


@pytest.mark.parametrize("button", [action_ids.HAVE_IT, action_ids.DID_NOT_GET])
def test_the_buttons_of_an_older_reveal_move_nothing(world: World, button: str) -> None:
    person = world.engineer()
    first = world.delivered(person)
    stale = world.receipt(person, first)
    person.click(stale, action_ids.DID_NOT_GET)
    second = world.reveals(person)
    world.receipt(person, second)
    before = world.request(person)

    person.click(stale, button)
    world.answered(person, StaleKey)

    assert world.request(person) == before
    assert world.keys(person) == {second.key_id: "Active"}
    person.click(first.message, action_ids.SAVED)
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
    world.answered(other, NotYourKey)
    assert world.request(person).status == "delivered"

    for _ in range(2):
        person.click(message, action_ids.HAVE_IT)
    world.slack.wait_until(
        lambda: sum(one.verb == action_ids.HAVE_IT for one in world.answers.of(person.id)) == 2,
        why="answered",
    )
    assert world.request(person).status == "confirmed"
    person.click(message, action_ids.DID_NOT_GET)
    world.answered(person, WrongState)
    assert world.keys(person) == {key.key_id: "Active"}


# -- Slack does not take it


@pytest.mark.parametrize("fault", ["refused", "500", "429", "cut before", "cut after"])
def test_an_unconfirmed_message_leaves_no_key(world: World, fault: str) -> None:
    person = world.engineer()
    message, faults = world.approved(person), world.slack.faults
    match fault:
        case "refused":
            faults.fail("chat.postEphemeral", "user_not_in_channel")
        case "500" | "429":
            faults.status("chat.postEphemeral", int(fault))
        case _:
            faults.drop("chat.postEphemeral", "before" if fault == "cut before" else "after")

    person.click(message, action_ids.REVEAL)

    world.answered(person, DeliveryFailed, Code.KEY_DELETED_REVEAL_AGAIN)
    told = ephemerals(person)[-1]
    key_id = next(iter(world.request(person).deleted_keys))
    assert key_id in told.words
    assert world.keys(person) == {}
    assert [one.key_id for one in handed_over(person)] == ([key_id] if fault == "cut after" else [])
    world.revealable(person)
    assert world.request(person).reveals_left == 3, "only accepted ones count"
    person.reload()
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}


def _lost(world: World, person: LocalPerson) -> str:
    """The person reveals, and closes Slack before the key is there. Returns its ID, once they are back."""
    message = world.approved(person)
    hold = world.aws.faults.hold("CreateAccessKey")
    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(WITHIN)
    person.go_away()
    hold.release()
    world.reaches(person, "delivered")
    person.come_back()
    nothing: list[HandedOver] = handed_over(person)
    assert nothing == []
    return world.request(person).access_key_id

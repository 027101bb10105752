"""Journeys of a reveal: the key is created at the click and shown once."""

from __future__ import annotations

from functools import partial

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.listeners.user_concurrency import MAX_CONCURRENT
from sandbox.local_person import LocalPerson
from tests.integration.steps import asks_for, clicks, refused
from tests.support.canary import leaks
from tests.support.concurrent_steps import at_once
from tests.support.key_life import until
from tests.support.running_world import World
from tests.support.seen_by_user import ephemerals, shown_keys
from tests.support.watched_person import iam_name

TRANSPORT = "http"
WITHIN = 45.0
"""Seconds. No test waits that long unless it fails."""


def test_a_revealed_key_works(world: World) -> None:
    """Its secret is in one ephemeral message alone.

    The canary knows it when it is there.
    """
    person = world.engineer()
    world.approved(person)

    key = world.reveals(person)

    for form in (
        f"[keydesk]\naws_access_key_id = {key.key_id}\naws_secret_access_key = {key.secret}",
        f"export AWS_ACCESS_KEY_ID={key.key_id}\nexport AWS_SECRET_ACCESS_KEY={key.secret}",
        f"aws configure --profile keydesk set aws_secret_access_key {key.secret}",
    ):
        assert form in key.message.words
    assert world.aws.call_as(key.key_id, key.secret).endswith(f":user/{iam_name(person)}")
    lasting = world.receipt(person, key)
    buttons = [button.action_id for button in lasting.buttons]
    assert buttons == [action_ids.HAVE_IT, action_ids.DID_NOT_GET]
    assert key.secret in world.slack.ephemeral_text() and leaks(world) == []
    calls = [one for one in world.slack.calls() if key.secret in repr(one.args) + repr(one.answer)]
    assert [(call.method, call.args["channel"], call.args["user"]) for call in calls] == [
        ("chat.postEphemeral", person.dm, person.id)
    ]

    person.click(key.message, action_ids.SAVED)

    until(world, lambda: not shown_keys(person), "the ephemeral is removed")
    world.reaches(person, "confirmed")
    until(world, lambda: (card := world.card(person)) and key.key_id in card.words, "on the card")
    assert world.keys(person) == {key.key_id: "Active"}
    assert world.changes(person) == ["CreateAccessKey"]


def test_only_the_requester_reveals_and_confirms(world: World) -> None:
    person, other = world.engineer(), world.engineer()
    world.approved(person)
    request, theirs = world.request(person), world.asks(other)

    other.post_action(theirs, action_ids.REVEAL, request.id)
    refused(world, other, Code.NOT_THE_REQUESTER)
    assert not world.changes(person) and world.request(person) == request

    key = world.reveals(person)
    message, delivered = world.receipt(person, key), world.reaches(person, "delivered")
    for button in (action_ids.HAVE_IT, action_ids.DID_NOT_GET, action_ids.SAVED):
        other.post_action(theirs, button, key.key_id)
        refused(world, other, Code.NOT_YOUR_KEY)
    assert world.request(person) == delivered

    for _ in range(2):
        clicks(world, person, message, action_ids.HAVE_IT)
    assert world.request(person).status == "confirmed"
    clicks(world, person, message, action_ids.DID_NOT_GET, Code.REQUEST_MOVED_ON)
    assert world.keys(person) == {key.key_id: "Active"}


def test_of_many_reveals_at_once_one_creates_a_key(world: World) -> None:
    person = world.engineer()
    message = world.approved(person)

    steps = [partial(person.click, message, action_ids.REVEAL)] * MAX_CONCURRENT
    assert all(click.acked for click in at_once(*steps))

    until(world, lambda: len(ephemerals(person)) == MAX_CONCURRENT, "each click is answered")
    [key] = shown_keys(person)
    answers = until(
        world,
        lambda: (
            len(found := [one for one in world.answers.of(person.id) if one.verb == "reveal"])
            == MAX_CONCURRENT
            and found
        ),
        "each is logged",
    )
    codes = [one.code for one in answers]
    assert codes.count("") == 1
    assert set(codes) <= {"", Code.REVEAL_RUNNING, Code.REQUEST_MOVED_ON}
    world.receipt(person, key)
    assert world.changes(person) == ["CreateAccessKey"]
    assert world.request(person).reveals == 1


def test_a_running_reveal_is_not_cancelled_or_repeated(world: World) -> None:
    person = world.engineer()
    message = world.approved(person)
    hold = world.aws.faults.hold("CreateAccessKey")
    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(WITHIN)

    clicks(world, person, message, action_ids.REVEAL, Code.REQUEST_MOVED_ON)
    clicks(world, person, message, action_ids.CANCEL, Code.REQUEST_MOVED_ON)

    hold.release()
    key = until(world, lambda: shown_keys(person), "the key is shown")[0]
    world.receipt(person, key)
    assert world.changes(person) == ["CreateAccessKey"]


def lost(world: World, person: LocalPerson) -> str:
    """Let the person reveal, and close Slack before the key is there. Return its ID."""
    message = world.approved(person)
    hold = world.aws.faults.hold("CreateAccessKey")
    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(WITHIN)
    person.go_away()
    hold.release()
    world.reaches(person, "delivered")
    person.come_back()
    assert shown_keys(person) == []
    return world.request(person).access_key_id


def test_a_lost_message_is_replaced_by_another_key(world: World) -> None:
    """Slack says ok though the user sees nothing.

    The old buttons do nothing after that.
    """
    person = world.engineer()
    first = lost(world, person)
    message = person.wait_for("dm", first, action_ids.DID_NOT_GET)
    assert first in asks_for(world, person, message, action_ids.DID_NOT_GET)

    clicks(world, person, message, action_ids.DID_NOT_GET)

    world.revealable(person)
    assert world.request(person).reveals_left == 2 and world.keys(person) == {}
    second = world.reveals(person)
    world.receipt(person, second)
    request = world.request(person)
    assert request.approvals[0].by == "U0CAROL", "the same approval"
    for button in (action_ids.HAVE_IT, action_ids.DID_NOT_GET):
        clicks(world, person, message, button, Code.STALE_KEY)
    assert world.request(person) == request
    assert world.keys(person) == {second.key_id: "Active"}


@pytest.mark.parametrize("fault", ["refused", "cut before", "cut after"])
def test_an_unconfirmed_message_leaves_no_key(world: World, fault: str) -> None:
    person = world.engineer()
    message, faults = world.approved(person), world.slack.faults
    if fault == "refused":
        faults.fail("chat.postEphemeral", "user_not_in_channel")
    else:
        faults.drop("chat.postEphemeral", "before" if fault == "cut before" else "after")

    clicks(world, person, message, action_ids.REVEAL, Code.KEY_DELETED_REVEAL_AGAIN)

    [key_id] = world.request(person).deleted_keys
    assert key_id in ephemerals(person)[-1].words
    assert world.keys(person) == {}
    assert [one.key_id for one in shown_keys(person)] == [key_id] * (fault == "cut after")
    world.revealable(person)
    assert world.request(person).reveals_left == 3, "only accepted ones count"
    person.reload()
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}

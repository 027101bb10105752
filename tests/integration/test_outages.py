"""Redis, Slack or the socket goes away for a while: refused with a sentence, nothing that was approved is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.codes import Code
from bot.domain.errors import DeliveryFailed
from bot.domain.outside_errors import StoreUnavailable
from bot.slack import action_ids
from tests.support.running_world import StoreServer, World, handed_over, handle

Start = Callable[..., World]
WITHIN = 45.0  # seconds; no test waits that long unless it fails


def store_of(world: World) -> StoreServer:
    assert world.server
    return world.server


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_an_outage_of_redis_loses_nothing(start: Start, transport: str) -> None:
    world = start(transport)
    person, waiting = world.engineer(), world.engineer()
    message, card = world.approved(person), world.asks(waiting)
    before = (world.request(person), world.request(waiting))
    world.settle()  # a drawing that is cut off keeps its lock for a minute
    store_of(world).stop()

    for line in ("/key create x", "/key list", "/key help"):
        person.command(line)
    person.click(message, action_ids.REVEAL)
    person.click(message, action_ids.CANCEL)
    world.carol.click(card, action_ids.APPROVE)

    world.slack.wait_until(
        lambda: sum(one.is_of(StoreUnavailable) for one in world.answers.of(person.id)) >= 3,
        why="each command is refused",
    )
    world.slack.wait_until(
        lambda: sum(one.is_of(StoreUnavailable) for one in world.answers.of(person.id)) == 5,
        why="each click is refused",
    )
    world.answered(world.carol, StoreUnavailable)
    assert not world.changes(person) and not world.changes(waiting)

    store_of(world).start()

    assert (world.request(person), world.request(waiting)) == before
    world.carol.click(card, action_ids.APPROVE)
    world.revealable(waiting)
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}
    world.receipt(person, key)


def test_a_key_that_cannot_be_put_on_record_is_deleted_unseen(timed: World) -> None:
    person = timed.engineer()
    message = timed.approved(person)
    hold = timed.aws.faults.hold("CreateAccessKey", "after")
    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(WITHIN)
    [key_id] = timed.keys(person)
    timed.settle()  # a drawing that is cut off keeps its lock for a minute
    store_of(timed).stop()

    hold.release()

    timed.answered(person, DeliveryFailed, Code.UNRECORDED_KEY_DELETED)
    assert timed.keys(person) == {}
    assert handed_over(person) == []
    store_of(timed).start()
    timed.pass_time(minutes=17)
    timed.revealable(person)
    key = timed.reveals(person)
    assert timed.keys(person) == {key.key_id: "Active"}


def test_a_delivery_that_cannot_be_noted_any_more_is_asked_about(timed: World) -> None:
    """Redis goes while Slack shows the key: the key ID is on record, so the person is asked whether they have it."""
    person = timed.engineer()
    message = timed.approved(person)
    hold = timed.slack.faults.hold("chat.postEphemeral", "after")
    person.click(message, action_ids.REVEAL)
    assert hold.reached.wait(WITHIN)
    timed.settle()
    store_of(timed).stop()
    hold.release()
    timed.slack.wait_until(
        lambda: '"event": "reveal"' in timed.log, why="it has gone on without Redis"
    )
    key = timed.slack.wait_until(lambda: handed_over(person), why="the key is shown")[0]
    store_of(timed).start()

    timed.pass_time(minutes=2)

    person.click(timed.receipt(person, key), action_ids.HAVE_IT)
    timed.reaches(person, "confirmed")
    assert timed.keys(person) == {key.key_id: "Active"}
    assert timed.changes(person) == ["CreateAccessKey"]


@pytest.mark.parametrize("fault", ["refused", "cut before", "rate limit"])
def test_what_slack_does_not_take_is_drawn_later(timed: World, fault: str) -> None:
    person = timed.engineer()
    faults = timed.slack.faults
    match fault:
        case "refused":
            faults.fail(
                "chat.postMessage", "internal_error", times=4
            )  # the card and the other, twice: asked, learnt
        case "cut before":
            faults.drop("chat.postMessage", "before", times=2)
        case _:
            faults.status("chat.postMessage", 429, times=2, retry_after=7)
    person.command("/key create x")
    timed.answered(person)
    timed.slack.wait_until(lambda: "rescheduled" in timed.log, why="it is put off")
    assert timed.card(person) is None

    for _ in range(2):
        timed.pass_time(minutes=1)
        timed.slack.wait_until(
            lambda: timed.log.count("rescheduled") > 1 or timed.card(person),
            why="it is tried again",
        )
    faults.clear()
    timed.pass_time(minutes=1)

    timed.carol.click(
        timed.carol.wait_for("key-approvals", f"@{handle(person)}", action_ids.APPROVE),
        action_ids.APPROVE,
    )
    timed.revealable(person)
    assert (
        sum(
            f"@{handle(person)}" in one.words and not one.ephemeral
            for one in timed.carol.messages("key-approvals")
        )
        == 1
    )


def test_a_card_posted_twice_can_be_decided_in_either(timed: World) -> None:
    person = timed.engineer()
    timed.slack.faults.drop("chat.postMessage", "after")
    person.command("/key create x")
    first = timed.carol.wait_for("key-approvals", f"@{handle(person)}", action_ids.APPROVE)
    timed.slack.wait_until(lambda: "rescheduled" in timed.log, why="it is put off")
    timed.pass_time(minutes=1)
    timed.slack.wait_until(
        lambda: (
            sum(m.has_button(action_ids.APPROVE) for m in timed.carol.messages("key-approvals"))
            == 2
        ),
        why="a second copy",
    )

    timed.carol.click(first, action_ids.APPROVE)

    timed.revealable(person)
    timed.slack.wait_until(
        lambda: (
            not any(m.has_button(action_ids.APPROVE) for m in timed.carol.messages("key-approvals"))
        ),
        why="both copies are redrawn",
    )


def test_a_cut_socket_is_opened_again_and_the_desk_goes_on(start: Start) -> None:
    world = start("socket")
    person = world.engineer()
    card = world.asks(person)

    world.slack.ask_to_reconnect()
    world.slack.wait_until(lambda: world.slack.connections, why="it connects again")

    world.carol.click(card, action_ids.APPROVE)
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}

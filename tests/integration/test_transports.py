"""Only what Slack has signed reaches the desk, once though it is repeated; what it took it finishes, and logs."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from bot.domain.outside_errors import IamUserNotFound
from bot.slack import action_ids
from bot.slack.listeners.user_concurrency import MAX_CONCURRENT
from bot.slack.messages.kinds import EXPIRED
from sandbox.delivery import Delivery, encode, sign
from sandbox.local_person import LocalPerson
from tests.support.running_world import World, at_once, ephemerals, handed_over, handle

Start = Callable[..., World]
WITHIN = 45.0  # seconds; no test waits that long unless it fails
TAKEN = "/slack/events"


over_http = pytest.mark.parametrize("shared", ["http"], indirect=True)


def post(
    world: World, body: bytes, headers: Mapping[str, str], path: str = TAKEN, method: str = "POST"
) -> int:
    """The status that the bot answers to a request from anybody."""
    assert world.running
    port = world.running.events("serving")[-1]["port"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN)
    try:
        connection.request(
            method, path, body, {"Content-Type": "application/x-www-form-urlencoded", **headers}
        )
        return connection.getresponse().status
    finally:
        connection.close()


def command_of(world: World, person: LocalPerson) -> bytes:
    """The body of `/key create` by this person, as Slack would send it."""
    sample = world.engineer().command("/key help")
    payload = {
        **sample.payload,
        "user_id": person.id,
        "user_name": handle(person),
        "text": "create forged",
        "trigger_id": f"forged.{person.id}",
    }
    return encode("slash_commands", payload)[0]


def now() -> int:
    return int(time.time())


@over_http
def test_what_slack_has_not_signed_is_refused(world: World) -> None:
    person = world.engineer()
    body, secret = command_of(world, person), world.slack.signing_secret.encode()
    good = sign(secret, body, now())
    refused = {
        "unsigned": {},
        "no timestamp": {"X-Slack-Signature": good["X-Slack-Signature"]},
        "another secret": sign(b"another", body, now()),
        "an empty secret": sign(b"", body, now()),
        "another body": sign(secret, body + b"&x=1", now()),
        "another version": {
            **good,
            "X-Slack-Signature": good["X-Slack-Signature"].replace("v0=", "v1="),
        },
        "over five minutes old": sign(secret, body, now() - 301),
        "from the future": sign(secret, body, now() + 400),
    }

    assert {why: post(world, body, headers) for why, headers in refused.items()} == dict.fromkeys(
        refused, 401
    )

    world.nothing_happened(person)
    assert post(world, body, sign(secret, body, now())) == 200, "and what is signed is taken"
    world.slack.wait_until(lambda: world.card(person), why="the card is posted")


@over_http
@pytest.mark.parametrize(
    "path", ["/", "/slack", "/slack/events/", "/slack/install", "/slack/oauth_redirect"]
)
def test_nothing_is_served_at_any_other_path(world: World, path: str) -> None:
    person = world.engineer()
    body = command_of(world, person)
    headers = sign(world.slack.signing_secret.encode(), body, now())

    assert post(world, body, headers, path) == 404
    assert post(world, b"", {}, path, "GET") == 404

    world.nothing_happened(person)


def test_a_repeated_delivery_works_once(world: World) -> None:
    person = world.engineer()

    def twice(delivery: Delivery) -> None:
        assert delivery.acked
        assert world.slack.deliver_again(delivery).acked, "else Slack repeats it again"

    twice(person.command("/key create x"))
    card = world.carol.wait_for("key-approvals", f"@{handle(person)}", action_ids.APPROVE)
    twice(world.carol.click(card, action_ids.APPROVE))
    twice(person.click(world.revealable(person), action_ids.REVEAL))
    key = world.slack.wait_until(lambda: handed_over(person), why="a key is shown")[0]
    twice(person.click(world.receipt(person, key), action_ids.HAVE_IT))

    world.reaches(person, "confirmed")
    world.slack.wait_until(
        lambda: sum(line.get("outcome") == "repeated delivery" for line in lines(world)) >= 4,
        why="each is logged",
    )
    assert world.changes(person) == ["CreateAccessKey"]
    assert len(world.requests(person)) == 1
    assert (
        sum(
            f"@{handle(person)}" in one.words and not one.ephemeral
            for one in world.carol.messages("key-approvals")
        )
        == 1
    )
    assert len(handed_over(person)) == 1


# -- the log


def lines(world: World) -> list[dict[str, object]]:
    """The log, a line of JSON for each event; fails where a line is none."""
    whole = world.log.rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def test_each_event_is_one_log_line(
    world: World,
) -> None:
    person = world.engineer()
    key = world.delivered(person)
    person.click(world.receipt(person, key), action_ids.HAVE_IT)
    world.reaches(person, "confirmed")
    person.command(f"/key disable {key.key_id}")
    world.answered(person)
    request = world.request(person)

    def logged(verb: str) -> dict[str, object]:
        def found() -> dict[str, object] | None:
            mine = [
                one
                for one in lines(world)
                if one["event"] == verb
                and one.get("outcome")
                and (one.get("request") == request.id or one.get("key") == key.key_id)
            ]
            assert len(mine) < 2, mine
            return mine[0] if mine else None

        return world.slack.wait_until(found, why=f"{verb} is logged")

    who = {
        "create": person.id,
        "approve": "U0CAROL",
        "reveal": person.id,
        "have_it": person.id,
        "disable": person.id,
    }
    for verb, actor in who.items():
        line = logged(verb)
        assert (line["user"], line["outcome"]) == (actor, "done")
        assert isinstance(line["ms"], int)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", str(line["at"]))


def test_a_refusal_is_logged_without_what_was_typed(world: World) -> None:
    person = world.engineer(iam=False)

    person.command("/key create something private")

    world.answered(person, IamUserNotFound)
    mine = world.slack.wait_until(
        lambda: [
            one for one in lines(world) if one.get("user") == person.id and one.get("outcome")
        ],
        why="logged",
    )
    assert [(one["event"], one["outcome"], one["code"]) for one in mine] == [
        ("create", "refused", "iam_user_not_found")
    ]
    assert "something private" not in world.log


# -- its end, and several at once


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_sigterm_finishes_what_was_acknowledged_and_exits_0(start: Start, transport: str) -> None:
    world = start(transport)
    person = world.engineer()
    message = world.approved(person)
    hold = world.aws.faults.hold("CreateAccessKey")
    assert person.click(message, action_ids.REVEAL).acked
    assert hold.reached.wait(WITHIN)
    assert world.running and world.running.process

    world.running.process.send_signal(signal.SIGTERM)
    world.slack.wait_until(
        lambda: not world.slack.do(lambda box: box.bot_is_there()), why="it takes nothing more"
    )
    assert not person.command("/key list").acked
    with pytest.raises(subprocess.TimeoutExpired):
        world.running.process.wait(2.5)  # longer than it takes to end without anything to finish
    hold.release()

    assert world.running.process.wait(30) == 0, world.log
    [key] = handed_over(person)
    assert world.keys(person) == {key.key_id: "Active"}
    assert world.request(person).status == "delivered"
    assert person.last("dm", key.key_id, action_ids.HAVE_IT)


def test_two_bots_on_one_store_make_one_key(start: Start) -> None:
    """Slack hands each payload to any of them, round robin."""
    one = start()
    two = start(beside=one)
    one.slack.wait_until(lambda: one.slack.connections == 2, why="both are connected")
    person, approvers = one.engineer(), one.approvers(2)
    card = one.asks(person)

    _at_once(20, lambda n: approvers[n % 2].click(card, action_ids.APPROVE))
    message = one.revealable(person)
    _at_once(
        2 * MAX_CONCURRENT, lambda n: person.click(message, action_ids.REVEAL)
    )  # as many as two bots take of one person

    one.slack.wait_until(
        lambda: len(ephemerals(person)) == 2 * MAX_CONCURRENT, why="all are answered"
    )
    [key] = handed_over(person)
    one.receipt(person, key)
    assert one.changes(person) == ["CreateAccessKey"]
    assert one.keys(person) == {key.key_id: "Active"}
    assert len(one.request(person).approvals) == 1
    for bot in (one, two):
        verbs = {line["event"] for line in lines(bot) if line.get("outcome")}
        assert {"approve", "reveal"} <= verbs, "each has had its share"


def test_two_sweepers_do_each_thing_once(start: Start) -> None:
    """Though both find it due at the same time: it lapses once, and is told once."""
    one = start(REQUEST_TTL="1s", CLAIM_TTL="1s")
    start(beside=one, REQUEST_TTL="1s", CLAIM_TTL="1s")
    people = [one.engineer() for _ in range(10)]

    _at_once(len(people), lambda n: people[n].command("/key create x"))

    for person in people:
        one.slack.wait_until(lambda person=person: one.requests(person), why="it is stored")
        one.message(person, one.request(person).name, EXPIRED)
        one.slack.wait_until(
            lambda person=person: one.card(person) and not _card_buttons(one, person), why="redrawn"
        )
    for person in people:
        request = one.request(person)
        assert request.last_event == "expire", request.last_event
        assert request.version == 2 + len(request.reminders) + bool(request.permissions), (
            "each thing is one move"
        )
        lasting = [
            message.words.splitlines()[0]
            for message in person.messages("dm")
            if not message.ephemeral
        ]
        assert len(lasting) == 2, lasting


def _card_buttons(world: World, person: LocalPerson) -> bool:
    card = world.card(person)
    return bool(card and card.buttons)


def _at_once(times: int, step: Callable[[int], Delivery]) -> None:
    assert all(one.acked for one in at_once(*[partial(step, n) for n in range(times)]))

"""Journeys over each transport: signatures, repeated deliveries, log, shutdown."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.listeners.user_concurrency import MAX_CONCURRENT
from sandbox.delivery import Delivery, encode, sign
from sandbox.local_person import LocalPerson
from tests.integration.steps import named, refused
from tests.support.concurrent_steps import at_once
from tests.support.key_life import types, until
from tests.support.running_world import World
from tests.support.seen_by_user import ephemerals, form_opens, shown_keys
from tests.support.watched_person import handle

Start = Callable[..., World]
WITHIN = 45.0
"""Seconds. No test waits that long unless it fails."""
over = pytest.mark.parametrize
over_both = over("shared", ["socket", "http"], indirect=True)
over_http = over("shared", ["http"], indirect=True)
over_socket = over("shared", ["socket"], indirect=True)


def lines(world: World) -> list[dict[str, Any]]:
    """Return the log, a line of JSON for each event. Fails where a line is none."""
    whole = world.log.rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def post(
    world: World,
    body: bytes,
    headers: Mapping[str, str],
    path: str = "/slack/events",
    get: bool = False,
) -> int:
    """Return the status that the bot answers to a request from anywhere."""
    assert world.running
    port = world.running.events("serving")[-1]["port"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN)
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    try:
        connection.request("GET" if get else "POST", path, body, form)
        return connection.getresponse().status
    finally:
        connection.close()


def command_of(world: World, person: LocalPerson) -> bytes:
    """Return the body of `/key create` by this person, as Slack would send it."""
    sample = world.engineer().command("/key help")
    payload = {
        **sample.payload,
        "user_id": person.id,
        "user_name": handle(person),
        "text": "create forged",
        "trigger_id": f"forged.{person.id}",
    }
    return encode("slash_commands", payload)[0]


@over_http
def test_what_slack_has_not_signed_is_refused(world: World) -> None:
    person, now = world.engineer(), int(time.time())
    body, secret = command_of(world, person), world.slack.signing_secret.encode()
    good = sign(secret, body, now)
    signature = good["X-Slack-Signature"]
    unsigned = {
        "unsigned": {},
        "no timestamp": {"X-Slack-Signature": signature},
        "another secret": sign(b"another", body, now),
        "an empty secret": sign(b"", body, now),
        "another body": sign(secret, body + b"&x=1", now),
        "another version": {**good, "X-Slack-Signature": signature.replace("v0=", "v1=")},
        "over five minutes old": sign(secret, body, now - 301),
        "from the future": sign(secret, body, now + 400),
    }

    found = {why: post(world, body, headers) for why, headers in unsigned.items()}
    for path in ("/", "/slack/events/", "/slack/install", "/slack/oauth_redirect"):
        assert (post(world, body, good, path), post(world, b"", {}, path, get=True)) == (404, 404)

    assert found == dict.fromkeys(unsigned, 401)
    world.nothing_happened(person)
    assert post(world, body, good) == 200, "what is signed is taken"
    until(world, lambda: world.card(person), "the card is posted")


@over_both
def test_a_repeated_delivery_of_each_kind_works_once(world: World) -> None:
    """Command, form, click and Home tab arrive over this transport, twice each."""
    person = world.engineer()

    def twice(delivery: Delivery) -> None:
        assert delivery.acked
        assert world.slack.deliver_again(delivery).acked, "else Slack repeats it again"

    twice(person.open_home())
    person.wait_for_home()
    twice(person.command("/key create"))
    form_opens(person, action_ids.CREATE_FORM)
    twice(person.submit({"reason": "x"}))
    card = world.carol.wait_for("key-approvals", named(person), action_ids.APPROVE)
    twice(world.carol.click(card, action_ids.APPROVE))
    twice(person.click(world.revealable(person), action_ids.REVEAL))
    key = until(world, lambda: shown_keys(person), "a key is shown")[0]
    twice(person.click(world.receipt(person, key), action_ids.HAVE_IT))

    world.reaches(person, "confirmed")
    until(
        world,
        lambda: sum(line.get("outcome") == "repeated delivery" for line in lines(world)) >= 5,
        "each is logged",
    )
    assert world.changes(person) == ["CreateAccessKey"]
    assert len(world.requests(person)) == 1 and len(shown_keys(person)) == 1
    posted = [one for one in world.carol.messages("key-approvals") if named(person) in one.words]
    assert len([one for one in posted if not one.ephemeral]) == 1


@over_both
def test_each_event_is_one_log_line(world: World) -> None:
    """With actor, outcome and milliseconds, and never with what was typed."""
    person, other = world.engineer(), world.engineer(iam=False)
    key = world.delivered(person)
    person.click(world.receipt(person, key), action_ids.HAVE_IT)
    world.reaches(person, "confirmed")
    types(world, person, f"/key disable {key.key_id}")
    other.command("/key create something private")
    refused(world, other, Code.IAM_USER_NOT_FOUND)
    request = world.request(person)

    def logged(verb: str) -> list[dict[str, Any]]:
        return [
            one
            for one in lines(world)
            if one["event"] == verb
            and one.get("outcome")
            and (one.get("request") == request.id or one.get("key") == key.key_id)
        ]

    for verb in ("create", "approve", "reveal", "have_it", "disable"):
        until(world, partial(logged, verb), f"{verb} is logged")
        [line] = logged(verb)
        actor = "U0CAROL" if verb == "approve" else person.id
        assert (line["user"], line["outcome"], type(line["ms"])) == (actor, "done", int)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["at"])
    [line] = [one for one in lines(world) if one.get("user") == other.id and one.get("outcome")]
    assert (line["event"], line["outcome"], line["code"]) == (
        "create",
        "refused",
        Code.IAM_USER_NOT_FOUND,
    )
    assert "something private" not in world.log


@over_socket
def test_a_cut_socket_is_opened_again(world: World) -> None:
    person = world.engineer()
    card = world.asks(person)

    world.slack.ask_to_reconnect()
    until(world, lambda: world.slack.connections, "it connects again")

    world.carol.click(card, action_ids.APPROVE)
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_sigterm_finishes_acknowledged_work(start: Start, transport: str) -> None:
    world = start(transport)
    person = world.engineer()
    message = world.approved(person)
    hold = world.aws.faults.hold("CreateAccessKey")
    assert person.click(message, action_ids.REVEAL).acked
    assert hold.reached.wait(WITHIN)
    assert world.running and world.running.process

    world.running.process.send_signal(signal.SIGTERM)
    until(world, lambda: not world.slack.do(lambda box: box.bot_is_there()), "it takes no more")
    assert not person.command("/key list").acked
    with pytest.raises(subprocess.TimeoutExpired):
        world.running.process.wait(2.5)  # longer than it takes to end without work
    hold.release()

    assert world.running.process.wait(30) == 0, world.log
    [key] = shown_keys(person)
    assert world.keys(person) == {key.key_id: "Active"}
    assert world.request(person).status == "delivered"
    assert person.last("dm", key.key_id, action_ids.HAVE_IT)


def test_two_bots_on_one_database_make_one_key(start: Start) -> None:
    """Slack delivers each payload to one of them in turn."""
    one = start()
    two = start(beside=one)
    until(one, lambda: one.slack.connections == 2, "both are connected")
    person, approvers = one.engineer(), one.approvers(2)
    card = one.asks(person)

    clicks = [partial(approvers[n % 2].click, card, action_ids.APPROVE) for n in range(10)]
    assert all(click.acked for click in at_once(*clicks))
    reveals = [partial(person.click, one.revealable(person), action_ids.REVEAL)]
    assert all(click.acked for click in at_once(*reveals * 2 * MAX_CONCURRENT))

    until(one, lambda: len(ephemerals(person)) == 2 * MAX_CONCURRENT, "all are answered")
    [key] = shown_keys(person)
    one.receipt(person, key)
    assert one.changes(person) == ["CreateAccessKey"]
    assert one.keys(person) == {key.key_id: "Active"}
    assert len(one.request(person).approvals) == 1
    for bot in (one, two):
        verbs = {line["event"] for line in lines(bot) if line.get("outcome")}
        assert {"approve", "reveal"} <= verbs, "each has had its part"

"""What happens at the desk is on record: in the audit channel, on stdout and by `python -m bot audit`, and sealed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from bot.domain.audit.seals import REFUSED
from bot.domain.codes import Code
from bot.domain.errors import NotAllowed
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.support.canary import kept
from tests.support.running_bot import ROOT
from tests.support.running_world import World, at_once, handle

AUDIT_KEY = "a key of the seals that is nowhere but here"
SETTINGS = {"AUDIT_CHANNEL": "C0AUDIT", "AUDIT_KEY": AUDIT_KEY}
Start = Callable[..., World]


def audit(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m bot audit` beside the running bot, without any token of Slack's or AWS's."""
    own = (
        {"REDIS_URL": world.server.url}
        if world.server
        else {"DATA_DIR": str(world.folder / "data")}
    )
    return subprocess.run(
        [sys.executable, "-m", "bot", "audit", *arguments],
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "AUDIT_KEY": AUDIT_KEY, **own},
    )


def exported(world: World, request: KeyRequest) -> list[dict[str, Any]]:
    done = audit(world, "--json", "--request", request.id)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def on_stdout(world: World) -> dict[int, Mapping[str, Any]]:
    """The audit lines of all processes of this world's bot, by number."""
    lines = [json.loads(line) for line in world.log.splitlines() if line.startswith("{")]
    return {
        line["number"]: line
        for line in lines
        if line["logger"] == "keydesk.audit" and line["number"]
    }


def in_channel(world: World) -> str:
    return "\n".join(one.words for one in world.carol.messages("key-audit"))


def channel_has(world: World, numbers: Iterable[int]) -> None:
    """Waits until there is a line for each of these entries."""
    world.slack.wait_until(
        lambda: all(f"\n{n} " in "\n" + in_channel(world) for n in numbers), 60, "all are posted"
    )


def all_sealed(world: World) -> str:
    """Waits until a seal is over everything; returns what --verify says."""

    def verified() -> subprocess.CompletedProcess[str] | None:
        said = audit(world, "--verify")
        return None if "Not sealed yet" in said.stdout else said

    done = world.slack.wait_until(verified, 30, "all is sealed")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def a_life(world: World) -> tuple[LocalPerson, KeyRequest]:
    """Somebody asks, somebody else tries to approve, Carol does, and the key is handed over and received."""
    person, stranger = world.engineer(), world.engineer()
    card = world.asks(person)
    stranger.click(card, action_ids.APPROVE)
    world.answered(stranger, NotAllowed)
    world.carol.click(card, action_ids.APPROVE)
    key = world.reveals(person)
    person.click(key.message, action_ids.SAVED)
    return person, world.reaches(person, "confirmed")


def test_moves_deliveries_and_refusals_are_on_record_everywhere(world: World) -> None:
    person, request = a_life(world)
    all_sealed(world)

    entries = exported(world, request)
    entries = [entry for entry in entries if entry["action"] != "load_permissions"]
    actions = [entry["action"] for entry in entries]
    assert (
        actions[:3] == ["create", "approve", "approve"]
        and actions[3] == "reveal"
        and len(actions) >= 6
    )
    refused = entries[1]
    assert (refused["to_status"], refused["code"]) == (REFUSED, Code.NOT_AN_APPROVER)
    assert [
        (one["from_status"], one["to_status"]) for one in entries if one["to_status"] != "refused"
    ][-1][1] == "confirmed"
    assert {one["key_id"] for one in entries} == {"", request.access_key_id}
    numbers = [entry["number"] for entry in entries]
    assert numbers == sorted(numbers)

    stdout = world.slack.wait_until(
        lambda: (found := on_stdout(world)).keys() >= set(numbers) and found, 15, "stdout"
    )
    for entry in entries:
        assert {name: stdout[entry["number"]][name] for name in entry} == entry
    channel_has(world, numbers)
    shown = in_channel(world)
    assert (
        f"@{handle(person)} create · request {request.id}" in shown
        and f"{REFUSED} · {Code.NOT_AN_APPROVER}" in shown
    )
    assert "seal over entr" in shown


def test_the_command_prints_filters_and_exports(world: World) -> None:
    person, request = a_life(world)
    lines = audit(world, "--person", person.id).stdout.splitlines()
    assert len(lines) == len(exported(world, request)) and all(request.id in line for line in lines)
    assert "pending -> approved" in "\n".join(lines)
    assert audit(world, "--key", request.access_key_id, "--csv").stdout.startswith(
        "number,time,who,verb,request,key,"
    )


def test_no_secret_and_not_the_key_of_the_seals_is_anywhere(world: World) -> None:
    """The canary looks for the other secrets after this journey, in the channel, the store and the log."""
    a_life(world)
    all_sealed(world)
    places = [place for place, text in kept(world) if AUDIT_KEY in text]
    assert places == [] and AUDIT_KEY not in world.slack.lasting_text()
    assert AUDIT_KEY not in audit(world, "--verify").stdout


def test_a_bot_that_is_killed_loses_no_line(start: Start) -> None:
    world = start(**SETTINGS)
    assert world.running
    _, first = a_life(world)
    world.running.kill()
    world.running.start()
    _, second = a_life(world)
    all_sealed(world)
    last = exported(world, second)[-1]["number"]
    assert exported(world, first)[0]["number"] == 1
    everything = set(range(1, last + 1))
    world.slack.wait_until(lambda: on_stdout(world).keys() >= everything, 60, "stdout has all")
    channel_has(world, everything)
    logs = [
        word
        for name in ("bot-01.log", "bot-02.log")
        for word in ("--log", str(world.folder / name))
    ]
    done = audit(world, "--verify", *logs)
    assert done.returncode == 0, done.stdout


def test_two_bots_number_and_seal_as_one(start: Start) -> None:
    one = start(**SETTINGS)
    other = start(beside=one, **SETTINGS)
    people = [one.engineer() for _ in range(6)]
    at_once(
        *[lambda person=person: person.command("/key create nightly backup") for person in people]
    )
    one.slack.wait_until(
        lambda: all(
            one.requests(person) and not one.request(person).awaits_permissions for person in people
        ),
        why="all have asked, and what their keys may do is read",
    )
    all_sealed(one)
    logs = [str(path) for world in (one, other) for path in world.folder.glob("bot-*.log")]
    done = audit(one, "--verify", *[word for log in logs for word in ("--log", log)])
    assert done.returncode == 0, done.stdout
    assert (
        "Entries: 12, " in done.stdout and "Compared with 12 entries" in done.stdout
    )  # each asked, and read


@pytest.mark.parametrize("name", ["an entry of the middle", "the end"])
def test_tampering_with_a_running_bots_store_is_detected(start: Start, name: str) -> None:
    world = start(**SETTINGS)
    a_life(world)
    all_sealed(world)
    stream: Any = world.redis
    places = {
        fields["number"]: place
        for place, fields in stream.xrange("{keydesk}:audit")
        if "number" in fields
    }
    number = 3 if name == "an entry of the middle" else len(places)
    stream.xdel("{keydesk}:audit", places[str(number)])
    done = audit(world, "--verify")
    assert done.returncode == 1
    words = "removed" if number == 3 else "cut off from the end"
    assert f"Tampered with: Entry {number} was {words}." in done.stdout

"""Journeys of the audit trail: channel, log, seals, and `python -m bot audit`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.domain.audit.seals import REFUSED
from bot.domain.codes import Code
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.integration.steps import clicks, named
from tests.support.canary import kept
from tests.support.key_life import until
from tests.support.running_bot import ROOT
from tests.support.running_world import World

AUDIT_KEY = "a key of the seals that is nowhere but here"
SETTINGS = {"AUDIT_CHANNEL": "C0AUDIT", "AUDIT_KEY": AUDIT_KEY}


def audit(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m bot audit` beside the bot, without any token of Slack or AWS."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "AUDIT_KEY": AUDIT_KEY}
    data = str(world.folder / "data")
    database = {"REDIS_URL": world.server.url} if world.server else {"DATA_DIR": data}
    return subprocess.run(
        [sys.executable, "-m", "bot", "audit", *arguments],
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment | database,
    )


def exported(world: World, request: KeyRequest) -> list[dict[str, Any]]:
    """Return the entries about this request that the command exports."""
    done = audit(world, "--json", "--request", request.id)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def on_stdout(world: World) -> dict[int, Mapping[str, Any]]:
    """Return the audit lines of all processes of this world's bot, by number."""
    found = [json.loads(line) for line in world.log.splitlines() if line.startswith("{")]
    return {
        line["number"]: line
        for line in found
        if line["logger"] == "keydesk.audit" and line["number"]
    }


def in_channel(world: World) -> str:
    """Return everything in the audit channel."""
    return "\n".join(one.words for one in world.carol.messages("key-audit"))


def published(world: World, numbers: Iterable[int]) -> None:
    """Wait until each of these entries is in the log and in the channel."""
    wanted = set(numbers)
    until(world, lambda: on_stdout(world).keys() >= wanted, "all are on stdout")
    until(
        world, lambda: all(f"\n{n} " in "\n" + in_channel(world) for n in wanted), "all are posted"
    )


def all_sealed(world: World) -> None:
    """Wait until a seal covers everything."""
    stream: Any = world.redis
    until(
        world,
        lambda: "number" not in stream.xrevrange("{keydesk}:audit", count=1)[0][1],
        "the newest entry is a seal",
    )


def whole_request(world: World) -> tuple[LocalPerson, KeyRequest]:
    """Let a user ask, another one fail to approve, Carol approve, and the key arrive."""
    person, other = world.engineer(), world.engineer()
    card = world.asks(person)
    clicks(world, other, card, action_ids.APPROVE, Code.NOT_AN_APPROVER)
    world.carol.click(card, action_ids.APPROVE)
    person.click(world.reveals(person).message, action_ids.SAVED)
    return person, world.reaches(person, "confirmed")


def test_transitions_and_refusals_are_recorded_everywhere(world: World) -> None:
    """And the key of the seals is stored nowhere."""
    person, request = whole_request(world)
    all_sealed(world)

    everything = exported(world, request)
    entries = [entry for entry in everything if entry["action"] != "load_permissions"]
    assert [entry["action"] for entry in entries][:4] == ["create", "approve", "approve", "reveal"]
    refusal = entries[1]
    assert (refusal["to_status"], refusal["code"]) == (REFUSED, Code.NOT_AN_APPROVER)
    assert entries[-1]["to_status"] == "confirmed"
    assert {one["key_id"] for one in entries} == {"", request.access_key_id}
    numbers = [entry["number"] for entry in entries]
    assert numbers == sorted(numbers)

    published(world, numbers)
    stdout, shown = on_stdout(world), in_channel(world)
    assert all({name: stdout[one["number"]][name] for name in one} == one for one in entries)
    assert f"{named(person)} create · request {request.id}" in shown
    assert f"{REFUSED} · {Code.NOT_AN_APPROVER}" in shown and "seal over entr" in shown

    printed = audit(world, "--person", person.id).stdout.splitlines()
    assert len(printed) == len(everything) and all(request.id in line for line in printed)
    assert "pending -> approved" in "\n".join(printed)
    assert [place for place, words in kept(world) if AUDIT_KEY in words] == []
    assert AUDIT_KEY not in world.slack.lasting_text()


def test_a_killed_bot_loses_no_entry_and_tampering_is_found(start: Callable[..., World]) -> None:
    """Two removals in the database are named, in the middle and at the end."""
    world = start(**SETTINGS)
    assert world.running
    _, first = whole_request(world)
    world.running.kill()
    world.redis.delete("{keydesk}:audit:leader")  # as it is 30 seconds later
    world.running.start()
    _, second = whole_request(world)
    all_sealed(world)
    assert world.entries(first)[0]["number"] == "1"
    published(world, range(1, int(world.entries(second)[-1]["number"]) + 1))
    logs = [("--log", str(world.folder / name)) for name in ("bot-01.log", "bot-02.log")]
    done = audit(world, "--verify", *[word for pair in logs for word in pair])
    assert done.returncode == 0 and AUDIT_KEY not in done.stdout, done.stdout

    stream: Any = world.redis
    entries = stream.xrange("{keydesk}:audit")
    ids = {int(fields["number"]): id_ for id_, fields in entries if "number" in fields}
    for number, words in ((3, "removed"), (max(ids), "cut off from the end")):
        stream.xdel("{keydesk}:audit", ids[number])
        done = audit(world, "--verify")
        assert done.returncode == 1
        assert f"Entry {number} was {words}." in done.stdout

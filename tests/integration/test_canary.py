"""Tests of the canary: a secret in each place that it searches is found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.canary import Canary, leaks
from tests.support.commands import Commands
from tests.support.key_life import until
from tests.support.running_bot import wait_for
from tests.support.running_world import World
from tests.support.seen_by_user import shown_keys

KINDS: dict[str, Callable[[Any, str], object]] = {
    "string": lambda redis, secret: redis.set("x", f"\u2026{secret}\u2026"),
    "hash": lambda redis, secret: redis.hset("x", "a", secret),
    "a field's name": lambda redis, secret: redis.hset("x", secret, "a"),
    "list": lambda redis, secret: redis.rpush("x", secret),
    "set": lambda redis, secret: redis.sadd("x", secret),
    "zset": lambda redis, secret: redis.zadd("x", {secret: 1}),
    "stream": lambda redis, secret: redis.xadd("x", {"a": secret}),
}
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "in a form": lambda secret: quote(secret, safe=""),
    "in Slack's JSON": lambda secret: secret.replace("/", "\\/"),
    "its first half": lambda secret: secret[:20],
    "its second half": lambda secret: f"Key({secret[20:]})",
}
SHOWS_SECRET = """
import json, subprocess, sys
arguments, environment = json.load(sys.stdin)
waits = "import signal; print(1, flush=True); signal.pause()"
subprocess.Popen([sys.executable, "-c", waits, arguments], env=environment).wait()
"""
"""A program whose child has a secret on its command line or in its environment."""


@pytest.fixture(scope="module")
def secret(built: World) -> str:
    """Return the secret of a key that was delivered."""
    return built.delivered(built.engineer()).secret


def places(world: World, **more: Any) -> set[str]:
    """Return where the canary finds something."""
    return {found.partition(":")[0] for found in leaks(world, **more)}


def forget(world: World, canary: Canary) -> None:
    """Remove the traces of the test's own commands."""
    world.redis.bgrewriteaof()
    wait_for(lambda: not places(world), 10, lambda: "the append-only file to be rewritten")
    world.redis.slowlog_reset()
    canary.watch(world)


def test_a_secret_in_any_value_of_the_database_is_found(
    timed: World, secret: str, canary: Canary
) -> None:
    assert places(timed) == set()

    for kind, write in KINDS.items():
        write(timed.redis, secret)
        assert "Redis x" in places(timed), kind
        timed.redis.delete("x")
        assert {Path(place).suffix for place in places(timed)} == {".aof"}, kind
    timed.redis.set(secret, "a name")
    assert f"Redis {secret}" in places(timed)
    timed.redis.delete(secret)

    forget(timed, canary)


def test_a_secret_in_a_command_a_client_or_slow_log_is_found(
    timed: World, secret: str, canary: Canary
) -> None:
    commands = Commands(timed.redis)
    assert places(timed, commands=commands.text()) == set()
    timed.redis.get(secret)
    assert places(timed, commands=commands.text()) == {"a command"}
    timed.redis.eval("return redis.call('GET', ARGV[1] .. ARGV[2])", 0, secret[:13], secret[13:])
    assert f'lua] "GET" "{secret}"' in commands.text()
    commands.stop()
    assert timed.server
    with timed.server.client() as other:
        other.client_setname(secret)
        assert "the store's clients" in places(timed)
    timed.redis.config_set("slowlog-log-slower-than", 0)
    timed.redis.get(secret)
    timed.redis.config_set("slowlog-log-slower-than", 10_000)
    assert "the store's slow log" in places(timed)

    timed.redis.slowlog_reset()
    forget(timed, canary)


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
@pytest.mark.parametrize(
    ("arguments", "environment", "place"),
    [("{}", {}, "process cmdline"), ("x", {"X": "{}"}, "environment of a child")],
)
def test_a_secret_in_what_a_bot_starts_is_found(
    timed: World, secret: str, arguments: str, environment: dict[str, str], place: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SHOWS_SECRET],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as parent:
        assert parent.stdin and parent.stdout
        filled = {name: value.format(secret) for name, value in environment.items()}
        parent.stdin.write(json.dumps([arguments.format(secret), filled]))
        parent.stdin.close()
        assert parent.stdout.readline() == "1\n"
        try:
            assert places(timed, bot=parent.pid) == {place}
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def test_a_secret_in_a_file_is_found_in_every_form(timed: World, secret: str) -> None:
    leak = timed.folder / "deep" / "leak.txt"
    leak.parent.mkdir()
    own = (
        timed.slack.bot_token,
        timed.slack.app_token,
        timed.slack.signing_secret,
        timed.aws.credentials["AWS_SECRET_ACCESS_KEY"],
        f"{timed.slack.url}/response/x",
    )

    for text in (*[form(secret) for form in FORMS.values()], *own):
        leak.write_text(f"x {text} y")
        assert places(timed) == {"leak.txt"}, text[:8]
    leak.unlink()
    names = {path.name for path in timed.folder.rglob("*") if path.is_file()}
    assert "bot.log" in names and any(name.endswith(".aof") for name in names)


def test_a_secret_shown_for_a_moment_is_found(timed: World, secret: str) -> None:
    timed.carol.say(f"x {secret} y", "key-approvals")
    assert places(timed) == {"a lasting message or view"}
    timed.slack.look(lambda box: box.workspace.lasting_log.clear())


@pytest.mark.parametrize("ending", ["I saved it", "reload"])
def test_a_removed_ephemeral_leaves_no_secret_in_slack(world: World, ending: str) -> None:
    """The log of the running bot is among the files that are searched."""
    person = world.engineer()
    key = world.delivered(person)
    assert key.secret in world.slack.ephemeral_text()
    assert (world.folder / "bot-01.log").is_file() and person.id in world.log

    if ending == "reload":
        person.reload()
    else:
        person.click(key.message, ending)
    until(world, lambda: not shown_keys(person), "the ephemeral is gone")

    assert key.secret not in world.slack.ephemeral_text() + world.slack.lasting_text()

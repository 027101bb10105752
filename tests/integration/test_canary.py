"""Would the canary find a secret? Each place it looks into is given one, and it must say so, there and only there."""

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
from tests.support.running_bot import wait_for
from tests.support.running_world import World, handed_over

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


def places(world: World, **more: Any) -> set[str]:
    return {found.partition(":")[0] for found in leaks(world, **more)}


def test_a_secret_in_any_redis_value_is_found(timed: World, canary: Canary) -> None:
    secret = timed.delivered(timed.engineer()).secret
    assert places(timed) == set()

    for kind, write in KINDS.items():
        write(timed.redis, secret)
        assert "Redis x" in places(timed), kind
        timed.redis.delete("x")
        assert {Path(place).suffix for place in places(timed)} == {".aof"}, kind
    timed.redis.set(secret, "a name")
    assert f"Redis {secret}" in places(timed)
    timed.redis.delete(secret)

    timed.redis.bgrewriteaof()
    wait_for(lambda: places(timed) == set(), 10, lambda: "the append-only file to be rewritten")
    timed.redis.slowlog_reset()
    canary.watch(timed)  # it has seen these commands, which are the test's


def test_a_redis_command_with_a_secret_is_found(timed: World, canary: Canary) -> None:
    secret = timed.delivered(timed.engineer()).secret
    commands = Commands(timed.redis)
    assert places(timed, commands=commands.text()) == set()

    timed.redis.get(secret)
    assert places(timed, commands=commands.text()) == {"a command"}
    commands.stop()

    in_script = Commands(timed.redis)
    timed.redis.eval("return redis.call('GET', ARGV[1] .. ARGV[2])", 0, secret[:13], secret[13:])
    assert f'lua] "GET" "{secret}"' in in_script.text()
    in_script.stop()
    canary.watch(timed)


def test_a_secret_that_a_client_shows_or_that_was_slow_is_found(
    timed: World, canary: Canary
) -> None:
    secret = timed.delivered(timed.engineer()).secret

    with timed.server.client() as other:
        other.client_setname(secret)
        assert "the store's clients" in places(timed)
    timed.redis.config_set("slowlog-log-slower-than", 0)
    timed.redis.get(secret)
    timed.redis.config_set("slowlog-log-slower-than", 10_000)
    assert "the store's slow log" in places(timed)

    timed.redis.slowlog_reset()
    canary.watch(timed)


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
@pytest.mark.parametrize(
    ("arguments", "environment", "stream_id"),
    [("{}", {}, "process cmdline"), ("x", {"X": "{}"}, "environment of a child")],
)
def test_a_secret_in_what_a_bot_starts_is_found(
    timed: World, arguments: str, environment: dict[str, str], stream_id: str
) -> None:
    secret = timed.delivered(timed.engineer()).secret
    starts = (
        "import json, subprocess, sys; arguments, environment = json.load(sys.stdin); "
        "waits = 'import signal; print(1, flush=True); signal.pause()'; "
        "subprocess.Popen([sys.executable, '-c', waits, arguments], env=environment).wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starts],
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
            assert places(timed, bot=parent.pid) == {stream_id}
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def test_a_secret_in_a_file_is_found_in_every_form(timed: World) -> None:
    secret = timed.delivered(timed.engineer()).secret
    leak = timed.folder / "deep" / "leak.txt"
    leak.parent.mkdir()

    for name, form in FORMS.items():
        leak.write_text(f"x {form(secret)} y")
        assert places(timed) == {"leak.txt"}, name

    for token in (
        timed.slack.bot_token,
        timed.slack.app_token,
        timed.slack.signing_secret,
        timed.aws.credentials["AWS_SECRET_ACCESS_KEY"],
        f"{timed.slack.url}/response/x",
    ):
        leak.write_text(f"x {token} y")
        assert places(timed) == {"leak.txt"}
    leak.unlink()


def test_the_log_is_among_the_files_and_is_written_down_to_debug(world: World) -> None:
    """All that the bot writes is in its folder: its log, with the libraries' lines, and its store."""
    person = world.engineer()
    world.delivered(person)

    names = {path.name for path in world.folder.rglob("*") if path.is_file()}

    assert "bot-01.log" in names
    assert any(name.endswith(".aof") for name in names)
    assert person.id in world.log


def test_a_secret_shown_for_a_moment_is_found(
    timed: World,
) -> None:
    person = timed.engineer()
    secret = timed.delivered(person).secret

    timed.carol.say(f"x {secret} y", "key-approvals")

    assert places(timed) == {"a lasting message or view"}
    timed.slack.look(lambda box: box.workspace.lasting_log.clear())


@pytest.mark.parametrize("ending", ["I saved it", "reload"])
def test_a_removed_ephemeral_leaves_no_secret_in_slack(world: World, ending: str) -> None:
    person = world.engineer()
    key = world.delivered(person)
    assert key.secret in world.slack.ephemeral_text()

    if ending == "reload":
        person.reload()
    else:
        person.click(key.message, ending)
    world.slack.wait_until(lambda: not handed_over(person), why="the ephemeral is gone")

    assert key.secret not in world.slack.ephemeral_text() + world.slack.lasting_text()

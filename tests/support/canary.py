"""Search everything that Keydesk stores, sends or writes for secrets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import redis

from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.support import processes
from tests.support.commands import Commands
from tests.support.running_world import World


class Around(Protocol):
    """What stands around a bot: a World, or a cell of a matrix.

    `folder` holds every file that the bot writes.
    """

    @property
    def slack(self) -> LocalSlack: ...

    @property
    def aws(self) -> LocalAws: ...

    @property
    def redis(self) -> redis.Redis: ...

    @property
    def folder(self) -> Path: ...


class Canary:
    """Search for every secret of a world. `looked` counts the searches."""

    def __init__(self) -> None:
        self.looked = 0
        self._commands: dict[Path, Commands] = {}

    def watch(self, world: World) -> World:
        """Search the commands to this store, too, from now on. Forget earlier ones."""
        if world.folder in self._commands:
            self._commands[world.folder].stop()
        self._commands[world.folder] = Commands(world.redis)
        return world

    def look(self, world: World) -> None:
        """Fail where a secret is found, and say where."""
        self.looked += 1
        commands = self._commands.pop(world.folder)
        try:
            sent = commands.text()
        finally:
            commands.stop()
        assert sent or world.server, "no command was seen"  # a server of a test's own may be down
        bot = world.running.process if world.running else None
        found = leaks(world, commands=sent, bot=bot.pid if bot and bot.poll() is None else None)
        assert not found, f"a secret is found in {found}"


def leaks(world: Around, *, commands: str = "", bot: int | None = None) -> list[str]:
    """Return every place in which a secret of AWS or Slack is found.

    `commands` are those that MONITOR has seen, `bot` the process ID of one that runs.
    """
    aws = {form: key_id for key_id, secret in world.aws.secrets.items() for form in forms(secret)}
    slack, own = world.slack, world.aws.credentials["AWS_SECRET_ACCESS_KEY"]
    tokens = {
        form: "a token"
        for one in (slack.bot_token, slack.app_token, slack.signing_secret, own)
        for form in forms(one)
    }
    response_urls = {f"{slack.url}/response/": "a response URL"}
    found = [
        f"{place}: {what}"
        for place, text in (*kept(world), *outside(world, commands, bot))
        for form, what in {**aws, **tokens, **response_urls}.items()
        if form in text
    ]
    lasting = slack.lasting_text()
    found += [
        f"a lasting message or view: {what}"
        for form, what in {**aws, **tokens}.items()
        if form in lasting
    ]
    for call in slack.calls():
        if call.method != "chat.postEphemeral":
            said = repr(call.args) + repr(call.answer)
            found += [
                f"a call of {call.method}: {what}" for form, what in aws.items() if form in said
            ]
    return found


def forms(secret: str) -> set[str]:
    """Return the forms of a secret: as it is, encoded for forms and JSON, and halves."""
    half = len(secret) // 2
    plain = {secret[:half], secret[half:]}
    return (
        plain | {quote(one, safe="") for one in plain} | {one.replace("/", "\\/") for one in plain}
    )


def kept(world: Around) -> Iterator[tuple[str, str]]:
    """Return every Redis value and every file of the bot, with its logs, as text."""
    for path in sorted(world.folder.rglob("*")):
        if path.is_file():
            yield str(path.name), path.read_bytes().decode(errors="replace")
    for name in world.redis.scan_iter(count=1000):
        yield f"Redis {name}", f"{name} {_value(world.redis, name)!r}"


def outside(world: Around, commands: str, bot: int | None) -> Iterator[tuple[str, str]]:
    """Return what others see of a bot at work, as text.

    That is the store's commands, slow ones and clients, and the bot's processes.
    """
    yield "a command", commands
    yield "the store's slow log", repr(world.redis.slowlog_get(1000))
    yield "the store's clients", repr(world.redis.client_list())
    if bot is not None and sys.platform == "linux":
        yield from processes.shown(bot)


def _value(client: redis.Redis, name: str) -> object:
    match client.type(name):
        case "string":
            return client.get(name)
        case "hash":
            return client.hgetall(name)
        case "list":
            return client.lrange(name, 0, -1)
        case "set":
            return client.smembers(name)
        case "zset":
            return client.zrange(name, 0, -1, withscores=True)
        case "stream":
            return client.xrange(name)
        case "none":
            return None  # it has ended meanwhile
        case other:
            raise AssertionError(f"{name} is a {other}, which is not searched")

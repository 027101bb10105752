"""Fixtures of the journeys: a bot for each file, bots of one test, the canary."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from _pytest.logging import LogCaptureHandler

from bot.runtime import log_config
from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.support.canary import Canary
from tests.support.debug_bot import everything_at_debug
from tests.support.running_bot import MANIFEST, MovedClock, RunningBot, built_bot
from tests.support.running_world import APPROVERS, INSTEAD, World
from tests.support.store_server import StoreServer

DEBUG = {"LOG_LEVEL": "debug"}
Start = Callable[..., World]


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Return numbers for new users, so that no two tests share a user."""
    return itertools.count(1)


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    """Return the time of AWS and of the bots that are built in this process."""
    return MovedClock()


@pytest.fixture(scope="module")
def aws(clock: MovedClock) -> Iterator[LocalAws]:
    """Run an AWS account for the file."""
    with LocalAws(ahead=lambda: clock.last_event) as aws:
        yield aws


@pytest.fixture(scope="module", autouse=True)
def canary() -> Iterator[Canary]:
    """Search for every secret everywhere when a bot ends. A file without that fails."""
    canary = Canary()
    yield canary
    assert canary.looked, "the canary did not look"


@pytest.fixture(scope="module")
def shared(
    request: pytest.FixtureRequest,
    aws: LocalAws,
    numbers: Iterator[int],
    canary: Canary,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Run one bot for the whole file, with the file's TRANSPORT and SETTINGS.

    Over HTTP every logger of every library is at DEBUG. Over Socket Mode it is the program as
    it is shipped. A test can be parametrised with another transport.
    """
    transport = getattr(request, "param", getattr(request.module, "TRANSPORT", "socket"))
    program = "tests.support.debug_bot" if transport == "http" else "bot"
    folder = tmp_path_factory.mktemp(transport)
    settings = {**DEBUG, "INSTEAD_OF_KEYS": INSTEAD, **getattr(request.module, "SETTINGS", {})}
    with (
        LocalSlack(MANIFEST) as slack,
        RunningBot(slack, aws, folder, transport, settings, program) as bot,
        bot.redis() as client,
    ):
        world = canary.watch(World(slack, aws, client, folder, numbers, running=bot))
        yield world
        canary.look(world)


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """Return the file's running bot, without faults, and Carol as approver."""
    yield shared
    _restore(shared)


@pytest.fixture
def start(aws: LocalAws, numbers: Iterator[int], tmp_path: Path, canary: Canary) -> Iterator[Start]:
    """Start a running bot for one test: `start(transport, beside=None, **settings)`.

    Every logger of every library is at DEBUG, unless `program` is "bot", as it is shipped.
    `beside` is the world of another bot, with which it shares workspace and database.
    """
    with ExitStack() as stack:

        def start(
            transport: str = "socket",
            beside: World | None = None,
            program: str = "tests.support.debug_bot",
            **settings: str,
        ) -> World:
            folder = tmp_path / f"bot{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            slack = beside.slack if beside else stack.enter_context(LocalSlack(MANIFEST))
            server = beside.server if beside else None
            if server is None:
                server = StoreServer(folder / "data")
                stack.callback(server.stop)
            more = {"REDIS_URL": server.url, **DEBUG, **settings}
            bot = stack.enter_context(RunningBot(slack, aws, folder, transport, more, program))
            client = server.client()
            world = World(
                slack, aws, client, folder, numbers, running=bot, server=server, beside=beside
            )
            assert world.answers  # those of a bot beside it are read from now on
            stack.callback(client.close)
            stack.callback(canary.look, canary.watch(world))
            stack.callback(aws.faults.clear)
            return world

        yield start


@pytest.fixture(scope="module")
def built(
    request: pytest.FixtureRequest,
    aws: LocalAws,
    clock: MovedClock,
    numbers: Iterator[int],
    canary: Canary,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Build one bot in this process for the whole file, with the file's SETTINGS.

    Every logger is at DEBUG. Its clock only moves forward.
    """
    folder = tmp_path_factory.mktemp("built")
    settings = getattr(request.module, "SETTINGS", {})
    with ExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        stack.enter_context(_logs_into(folder / "bot.log"))
        server = StoreServer(folder / "data")
        stack.callback(server.stop)
        slack = stack.enter_context(LocalSlack(MANIFEST))
        bot = stack.enter_context(
            built_bot(slack, aws, server.url, clock, environment.setenv, **settings)
        )
        stack.callback(everything_at_debug())
        client = server.client()
        stack.callback(client.close)
        world = World(slack, aws, client, folder, numbers, built=bot, clock=clock, server=server)
        yield canary.watch(world)
        canary.look(world)


@pytest.fixture
def timed(built: World) -> Iterator[World]:
    """Return the file's built bot, whose clock the test moves.

    No earlier test has left work.
    """
    assert built.clock
    built.clock.ahead = timedelta(0)
    built.redis.delete("{keydesk}:due")
    yield built
    _restore(built)


def _restore(world: World) -> None:
    """Remove all faults, and make Carol the only approver."""
    world.aws.faults.clear()
    world.slack.faults.clear()
    world.slack.set_group(APPROVERS, ["U0CAROL"])


@contextmanager
def _logs_into(path: Path) -> Iterator[None]:
    """Write the log of a built bot into a file, and spare pytest its DEBUG lines."""
    levels = {one: one.level for one in logging.root.handlers if isinstance(one, LogCaptureHandler)}
    with path.open("w", buffering=1) as stream:
        log_config.configure("debug", "json", stream)
        for handler in levels:
            handler.setLevel(logging.INFO)
        yield
        for handler, level in levels.items():
            handler.setLevel(level)
        structlog.contextvars.clear_contextvars()
        structlog.reset_defaults()
        for handler in list(logging.root.handlers):
            if getattr(handler, "stream", None) is stream:
                logging.root.removeHandler(handler)

"""What do journeys share? A running bot over each transport, bots built in this process, and the canary after each."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
from tests.support.running_world import APPROVERS, INSTEAD, StoreServer, World

DEBUG = {"LOG_LEVEL": "debug"}


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Numbers for new people: nobody is met twice."""
    return itertools.count(1)


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    """The time of the bots that are built in this process, and of AWS."""
    return MovedClock()


@pytest.fixture(scope="module")
def aws(clock: MovedClock) -> Iterator[LocalAws]:
    with LocalAws(ahead=lambda: clock.last_event) as aws:
        yield aws


@pytest.fixture(autouse=True)
def canary() -> Iterator[Canary]:
    """After each journey, every secret is searched for everywhere; a journey without that fails."""
    canary = Canary()
    yield canary
    assert canary.looked, "the canary did not look"


@pytest.fixture(scope="module", params=["socket", "http"])
def shared(
    request: pytest.FixtureRequest,
    aws: LocalAws,
    numbers: Iterator[int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """One running bot for the journeys of a module, over each transport in turn; with the module's SETTINGS, if any.

    Over HTTP every logger of every library is at DEBUG; over Socket Mode it is the program as it is shipped.
    """
    program = "tests.support.debug_bot" if request.param == "http" else "bot"
    folder = tmp_path_factory.mktemp(request.param)
    settings = {**DEBUG, "INSTEAD_OF_KEYS": INSTEAD, **getattr(request.module, "SETTINGS", {})}
    with (
        LocalSlack(MANIFEST) as slack,
        RunningBot(slack, aws, folder, request.param, settings, program) as bot,
        bot.redis() as client,
    ):
        yield World(slack, aws, client, folder, numbers, running=bot)


@pytest.fixture
def world(shared: World, canary: Canary) -> Iterator[World]:
    """The running bot, with nothing broken yet."""
    canary.watch(shared)
    yield shared
    shared.aws.faults.clear()
    shared.slack.faults.clear()
    shared.slack.set_group(APPROVERS, ["U0CAROL"])
    canary.look(shared)


Start = Callable[..., World]


@pytest.fixture
def start(aws: LocalAws, numbers: Iterator[int], tmp_path: Path, canary: Canary) -> Iterator[Start]:
    """Starts a running bot of the test's own: `start(transport, beside=None, **settings)`; it ends with the test.

    Every logger of every library is at DEBUG, unless `program` is "bot", as it is shipped.
    `beside` is the world of another one, with which it shares workspace and store.
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
            world = World(
                slack,
                aws,
                server.client(),
                folder,
                numbers,
                running=bot,
                server=server,
                beside=beside,
            )
            assert world.answers  # those of a bot beside it are read from now on
            stack.callback(world.redis.close)
            stack.callback(canary.look, canary.watch(world))
            stack.callback(aws.faults.clear)
            return world

        yield start


@pytest.fixture
def build(
    aws: LocalAws,
    clock: MovedClock,
    numbers: Iterator[int],
    tmp_path: Path,
    canary: Canary,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Start]:
    """Builds a bot in this process whose clock the test moves, with every logger at DEBUG: `build(**settings)`."""
    clock.last_event = clock.ahead = timedelta(0)
    with ExitStack() as stack:

        def build(**settings: str) -> World:
            stream = stack.enter_context((tmp_path / "bot.log").open("w", buffering=1))
            log_config.configure("debug", "json", stream)
            stack.callback(_forget_logging, stream)
            server = StoreServer(tmp_path / "data")
            stack.callback(server.stop)
            slack = stack.enter_context(LocalSlack(MANIFEST))
            bot = stack.enter_context(
                built_bot(slack, aws, server.url, clock, monkeypatch.setenv, **settings)
            )
            stack.callback(everything_at_debug())
            stack.callback(_spare_pytest())
            client = server.client()
            stack.callback(client.close)
            world = World(
                slack, aws, client, tmp_path, numbers, built=bot, clock=clock, server=server
            )
            stack.callback(canary.look, canary.watch(world))
            stack.callback(aws.faults.clear)
            return world

        yield build


@pytest.fixture
def timed(build: Start) -> World:
    """A desk with the usual settings, whose clock the test moves."""
    return build()


def _spare_pytest() -> Callable[[], None]:
    """pytest keeps what is logged to print it where a test fails: from INFO on. Returns what takes that back."""
    levels = {one: one.level for one in logging.root.handlers if isinstance(one, LogCaptureHandler)}
    for handler in levels:
        handler.setLevel(logging.INFO)
    return lambda: [handler.setLevel(level) for handler, level in levels.items()] and None


def _forget_logging(stream: object) -> None:
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    for handler in [one for one in logging.root.handlers if getattr(one, "stream", None) is stream]:
        logging.root.removeHandler(handler)

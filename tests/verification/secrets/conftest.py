"""Run the tests of secrets on a bot as its own process, in its own workspace."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.support.processes import like_anybody
from tests.support.running_bot import MANIFEST, RunningBot
from tests.support.running_world import World

Run = Callable[..., World]


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    with LocalSlack(MANIFEST) as local:
        yield local


@pytest.fixture
def run(slack: LocalSlack, tmp_path: Path) -> Iterator[Run]:
    """Return a function that starts a bot: `run(transport, program, **settings)`."""
    with ExitStack() as stack:
        aws = stack.enter_context(LocalAws())

        def run(transport: str = "socket", program: str = "bot", **settings: str) -> World:
            more = {"LOG_LEVEL": "debug", **settings}
            bot = stack.enter_context(
                RunningBot(slack, aws, tmp_path, transport, more, program, like_anybody)
            )
            client = stack.enter_context(bot.redis())
            stack.callback(slack.faults.clear)
            return World(slack, aws, client, tmp_path, itertools.count(1), running=bot)

        yield run

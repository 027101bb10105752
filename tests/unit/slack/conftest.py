"""What do the tests of the Slack side share: a workspace, a client of the bot in it, and the log as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from slack_sdk import WebClient

from sandbox.local import LocalSlack
from tests.support.logged import Log, logged
from tests.support.running_bot import MANIFEST


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    """A workspace without a bot, with the scopes of the real manifest."""
    with LocalSlack(MANIFEST) as local:
        yield local


@pytest.fixture
def web(slack: LocalSlack) -> WebClient:
    """The bot's client, which repeats nothing."""
    return WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)


@pytest.fixture
def log() -> Iterator[Log]:
    """Everything that is logged, at every level."""
    with logged() as written:
        yield written


@pytest.fixture
def events(log: Log) -> Callable[[str], list[dict[str, Any]]]:
    """The logged lines of an event."""
    return log.lines

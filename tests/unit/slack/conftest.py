"""Fixtures for tests of the Slack side: a workspace, its log, and Keydesk in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from slack_sdk import WebClient

from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from tests.support.logged import Log, logged
from tests.support.render_world import Drawing
from tests.support.running_bot import MANIFEST
from tests.support.slack_services import NoRoom, SlackDesk, build, serving


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
def served(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    """Keydesk behind HTTP, as users meet it."""
    with serving(slack, web) as world:
        yield world


@pytest.fixture
def unserved(slack: LocalSlack, web: WebClient, log: Log) -> SlackDesk:
    """Keydesk whose dispatcher the test calls itself. Its worker pool is full."""
    return build(slack, web, NoRoom(), NoRoom())


class AtOnce:
    """A pool that does its work before `submit` returns."""

    def submit(self, work: Callable[[], None]) -> bool:
        work()
        return True


@pytest.fixture
def here(slack: LocalSlack, web: WebClient, log: Log) -> SlackDesk:
    """Keydesk that is not served, and whose work is done at once."""
    return build(slack, web, AtOnce(), AtOnce())


@pytest.fixture
def rendering(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> Iterator[Drawing]:
    """One stored request, and messengers that render it."""
    yield Drawing(slack, web, redis_store)
    slack.faults.clear()

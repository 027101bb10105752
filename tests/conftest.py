"""Fixtures of several parts: one real Valkey server for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.support", "tests.verification", "tests.browser.story")

from bot.store.connection import connect  # noqa: E402
from bot.store.embedded import EmbeddedServer, start  # noqa: E402
from bot.store.redis_store import RedisStore  # noqa: E402
from tests.support.call_counts import pytest_terminal_summary as pytest_terminal_summary  # noqa: E402

pytest_plugins = ["tests.browser.chromium"]


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """The embedded server, as it is shipped."""
    server = start(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest.fixture
def redis_store(valkey: EmbeddedServer) -> Iterator[RedisStore]:
    """A RedisStore with nothing in it."""
    client = connect(valkey.url)
    client.flushall()
    store = RedisStore(client)
    yield store
    store.close()

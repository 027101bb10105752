"""What do tests of several parts share? One real Valkey server for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.store.embedded import EmbeddedServer, start
from bot.store.redis_store import RedisStore, connect
from tests.counts import pytest_terminal_summary as pytest_terminal_summary


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

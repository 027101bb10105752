"""Fixtures of the store's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from tests.support.logged import Log, logged


@pytest.fixture
def raw(valkey: EmbeddedServer, redis_store: RedisStore) -> Iterator[Any]:
    """The server behind `redis_store`, asked directly."""
    client: Any = connect(valkey.url)  # Any: redis-py's types do not know decode_responses
    yield client
    client.close()


@pytest.fixture
def log() -> Iterator[Log]:
    """Return everything that is logged, at every level."""
    with logged() as written:
        yield written

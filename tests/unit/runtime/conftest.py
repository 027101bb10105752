"""Fixtures of the audit publisher: the log, a clock, and the trail of an empty database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.store.redis_store import RedisStore
from bot.store.redis_trail import RedisTrail
from tests.support.logged import Log, logged
from tests.support.memory_store import FakeClock


@pytest.fixture
def log() -> Iterator[Log]:
    with logged() as written:
        yield written


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def trail(redis_store: RedisStore) -> RedisTrail:
    return redis_store.trail()

"""Fixtures of the runtime: the log, a clock, and an audit trail that is published."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.store.redis_store import RedisStore
from tests.support.logged import Log, logged
from tests.support.memory_store import FakeClock
from tests.unit.runtime.publishing import Publishing


@pytest.fixture
def log() -> Iterator[Log]:
    with logged() as written:
        yield written


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def publishing(redis_store: RedisStore, clock: FakeClock, log: Log) -> Publishing:
    return Publishing(redis_store, clock, log)

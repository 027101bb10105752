"""Do the store in memory and the store in Redis keep the same contract?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.ports import Clock
from bot.domain.store_ports import RequestStore
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from bot.store.serialization import entry_from_fields
from tests.support.memory_store import FakeClock, MemoryStore
from tests.support.store_contract import StoreContract, Trail
from tests.support.store_contract_homes import Approvers, Deliveries, Homes
from tests.support.store_contract_rate_limits import Counting
from tests.support.store_contract_rendering import Drawing
from tests.verification.simulation.outside import SimulatedStore


class TestMemoryStore(StoreContract, Counting, Drawing, Homes, Approvers, Deliveries):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def store(self, clock: FakeClock) -> RequestStore:
        return MemoryStore(clock.now)

    @pytest.fixture
    def trail(self, store: MemoryStore) -> Trail:
        return lambda: store.entries

    def test_a_delivery_is_forgotten_after_ten_minutes(
        self, store: RequestStore, clock: FakeClock
    ) -> None:
        assert store.is_first_delivery("t1")
        clock.advance(timedelta(minutes=10))
        assert store.is_first_delivery("t1")

    def test_a_drawing_lock_ends_by_itself(self, store: RequestStore, clock: FakeClock) -> None:
        assert store.acquire_lock("request:r1", "a", 30)
        clock.advance(timedelta(seconds=30))
        assert store.acquire_lock("request:r1", "b", 30)

    def test_its_time_is_the_clocks(self, store: RequestStore, clock: Clock) -> None:
        assert store.time() == clock.now()


class TestSimulatedStore(TestMemoryStore):
    """The one of `tests/simulation`, watched, which can lose what was written last."""

    @pytest.fixture
    def store(self, clock: FakeClock) -> RequestStore:
        return SimulatedStore(clock.now)

    def test_it_is_again_what_it_was(self, store: SimulatedStore, clock: FakeClock) -> None:
        kept = store.everything()
        assert store.is_first_delivery("t1")
        store.lose_to(kept)
        assert store.is_first_delivery("t1") and not store.is_first_delivery("t1")


class TestRedisStore(StoreContract, Counting, Drawing, Homes, Approvers, Deliveries):
    @pytest.fixture
    def store(self, redis_store: RedisStore) -> RequestStore:
        return redis_store

    @pytest.fixture
    def trail(self, valkey: EmbeddedServer) -> Iterator[Trail]:
        client: Any = connect(valkey.url)  # redis-py's types do not know decode_responses
        yield lambda: [entry_from_fields(fields) for _, fields in client.xrange("{keydesk}:audit")]
        client.close()

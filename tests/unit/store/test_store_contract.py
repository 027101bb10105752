"""Check that the memory, simulated and Redis stores keep the same contract."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.ports import Clock
from bot.domain.store_ports import RequestStore
from bot.store.redis_store import RedisStore
from bot.store.serialization import entry_from_fields
from tests.support.memory_store import FakeClock, MemoryStore
from tests.support.store_contract import StoreContract, Trail
from tests.support.store_contract_due import Due
from tests.support.store_contract_homes import Approvers, Deliveries, Homes
from tests.support.store_contract_rate_limits import Counting
from tests.support.store_contract_rendering import Drawing
from tests.verification.simulation.outside import SimulatedStore


class TestMemoryStore(StoreContract, Due, Counting, Drawing, Homes, Approvers, Deliveries):
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

    def test_a_render_lock_expires(self, store: RequestStore, clock: FakeClock) -> None:
        assert store.acquire_lock("request:r1", "a", 30)
        clock.advance(timedelta(seconds=30))
        assert store.acquire_lock("request:r1", "b", 30)

    def test_its_time_is_the_clocks(self, store: RequestStore, clock: Clock) -> None:
        assert store.time() == clock.now()


class TestSimulatedStore(TestMemoryStore):
    """The store of the simulation, which can lose what was written last."""

    @pytest.fixture
    def store(self, clock: FakeClock) -> RequestStore:
        return SimulatedStore(clock.now)

    def test_it_goes_back_to_an_earlier_state(self, store: SimulatedStore) -> None:
        earlier = store.everything()
        assert store.is_first_delivery("t1")
        store.lose_to(earlier)
        assert store.is_first_delivery("t1") and not store.is_first_delivery("t1")


class TestRedisStore(StoreContract, Due, Counting, Drawing, Homes, Approvers, Deliveries):
    @pytest.fixture
    def store(self, redis_store: RedisStore) -> RequestStore:
        return redis_store

    @pytest.fixture
    def trail(self, raw: Any) -> Trail:
        return lambda: [entry_from_fields(fields) for _, fields in raw.xrange("{keydesk}:audit")]

"""Do the audit trail in memory and the one in Redis keep the same contract, and what does Redis make of it?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis

from bot.domain.outside_errors import StoreUnavailable
from bot.domain.records import AuditEntry
from bot.domain.store_ports import AuditTrail, RequestStore
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from bot.store.redis_trail import RedisTrail
from tests.support.memory_store import FakeClock, MemoryStore
from tests.support.memory_trail import MemoryTrail
from tests.support.redis_proxy import proxy_to
from tests.support.store_contract import START
from tests.support.trail_contract import Trails, note, seal


class TestMemoryTrail(Trails):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def store(self, clock: FakeClock) -> RequestStore:
        return MemoryStore(clock.now)

    @pytest.fixture
    def trail(self, store: MemoryStore, clock: FakeClock) -> AuditTrail:
        return MemoryTrail(store, clock.now)

    def test_who_leads_and_dies_keeps_others_away_for_a_while(
        self, trail: AuditTrail, clock: FakeClock
    ) -> None:
        assert trail.acquire_leadership("a", 30) and not trail.acquire_leadership("b", 30)
        clock.advance(timedelta(seconds=30))
        assert trail.acquire_leadership("b", 30)


class TestRedisTrail(Trails):
    @pytest.fixture
    def store(self, redis_store: RedisStore) -> RequestStore:
        return redis_store

    @pytest.fixture
    def trail(self, redis_store: RedisStore) -> AuditTrail:
        return redis_store.trail()

    def test_the_leaders_lock_ends_by_itself(self, trail: AuditTrail, raw: Any) -> None:
        trail.acquire_leadership("a", 30)
        assert 0 < raw.ttl("{keydesk}:audit:leader") <= 30

    def test_every_key_carries_the_hash_tag(
        self, store: RequestStore, trail: AuditTrail, raw: Any
    ) -> None:
        note(store, "a")
        seal(trail, "s1", previous="")
        trail.move_cursor("log", "", "1-0")
        trail.acquire_leadership("a", 30)
        kinds = {key: raw.type(key) for key in raw.keys("*") if ":commit:" not in key}
        assert kinds == {
            "{keydesk}:audit": "stream",
            "{keydesk}:audit:count": "string",
            "{keydesk}:audit:sealed": "hash",
            "{keydesk}:audit:cursors": "hash",
            "{keydesk}:audit:leader": "string",
        }

    def test_what_others_write_there_is_read_all_the_same(
        self, trail: AuditTrail, raw: Any
    ) -> None:
        for fields in ({"number": "x"}, {"number": "9" * 99}, {"number": "²"}, {"a": "b"}):
            raw.xadd("{keydesk}:audit", fields)
        assert [line.number for line in trail.lines()] == [0] * 4

    def test_a_counter_that_is_no_number_stops_a_commit_before_it_writes(
        self, store: RequestStore, raw: Any
    ) -> None:
        raw.set("{keydesk}:audit:count", "many")
        before = set(raw.keys("*"))
        with pytest.raises(redis.ResponseError):
            note(store, "a")
        assert set(raw.keys("*")) == before


def test_a_commit_that_is_sent_twice_is_numbered_once(
    valkey: EmbeddedServer, redis_store: RedisStore
) -> None:
    with proxy_to(valkey.url) as proxy:
        far = RedisStore(connect(proxy.url))
        note(far, "warm-up")
        proxy.lose_answer()
        note(far, "a")
        far.close()
    note(redis_store, "b")
    assert [(line.number, line.fields["action"]) for line in redis_store.trail().lines()] == [
        (1, "warm-up"),
        (2, "a"),
        (3, "b"),
    ]


def test_a_seal_whose_answer_is_lost_stands_there_once(
    valkey: EmbeddedServer, redis_store: RedisStore
) -> None:
    note(redis_store, "a")
    with proxy_to(valkey.url) as proxy:
        far = RedisStore(connect(proxy.url))
        trail = far.trail()
        assert seal(trail, "s1", previous="")
        proxy.lose_answer()
        trail.seal({"at": "now", "seal": "s2"}, previous="s1", stream_id="9-0")
        far.close()
    assert [line.fields.get("seal") for line in redis_store.trail().lines()] == [None, "s1", "s2"]


TRAIL_CALLS: dict[str, Callable[[RedisTrail], object]] = {
    "lines": lambda t: t.lines(),
    "numbered": lambda t: t.last_number(),
    "sealed": lambda t: t.last_seal(),
    "seal": lambda t: t.seal({"seal": "s"}, previous="", stream_id="1-0"),
    "cursor": lambda t: t.cursor("log"),
    "move": lambda t: t.move_cursor("log", "", "1-0"),
    "lead": lambda t: t.acquire_leadership("a", 30),
    "resign": lambda t: t.release_leadership("a"),
}


@pytest.mark.parametrize("call", TRAIL_CALLS.values(), ids=TRAIL_CALLS)
def test_a_server_that_is_not_there_is_said_to_be_unavailable(
    call: Callable[[RedisTrail], object],
) -> None:
    store = RedisStore(connect("unix:///there/is/none"))
    with pytest.raises(StoreUnavailable):
        call(store.trail())


def test_many_commits_at_once_leave_no_number_out(redis_store: RedisStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda n: redis_store.commit(entry=AuditEntry(START, "U1", str(n))), range(200)
            )
        )
    assert [line.number for line in redis_store.trail().lines(limit=300)] == list(range(1, 201))

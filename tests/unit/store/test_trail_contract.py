"""Check that the audit trails in memory and in Redis keep the same contract."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis

from bot.domain.codes import Code
from bot.domain.records import AuditEntry
from bot.domain.store_ports import AuditTrail, RequestStore
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from bot.store.redis_trail import RedisTrail
from tests.support.errors import refuses
from tests.support.memory_store import FakeClock, MemoryStore
from tests.support.memory_trail import MemoryTrail
from tests.support.redis_proxy import proxy_to
from tests.support.store_values import START
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

    def test_a_leader_that_dies_is_replaced_after_a_while(
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

    def test_every_key_has_the_hash_tag_and_the_lock_expires(
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
        assert 0 < raw.ttl("{keydesk}:audit:leader") <= 30

    def test_entries_of_others_are_read_without_a_number(self, trail: AuditTrail, raw: Any) -> None:
        for fields in ({"number": "x"}, {"number": "9" * 99}, {"number": "²"}, {"a": "b"}):
            raw.xadd("{keydesk}:audit", fields)
        assert [line.number for line in trail.lines()] == [0] * 4

    def test_a_broken_counter_stops_a_commit_before_it_writes(
        self, store: RequestStore, raw: Any
    ) -> None:
        raw.set("{keydesk}:audit:count", "many")
        before = set(raw.keys("*"))
        with pytest.raises(redis.ResponseError):
            note(store, "a")
        assert set(raw.keys("*")) == before


def test_what_is_sent_twice_is_numbered_and_sealed_once(
    valkey: EmbeddedServer, redis_store: RedisStore
) -> None:
    """The answers of a commit and of a seal are lost."""
    with proxy_to(valkey.url) as proxy:
        far = RedisStore(connect(proxy.url))
        trail = far.trail()
        note(far, "warm-up")
        proxy.lose_answer()
        note(far, "a")
        assert seal(trail, "s1", previous="")
        proxy.lose_answer()
        trail.seal({"at": "now", "seal": "s2"}, previous="s1", stream_id="9-0")
        far.close()
    note(redis_store, "b")
    lines = redis_store.trail().lines()
    assert [(one.number, one.fields.get("seal", one.fields.get("action"))) for one in lines] == [
        *((1, "warm-up"), (2, "a"), (0, "s1"), (0, "s2"), (3, "b")),
    ]


TRAIL_CALLS: dict[str, Callable[[RedisTrail], object]] = {
    "lines": lambda t: t.lines(),
    "last_number": lambda t: t.last_number(),
    "last_seal": lambda t: t.last_seal(),
    "seal": lambda t: t.seal({"seal": "s"}, previous="", stream_id="1-0"),
    "cursor": lambda t: t.cursor("log"),
    "move_cursor": lambda t: t.move_cursor("log", "", "1-0"),
    "acquire_leadership": lambda t: t.acquire_leadership("a", 30),
    "release_leadership": lambda t: t.release_leadership("a"),
}


@pytest.mark.parametrize("call", TRAIL_CALLS.values(), ids=TRAIL_CALLS)
def test_no_server_is_unavailable(call: Callable[[RedisTrail], object]) -> None:
    store = RedisStore(connect("unix:///there/is/none"))
    with refuses(Code.STORE_UNAVAILABLE):
        call(store.trail())


def test_many_commits_at_once_leave_no_number_out(redis_store: RedisStore) -> None:
    entries = [AuditEntry(START, "U1", str(n)) for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda entry: redis_store.commit(entry=entry), entries))
    lines = redis_store.trail().lines(limit=300)
    assert [line.number for line in lines] == list(range(1, 201))

"""Name the keys that the store has in Redis, and how long each lives."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.rate_limits import Limit, LimitedAction, RateLimited, Usage
from bot.domain.records import AuditEntry, Change
from bot.store.redis_store import RedisStore
from tests.support.store_calls import CALLS
from tests.support.store_values import MINUTE, START, a_key, a_request, put


@pytest.fixture
def used_store(redis_store: RedisStore) -> RedisStore:
    """Return a store in which every kind of key is in use."""
    store = redis_store
    asked = put(store, None, a_request())
    store.commit(Change(None, a_key()), entry=AuditEntry(START, "U1", "adopt"))
    for name, call in CALLS.items():
        if name != "commit":
            call(store)
    put(store, asked, replace(asked, version=2))
    store.reschedule("request:r1", START + MINUTE)
    store.acquire_lock("request:r1", "a", 30)
    with suppress(RateLimited):
        store.record_usage(Usage(LimitedAction.REVEAL, "U1", START, Limit(0, 9)))
    return store


@pytest.mark.usefixtures("used_store")
def test_every_key_carries_the_hash_tag(raw: Any) -> None:
    commits = {key for key in raw.keys("*") if key.startswith("{keydesk}:commit:")}
    assert {key: raw.type(key) for key in set(raw.keys("*")) - commits} == {
        "{keydesk}:request:r1": "string",
        "{keydesk}:key:AKIAIOSFODNN7EXAMPLE": "string",
        "{keydesk}:requests:U1": "zset",
        "{keydesk}:pending": "zset",
        "{keydesk}:due": "zset",
        "{keydesk}:rescheduled": "hash",
        "{keydesk}:render": "zset",
        "{keydesk}:render-lock:request:r1": "string",
        "{keydesk}:lock:open:111122223333:ana:create": "string",
        "{keydesk}:lock:delivery:t1": "string",
        "{keydesk}:homes": "hash",
        "{keydesk}:approvers": "string",
        "{keydesk}:usage:nudge:U1:2026-11-24T10": "string",
        "{keydesk}:usage:nudge:all:2026-11-24T10": "string",
        "{keydesk}:usage:reveal:U1:2026-11-24T10:refused": "string",
        "{keydesk}:audit": "stream",
        "{keydesk}:audit:count": "string",
    } and len(commits) == 5


@pytest.mark.usefixtures("used_store")
def test_only_locks_counters_and_commit_marks_expire(raw: Any) -> None:
    lives = {key.split(":")[1]: raw.ttl(key) for key in raw.keys("*") if raw.ttl(key) != -1}
    longest = {"lock": 600, "render-lock": 30, "commit": 86400, "usage": 7200}
    assert lives.keys() == longest.keys()
    assert all(0 < lives[kind] <= longest[kind] for kind in longest)


def test_two_installs_in_one_server_do_not_meet(redis_store: RedisStore, raw: Any) -> None:
    other = RedisStore(raw, prefix="{other}")
    put(redis_store, None, a_request())
    put(other, None, a_request())
    assert other.is_first_delivery("t1") and redis_store.is_first_delivery("t1")
    assert list(other.due(START + 60 * MINUTE)) == ["request:r1"]

"""Refuse stored values of a newer format. An unreadable value breaks no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.store.redis_store import RedisStore
from bot.store.serialization import FORMAT
from tests.support.errors import refuses
from tests.support.logged import Log
from tests.support.store_values import a_key, a_request, put

REQUEST_KEY, ACCESS_KEY = "{keydesk}:request:r1", "{keydesk}:key:AKIAIOSFODNN7EXAMPLE"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def rewrite(redis_store: RedisStore, raw: Any) -> Callable[[str, Change], None]:
    """Store a request and a key, and return what changes one behind the store's back."""
    for value in (a_request(), a_key()):
        put(redis_store, None, value)

    def rewrite(key: str, change: Change) -> None:
        stored = json.loads(raw.get(key))
        assert stored["format"] == FORMAT
        change(stored)
        raw.set(key, json.dumps(stored))

    return rewrite


DAMAGE: dict[str, Change] = {
    "an unknown status": lambda stored: stored.update(status="dreaming"),
    "an unknown field": lambda stored: stored.update(colour="blue"),
    "a missing field": lambda stored: stored.pop("requester"),
    "no format": lambda stored: stored.pop("format"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_an_unreadable_request_breaks_no_list(
    redis_store: RedisStore, rewrite: Callable[[str, Change], None], log: Log, damage: Change
) -> None:
    other = put(redis_store, None, a_request("r2", iam_user="Bea"))
    rewrite(REQUEST_KEY, damage)
    assert list(redis_store.pending()) == [other] == list(redis_store.requests_of("U1"))
    assert {line["key"] for line in log.lines("stored value")} == {REQUEST_KEY}
    with refuses(Code.STORED_VALUE_UNREADABLE, key=REQUEST_KEY):
        redis_store.request("r1")


def test_a_newer_format_is_refused_and_left_unchanged(
    redis_store: RedisStore, rewrite: Callable[[str, Change], None], raw: Any
) -> None:
    newer = FORMAT + 1
    for key in (REQUEST_KEY, ACCESS_KEY):
        rewrite(key, lambda stored: stored.update(format=newer))
    before = raw.mget(REQUEST_KEY, ACCESS_KEY)
    with refuses(Code.STORED_FORMAT_TOO_NEW, key=REQUEST_KEY, format=newer):
        redis_store.request("r1")
    with refuses(Code.STORED_FORMAT_TOO_NEW, key=ACCESS_KEY, format=newer):
        redis_store.key("AKIAIOSFODNN7EXAMPLE")
    assert redis_store.pending() == [] and raw.mget(REQUEST_KEY, ACCESS_KEY) == before

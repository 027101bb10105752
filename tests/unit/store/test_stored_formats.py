"""Stored values of a newer format are refused; what cannot be read breaks nothing else."""

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
from tests.support.store_contract import a_key, a_request, put

REQUEST_KEY, ACCESS_KEY = "{keydesk}:request:r1", "{keydesk}:key:AKIAIOSFODNN7EXAMPLE"


def rewrite(store: RedisStore, key: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a stored value behind the store's back."""
    stored = json.loads(store._client.get(key))
    change(stored)
    store._client.set(key, json.dumps(stored))


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "an unknown status": lambda stored: stored.update(status="dreaming"),
    "an unknown field": lambda stored: stored.update(colour="blue"),
    "a missing field": lambda stored: stored.pop("requester"),
    "no format": lambda stored: stored.pop("format"),
}


def test_values_are_stored_with_their_format(redis_store: RedisStore) -> None:
    put(redis_store, None, a_request())
    put(redis_store, None, a_key())
    for key in (REQUEST_KEY, ACCESS_KEY):
        assert json.loads(redis_store._client.get(key))["format"] == FORMAT


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_an_unreadable_request_breaks_no_list(
    redis_store: RedisStore, log: Log, damage: Callable[[dict[str, Any]], object]
) -> None:
    put(redis_store, None, a_request())
    other = put(redis_store, None, a_request("r2", iam_user="Bea"))
    rewrite(redis_store, REQUEST_KEY, damage)
    assert list(redis_store.pending()) == [other]
    assert list(redis_store.requests_of("U1")) == [other]
    assert {line["key"] for line in log.lines("stored value")} == {REQUEST_KEY}
    with refuses(Code.STORED_VALUE_UNREADABLE, key=REQUEST_KEY):
        redis_store.request("r1")


def test_a_newer_format_is_refused_and_stays_as_it_is(redis_store: RedisStore) -> None:
    put(redis_store, None, a_request())
    put(redis_store, None, a_key())
    for key in (REQUEST_KEY, ACCESS_KEY):
        rewrite(redis_store, key, lambda stored: stored.update(format=FORMAT + 1))
    before = redis_store._client.get(REQUEST_KEY)
    with refuses(Code.STORED_FORMAT_TOO_NEW, key=REQUEST_KEY, format=FORMAT + 1):
        redis_store.request("r1")
    with refuses(Code.STORED_FORMAT_TOO_NEW, key=ACCESS_KEY, format=FORMAT + 1):
        redis_store.key("AKIAIOSFODNN7EXAMPLE")
    assert redis_store.pending() == [] and redis_store._client.get(REQUEST_KEY) == before

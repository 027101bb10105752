"""Read every field of a request, key and audit entry back as it was stored."""

from __future__ import annotations

import uuid
from dataclasses import is_dataclass, replace
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.codes import Detail
from bot.domain.keys import ManagedKey
from bot.domain.records import AuditEntry
from bot.domain.requests import KeyRequest
from bot.store.redis_store import RedisStore
from bot.store.serialization import entry_from_fields, entry_to_fields
from tests.support.store_values import put

Strategy = st.SearchStrategy[Any]
SIMPLE: dict[object, Strategy] = {
    # With room for sums.
    datetime: st.datetimes(datetime(1970, 1, 9), datetime(9000, 1, 1), timezones=st.just(UTC)),
    timedelta: st.timedeltas(min_value=timedelta(hours=1), max_value=timedelta(days=3650)),
    int: st.integers(1, 10**6),
    Detail: st.builds(Detail, st.text(min_size=1), st.dictionaries(st.text(), st.text())),
}

REMINDERS = st.lists(st.sampled_from(["1", "2"]), max_size=2).map(tuple)


def values(hint: Any) -> Strategy:
    """Return values of a type. Every field of a dataclass gets a value."""
    if hint in SIMPLE:
        return SIMPLE[hint]
    if isinstance(hint, UnionType):
        return st.one_of(*map(values, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=2).map(tuple)
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{name: values(of) for name, of in hints.items()})
    return st.from_type(hint)


through_the_store = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck)
)


@through_the_store
@given(st.builds(replace, values(KeyRequest), reminders=REMINDERS))
def test_every_field_of_a_request_comes_back(redis_store: RedisStore, request_: KeyRequest) -> None:
    fresh = replace(request_, id=uuid.uuid4().hex, account=uuid.uuid4().hex)
    assert redis_store.request(put(redis_store, None, fresh).id) == fresh


@through_the_store
@given(values(ManagedKey))
def test_every_field_of_a_key_comes_back(redis_store: RedisStore, key: ManagedKey) -> None:
    fresh = replace(key, id=uuid.uuid4().hex)
    assert redis_store.key(put(redis_store, None, fresh).id) == fresh


@given(values(AuditEntry))
def test_every_field_of_an_audit_entry_comes_back(entry: AuditEntry) -> None:
    assert entry_from_fields(entry_to_fields(entry)) == entry

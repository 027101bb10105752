"""Does every field of a request and a key survive Redis, its script and its JSON?"""

from __future__ import annotations

import uuid
from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.access_key import AccessKey, LastUsed, ManagedKey, Shown, Why
from bot.core.iam_facts import Group, IamFacts, Missing
from bot.core.moves import Action, Status
from bot.core.ports import Entry
from bot.core.request import Approval, Earlier, KeyRequest, Lease
from bot.store.codec import entry_from_fields, entry_to_fields
from bot.store.redis_store import RedisStore
from tests.store.contract import put

MOMENTS = st.datetimes(
    datetime(1970, 1, 9), datetime(9000, 1, 1), timezones=st.just(UTC)
)  # with room for sums
MAYBE = st.none() | MOMENTS
LAST_USED = st.builds(LastUsed, at=MAYBE)
ACCESS_KEYS = st.builds(AccessKey, created_at=MOMENTS, last_used=st.none() | LAST_USED)
APPROVALS = st.builds(Approval, at=MOMENTS)
LEASES = st.builds(Lease, began=MOMENTS, ends=MOMENTS, iam_began=MOMENTS)
LIVES = st.timedeltas(min_value=timedelta(hours=1), max_value=timedelta(days=3650))
NAMES = st.lists(st.text(), max_size=2).map(tuple)
IAM_FACTS = st.builds(
    IamFacts,
    attached=NAMES,
    inline=NAMES,
    admin_like=NAMES,
    mfa=st.none() | st.booleans(),
    groups=st.lists(st.builds(Group, attached=NAMES, inline=NAMES), max_size=2).map(tuple),
    missing=st.lists(st.builds(Missing, denied=st.booleans()), max_size=2).map(tuple),
)
EARLIER = st.builds(
    Earlier,
    asked=st.integers(0, 50),
    denied=st.integers(0, 50),
    denied_at=MAYBE,
    by=st.text(),
    why=st.text(),
)
VERSIONS = st.integers(1, 10**6)
REQUESTS = st.builds(
    KeyRequest,
    keys=st.lists(ACCESS_KEYS, max_size=2).map(tuple),
    asked_at=MOMENTS,
    deadline=MAYBE,
    status=st.sampled_from(Status),
    needed=st.integers(1, 6),
    one_more=st.booleans(),
    dropped=st.lists(st.text(), max_size=3).map(tuple),
    approvals=st.lists(APPROVALS, max_size=2).map(tuple),
    decided_by=st.text(),
    decided_at=MAYBE,
    lease=st.none() | LEASES,
    access_key_id=st.text(),
    reveals=st.integers(0, 3),
    handed_over_at=MAYBE,
    reminded_at=MAYBE,
    unclaimed_at=MAYBE,
    withdrawn=st.lists(st.text(), max_size=3).map(tuple),
    note=st.text(),
    turn=st.integers(0, 3),
    target=st.text(),
    let_go=st.text(),
    lifetime=st.none() | LIVES,
    service=st.booleans(),
    urgent=st.booleans(),
    facts=st.none() | IAM_FACTS,
    facts_at=MAYBE,
    facts_due=MAYBE,
    earlier=st.none() | EARLIER,
    denied_why=st.text(),
    looker=st.text(),
    looking_since=MAYBE,
    nudged_at=MAYBE,
    reminders=st.lists(st.sampled_from(["1", "2"]), max_size=2).map(tuple),
    moved=st.none() | st.sampled_from(Action),
    moved_by=st.text(),
    moved_at=MAYBE,
    version=VERSIONS,
    stopped_by=st.text(),
    let_go_at=MAYBE,
    target_changed_at=MAYBE,
)
MANAGED_KEYS = st.builds(
    ManagedKey,
    made_at=MOMENTS,
    shown=st.sampled_from(Shown),
    changed_at=MAYBE,
    changed_by=st.text(),
    due=MAYBE,
    why=st.sampled_from(Why),
    dm=st.text(),
    expires_at=MAYBE,
    replaces=st.text(),
    handed_over_at=MAYBE,
    grace_ends=MAYBE,
    days_used=st.integers(0, 9),
    delete_at=MAYBE,
    reported_by=st.text(),
    reported_at=MAYBE,
    reported_again_by=st.text(),
    reported_again_at=MAYBE,
    leaked=st.booleans(),
    service=st.booleans(),
    urgent=st.booleans(),
    note=st.text(),
    notices=st.lists(st.text(), max_size=3).map(tuple),
    facts=st.lists(ACCESS_KEYS, max_size=2).map(tuple),
    facts_at=MAYBE,
    version=VERSIONS,
    out_of_reach=st.booleans(),
)
ENTRIES = st.builds(
    Entry,
    at=MOMENTS,
    request_id=st.text(),
    key_id=st.text(),
    was=st.text(),
    becomes=st.text(),
    why=st.text(),
)

through_the_store = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_every_field_is_filled_in() -> None:
    """A field that is left at its default would come back though it was never stored."""
    for strategy, kind in ((REQUESTS, KeyRequest), (MANAGED_KEYS, ManagedKey)):
        given_ = strategy.wrapped_strategy.kwargs.keys()
        optional = {field.name for field in fields(kind) if field.default is not MISSING}
        assert optional <= given_


@through_the_store
@given(REQUESTS)
def test_every_field_of_a_request_comes_back(redis_store: RedisStore, request_: KeyRequest) -> None:
    fresh = replace(request_, id=uuid.uuid4().hex, account=uuid.uuid4().hex)
    assert redis_store.request(put(redis_store, None, fresh).id) == fresh


@through_the_store
@given(MANAGED_KEYS)
def test_every_field_of_a_key_comes_back(redis_store: RedisStore, key: ManagedKey) -> None:
    fresh = replace(key, id=uuid.uuid4().hex)
    assert redis_store.key(put(redis_store, None, fresh).id) == fresh


@given(ENTRIES)
def test_every_field_of_an_audit_entry_comes_back(entry: Entry) -> None:
    assert entry_from_fields(entry_to_fields(entry)) == entry

"""Does every field of a request and a key survive Redis, its script and its JSON?"""

from __future__ import annotations

import uuid
from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.codes import Detail
from bot.domain.keys import (
    AccessKey,
    InactiveReason,
    LastUsed,
    ManagedKey,
    ObservedState,
)
from bot.domain.permissions import Group, Permissions, Unread
from bot.domain.records import AuditEntry
from bot.domain.requests import (
    Approval,
    KeyRequest,
    Lease,
    RequestHistory,
)
from bot.domain.states import Event, Status
from bot.store.redis_store import RedisStore
from bot.store.serialization import entry_from_fields, entry_to_fields
from tests.support.store_contract import put

MOMENTS = st.datetimes(
    datetime(1970, 1, 9), datetime(9000, 1, 1), timezones=st.just(UTC)
)  # with room for sums
MAYBE = st.none() | MOMENTS
LAST_USED = st.builds(LastUsed, at=MAYBE)
ACCESS_KEYS = st.builds(AccessKey, created_at=MOMENTS, last_used=st.none() | LAST_USED)
APPROVALS = st.builds(Approval, at=MOMENTS)
LEASES = st.builds(Lease, started_at=MOMENTS, ends=MOMENTS, iam_started_at=MOMENTS)
LIVES = st.timedeltas(min_value=timedelta(hours=1), max_value=timedelta(days=3650))
NAMES = st.lists(st.text(), max_size=2).map(tuple)
IAM_FACTS = st.builds(
    Permissions,
    attached=NAMES,
    inline=NAMES,
    admin_like=NAMES,
    mfa=st.none() | st.booleans(),
    groups=st.lists(st.builds(Group, attached=NAMES, inline=NAMES), max_size=2).map(tuple),
    unread=st.lists(st.builds(Unread, denied=st.booleans()), max_size=2).map(tuple),
)
EARLIER = st.builds(
    RequestHistory,
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
    requested_at=MOMENTS,
    deadline=MAYBE,
    status=st.sampled_from(Status),
    approvals_needed=st.integers(1, 6),
    extra_approval=st.booleans(),
    dropped_approvers=st.lists(st.text(), max_size=3).map(tuple),
    approvals=st.lists(APPROVALS, max_size=2).map(tuple),
    decided_by=st.text(),
    decided_at=MAYBE,
    lease=st.none() | LEASES,
    access_key_id=st.text(),
    reveals=st.integers(0, 3),
    delivered_at=MAYBE,
    reminded_at=MAYBE,
    unclaimed_at=MAYBE,
    deleted_keys=st.lists(st.text(), max_size=3).map(tuple),
    detail=st.none() | st.builds(Detail, st.text(), st.dictionaries(st.text(), st.text())),
    reveal_round=st.integers(0, 3),
    target=st.text(),
    delete_first=st.text(),
    lifetime=st.none() | LIVES,
    is_service_user=st.booleans(),
    urgent=st.booleans(),
    permissions=st.none() | IAM_FACTS,
    permissions_at=MAYBE,
    permissions_due=MAYBE,
    history=st.none() | EARLIER,
    denial_reason=st.text(),
    reviewer=st.text(),
    review_started_at=MAYBE,
    nudged_at=MAYBE,
    reminders=st.lists(st.sampled_from(["1", "2"]), max_size=2).map(tuple),
    last_event=st.none() | st.sampled_from(Event),
    last_event_by=st.text(),
    last_event_at=MAYBE,
    version=VERSIONS,
    stopped_by=st.text(),
    delete_first_at=MAYBE,
    target_changed_at=MAYBE,
)
MANAGED_KEYS = st.builds(
    ManagedKey,
    created_at=MOMENTS,
    observed=st.sampled_from(ObservedState),
    changed_at=MAYBE,
    changed_by=st.text(),
    check_at=MAYBE,
    inactive_reason=st.sampled_from(InactiveReason),
    dm=st.text(),
    expires_at=MAYBE,
    replaces=st.text(),
    delivered_at=MAYBE,
    grace_ends_at=MAYBE,
    days_still_used=st.integers(0, 9),
    delete_at=MAYBE,
    reported_by=st.text(),
    reported_at=MAYBE,
    reported_again_by=st.text(),
    reported_again_at=MAYBE,
    leaked=st.booleans(),
    is_service_user=st.booleans(),
    urgent=st.booleans(),
    disable_note=st.text(),
    notices=st.lists(st.text(), max_size=3).map(tuple),
    snapshot=st.lists(ACCESS_KEYS, max_size=2).map(tuple),
    snapshot_at=MAYBE,
    version=VERSIONS,
    out_of_reach=st.booleans(),
)
ENTRIES = st.builds(
    AuditEntry,
    at=MOMENTS,
    request_id=st.text(),
    key_id=st.text(),
    from_status=st.text(),
    to_status=st.text(),
    reason=st.text(),
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
def test_every_field_of_an_audit_entry_comes_back(entry: AuditEntry) -> None:
    assert entry_from_fields(entry_to_fields(entry)) == entry

"""A key record: its desired state, what IAM shows, and when it needs something."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.keys import DesiredState, InactiveReason, ManagedKey, ObservedState, Origin
from tests.support.errors import refuses

NOW = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A_KEY = ManagedKey(
    "AKIAIOSFODNN7EXAMPLE",
    "111122223333",
    "alice",
    "U0ALICE",
    "id1",
    Origin.ISSUED,
    NOW,
    DesiredState.ACTIVE,
    ObservedState.ACTIVE,
)
INACTIVE = {"desired": DesiredState.INACTIVE}


def after(key: ManagedKey, desired: DesiredState, **changes: Any) -> ManagedKey:
    return key.set_desired(desired, "U0ALICE", NOW, check_at=NOW + HOUR, **changes)


def test_new_desired_state_makes_observed_unknown() -> None:
    assert after(A_KEY, DesiredState.INACTIVE) == replace(
        A_KEY,
        desired=DesiredState.INACTIVE,
        observed=ObservedState.UNKNOWN,
        changed_at=NOW,
        changed_by="U0ALICE",
        check_at=NOW + HOUR,
        version=2,
    )


def test_a_read_sets_the_observed_state_only() -> None:
    seen = A_KEY.observe(ObservedState.INACTIVE, check_at=None)
    assert seen == replace(A_KEY, observed=ObservedState.INACTIVE, version=2)


@pytest.mark.parametrize(("age", "proves"), [(0, False), (299, False), (300, True), (10_000, True)])
def test_absence_proves_nothing_for_five_minutes(age: int, proves: bool) -> None:
    assert A_KEY.absence_is_proof(NOW + timedelta(seconds=age)) is proves


IN_30_DAYS = {"expires_at": NOW + 30 * DAY}
REMINDED = {"notices": ("expiry:7d", "expiry:1d", "expiry:1h")}
UNCLAIMED = {"inactive_reason": InactiveReason.UNCLAIMED}
DELETION = {"delete_at": NOW + 7 * DAY}


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({}, None),
        ({"check_at": NOW + DAY}, NOW + DAY),
        (IN_30_DAYS, NOW + 23 * DAY),
        (IN_30_DAYS | {"notices": ("expiry:7d",)}, NOW + 29 * DAY),
        (IN_30_DAYS | REMINDED, NOW + 30 * DAY),
        ({"expires_at": NOW + HOUR}, NOW + HOUR),
        (IN_30_DAYS | {"check_at": NOW}, NOW),
        (IN_30_DAYS | {"grace_ends_at": NOW + DAY}, NOW + DAY),
        (INACTIVE | {"expires_at": NOW + DAY, "grace_ends_at": NOW}, NOW + DAY),
        (INACTIVE | {"expires_at": NOW, "leaked": True}, None),
        (INACTIVE | {"expires_at": NOW} | UNCLAIMED, None),
        (INACTIVE | DELETION, NOW + 6 * DAY),
        (INACTIVE | DELETION | {"notices": ("deletion",)}, NOW + 7 * DAY),
        ({"desired": DesiredState.DELETED, "delete_at": NOW, "expires_at": NOW}, None),
    ],
)
def test_a_key_is_due_at_its_next_time(fields: dict[str, Any], due: datetime | None) -> None:
    assert replace(A_KEY, **fields).next_run == due


def test_a_leaked_key_cannot_become_active() -> None:
    leaked = replace(A_KEY, leaked=True)
    with refuses(Code.KEY_IS_LEAKED, key_id=A_KEY.id):
        after(leaked, DesiredState.ACTIVE)
    for desired in (DesiredState.INACTIVE, DesiredState.DELETED):
        assert after(leaked, desired).leaked


@pytest.mark.parametrize(
    ("reason", "leaked", "stays"),
    [
        (InactiveReason.NONE, False, False),
        (InactiveReason.DISABLED, False, False),
        (InactiveReason.CONSOLE, False, False),
        (InactiveReason.EXPIRED, False, True),
        (InactiveReason.LEAKED, False, True),
        (InactiveReason.DISABLED, True, True),
    ],
)
def test_expired_and_leaked_keys_must_stay_off(
    reason: InactiveReason, leaked: bool, stays: bool
) -> None:
    assert replace(A_KEY, inactive_reason=reason, leaked=leaked).must_stay_off is stays


@pytest.mark.parametrize(
    ("fields", "awaits"),
    [
        ({}, True),
        ({"inactive_reason": InactiveReason.DISABLED, "disable_note": "unknown job"}, True),
        ({"inactive_reason": InactiveReason.DISABLED}, False),
        ({"inactive_reason": InactiveReason.EXPIRED}, False),
        ({"desired": DesiredState.ACTIVE}, False),
        ({"origin": Origin.ISSUED}, False),
    ],
)
def test_orphaned_key_awaits_a_decision(fields: dict[str, Any], awaits: bool) -> None:
    orphaned = replace(A_KEY, origin=Origin.ORPHANED, desired=DesiredState.INACTIVE)
    assert replace(orphaned, **fields).awaits_decision is awaits


def test_a_new_desired_state_cancels_a_deletion() -> None:
    ending, again = replace(A_KEY, delete_at=NOW), NOW + DAY
    assert after(ending, DesiredState.ACTIVE).delete_at is None
    assert after(ending, DesiredState.INACTIVE, delete_at=again).delete_at == again

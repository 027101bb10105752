"""A key record: its desired state, what IAM shows, and when it needs something."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.errors import KeyIsLeaked
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    ManagedKey,
    ObservedState,
    Origin,
)

NOW = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)


def a_key() -> ManagedKey:
    return ManagedKey(
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


def test_a_new_desired_state_makes_the_observed_one_unknown() -> None:
    wants = a_key().set_desired(
        DesiredState.INACTIVE, "U0ALICE", NOW, check_at=NOW + timedelta(seconds=15)
    )
    assert wants == replace(
        a_key(),
        desired=DesiredState.INACTIVE,
        observed=ObservedState.UNKNOWN,
        changed_at=NOW,
        changed_by="U0ALICE",
        check_at=NOW + timedelta(seconds=15),
        version=2,
    )


def test_a_read_sets_the_observed_state_only() -> None:
    assert a_key().observe(ObservedState.INACTIVE, check_at=None) == replace(
        a_key(), observed=ObservedState.INACTIVE, version=2
    )


@pytest.mark.parametrize(("age", "proves"), [(0, False), (299, False), (300, True), (10_000, True)])
def test_absence_proves_nothing_for_five_minutes(age: int, proves: bool) -> None:
    assert a_key().absence_is_proof(NOW + timedelta(seconds=age)) is proves


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("permissions", "due"),
    [
        ({}, None),
        ({"check_at": NOW + DAY}, NOW + DAY),
        ({"expires_at": NOW + 30 * DAY}, NOW + 23 * DAY),
        ({"expires_at": NOW + 30 * DAY, "notices": ("expiry:7d",)}, NOW + 29 * DAY),
        (
            {"expires_at": NOW + 30 * DAY, "notices": ("expiry:7d", "expiry:1d", "expiry:1h")},
            NOW + 30 * DAY,
        ),
        ({"expires_at": NOW + HOUR}, NOW + HOUR),
        ({"expires_at": NOW + 30 * DAY, "check_at": NOW}, NOW),
        ({"grace_ends_at": NOW + DAY, "expires_at": NOW + 30 * DAY}, NOW + DAY),
        (
            {"desired": DesiredState.INACTIVE, "expires_at": NOW + DAY, "grace_ends_at": NOW},
            NOW + DAY,
        ),  # it ends all the same
        ({"desired": DesiredState.INACTIVE, "expires_at": NOW, "leaked": True}, None),
        (
            {
                "desired": DesiredState.INACTIVE,
                "expires_at": NOW,
                "inactive_reason": InactiveReason.UNCLAIMED,
            },
            None,
        ),
        ({"desired": DesiredState.INACTIVE, "delete_at": NOW + 7 * DAY}, NOW + 6 * DAY),
        (
            {
                "desired": DesiredState.INACTIVE,
                "delete_at": NOW + 7 * DAY,
                "notices": ("deletion",),
            },
            NOW + 7 * DAY,
        ),
        ({"desired": DesiredState.DELETED, "delete_at": NOW, "expires_at": NOW}, None),
    ],
)
def test_a_key_is_due_at_its_next_time(
    permissions: dict[str, object], due: datetime | None
) -> None:
    assert replace(a_key(), **permissions).next_run == due


@pytest.mark.parametrize("desired", DesiredState)
def test_a_leaked_key_cannot_become_active(desired: DesiredState) -> None:
    leaked = replace(a_key(), leaked=True)
    if desired is DesiredState.ACTIVE:
        with pytest.raises(KeyIsLeaked):
            leaked.set_desired(desired, "U0ALICE", NOW, check_at=NOW)
    else:
        assert leaked.set_desired(desired, "U0ALICE", NOW, check_at=NOW).leaked


@pytest.mark.parametrize(
    ("permissions", "stays"),
    [
        ({}, False),
        ({"inactive_reason": InactiveReason.DISABLED}, False),
        ({"inactive_reason": InactiveReason.CONSOLE}, False),
        ({"inactive_reason": InactiveReason.EXPIRED}, True),
        ({"inactive_reason": InactiveReason.LEAKED}, True),
        ({"inactive_reason": InactiveReason.DISABLED, "leaked": True}, True),
    ],
)
def test_expired_and_leaked_keys_must_stay_off(permissions: dict[str, object], stays: bool) -> None:
    assert replace(a_key(), **permissions).must_stay_off is stays


def test_a_new_desired_state_cancels_a_scheduled_deletion() -> None:
    ending = replace(a_key(), delete_at=NOW)
    assert ending.set_desired(DesiredState.ACTIVE, "U0ALICE", NOW, check_at=NOW).delete_at is None
    assert (
        ending.set_desired(
            DesiredState.INACTIVE, "U0ALICE", NOW, check_at=NOW, delete_at=NOW + DAY
        ).delete_at
        == NOW + DAY
    )

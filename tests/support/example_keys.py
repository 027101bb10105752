"""Examples of stored keys: one in each state, with the longest facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    KeyStatus,
    LastUsed,
    ManagedKey,
    ObservedState,
    Origin,
)
from tests.support.example_requests import (
    APPROVER,
    FOUND,
    IAM_USER,
    ID,
    KEY,
    KEYS,
    LATER,
    NOW,
    OLDER_KEY,
    REASON,
    REQUESTER,
)

REPORTER = "U0BOB000000"
DM = "D0ALICE0000"
DAY = timedelta(days=1)

KEPT = ManagedKey(
    id=KEY,
    account="111122223333",
    iam_user=IAM_USER,
    owner=REQUESTER,
    request_id=ID,
    origin=Origin.ISSUED,
    created_at=NOW - 90 * DAY,
    desired=DesiredState.ACTIVE,
    observed=ObservedState.ACTIVE,
    dm=DM,
    expires_at=LATER,
    snapshot=(KEYS[0], replace(KEYS[1], status=KeyStatus.ACTIVE)),
    snapshot_at=NOW,
)

_INACTIVE = replace(
    KEPT,
    desired=DesiredState.INACTIVE,
    observed=ObservedState.INACTIVE,
    changed_at=NOW,
    changed_by="keydesk",
)
_DELETED = {"desired": DesiredState.DELETED, "observed": ObservedState.DELETED, "delete_at": None}

WARNED = replace(KEPT, notices=("expiry:7d",))
WARNED_THRICE = replace(KEPT, notices=("expiry:7d", "expiry:1d", "expiry:1h"))
EXPIRED = replace(
    _INACTIVE, inactive_reason=InactiveReason.EXPIRED, notices=("expired",), delete_at=LATER
)
EXPIRED_SOON = replace(EXPIRED, notices=("expired", "deletion"))

ROTATING = replace(KEPT, replaces=OLDER_KEY, delivered_at=NOW - DAY, grace_ends_at=LATER)
STILL_USED = replace(ROTATING, days_still_used=3)
ROTATED = replace(_INACTIVE, inactive_reason=InactiveReason.ROTATED, delete_at=LATER)
ROTATED_SOON = replace(ROTATED, notices=("deletion",))

REPORTED = replace(KEPT, reported_by=REPORTER, reported_at=NOW)
REPORTED_AGAIN = replace(REPORTED, reported_again_by=APPROVER, reported_again_at=NOW + DAY)
LEAKED = replace(
    REPORTED,
    desired=DesiredState.INACTIVE,
    observed=ObservedState.INACTIVE,
    inactive_reason=InactiveReason.LEAKED,
    leaked=True,
    changed_by=APPROVER,
    changed_at=NOW,
)
TURNED_OFF = replace(
    _INACTIVE, inactive_reason=InactiveReason.DISABLED, disable_note=REASON, changed_by=APPROVER
)

MANAGED: dict[str, ManagedKey] = {
    "new": KEPT,
    "never expires": replace(KEPT, expires_at=None),
    "expires in 7 days": WARNED,
    "expires in an hour": WARNED_THRICE,
    "expired": EXPIRED,
    "expired, deleted soon": EXPIRED_SOON,
    "expired and deleted": replace(EXPIRED_SOON, **_DELETED),
    "expired and on again": replace(
        EXPIRED_SOON,
        desired=DesiredState.ACTIVE,
        inactive_reason=InactiveReason.NONE,
        delete_at=None,
        notices=(),
    ),
    "rotating": ROTATING,
    "rotating, last use unknown": replace(ROTATING, snapshot=(), snapshot_at=None),
    "rotating, still used for a day": replace(ROTATING, days_still_used=1),
    "rotating, still used for three days": STILL_USED,
    "rotation finished": replace(STILL_USED, replaces="", grace_ends_at=None),
    "replaced": ROTATED,
    "replaced, deleted soon": ROTATED_SOON,
    "replaced and reported": replace(ROTATED_SOON, reported_by=REPORTER, reported_at=NOW),
    "replaced and deleted": replace(ROTATED_SOON, **_DELETED),
    "replaced and on again": replace(
        ROTATED_SOON,
        desired=DesiredState.ACTIVE,
        inactive_reason=InactiveReason.NONE,
        delete_at=None,
        notices=(),
    ),
    "reported": REPORTED,
    "reported, owner unknown": replace(REPORTED, owner="", dm="", snapshot=()),
    "reported again": REPORTED_AGAIN,
    "reported a third time": replace(
        REPORTED_AGAIN, reported_again_by=REPORTER, reported_again_at=NOW + 2 * DAY
    ),
    "out of reach": replace(REPORTED, out_of_reach=True),
    "out of reach, reported again": replace(REPORTED_AGAIN, out_of_reach=True),
    "leaked": LEAKED,
    "leaked, reported again": replace(
        LEAKED, reported_again_by=APPROVER, reported_again_at=NOW - DAY
    ),
    "leaked and deleted": replace(LEAKED, **_DELETED),
    "leaked after it expired": replace(LEAKED, notices=("expired", "deletion")),
    "turned off by an approver": TURNED_OFF,
    "turned off by an approver and on again": replace(
        TURNED_OFF, desired=DesiredState.ACTIVE, inactive_reason=InactiveReason.NONE
    ),
    "turned off by its owner": replace(TURNED_OFF, disable_note="", changed_by=REQUESTER),
    "turned off in the console": replace(
        _INACTIVE, inactive_reason=InactiveReason.CONSOLE, notices=("expiry:7d",)
    ),
    "orphaned": replace(FOUND, dm=DM),
    "orphaned and enabled": replace(FOUND, dm=DM, desired=DesiredState.ACTIVE, changed_by=APPROVER),
}

USED = LastUsed(NOW, "s3", "eu-west-1")
QUIET = LastUsed(NOW - 2 * DAY, "s3", "eu-west-1")
"""A use after, and one before, ROTATING was delivered."""

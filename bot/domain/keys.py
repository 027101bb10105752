"""Access keys: as IAM shows them, and as Keydesk records them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.domain.errors import KeyIsLeaked

KEY_ID = re.compile(r"(?:AKIA|ASIA)[A-Z2-7]{16}")
"""An access key ID ("IAM identifiers", AWS IAM User Guide).

AKIA… is a long-term key. ASIA… is a temporary one, which the pattern matches so that it can be
refused.
"""

CONSISTENCY_DELAY = timedelta(minutes=5)
"""IAM is eventually consistent.

For a key younger than this, absence proves nothing.
"""

EXPIRY_NOTICES = {
    "expiry:7d": timedelta(days=7),
    "expiry:1d": timedelta(days=1),
    "expiry:1h": timedelta(hours=1),
}
"""The reminders of a key's expiry, and how long before it each is sent."""

DELETION_NOTICE, DELETION_NOTICE_BEFORE = "deletion", timedelta(days=1)
"""The notice of an inactive key's deletion, and how long before it is sent."""

ESCALATE_AFTER_DAYS = 3
"""Days of use beyond its grace period until approvers are shown an old key."""


class KeyStatus(StrEnum):
    """The status of an access key, in IAM's own words."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"


class DesiredState(StrEnum):
    """What a key must be. It is stored before IAM is called."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"


class ObservedState(StrEnum):
    """What IAM last showed of a key.

    Each new desired state makes it unknown until the next read.
    """

    UNKNOWN = "unknown"
    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"


class InactiveReason(StrEnum):
    """Why a key is inactive. It decides who may turn the key on again."""

    NONE = ""
    DISABLED = "disabled"  # by its owner or an approver
    UNCLAIMED = "unclaimed"  # its owner did not confirm that it arrived
    ORPHANED = "orphaned"  # found in IAM after a lost answer
    EXPIRED = "expired"  # it reached its expiry
    ROTATED = "rotated"  # replaced by another key
    LEAKED = "leaked"  # never enabled again
    CONSOLE = "console"  # changed in AWS, outside Keydesk


class Origin(StrEnum):
    """How a key came on record: issued, orphaned by a lost answer, or adopted."""

    ISSUED = "issued"
    ORPHANED = "orphaned"
    ADOPTED = "adopted"


@dataclass(frozen=True)
class LastUsed:
    """When and for what a key was last used, by GetAccessKeyLastUsed.

    `at` (UTC) is None for never.
    """

    at: datetime | None = None
    service: str = ""
    region: str = ""


@dataclass(frozen=True)
class AccessKey:
    """An access key as IAM shows it.

    `last_used` is None if it is unknown or was not read.
    """

    id: str
    iam_user: str
    status: KeyStatus
    created_at: datetime
    last_used: LastUsed | None = None

    @property
    def active(self) -> bool:
        """Return True if AWS accepts the key."""
        return self.status is KeyStatus.ACTIVE


@dataclass(frozen=True)
class ManagedKey:
    """A key as Keydesk records it: its desired state, and what IAM last showed.

    Attributes:
        owner: A Slack user ID, or "" if the owner is unknown.
        dm: The channel ID of the owner's direct message with Keydesk, or "".
        request_id: The request that made the key, or "" for a key made elsewhere.
        check_at: When the key must be checked in IAM (UTC). None for never.
        changed_by: The Slack user ID behind the newest desired state, or "keydesk".
        replaces: The ID of the key that this one replaces, until the rotation is finished.
        delivered_at: When the new key of a rotation was shown (UTC).
        grace_ends_at: Until when the replaced key may be used (UTC).
        days_still_used: On how many days the replaced key was used after its grace period.
        delete_at: When the inactive key will be deleted (UTC).
        notices: The notices sent to the owner. Each is stored before it is sent.
        disable_note: Why an approver turned the key off, as typed.
        snapshot: What IAM showed of this key and of the one it replaces, at `snapshot_at`.
        urgent: The request was urgent (break glass). Such a key is never extended.
        reported_by: Who first reported a leak, at `reported_at`.
        reported_again_by: Who made the newest later report, at `reported_again_at`.
        out_of_reach: Keydesk may not manage the key's IAM user, so an AWS admin must act.
    """

    id: str
    account: str
    iam_user: str
    owner: str
    request_id: str
    origin: Origin
    created_at: datetime
    desired: DesiredState
    observed: ObservedState = ObservedState.UNKNOWN
    changed_at: datetime | None = None
    changed_by: str = ""
    check_at: datetime | None = None
    inactive_reason: InactiveReason = InactiveReason.NONE
    dm: str = ""
    expires_at: datetime | None = None
    replaces: str = ""
    delivered_at: datetime | None = None
    grace_ends_at: datetime | None = None
    days_still_used: int = 0
    delete_at: datetime | None = None
    reported_by: str = ""
    reported_at: datetime | None = None
    reported_again_by: str = ""
    reported_again_at: datetime | None = None
    leaked: bool = False
    out_of_reach: bool = False
    is_service_user: bool = False
    urgent: bool = False
    disable_note: str = ""
    notices: tuple[str, ...] = ()
    snapshot: tuple[AccessKey, ...] = ()
    snapshot_at: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """The name under which the key is stored, scheduled and rendered."""
        return f"key:{self.id}"

    @property
    def must_stay_off(self) -> bool:
        """Return True if a key turned on in the console must be turned off again."""
        return self.leaked or self.inactive_reason in (
            InactiveReason.EXPIRED,
            InactiveReason.LEAKED,
        )

    @property
    def awaits_decision(self) -> bool:
        """Return True for an orphaned key that no approver has decided about.

        Such a key is never deleted automatically.
        """
        undecided = self.inactive_reason is InactiveReason.NONE or (
            self.inactive_reason is InactiveReason.DISABLED and bool(self.disable_note)
        )
        return (
            self.origin is Origin.ORPHANED and self.desired is DesiredState.INACTIVE and undecided
        )

    def is_over(self, at: datetime) -> bool:
        """Return True if the key has expired by `at`. Only an approval can extend it."""
        return self.expires_at is not None and self.expires_at <= at

    @property
    def next_run(self) -> datetime | None:
        """Return when the key needs its next check, notice or change (UTC), or None."""
        times = [self.check_at]
        if self.desired is DesiredState.ACTIVE:
            times += [self.grace_ends_at, self.expires_at, *(at for _, at in self.expiry_notices())]
        if self.desired is DesiredState.INACTIVE and self.delete_at:
            times.append(
                self.delete_at
                if DELETION_NOTICE in self.notices
                else self.delete_at - DELETION_NOTICE_BEFORE
            )
        elif self.desired is DesiredState.INACTIVE and not (
            self.leaked or self.awaits_decision or self.inactive_reason is InactiveReason.UNCLAIMED
        ):
            # An inactive key expires too, since it may be turned on again in the console.
            times.append(self.expires_at)
        return min((at for at in times if at is not None), default=None)

    def expiry_notices(self) -> list[tuple[str, datetime]]:
        """Return the expiry reminders still to be sent, each with its time (UTC)."""
        if self.expires_at is None:
            return []
        return [
            (name, self.expires_at - before)
            for name, before in EXPIRY_NOTICES.items()
            if name not in self.notices and self.expires_at - before > self.created_at
        ]

    def set_desired(
        self,
        desired: DesiredState,
        by: str,
        at: datetime,
        *,
        check_at: datetime,
        inactive_reason: InactiveReason = InactiveReason.NONE,
        **changes: Any,
    ) -> ManagedKey:
        """Return the key with a new desired state.

        What IAM shows is unknown until it is read.

        Args:
            desired: The new desired state.
            by: A Slack user ID, or "keydesk".
            at: When it was decided (UTC).
            check_at: When to check the key in IAM (UTC).
            inactive_reason: Why the key becomes inactive.
            changes: Other fields. Without them, `delete_at` and `disable_note` are cleared.

        Raises:
            KeyIsLeaked: A leaked key would become active.
        """
        if self.leaked and desired is DesiredState.ACTIVE:
            raise KeyIsLeaked(self.id)
        return replace(
            self,
            desired=desired,
            observed=ObservedState.UNKNOWN,
            changed_by=by,
            changed_at=at,
            check_at=check_at,
            inactive_reason=inactive_reason,
            version=self.version + 1,
            **{"delete_at": None, "disable_note": "", **changes},
        )

    def updated(self, **changes: Any) -> ManagedKey:
        """Return the key with other fields changed, and the same desired state."""
        return replace(self, version=self.version + 1, **changes)

    def observe(self, observed: ObservedState, *, check_at: datetime | None) -> ManagedKey:
        """Return the key with what IAM has just shown, to be checked again at `check_at`."""
        return replace(self, observed=observed, check_at=check_at, version=self.version + 1)

    def absence_is_proof(self, at: datetime) -> bool:
        """Return True if the key is old enough for its absence in IAM to prove it deleted."""
        return at - self.created_at >= CONSISTENCY_DELAY

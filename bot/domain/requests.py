"""A request for an access key: an immutable value that moves by events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.codes import Code, Detail
from bot.domain.errors import WrongState
from bot.domain.keys import AccessKey
from bot.domain.permissions import Permissions
from bot.domain.states import NEEDS_KEY_ON_RECORD, NOT_AFTER_START_APPLY, TRANSITIONS, Event, Status

MAX_REVEALS = 3
"""How many keys one approval may show: a lost ephemeral is replaced, not recovered."""

REVIEW_DURATION = timedelta(minutes=15)
"""How long a request stays claimed by an approver (**I'm on it**)."""

MAX_REMINDERS = 2
"""The approvers' reminders of a request: after a third and two thirds of its time."""


@dataclass(frozen=True)
class Lease:
    """The right to create one key. `iam_started_at` is IAM's clock then (UTC)."""

    token: str
    started_at: datetime
    ends: datetime
    iam_started_at: datetime


@dataclass(frozen=True)
class Approval:
    """An approver's Slack user ID, and when they approved (UTC)."""

    by: str
    at: datetime


@dataclass(frozen=True)
class RequestHistory:
    """What a requester asked for before, and the last denial.

    `by` is the Slack user ID of its approver, `why` the reason that they typed ("": none).
    """

    asked: int = 0
    denied: int = 0
    denied_at: datetime | None = None
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class KeyRequest:
    """A request for a key, or for a change of one.

    Slack users are given by ID, times are UTC, "" and None stand for nothing.

    Attributes:
        verb: `create`, `rotate`, `enable` or `extend`.
        dm: The requester's direct message with the bot (`D…`).
        keys: The IAM user's keys when the request was made. The card shows them, and the orphan
            check compares with them.
        deadline: When the request's next timed step is due.
        target: The key that `rotate`, `enable` and `extend` are about.
        delete_first: The key that is deleted at the reveal, where both of IAM's slots are taken.
        delete_first_at: When that deletion began. It is never undone.
        target_changed_at: When the target's desired state had last changed at the approval. A key
            that is turned off after that stays off.
        lifetime: How long the new key lives (None: for ever).
        is_service_user: The IAM user is shared, and its owners ask for its keys.
        approvals_needed: How many approvals it needs, fixed when the request is stored.
        extra_approval: One of them is needed only as long as the request may be risky.
        approvals: The approvals that count.
        dropped_approvers: Those whose approval does not count any more.
        deleted_keys: Keys of earlier reveals.
        detail: The last thing that the requester should know.
        permissions: What IAM showed at `permissions_at` of the IAM user's permissions.
        permissions_due: When the scheduler must load them, if no process has by then.
        history: What the requester asked for before.
        denial_reason: What the approver who denied it typed.
        reviewer: The approver who has claimed it, since `review_started_at`.
        reminders: The reminders that its approvers have had ("1", "2").
        nudged_at: The requester's last **Nudge**.
        urgent: Glass was broken: one approval is enough, and the key lives a few hours.
        stopped_by: Who turned its key off, with a reason or as leaked, before its receipt. This
            approval then brings no other key.
        version: Counts its transitions.
    """

    id: str
    verb: str
    requester: str
    dm: str
    account: str
    iam_user: str
    iam_user_id: str
    reason: str
    keys: tuple[AccessKey, ...]
    requested_at: datetime
    deadline: datetime | None
    target: str = ""
    delete_first: str = ""
    delete_first_at: datetime | None = None
    target_changed_at: datetime | None = None
    lifetime: timedelta | None = None
    is_service_user: bool = False
    status: Status = Status.PENDING
    approvals_needed: int = 1
    extra_approval: bool = False
    approvals: tuple[Approval, ...] = ()
    dropped_approvers: tuple[str, ...] = ()
    decided_by: str = ""
    decided_at: datetime | None = None
    lease: Lease | None = None
    access_key_id: str = ""
    reveals: int = 0
    delivered_at: datetime | None = None
    reminded_at: datetime | None = None
    unclaimed_at: datetime | None = None
    deleted_keys: tuple[str, ...] = ()
    reveal_round: int = 0
    detail: Detail | None = None
    permissions: Permissions | None = None
    permissions_at: datetime | None = None
    permissions_due: datetime | None = None
    history: RequestHistory | None = None
    denial_reason: str = ""
    reviewer: str = ""
    review_started_at: datetime | None = None
    reminders: tuple[str, ...] = ()
    nudged_at: datetime | None = None
    urgent: bool = False
    stopped_by: str = ""
    last_event: Event | None = None
    last_event_by: str = ""
    last_event_at: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Return its name in the database, the schedule and the render queue."""
        return f"request:{self.id}"

    @property
    def next_run(self) -> datetime | None:
        """Return when the scheduler must run it next (UTC), or None."""
        times = [
            self.deadline,
            self.permissions_due if self.awaits_permissions else None,
            self.review_ends_at,
            *(at for _, at in self.due_reminders),
        ]
        return min((at for at in times if at is not None), default=None)

    @property
    def review_ends_at(self) -> datetime | None:
        """Return until when an approver has claimed it (UTC), or None."""
        if self.status is not Status.PENDING or self.review_started_at is None:
            return None
        return self.review_started_at + REVIEW_DURATION

    @property
    def due_reminders(self) -> list[tuple[str, datetime]]:
        """Return the reminders that are still to come, each with its time (UTC)."""
        if self.status is not Status.PENDING or self.deadline is None:
            return []
        part = (self.deadline - self.requested_at) / (MAX_REMINDERS + 1)
        last = max((int(one) for one in self.reminders), default=0)
        return [
            (str(number), self.requested_at + number * part)
            for number in range(last + 1, MAX_REMINDERS + 1)
        ]

    @property
    def locks(self) -> frozenset[str]:
        """Return its locks: an IAM user's open request of a verb, and its issuing."""
        user = f"{self.account}:{self.iam_user.lower()}"
        open_ = set() if self.status.final else {f"open:{user}:{self.verb}"}
        issuing = {f"issuing:{user}"} if self.status is Status.ISSUING else set()
        return frozenset(open_ | issuing)

    @property
    def awaits_permissions(self) -> bool:
        """Return True while it waits for approvals without the IAM user's permissions."""
        return (
            self.status is Status.PENDING
            and self.permissions is None
            and self.permissions_due is not None
        )

    @property
    def delivers_secret(self) -> bool:
        """Return True if it ends with a key. Else it is applied once it is approved."""
        return self.verb in ("create", "rotate")

    @property
    def apply_started(self) -> bool:
        """Return True while an approved `enable` is applied: IAM may have done it already."""
        return self.status is Status.APPROVED and self.last_event is Event.START_APPLY

    def key(self, key_id: str) -> AccessKey | None:
        """Return one of the IAM user's keys as it was when the request was made."""
        return next((key for key in self.keys if key.id == key_id), None)

    @property
    def known_key_ids(self) -> frozenset[str]:
        """Return the IDs of the keys that the IAM user had when the request was made."""
        return frozenset(key.id for key in self.keys)

    @property
    def approvers(self) -> tuple[str, ...]:
        """Return whose approvals count, in the order in which they approved."""
        return tuple(approval.by for approval in self.approvals)

    @property
    def approvals_missing(self) -> int:
        """Return how many approvals are missing."""
        return max(0, self.approvals_needed - len(self.approvals))

    @property
    def reveals_left(self) -> int:
        """Return how many more keys this approval may show."""
        return 0 if self.stopped_by else MAX_REVEALS - self.reveals

    def transition(self, event: Event, by: str, at: datetime, **changes: Any) -> KeyRequest:
        """Return the request after `event`, caused by `by` at `at` (UTC).

        `by` is a Slack user ID, or "keydesk" for the scheduler. `changes` are fields to set. Raises
        WrongState where TRANSITIONS has no such transition.
        """
        after = TRANSITIONS.get((self.status, event))
        if self.status is Status.ISSUING and after is not None:
            needed = NEEDS_KEY_ON_RECORD[event]
            if bool(self.access_key_id) is not needed:
                after = None
        if self.apply_started and event in NOT_AFTER_START_APPLY:
            after = None
        if after is None:
            raise self.wrong_state()
        return replace(
            self,
            status=after,
            last_event=event,
            last_event_by=by,
            last_event_at=at,
            version=self.version + 1,
            **changes,
        )

    def wrong_state(self, code: Code = Code.REQUEST_MOVED_ON, **facts: Any) -> WrongState:
        """Return the error that says what has happened to this request meanwhile."""
        return WrongState(
            code,
            request=self,
            status=self.status.value,
            last_event=self.last_event.value if self.last_event else "",
            by=self.last_event_by,
            at=self.last_event_at,
            key_id=self.access_key_id or self.target,
            **facts,
        )

    @property
    def again_facts(self) -> Mapping[str, str]:
        """Return the facts of a text that says how to ask again.

        They are `verb` and `service_user` ("": none).
        """
        return {
            "verb": self.verb,
            "service_user": self.iam_user if self.is_service_user else "",
        }

    @property
    def verb_again(self) -> str:
        """Return the verb with which its requester asks again, and its option."""
        verb = "rotate" if self.verb == "extend" else self.verb
        return f"{verb} --user {self.iam_user}" if self.is_service_user else verb

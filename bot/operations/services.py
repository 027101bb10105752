"""What do all journeys share? The desk itself: its ports and rules, who a person is, and one way to move a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bot.domain.codes import Detail
from bot.domain.errors import (
    ClockSkewed,
    Conflict,
    KeydeskError,
    RequestNotFound,
    WrongState,
)
from bot.domain.identity import IamMapping
from bot.domain.keys import ManagedKey
from bot.domain.ports import (
    AuditEntry,
    Change,
    Clock,
    Directory,
    KeyIssuer,
    Messenger,
    RequestStore,
)
from bot.domain.rate_limits import (
    DEFAULT_LIMITS,
    Limit,
    LimitedAction,
    Usage,
)
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status

KEYDESK = "keydesk"
"""Who moved a request when it was time, not a person."""

T = TypeVar("T")

MAX_CLOCK_SKEW = timedelta(seconds=5)
MAX_CONFLICTS = 5


@dataclass(frozen=True)
class Rules:
    """The settings that the journeys need, as values."""

    team_id: str
    approval_channel: str
    iam_mapping: IamMapping = IamMapping()
    iam_owner_tag: str = ""
    iam_path: str = "/"
    request_ttl: timedelta = timedelta(hours=72)
    claim_ttl: timedelta = timedelta(hours=72)
    receipt_ttl: timedelta = timedelta(hours=24)
    lease_ttl: timedelta = timedelta(seconds=60)
    look_after: timedelta = timedelta(minutes=15)
    delete_after: timedelta = timedelta(days=7)
    key_ttl: timedelta | None = timedelta(days=90)
    key_ttl_max: timedelta | None = timedelta(days=365)
    rotation_grace: timedelta = timedelta(hours=24)
    approval_free: frozenset[str] = frozenset({"disable", "delete"})
    approvals_required: int = 1
    risky_needs_one_more: bool = False
    break_glass: frozenset[str] = frozenset()
    break_glass_ttl: timedelta = timedelta(hours=4)
    sweep_every: timedelta = timedelta(seconds=15)
    hourly_limits: Mapping[LimitedAction, Limit] = field(default_factory=lambda: DEFAULT_LIMITS)


def retry_on_conflict(
    attempt: Callable[[], T],
    give_up: Callable[[], KeydeskError],
    *,
    tries: int = MAX_CONFLICTS,
) -> T:
    """Run `attempt` again each time that it loses a race.

    Args:
        attempt: Reads what is stored, checks it and commits. It must read again at each call.
        give_up: Makes the error that is raised after the last try.
        tries: How many times `attempt` runs at most.

    Returns:
        What `attempt` returns.

    Raises:
        KeydeskError: From `give_up`, or whatever `attempt` raises except Conflict.
    """
    for _ in range(tries):
        try:
            return attempt()
        except Conflict:
            continue
    raise give_up()  # outside the handler, so that it has no context


def _never(work: Callable[[], object]) -> bool:
    return False


@dataclass(frozen=True)
class Services:
    """Everything a journey works with. It holds no state of its own.

    `later` has work done that nobody waits for, and returns False where there is no room: time does it then.
    """

    store: RequestStore
    issuer: KeyIssuer
    messenger: Messenger
    directory: Directory
    clock: Clock
    settings: Rules
    new_id: Callable[[], str]
    run_later: Callable[[Callable[[], object]], bool] = _never

    def get_request(self, request_id: str) -> KeyRequest:
        """The request as stored. Raises RequestNotFound."""
        request = self.store.request(request_id)
        if request is None:
            raise RequestNotFound
        return request

    def usage(
        self, limited_action: LimitedAction, person: str, at: datetime, *, free: bool = False
    ) -> Usage:
        """One deed of this person's, to be counted with the step that does it."""
        return Usage(limited_action, person, at, self.settings.hourly_limits[limited_action], free)

    def commit(self, *changes: Change, entry: AuditEntry, count: Usage | None = None) -> None:
        """Writes the changes in one step, counted if they are to be, then asks for their copies to be drawn."""
        self.store.commit(*changes, entry=entry, count=count)
        for change in changes:
            self.messenger.render(change.after.name)

    def commit_transition(
        self,
        before: KeyRequest,
        after: KeyRequest,
        *others: Change,
        reason: str = "",
        detail: Detail | None = None,
        count: Usage | None = None,
    ) -> KeyRequest:
        """Commits a move that was made from `before`, with its audit entry. Raises Conflict or RateLimited."""
        entry = AuditEntry(
            at=after.last_event_at or self.clock.now(),
            by=after.last_event_by,
            action=str(after.last_event),
            request_id=after.id,
            key_id=after.access_key_id or before.access_key_id,
            from_status=before.status,
            to_status=after.status,
            reason=reason,
            detail=detail,
        )
        self.commit(Change(before, after), *others, entry=entry, count=count)
        return after

    def transition(
        self,
        request_id: str,
        action: Event,
        by: str,
        *,
        check: Callable[[KeyRequest], None] | None = None,
        reason: str = "",
        detail: Detail | None = None,
        count: Usage | None = None,
        **changes: Any,
    ) -> KeyRequest:
        """Moves a request from wherever it stands; whoever loses the race reads anew and is told what happened.

        `check` is asked of every state that is read. Raises what it raises, RequestNotFound, WrongState, and RateLimited
        of `count`.
        """

        def attempt() -> KeyRequest:
            request = self.get_request(request_id)
            if check:
                check(request)
            return self.commit_transition(
                request,
                request.transition(action, by, self.clock.now(), **changes),
                reason=reason,
                detail=detail,
                count=count,
            )

        def give_up() -> WrongState:
            request = self.get_request(request_id)
            return WrongState(
                request.status, request.story(), request.last_event_by, request.last_event_at
            )

        return retry_on_conflict(attempt, give_up)

    def check_clock(self) -> None:
        """Raises ClockSkewed when this process's clock and the store's are more than five seconds apart."""
        drift = self.clock.drift()
        if abs(drift) > MAX_CLOCK_SKEW:
            raise ClockSkewed(drift.total_seconds())

    def expire_if_overdue(self, request_id: str) -> None:
        """Lets a request lapse whose time is over though the sweeper has not come to it yet.

        A process whose clock is off ends nothing by it: raises ClockSkewed.
        """
        request = self.get_request(request_id)
        waiting = request.status is Status.PENDING or (
            request.status is Status.APPROVED and request.delivers_secret
        )
        if waiting and request.deadline is not None and self.clock.now() >= request.deadline:
            self.check_clock()
            try:
                self.commit_transition(
                    request,
                    request.transition(Event.EXPIRE, KEYDESK, self.clock.now(), deadline=None),
                )
            except Conflict:
                return  # somebody moved it just before its end; what follows reads it anew

    def key_entry(
        self,
        key: ManagedKey,
        before: ManagedKey | None,
        action: str,
        by: str,
        reason: str = "",
        detail: Detail | None = None,
    ) -> AuditEntry:
        """The audit entry of a change to a key alone."""
        return AuditEntry(
            at=self.clock.now(),
            by=by,
            action=action,
            request_id=key.request_id,
            key_id=key.id,
            from_status=before.desired if before else "",
            to_status=key.desired,
            reason=reason,
            detail=detail,
        )

    def retry_at(self) -> datetime:
        """When the sweeper should finish what this process is about to do, should it die (UTC)."""
        return self.clock.now() + self.settings.sweep_every


def minutes_text(span: timedelta) -> str:
    """About how long, as people say it: "a minute", "5 minutes", "a quarter of an hour"."""
    minutes = round(span.total_seconds() / 60)
    return (
        "a quarter of an hour"
        if minutes == 15
        else f"{minutes} minutes"
        if minutes > 1
        else "a minute"
    )

"""Hold the dependencies and helpers that all operations share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from bot.domain.codes import Detail
from bot.domain.errors import ClockSkewed, KeydeskError, RequestNotFound, WrongState
from bot.domain.keys import ManagedKey
from bot.domain.outside_errors import Conflict, StoredValueUnreadable
from bot.domain.ports import Clock, Directory, KeyIssuer, Messenger
from bot.domain.rate_limits import LimitedAction, Usage
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.domain.store_ports import RequestStore

if TYPE_CHECKING:
    from bot.config.settings import Settings

KEYDESK = "keydesk"
"""The author of what the scheduler and Keydesk itself do."""

T = TypeVar("T")


MAX_CLOCK_SKEW = timedelta(seconds=5)
MAX_CONFLICTS = 5


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
    """Everything that an operation works with. It holds no state of its own.

    `team_id` is the Slack workspace. `run_later` runs work in the background. It returns False
    where there is no room, and the scheduler does the work then.
    """

    store: RequestStore
    issuer: KeyIssuer
    messenger: Messenger
    directory: Directory
    clock: Clock
    settings: Settings
    team_id: str
    new_id: Callable[[], str]
    run_later: Callable[[Callable[[], object]], bool] = _never

    def get_request(self, request_id: str) -> KeyRequest:
        """Return the request as stored. Raises RequestNotFound."""
        request = self.store.request(request_id)
        if request is None:
            raise RequestNotFound
        return request

    def usage(
        self, limited_action: LimitedAction, person: str, at: datetime, *, free: bool = False
    ) -> Usage:
        """Return one use of a limited action, to be counted in the commit that does it."""
        return Usage(limited_action, person, at, self.settings.hourly_limits[limited_action], free)

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        """Write the changes in one step, count the usage, and render their messages again."""
        self.store.commit(*changes, entry=entry, usage=usage)
        for change in changes:
            self.messenger.render(change.after.name)

    def commit_transition(
        self,
        before: KeyRequest,
        after: KeyRequest,
        *others: Change,
        reason: str = "",
        detail: Detail | None = None,
        usage: Usage | None = None,
    ) -> KeyRequest:
        """Commit a transition with its audit entry. Raises Conflict or RateLimited."""
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
        self.commit(Change(before, after), *others, entry=entry, usage=usage)
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
        usage: Usage | None = None,
        **changes: Any,
    ) -> KeyRequest:
        """Move a request on, and try again if another commit came first.

        `check` is called with every state that is read. Raises what it raises, RequestNotFound,
        WrongState, and RateLimited.
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
                usage=usage,
            )

        def give_up() -> WrongState:
            return self.get_request(request_id).wrong_state()

        return retry_on_conflict(attempt, give_up)

    def check_clock(self) -> None:
        """Raise ClockSkewed if this clock and the store's differ by over 5 seconds."""
        drift = self.clock.drift()
        if abs(drift) > MAX_CLOCK_SKEW:
            raise ClockSkewed(drift.total_seconds())

    def expire_if_overdue(self, request_id: str) -> None:
        """Expire a request past its deadline that the scheduler has not reached yet.

        A process whose clock is wrong expires nothing: it raises ClockSkewed.
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
                return  # another commit came first, and what follows reads the request again

    def key_entry(
        self,
        key: ManagedKey,
        before: ManagedKey | None,
        action: str,
        by: str,
        reason: str = "",
        detail: Detail | None = None,
    ) -> AuditEntry:
        """Return the audit entry of a change to a key alone."""
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

    def records(self, key_ids: Iterable[str]) -> dict[str, ManagedKey]:
        """Return what the store has of these keys, by key ID, without what it cannot read."""
        found: dict[str, ManagedKey] = {}
        for key_id in key_ids:
            with suppress(StoredValueUnreadable):  # the store logs it with its Redis key
                if record := self.store.key(key_id):
                    found[key_id] = record
        return found

    def retry_at(self) -> datetime:
        """Return when the scheduler takes over what this process begins (UTC)."""
        return self.clock.now() + self.settings.sweep_every

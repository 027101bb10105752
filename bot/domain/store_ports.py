"""Define what Keydesk needs from a database, as Protocols.

Each Protocol is a contract. The store and its fake pass the same tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.keys import ManagedKey
from bot.domain.rate_limits import Usage
from bot.domain.records import AuditEntry, Change, SlackMessage, StreamEntry
from bot.domain.requests import KeyRequest


class RequestStore(Protocol):
    """Store requests and managed keys, and what is due or must be rendered.

    Changes are made by compare-and-set. Every method raises StoreUnavailable if the store cannot be
    reached or refuses to write. A commit then has no effect, its whole effect, or one later.
    To learn which, read the value after another commit has succeeded.
    """

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        """Write all changes and the audit entry in one step.

        The step also takes and frees locks, and sets the next run and the render mark of each
        value. A change is written only if the stored version is that of `before`. If `before` is
        None, nothing may be stored. Each lock that is new in `after` must be free. Locks missing
        in `after` are freed. The entry gets the next number of the audit trail. Without changes it
        is stored alone. A commit that the connection sends again after a lost answer counts as
        written.

        Args:
            changes: The values before and after.
            entry: The audit entry.
            usage: A limited action to count in the same step.

        Raises:
            Conflict: Another version is stored. Nothing is written or counted.
            Locked: Another request has a lock. Nothing is written or counted.
            RateLimited: `usage` is over its limit. Only the refusal is counted.
            StoreUnavailable: It is unknown whether the commit was written.
        """

    def record_usage(self, usage: Usage) -> None:
        """Count a limited action without a change. Raises RateLimited as `commit` does."""

    def request(self, request_id: str) -> KeyRequest | None:
        """Return the request as last committed, or None."""

    def key(self, key_id: str) -> ManagedKey | None:
        """Return the managed key as last committed, or None."""

    def requests_of(self, slack_user: str, limit: int = 20) -> Sequence[KeyRequest]:
        """Return at most `limit` requests of a requester, newest first."""

    def pending(self, limit: int = 100) -> Sequence[KeyRequest]:
        """Return at most `limit` requests that wait for approvers, oldest first."""

    def lock_holder(self, hold: str) -> str | None:
        """Return the ID of the request that has the lock, or None."""

    def is_first_delivery(self, delivery: str) -> bool:
        """Return True if this delivery ID was not seen in the last ten minutes."""

    def due(self, now: datetime, limit: int = 100) -> Sequence[str]:
        """Return names (`request:…`, `key:…`) whose next run has come, oldest first."""

    def reschedule(self, name: str, until: datetime) -> int:
        """Move the next run of a name to `until` (UTC), never to an earlier time.

        Returns:
            How often this was done since the last commit of the name.
        """

    def reschedule_count(self, name: str) -> int:
        """Return how often a name was rescheduled since its last commit."""

    def unrendered(self, now: datetime, limit: int = 100) -> Sequence[str]:
        """Return names whose messages are outdated and due, oldest first."""

    def schedule_render(self, name: str, until: datetime) -> None:
        """Mark a name for rendering at `until` (UTC). A Home tab is `home:…`."""

    def clear_render_mark(self, name: str, until: datetime) -> bool:
        """Remove the mark that `schedule_render(name, until)` set.

        Returns:
            False if the mark has another time by now.
        """

    def messages(self, name: str) -> Sequence[SlackMessage]:
        """Return where the messages of `name` are in Slack.

        A message whose record cannot be read is among them, with its kind alone.
        """

    def record_message(self, name: str, message: SlackMessage) -> None:
        """Store where a message is. It replaces an earlier one of its kind."""

    def forget_message(self, name: str, kind: str) -> None:
        """Remove the record of a message of this kind, which was deleted in Slack."""

    def rendered(self, name: str, version: int) -> bool:
        """Remove the render mark, because all messages show `version`.

        Returns:
            False if another version is stored. The mark then stays.
        """

    def acquire_lock(self, name: str, token: str, seconds: int) -> bool:
        """Lock `name`, so that one worker renders it at a time.

        Returns:
            True if `token` has the lock now, for at most `seconds`.
        """

    def release_lock(self, name: str, token: str) -> None:
        """Release the lock if it belongs to `token`."""

    def record_home_opened(self, slack_user: str, at: datetime, *, approver: bool) -> None:
        """Store that a user opened the Home tab at `at` (UTC).

        `approver`: The tab shows what waits for approvers.
        """

    def open_homes(self, since: datetime) -> Mapping[str, bool]:
        """Return the users who opened the Home tab since then.

        Returns:
            For each Slack user ID, whether the tab shows what waits for approvers.
        """

    def pending_count(self) -> int:
        """Return how many requests wait for approvers."""

    def announced_approvers(self) -> frozenset[str] | None:
        """Return the approvers announced last, or None before the first time."""

    def set_announced_approvers(self, people: frozenset[str]) -> None:
        """Store the Slack user IDs of the approvers who were announced."""

    def time(self) -> datetime:
        """Return the time of the store's clock (UTC)."""


class AuditTrail(Protocol):
    """The numbered audit entries of all commits, and the seals over them.

    Entries and seals are in one order. Every method raises StoreUnavailable as in RequestStore.
    """

    def lines(self, after: str = "", limit: int = 100) -> Sequence[StreamEntry]:
        """Return at most `limit` entries and seals after a stream ID, oldest first.

        An empty `after` begins with the first one.
        """

    def last_stream_id(self) -> str:
        """Return the stream ID of the last entry or seal, or "" before the first."""

    def last_number(self) -> int:
        """Return the last number given to an entry, or 0 before the first."""

    def last_seal(self) -> tuple[str, str]:
        """Return the newest seal and the stream ID of the last entry that it covers.

        Both are "" before the first seal.
        """

    def seal(self, fields: Mapping[str, str], *, previous: str, stream_id: str) -> bool:
        """Write a seal over all entries up to `stream_id`, in one step.

        Returns:
            False if `previous` is not the newest seal any more. Nothing is then written.
        """

    def cursor(self, reader: str) -> str:
        """Return the stream ID of the last entry that `reader` finished, or ""."""

    def move_cursor(self, reader: str, before: str, stream_id: str) -> bool:
        """Move the cursor of `reader` from `before` to `stream_id`.

        Returns:
            False if the cursor is not at `before` any more.
        """

    def acquire_leadership(self, token: str, seconds: int) -> bool:
        """Make `token` the leader of the trail for `seconds`, or renew that.

        Returns:
            False if another token leads.
        """

    def release_leadership(self, token: str) -> None:
        """End the leadership of `token`, so that another can lead at once."""

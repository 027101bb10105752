"""Define what Keydesk needs from outside, as Protocols.

Each Protocol is a contract. Adapters and fakes pass the same tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.codes import Detail
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, KeyStatus, LastUsed, ManagedKey
from bot.domain.permissions import Permissions
from bot.domain.rate_limits import Usage
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret

Record = KeyRequest | ManagedKey
"""What the store keeps by version: requests and managed keys."""


@dataclass(frozen=True)
class Change:
    """One value before and after a commit.

    `before` is None for a new value, which is written only if none is stored.
    """

    before: Record | None
    after: Record


BREAK_GLASS = "break_glass"
"""The action of an audit entry for an urgent request.

Its reason is the requester's text. The action of its own keeps other reasons from imitating it.
"""


@dataclass(frozen=True)
class AuditEntry:
    """One entry of the audit trail: who did what, when and why.

    It names the request, the key and both states. `at` is in UTC. `reason` is what a user typed.
    `detail` is what Keydesk found.
    """

    at: datetime
    by: str
    action: str
    request_id: str = ""
    key_id: str = ""
    from_status: str = ""
    to_status: str = ""
    reason: str = ""
    detail: Detail | None = None


@dataclass(frozen=True)
class StreamEntry:
    """One entry or seal of the audit trail, as stored: text by field name.

    `stream_id` orders the entries. Do not trust the fields: a writer of the store can forge them.
    `bot.domain.audit` detects that.
    """

    stream_id: str
    fields: Mapping[str, str]

    @property
    def is_seal(self) -> bool:
        return "seal" in self.fields

    @property
    def detail(self) -> str:
        """Return what Keydesk found as one text, or "" for nothing.

        Example: `orphan_found names=AKIA…`.
        """
        code, facts = self.fields.get("code", ""), self.fields.get("facts", "")
        try:
            pairs = [f"{name}={value}" for name, value in json.loads(facts).items()]
        except (ValueError, AttributeError):
            pairs = [facts] if facts else []  # tampered with, so shown unchanged
        return " ".join([code, *pairs]).strip()

    @property
    def number(self) -> int:
        """Return the number that the store gave this entry, or 0 without one."""
        text = self.fields.get("number", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


@dataclass(frozen=True)
class SlackMessage:
    """Where one message of a request or key is in Slack, and which version it shows."""

    kind: str
    channel: str
    ts: str
    version: int


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
        """Return where the messages of `name` are in Slack."""

    def record_message(self, name: str, copy: SlackMessage) -> None:
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


class AuditChannel(Protocol):
    """The Slack channel that shows the audit trail."""

    def post(self, lines: Sequence[StreamEntry]) -> tuple[int, float]:
        """Post as many entries, from the first on, as one message can show.

        A failure is logged and not raised.

        Returns:
            How many entries are posted now (0: none), and how many seconds the next message must
            wait.
        """


class KeyIssuer(Protocol):
    """IAM. Reads may be repeated and a change may run twice.

    CreateAccessKey is never repeated, except after throttling. Every method raises IamDenied
    (missing permission, credentials not accepted), IamThrottled, IamUserNotFound,
    AccessKeyNotFound or another IamRefused when AWS refused for certain. It raises IamUnavailable
    when a read had no answer or a change was not sent.
    """

    def user(self, name: str) -> IamUser:
        """Return the user with its UserId, tags and the answer's Date (GetUser)."""

    def keys(self, user: str) -> tuple[AccessKey, ...]:
        """Return all keys of a user with their last use, oldest first."""

    def listed(self, user: str) -> tuple[AccessKey, ...]:
        """Return all keys of a user without their last use, oldest first."""

    def last_used(self, key_id: str) -> LastUsed:
        """Return when and for what a key was last used."""

    def owner(self, key_id: str) -> tuple[str, LastUsed] | None:
        """Return the IAM user of any key of the account, and its last use.

        This is one call. Returns None for a key of no user of this account.
        """

    def own_key_ids(self) -> frozenset[str]:
        """Return the access key IDs of Keydesk's own credentials, as far as known now."""

    def permissions(self, user: str) -> Permissions:
        """Return what the user may do: policies, groups, MFA.

        What AWS refuses, or does not answer in a few seconds, is listed as missing.

        Raises:
            IamUnavailable: This process has no free worker for the calls, or is about to end.
        """

    def create_key(self, user: str, *, give_up_at: float) -> tuple[AccessKey, Secret]:
        """Create one key. Only throttled calls, which did not run, are repeated.

        `give_up_at` is when repeating ends (monotonic seconds).

        Raises:
            AccessKeyLimit: Both slots are taken.
            OutcomeUnknown: The answer was lost.
        """

    def set_status(self, user: str, key_id: str, status: KeyStatus) -> None:
        """Make a key active or inactive. Raises OutcomeUnknown if the answer was lost."""

    def delete_key(self, user: str, key_id: str) -> None:
        """Delete a key. Raises OutcomeUnknown if the answer was lost."""


class Messenger(Protocol):
    """Send messages to Slack.

    Lasting messages are rendered from what is stored. Only the ephemeral message carries a secret.
    """

    def dm(self, slack_user: str) -> str:
        """Return the `D…` ID of a user's direct message. Raises SlackUnavailable."""

    def render(self, name: str) -> None:
        """Ask for the messages of a request or key. Return at once and raise nothing."""

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        """Post the ephemeral message with the secret, once, to the request's `dm`.

        Return when Slack accepted it.

        Raises:
            Refused: Slack refused it for certain.
            OutcomeUnknown: Slack's answer was lost.
        """

    def announce(self, channel: str, detail: Detail) -> bool:
        """Post what a detail says to a channel. A failure is logged.

        Returns:
            Whether Slack accepted it.
        """


class Directory(Protocol):
    """The members and groups of the Slack workspace."""

    def member(self, slack_user: str, *, fresh: bool = False) -> Member:
        """Return who a Slack user is. Raises SlackUnavailable.

        The answer may be up to 60 seconds old, unless `fresh`.
        """

    def group(self, group: str, *, fresh: bool = False) -> frozenset[str]:
        """Return the Slack user IDs of a user group, or none if it does not exist.

        The age of the answer and the errors are those of `approvers`.
        """

    def member_by_email(self, email: str) -> str:
        """Return the Slack user ID of the full member with this e-mail address, or "".

        The member must be active and the address confirmed. Case does not matter. Raises
        SlackUnavailable.
        """

    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        """Return the Slack user IDs that may approve now, with groups resolved.

        Slack is asked each time. While Slack rate-limits the call, an answer of at most 60 seconds
        ago is used, unless `fresh`.

        Raises:
            SlackUnavailable: Slack has no answer, or a group is missing. Its facts say what to
                correct.
        """


class Clock(Protocol):
    """The time, passed in."""

    def now(self) -> datetime:
        """Return the time (UTC)."""

    def monotonic(self) -> float:
        """Return seconds that never jump, to measure durations."""

    def drift(self) -> timedelta:
        """Return how far this process's clock is ahead of the store's.

        Raises StoreUnavailable.
        """

"""What does the desk need from the outside? Each Protocol is a contract; adapters and fakes pass the same tests."""

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
    """One value before and after. `before` is None for a new one, which is written only where none exists."""

    before: Record | None
    after: Record


BREAK_GLASS = "break_glass"
"""The action of an entry by which somebody asked urgently; its reason is theirs, so no reason can look like it."""


@dataclass(frozen=True)
class AuditEntry:
    """One entry of the audit trail: who did what to which request and key, from which state to which, and why.

    `reason` is what a person typed, `detail` what Keydesk found.
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
    """A line of the audit trail as the store keeps it: an entry or a seal, as text by name. `place` orders lines.

    Nothing is believed of it: who can write to the store can write anything there (`core.audit` finds that out).
    """

    stream_id: str
    fields: Mapping[str, str]

    @property
    def is_seal(self) -> bool:
        return "seal" in self.fields

    @property
    def detail(self) -> str:
        """What Keydesk found, as one text: `orphan_found names=AKIA…`; "" for nothing."""
        code, facts = self.fields.get("code", ""), self.fields.get("facts", "")
        try:
            pairs = [f"{name}={value}" for name, value in json.loads(facts).items()]
        except (ValueError, AttributeError):
            pairs = [facts] if facts else []  # it was tampered with, so it is shown as it is
        return " ".join([code, *pairs]).strip()

    @property
    def number(self) -> int:
        """The number that the store gave this entry; 0 where it has none."""
        text = self.fields.get("number", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


@dataclass(frozen=True)
class SlackMessage:
    """Where one drawn copy of a request or key stands in Slack, and which version it shows."""

    kind: str
    channel: str
    ts: str
    version: int


class RequestStore(Protocol):
    """Keeps requests and managed keys, moves them by compare-and-set, and remembers what is due and undrawn.

    Every method raises StoreUnavailable when the store cannot be reached or will not write; then nothing, or
    the whole commit, has happened or will happen yet. Reading back tells which once another commit has won.
    """

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        """Writes all changes, the holds they take and give back, due times, redraw marks and `entry`: one step.

        A change is written only if the stored version is `before`'s (or nothing is stored, where `before` is
        None), and only if every hold that is new in `after` is free. Holds that are gone in `after` are freed.
        The entry gets the next number of the audit trail, in the same step; without changes it is noted alone.
        Each written value is marked for redrawing and put down for its `deadline` or `due`. A commit whose
        answer was lost, and which the connection sends again, counts as written.
        Raises Conflict(name) or Held(name, holder); then nothing is written or counted. `usage` is counted in the
        same step; over its limit nothing else is written, the refusal is counted, and RateLimited is raised.
        """

    def record_usage(self, usage: Usage) -> None:
        """Counts what moves nothing. Raises RateLimited as `commit` does."""

    def request(self, request_id: str) -> KeyRequest | None:
        """The request as last committed, or None."""

    def key(self, key_id: str) -> ManagedKey | None:
        """The managed key as last committed, or None."""

    def requests_of(self, slack_user: str, limit: int = 20) -> Sequence[KeyRequest]:
        """A person's requests, newest first."""

    def pending(self, limit: int = 100) -> Sequence[KeyRequest]:
        """What waits for approvers, the longest waiting first."""

    def lock_holder(self, hold: str) -> str | None:
        """Who holds a name (a request ID), or None."""

    def is_first_delivery(self, delivery: str) -> bool:
        """True the first time this delivery's ID is seen within ten minutes, False after that."""

    def due(self, now: datetime, limit: int = 100) -> Sequence[str]:
        """Names (`request:…`, `key:…`) whose time has come, the longest due first."""

    def reschedule(self, name: str, until: datetime) -> int:
        """Puts off a due name to `until`, never nearer; returns how often that was done since its last commit."""

    def reschedule_count(self, name: str) -> int:
        """How often a name has been put off since its last commit."""

    def unrendered(self, now: datetime, limit: int = 100) -> Sequence[str]:
        """Names whose copies in Slack are older than their state and whose turn has come, oldest first."""

    def schedule_render(self, name: str, until: datetime) -> None:
        """A copy could not be drawn: its turn comes again at `until`. Also marks a Home tab (`home:…`) for drawing."""

    def clear_render_mark(self, name: str, until: datetime) -> bool:
        """Takes away the mark that `put_off_drawing(name, until)` set; False where it has been set anew since."""

    def messages(self, name: str) -> Sequence[SlackMessage]:
        """Where the copies of `name` stand in Slack."""

    def record_message(self, name: str, copy: SlackMessage) -> None:
        """Notes where a copy stands; the newest note of a kind counts."""

    def forget_message(self, name: str, kind: str) -> None:
        """A copy of this kind is no more (its message was deleted)."""

    def rendered(self, name: str, version: int) -> bool:
        """All copies show `version`: takes the redraw mark away and returns True, unless the value has moved on."""

    def acquire_lock(self, name: str, token: str, seconds: int) -> bool:
        """Lets one worker at a time draw `name`: True if `token` now holds the lock, for at most `seconds`."""

    def release_lock(self, name: str, token: str) -> None:
        """Gives the lock back, if `token` still holds it."""

    def record_home_opened(self, slack_user: str, at: datetime, *, approver: bool) -> None:
        """A person has the Home tab open as of `at`, and whether it shows what waits for approvers."""

    def open_homes(self, since: datetime) -> Mapping[str, bool]:
        """Who has opened the Home tab since then, and whether it shows what waits for approvers."""

    def pending_count(self) -> int:
        """How many requests wait for approvers."""

    def announced_approvers(self) -> frozenset[str] | None:
        """Who may approve, as the approval channel was told last; None where nobody was noted yet."""

    def set_announced_approvers(self, people: frozenset[str]) -> None:
        """Notes that the approval channel knows that these Slack user IDs may approve."""

    def time(self) -> datetime:
        """The store's own clock (UTC)."""


class AuditTrail(Protocol):
    """The entries that commits have left, numbered from 1 on, and the seals over them, in one line of time.

    Every method raises StoreUnavailable as RequestStore's do.
    """

    def lines(self, after: str = "", limit: int = 100) -> Sequence[StreamEntry]:
        """Entries and seals behind the place `after` ("": from the first one), oldest first."""

    def last_stream_id(self) -> str:
        """The place of the last line; "" before the first."""

    def last_number(self) -> int:
        """The number that was given last; 0 before the first."""

    def last_seal(self) -> tuple[str, str]:
        """The value of the newest seal and the place of the last entry under it; two empty texts before the first."""

    def seal(self, fields: Mapping[str, str], *, previous: str, stream_id: str) -> bool:
        """Writes a seal over all up to `place`, in one step, if `previous` is still the newest; else False."""

    def cursor(self, reader: str) -> str:
        """The place of the last line that `reader` is done with; "" before the first."""

    def move_cursor(self, reader: str, before: str, stream_id: str) -> bool:
        """Moves the cursor of `reader` from `before` to `place`; False where it stands elsewhere by now."""

    def acquire_leadership(self, token: str, seconds: int) -> bool:
        """Whether `token` is the one that works on the trail, from now on for `seconds` (renewed by asking again)."""

    def release_leadership(self, token: str) -> None:
        """Lets another lead at once, if `token` still leads."""


class AuditChannel(Protocol):
    """Where people read the audit trail along."""

    def post(self, lines: Sequence[StreamEntry]) -> tuple[int, float]:
        """Posts as many lines, from the first one on, as one message holds; what fails is logged, never raised.

        Returns how many stand there now (0: none), and how many seconds the next message must wait.
        """


class KeyIssuer(Protocol):
    """IAM. Reads may be repeated; a change may run twice; making a key is never repeated.

    Every method raises IamDenied (missing permission, credentials not accepted), IamThrottled, IamUserNotFound,
    AccessKeyNotFound or another IamRefused when AWS said no for certain, and IamUnavailable when a read was not answered
    or a change could not be sent at all.
    """

    def user(self, name: str) -> IamUser:
        """GetUser: the user with its UserId, tags and the answer's Date."""

    def keys(self, user: str) -> tuple[AccessKey, ...]:
        """All keys of a user, oldest first, each with its last use: one list, then the last uses side by side."""

    def listed(self, user: str) -> tuple[AccessKey, ...]:
        """All keys of a user, oldest first, without asking for their last use."""

    def last_used(self, key_id: str) -> LastUsed:
        """When and for what a key was last used."""

    def owner(self, key_id: str) -> tuple[str, LastUsed] | None:
        """The IAM user of any key of the account and its last use, in one call; None for a key of no user here."""

    def own_key_ids(self) -> frozenset[str]:
        """The access key IDs of the desk's own credentials, as far as it knows them at this moment."""

    def permissions(self, user: str) -> Permissions:
        """What the user may do: policies, groups, MFA.

        What AWS refuses, or does not tell in a few seconds, is `missing` and not raised. Raises IamUnavailable only
        where this process has no room for the questions, or is about to end.
        """

    def create_key(self, user: str, *, give_up_at: float) -> tuple[AccessKey, Secret]:
        """Makes one key; only throttling, which did not run, is tried again, until `give_up_at` (monotonic seconds).

        Raises AccessKeyLimit when both slots are taken, OutcomeUnknown when the answer was lost.
        """

    def set_status(self, user: str, key_id: str, status: KeyStatus) -> None:
        """Makes a key active or inactive. Raises OutcomeUnknown when the answer was lost."""

    def delete_key(self, user: str, key_id: str) -> None:
        """Deletes a key. Raises OutcomeUnknown when the answer was lost."""


class Messenger(Protocol):
    """Slack, outgoing. Lasting messages are drawn from what is stored; only the ephemeral carries a secret."""

    def dm(self, slack_user: str) -> str:
        """The `D…` ID of a person's direct message with the bot. Raises SlackUnavailable."""

    def render(self, name: str) -> None:
        """Asks for the copies of a request or key to be drawn; returns at once and raises nothing."""

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        """Posts the ephemeral with the secret, once, to the request's stored `dm`; returns when Slack accepted it.

        Raises Refused when Slack refused it for certain, OutcomeUnknown when its answer was lost.
        """

    def announce(self, channel: str, detail: Detail) -> bool:
        """Post what a detail says to a channel. Return whether Slack accepted it; a failure is logged."""


class Directory(Protocol):
    """Slack, asked about people."""

    def member(self, slack_user: str, *, fresh: bool = False) -> Member:
        """Who a person is; remembered for at most 60 s unless `fresh`. Raises SlackUnavailable."""

    def group(self, group: str, *, fresh: bool = False) -> frozenset[str]:
        """The Slack user IDs in a user group, asked anew; nobody where there is no such group; else as `approvers`."""

    def member_by_email(self, email: str) -> str:
        """The Slack user ID of the present, full member whose confirmed e-mail address this is, or "".

        Letters' case does not matter. Raises SlackUnavailable.
        """

    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        """The Slack user IDs that may approve at this moment, groups resolved, asked anew.

        Only while Slack rate-limits the question may an answer at most 60 s old serve, and none where `fresh`.
        Raises SlackUnavailable, also for a group that is not there; its sentence says what would make it work.
        """


class Clock(Protocol):
    """Time, passed in."""

    def now(self) -> datetime:
        """The time (UTC)."""

    def monotonic(self) -> float:
        """Seconds that never jump, for measuring how long something took."""

    def drift(self) -> timedelta:
        """How far this process's clock is ahead of the store's. Raises StoreUnavailable."""

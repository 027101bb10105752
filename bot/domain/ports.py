"""Define what Keydesk needs from IAM, Slack and the clock, as Protocols.

Each Protocol is a contract. Adapters and fakes pass the same tests. `store_ports.py` has those of
the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.codes import Detail
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, KeyStatus, LastUsed
from bot.domain.permissions import Permissions
from bot.domain.records import StreamEntry
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret


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

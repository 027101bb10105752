"""What is an access key: as IAM shows it, as Keydesk remembers it, and its secret?"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.domain.errors import KeyIsLeaked

KEY_ID = re.compile(r"(?:AKIA|ASIA)[A-Z2-7]{16}")
"""A long-term access key ID ("IAM identifiers", AWS IAM User Guide); ASIA… (temporary) is named to be refused."""

CONSISTENCY_DELAY = timedelta(minutes=5)
"""IAM is eventually consistent: for a key younger than this, absence proves nothing."""

EXPIRY_NOTICES = {
    "expiry:7d": timedelta(days=7),
    "expiry:1d": timedelta(days=1),
    "expiry:1h": timedelta(hours=1),
}
"""How long before its end a key's owner is reminded."""

DELETION_NOTICE, DELETION_NOTICE_BEFORE = "deletion", timedelta(days=1)
"""The notice that an inactive key is about to be deleted, and how long before."""

ESCALATE_AFTER_DAYS = 3
"""Days an old key is still used after its grace until the approval channel hears of it, too."""

_ID = rf"(?:{KEY_ID.pattern})"
_SECRET = re.compile(  # alone, or with the ID of its key right before or behind it
    rf"(?<![A-Za-z0-9/+])(?:{_ID}[/+]?)?([A-Za-z0-9/+]{{40}})(?:[/+]?{_ID})?(?![A-Za-z0-9/+])"
)
_SECRET_IN_PATH = re.compile(r"(?<![A-Za-z0-9+])(?=([A-Za-z0-9/+]{40})(?![A-Za-z0-9+]))")
_CHARACTER_RUN = re.compile(r"[A-Z]+|[a-z]+|[0-9]+|[/+]")
_ENCODINGS = (
    (re.compile(r"(?i)%2F|\\/"), "/"),
    (re.compile(r"(?i)%2B"), "+"),
    (re.compile(r"\\[nrt]"), " "),
)
"""How a secret's letters stand in addresses and in JSON."""

MIN_RUNS, MAX_SEPARATORS = 16, 4
"""In 40 random letters upper case, lower case, digits and the rest take turns about 26 times, and one or two are a
slash or a plus; paths are made of words."""


class KeyStatus(StrEnum):
    """IAM's own words for an access key's status."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"


class DesiredState(StrEnum):
    """What Keydesk means a key to be: the intent, written before IAM is asked."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"


class ObservedState(StrEnum):
    """What IAM last showed of a key. Only a read makes it known; each change of intent makes it unknown."""

    UNKNOWN = "unknown"
    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"


class InactiveReason(StrEnum):
    """Why a key is not active. Who may turn it on again depends on it."""

    NONE = ""
    DISABLED = "disabled"  # its owner, or an approver, turned it off
    UNCLAIMED = "unclaimed"  # no receipt came
    ORPHANED = "orphaned"  # nobody recorded it
    EXPIRED = "expired"  # its life is over
    ROTATED = "rotated"  # another key took its place
    LEAKED = "leaked"  # never to be enabled again
    CONSOLE = "console"  # changed in AWS, not by Keydesk


class Origin(StrEnum):
    """How Keydesk came to keep a key: issued by it, found after a lost answer, or retired by its owner."""

    ISSUED = "issued"
    ORPHANED = "orphaned"
    ADOPTED = "adopted"


@dataclass(frozen=True)
class LastUsed:
    """When and for what a key was last used (UTC), as GetAccessKeyLastUsed says; `at` is None: never."""

    at: datetime | None = None
    service: str = ""
    region: str = ""


@dataclass(frozen=True)
class AccessKey:
    """An access key as IAM shows it. `last_used` is None where it was not asked for."""

    id: str
    iam_user: str
    status: KeyStatus
    created_at: datetime
    last_used: LastUsed | None = None

    @property
    def active(self) -> bool:
        return self.status is KeyStatus.ACTIVE


class Secret:
    """A secret access key. It shows itself in no repr, str, format, pickle or comparison; `expose` alone tells.

    Python cannot wipe a string, so its life is kept short instead: from CreateAccessKey's answer to the
    ephemeral message, inside `workflow.hand_over.reveal`, and nowhere else. That function has it forgotten at its
    end, so that whatever still holds this value (a frame of a traceback, say) holds nothing.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def expose(self) -> str:
        """The secret itself, for the one message that carries it. Raises ValueError once it is forgotten."""
        if not self._value:
            raise ValueError("the secret is forgotten")
        return self._value

    def forget(self) -> None:
        """Lets go of the secret, for everybody who holds this value."""
        self._value = ""

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be stored")


@dataclass(frozen=True)
class ManagedKey:
    """A key as Keydesk remembers it: what it is meant to be (`wanted`) and what IAM last showed (`shown`).

    `due` is when it must be looked at in IAM (UTC), `next_run` when time must do anything at all with it; None
    for never. `request_id` is "" for a key that no request made (its owner retired a key made elsewhere).
    `owner` is a Slack user ID and `dm` where that person is told. `replaces` is the key whose place it takes
    (a rotation), until that one is off; it may be used until `grace_ends_at`. `notices` are what its owner has been
    told, recorded before it is sent; `note` why it was turned off; `facts` what IAM showed at `permissions_at` of this key
    and of the one it replaces. `urgent` says that it was asked for by breaking glass: it gets no more time.
    `reported_by` and `reported_at` are the first report of a leak, `reported_again_by` and `reported_again_at` the
    newest that came a while later. `out_of_reach` says that the desk may not touch its IAM user, so that people must.
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
        """Its name among everything that is stored, due and drawn."""
        return f"key:{self.id}"

    @property
    def must_stay_off(self) -> bool:
        """Is its end a promise? Whoever turns such a key on in the console does not keep it on."""
        return self.leaked or self.inactive_reason in (
            InactiveReason.EXPIRED,
            InactiveReason.LEAKED,
        )

    @property
    def awaits_decision(self) -> bool:
        """Was it found after a lost answer, and has no approver said that it is ours? Then time never deletes it."""
        nobody = self.inactive_reason is InactiveReason.NONE or (
            self.inactive_reason is InactiveReason.DISABLED and bool(self.disable_note)
        )
        return self.origin is Origin.ORPHANED and self.desired is DesiredState.INACTIVE and nobody

    def is_over(self, at: datetime) -> bool:
        """Has its life ended by `at`? That is a promise: only an approval gives it more."""
        return self.expires_at is not None and self.expires_at <= at

    @property
    def next_run(self) -> datetime | None:
        """When time must do the next thing with this key: look at it, tell its owner, end its life (UTC)."""
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
            times.append(
                self.expires_at
            )  # its end holds for one that is off, too, and on again in the console
        return min((at for at in times if at is not None), default=None)

    def expiry_notices(self) -> list[tuple[str, datetime]]:
        """The reminders of its end that are still to come, each with its moment; none before the key was made."""
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
        """The same key with a new intent and why; what IAM shows is unknown from now until it is read.

        Unless `facts` says so, the key is not put down for deletion and has no note. Raises KeyIsLeaked where a leaked
        key is to be turned on: that is never taken back, whoever asks.
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
        """The same key with something noted; what is wanted of it stays."""
        return replace(self, version=self.version + 1, **changes)

    def observe(self, observed: ObservedState, *, check_at: datetime | None) -> ManagedKey:
        """The same key with what IAM has just shown, to be looked at again at `due`."""
        return replace(self, observed=observed, check_at=check_at, version=self.version + 1)

    def absence_is_proof(self, at: datetime) -> bool:
        """Is the key old enough at `at` for NoSuchEntity, or a list without it, to prove it gone?"""
        return at - self.created_at >= CONSISTENCY_DELAY


def out_of_reach(key_id: str, iam_user: str) -> str:
    """What to tell of a leaked key that the desk cannot turn off, and what to do instead."""
    return (
        f"{key_id} is a key of the IAM user {iam_user}, which the desk may not touch, so it cannot turn the "
        "key off: the user is not under the path that the desk looks after, or AWS does not show it to the desk. "
        "Whoever looks after AWS must turn it off in the AWS console, now."
    )


def looks_like_secret(text: str) -> bool:
    """Does `text` hold something shaped like a secret access key: 40 characters of base64, not hex?

    Upper case, lower case and digits must all be there, which a git commit's name (hex) never has. What stands between
    slashes must be as mixed as random letters are, too, else many a path would count.
    """
    for found, letter in _ENCODINGS:
        text = found.sub(letter, text)
    return any(map(_is_mixed, _SECRET.findall(text))) or any(
        _is_mixed(word)
        and len(_CHARACTER_RUN.findall(word)) > MIN_RUNS
        and len(re.findall(r"[/+]", word)) <= MAX_SEPARATORS
        for word in _SECRET_IN_PATH.findall(text)
    )


def _is_mixed(word: str) -> bool:
    return all(re.search(kind, word) for kind in ("[A-Z]", "[a-z]", "[0-9]"))

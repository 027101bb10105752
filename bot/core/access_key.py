"""What is an access key: as IAM shows it, as Keydesk remembers it, and its secret?"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

KEY_ID = re.compile(r"(?:AKIA|ASIA)[A-Z2-7]{16}")
"""A long-term access key ID ("IAM identifiers", AWS IAM User Guide); ASIA… (temporary) is named to be refused."""

PROVES_NOTHING_FOR = timedelta(minutes=5)
"""IAM is eventually consistent: for a key younger than this, absence proves nothing."""

_SECRET_SHAPE = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")


class KeyStatus(StrEnum):
    """IAM's own words for an access key's status."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"


class Wanted(StrEnum):
    """What Keydesk means a key to be: the intent, written before IAM is asked."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"


class Shown(StrEnum):
    """What IAM last showed of a key. Only a read makes it known; each change of intent makes it unknown."""

    UNKNOWN = "unknown"
    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"


class Origin(StrEnum):
    """How Keydesk came to keep a key: issued by it, found after a lost answer, or retired by its owner."""

    ISSUED = "issued"
    FOUND = "found"
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
    ephemeral message, inside `workflow.hand_over`, and nowhere else.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def expose(self) -> str:
        """The secret itself, for the one message that carries it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be stored")


@dataclass(frozen=True)
class ManagedKey:
    """A key as Keydesk remembers it: what it is meant to be (`wanted`) and what IAM last showed (`shown`).

    `due` is when time must look at it next (UTC), None for never. `request_id` is "" for a key that no
    request made (its owner retired a key made elsewhere).
    """

    id: str
    account: str
    iam_user: str
    owner: str
    request_id: str
    origin: Origin
    made_at: datetime
    wanted: Wanted
    shown: Shown = Shown.UNKNOWN
    changed_at: datetime | None = None
    changed_by: str = ""
    due: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its name among everything that is stored, due and drawn."""
        return f"key:{self.id}"

    def want(self, wanted: Wanted, by: str, at: datetime, *, due: datetime) -> ManagedKey:
        """The same key with a new intent; what IAM shows is unknown from now until it is read."""
        return replace(self, wanted=wanted, shown=Shown.UNKNOWN, changed_by=by, changed_at=at, due=due,
                       version=self.version + 1)

    def show(self, shown: Shown, *, due: datetime | None) -> ManagedKey:
        """The same key with what IAM has just shown, to be looked at again at `due`."""
        return replace(self, shown=shown, due=due, version=self.version + 1)

    def absence_proves(self, at: datetime) -> bool:
        """Is the key old enough at `at` for NoSuchEntity, or a list without it, to prove it gone?"""
        return at - self.made_at >= PROVES_NOTHING_FOR


def looks_like_secret(text: str) -> bool:
    """Does `text` hold something shaped like a secret access key: 40 characters of base64, not hex?

    Upper case, lower case and digits must all be there, which a git commit's name (hex) never has.
    """
    return any(
        re.search(r"[A-Z]", word) and re.search(r"[a-z]", word) and re.search(r"[0-9]", word)
        for word in _SECRET_SHAPE.findall(text)
    )

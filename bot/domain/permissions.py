"""Permissions of an IAM user, and whether a policy document grants admin access."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ADMIN_POLICIES = frozenset({"AdministratorAccess", "IAMFullAccess", "PowerUserAccess"})
"""AWS managed policies that grant (nearly) everything, or the means to get it.

Source: "AWS managed policies for job functions", AWS IAM User Guide. An account's own policy of
such a name counts too.
"""

MFA_ACTION = "ListMFADevices"
"""The one API action that tells nothing about what the user may do."""

_IAM_ACTIONS = ("iam:A", "iam:Zz9")
_OTHER_ACTIONS = ("any-service:A", "any-service:Zz9")
"""Action names that do not exist.

Only a pattern for all actions of IAM, or of all services, matches both.
"""

_IAM_RESOURCES = tuple(
    f"arn:aws:iam::111122223333:{kind}/{name}"
    for kind in ("user", "role", "policy")
    for name in "aZ"
)
_OTHER_RESOURCES = (
    "arn:aws:any-service:eu-west-1:111122223333:a",
    "arn:aws:any-service:us-east-1:111122223333:Z/z",
)
_PARTITION = re.compile(r"arn:aws(-[a-z-]+)?:")
_ACCOUNT = re.compile(r"(?<=:)\d{12}(?=:)")


@dataclass(frozen=True)
class Group:
    """A group of a user, with the names of its attached and inline policies."""

    name: str
    attached: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unread:
    """An API action without a result: it was denied, or AWS did not answer in time."""

    action: str
    denied: bool = False


@dataclass(frozen=True)
class Permissions:
    """What IAM shows of a user's permissions, by name.

    Explicit denials, permissions boundaries, organizations, and narrower ways to more rights are
    not read.

    Attributes:
        admin_like: The policies that grant admin access, each with its source.
        mfa: Whether the user has an MFA device. None if unknown.
        unread: What could not be read, each API action once. Empty fields may then be unknown.
    """

    attached: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    admin_like: tuple[str, ...] = ()
    mfa: bool | None = None
    unread: tuple[Unread, ...] = ()

    @property
    def unsure(self) -> bool:
        """Return True if something unread may grant admin access."""
        return any(one.action != MFA_ACTION for one in self.unread)

    @property
    def risky(self) -> bool:
        """Return True if the user has admin access, or if that is not known."""
        return bool(self.admin_like) or self.unsure

    def could_not_read(self, *actions: str) -> bool:
        """Return True if one of these API actions has no result."""
        return any(unread.action in actions for unread in self.unread)


def grants_admin_access(document: object) -> bool:
    """Return True if a policy document grants admin access.

    That is everything, all of IAM, or everything but IAM, on all resources.

    One `Allow` statement must do so by itself. A `Condition` or a `Deny` is ignored, so the result
    errs towards a warning. Source: "IAM JSON policy elements reference", AWS IAM User Guide
    (Action, NotAction, Resource, NotResource, wildcards). Raises ValueError if it is no policy
    document.
    """
    if not isinstance(document, Mapping) or not isinstance(
        document.get("Statement"), list | Mapping
    ):
        raise ValueError("not a policy document")
    statements = document["Statement"]
    return any(
        _grants_admin(one) for one in (statements if isinstance(statements, list) else [statements])
    )


def _grants_admin(statement: object) -> bool:
    if not isinstance(statement, Mapping):
        raise ValueError("not a policy statement")
    if statement.get("Effect") != "Allow":
        return False
    return any(
        _matches_all(statement, "Action", actions)
        and _matches_all(statement, "Resource", resources)
        for actions, resources in (
            (_IAM_ACTIONS, _IAM_RESOURCES),
            (_OTHER_ACTIONS, _OTHER_RESOURCES),
        )
    )


def _matches_all(statement: Mapping[str, Any], element: str, samples: Iterable[str]) -> bool:
    """Return True if an element matches all samples, or its `Not…` form none."""
    inverse = f"Not{element}"
    patterns = [
        _pattern(one, element) for one in _as_list(statement.get(element, statement.get(inverse)))
    ]
    met = [any(pattern.fullmatch(sample) for pattern in patterns) for sample in samples]
    return all(met) if element in statement else inverse in statement and not any(met)


def _as_list(value: object) -> list[str]:
    """Return an element as a list of strings."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _pattern(text: str, element: str) -> re.Pattern[str]:
    """Return a pattern of IAM (`*`, `?`) as a regular expression.

    Actions ignore upper and lower case.

    Any account and partition matches, since they are the user's own.
    """
    if element == "Resource":
        text = _ACCOUNT.sub("*", _PARTITION.sub("arn:aws:", text, count=1))
    parts = [
        "".join("." if letter == "?" else re.escape(letter) for letter in part)
        for part in text.split("*")
    ]
    # Atomic groups: each part matches at the first possible place only.
    # Else a policy of many stars would take years.
    middle = "".join(f"(?>.*?{part})" for part in parts[1:-1] if part)
    pattern = parts[0] if len(parts) == 1 else f"{parts[0]}{middle}.*{parts[-1]}"
    return re.compile(pattern, re.IGNORECASE if element == "Action" else 0)

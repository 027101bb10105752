"""What is an IAM user able to do, as far as IAM shows it, and does any of it make the user administrator-like?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ADMIN_POLICIES = frozenset({"AdministratorAccess", "IAMFullAccess", "PowerUserAccess"})
"""AWS's own policies that give (nearly) everything, or the means to get it ("AWS managed policies for job functions",
AWS IAM User Guide). A policy of an account's own that bears such a name is taken at its word."""

MFA_ACTION = "ListMFADevices"
"""The one API action whose silence leaves open nothing of what the user may do."""

_IAM_ACTIONS = ("iam:A", "iam:Zz9")
_OTHER_ACTIONS = ("any-service:A", "any-service:Zz9")
"""Actions that nobody would name: only a pattern for all actions of IAM, or of all services, meets both."""

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
    """A group that a user is in, with the names of its attached and its inline policies."""

    name: str
    attached: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unread:
    """An API action that brought no fact: the desk lacks the permission (`denied`), or no answer came in time."""

    action: str
    denied: bool = False


@dataclass(frozen=True)
class Permissions:
    """What IAM shows of a user's permissions, by name.

    `admin_like` says in words which policies make the user administrator-like. `mfa` is None where it is not known.
    `missing` names what could not be read, each API action once: what is empty may then merely be unknown. Not
    looked at: explicit denials, permissions boundaries, organisations, and narrower ways to more rights.
    """

    attached: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    admin_like: tuple[str, ...] = ()
    mfa: bool | None = None
    unread: tuple[Unread, ...] = ()

    @property
    def unsure(self) -> bool:
        """Could something be unread that makes the user administrator-like?"""
        return any(one.action != MFA_ACTION for one in self.unread)

    @property
    def risky(self) -> bool:
        """Is the user administrator-like, or not known not to be? What could not be read is not taken for safe."""
        return bool(self.admin_like) or self.unsure

    def could_not_read(self, *actions: str) -> bool:
        """Has one of these API actions brought no answer?"""
        return any(one.action in actions for one in self.unread)


def grants_admin_access(document: object) -> bool:
    """Does a policy document allow everything, all of IAM, or everything but IAM, on everything there is of it?

    One `Allow` statement must do so by itself; what a `Condition` or a `Deny` takes away is not counted, so that it
    errs towards a warning ("IAM JSON policy elements reference", AWS IAM User Guide: Action, NotAction, Resource,
    NotResource, wildcards). Raises ValueError for what is no policy document.
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
    """Does `Action` (or `Resource`) hold all samples, or its `Not…` form none of them?"""
    inverse = f"Not{element}"
    patterns = [
        _pattern(one, element) for one in _as_list(statement.get(element, statement.get(inverse)))
    ]
    met = [any(pattern.fullmatch(sample) for pattern in patterns) for sample in samples]
    return all(met) if element in statement else inverse in statement and not any(met)


def _as_list(value: object) -> list[str]:
    """An element as a list: one string stands for itself."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _pattern(text: str, element: str) -> re.Pattern[str]:
    """A pattern of IAM's (`*`, `?`) as a regular expression. Whatever the account and partition, they are the user's.

    Actions are the same in upper and lower case.
    """
    if element == "Resource":
        text = _ACCOUNT.sub("*", _PARTITION.sub("arn:aws:", text, count=1))
    parts = [
        "".join("." if letter == "?" else re.escape(letter) for letter in part)
        for part in text.split("*")
    ]
    # Each part at the first place it fits, for good (an atomic group): a policy of many stars must not take years.
    middle = "".join(f"(?>.*?{part})" for part in parts[1:-1] if part)
    pattern = parts[0] if len(parts) == 1 else f"{parts[0]}{middle}.*{parts[-1]}"
    return re.compile(pattern, re.IGNORECASE if element == "Action" else 0)

"""A fake of IAM, where each user has two slots for keys."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bot.domain.identity import IamUser
from bot.domain.keys import AccessKey, KeyStatus, LastUsed
from bot.domain.outside_errors import AccessKeyLimit, AccessKeyNotFound, IamUserNotFound
from bot.domain.permissions import Permissions
from bot.domain.policy import KEYS_PER_USER
from bot.domain.secret import Secret

ACCOUNT = "111122223333"


class FakeIssuer:
    """A KeyIssuer with its own IAM, where each user has two slots for keys.

    `made` has each secret by key ID. A key in `hidden` is in no list, unknown to changes and
    without an owner, as a young key may be in IAM. The last use of a key in `use_unknown` is not
    told. `may` has the permissions of each user.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.users: dict[str, IamUser] = {}
        self.made: dict[str, str] = {}
        self.may: dict[str, Permissions] = {}
        self.hidden: set[str] = set()
        self.use_unknown: set[str] = set()
        self.own: frozenset[str] = frozenset()
        self._keys: dict[str, AccessKey] = {}
        self._used: dict[str, LastUsed] = {}
        self._now = now
        self._numbers = itertools.count(1)

    def add_user(self, name: str, user_id: str = "", *, path: str = "/", **tags: str) -> None:
        """Make an IAM user, or make it again with another UserId or under another path."""
        self.users[name] = IamUser(
            name,
            user_id or f"AIDA{name.upper()}",
            f"arn:aws:iam::{ACCOUNT}:user{path}{name}",
            self._now(),
            tags,
        )

    def delete_user(self, name: str) -> None:
        """Delete an IAM user with its keys, as an AWS admin does."""
        del self.users[name]
        self._keys = {key.id: key for key in self._keys.values() if key.iam_user != name}

    def rename_user(self, name: str, new: str) -> None:
        """Give an IAM user another name. It keeps its UserId and its keys."""
        self.users[new] = replace(self.users.pop(name), name=new)
        self._keys = {
            key.id: replace(key, iam_user=new if key.iam_user == name else key.iam_user)
            for key in self._keys.values()
        }

    def use(self, key_id: str) -> None:
        """Call AWS with this key."""
        self._used[key_id] = LastUsed(self._now(), "s3", "eu-central-1")

    def observed(self, key_id: str) -> AccessKey | None:
        """Return the key as it is in IAM, or None."""
        return self._keys.get(key_id)

    @property
    def active(self) -> list[str]:
        return [key.id for key in self._keys.values() if key.active]

    def user(self, name: str) -> IamUser:
        if name not in self.users:
            raise IamUserNotFound
        return replace(self.users[name], read_at=self._now())

    def keys(self, user: str) -> tuple[AccessKey, ...]:
        return tuple(
            key
            if key.id in self.use_unknown
            else replace(key, last_used=self._used.get(key.id, LastUsed()))
            for key in self.listed(user)
        )

    def listed(self, user: str) -> tuple[AccessKey, ...]:
        if user not in self.users:
            raise IamUserNotFound("ListAccessKeys")
        return tuple(
            k for k in self._keys.values() if k.iam_user == user and k.id not in self.hidden
        )

    def last_used(self, key_id: str) -> LastUsed:
        if key_id not in self._keys:
            raise AccessKeyNotFound("GetAccessKeyLastUsed")
        return self._used.get(key_id, LastUsed())

    def owner(self, key_id: str) -> tuple[str, LastUsed] | None:
        key = self._keys.get(key_id)
        return (
            (key.iam_user, self._used.get(key_id, LastUsed()))
            if key and key_id not in self.hidden
            else None
        )

    def own_key_ids(self) -> frozenset[str]:
        return self.own

    def permissions(self, user: str) -> Permissions:
        return self.may.get(user, Permissions(mfa=True))

    def create_key(self, user: str, *, give_up_at: float = 0) -> tuple[AccessKey, Secret]:
        if user not in self.users:
            raise IamUserNotFound("CreateAccessKey")
        if sum(key.iam_user == user for key in self._keys.values()) >= KEYS_PER_USER:
            raise AccessKeyLimit
        number = next(self._numbers)
        id_ = "AKIA" + base64.b32encode(number.to_bytes(10, "big")).decode()
        key = AccessKey(id_, user, KeyStatus.ACTIVE, self._now().replace(microsecond=0))
        self._keys[id_] = key
        self.made[id_] = f"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXA{number:07}"
        return key, Secret(self.made[id_])

    def set_status(self, user: str, key_id: str, status: KeyStatus) -> None:
        self._keys[key_id] = replace(self._known(user, key_id, "UpdateAccessKey"), status=status)

    def delete_key(self, user: str, key_id: str) -> None:
        del self._keys[self._known(user, key_id, "DeleteAccessKey").id]

    def _known(self, user: str, key_id: str, action: str) -> AccessKey:
        if user not in self.users:
            raise IamUserNotFound(action)
        key = self._keys.get(key_id)
        if key is None or key.iam_user != user or key_id in self.hidden:
            raise AccessKeyNotFound(action)
        return key

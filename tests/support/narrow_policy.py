"""An IAM that allows no more than deploy/iam-policy.json does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.domain.identity import IamUser
from bot.domain.keys import AccessKey, KeyStatus, LastUsed
from bot.domain.outside_errors import IamDenied
from bot.domain.secret import Secret
from tests.support.fake_issuer import FakeIssuer
from tests.support.taps import Tapped
from tests.support.world import ALICE, BOB, World, make_desk

PATH = "/people/"


class NarrowIssuer(FakeIssuer):
    """A FakeIssuer that denies calls about users outside PATH, and what it `lacks`.

    As AWS does, it says to whom a key belongs for all of the account. It denies that for a key that
    is gone.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.lacks: set[str] = set()

    def user(self, name: str) -> IamUser:
        self._may("GetUser", name)
        return super().user(name)

    def listed(self, user: str) -> tuple[AccessKey, ...]:
        self._may("ListAccessKeys", user)
        return super().listed(user)

    def last_used(self, key_id: str) -> LastUsed:
        if "GetAccessKeyLastUsed" in self.lacks or self.observed(key_id) is None:
            raise IamDenied("AccessDenied", "GetAccessKeyLastUsed")
        return super().last_used(key_id)

    def owner(self, key_id: str) -> tuple[str, LastUsed] | None:
        if "GetAccessKeyLastUsed" in self.lacks:
            return None
        return ("keydesk-bot", LastUsed()) if key_id in self.own else super().owner(key_id)

    def create_key(self, user: str, *, give_up_at: float = 0) -> tuple[AccessKey, Secret]:
        self._may("CreateAccessKey", user)
        return super().create_key(user)

    def set_status(self, user: str, key_id: str, status: KeyStatus) -> None:
        self._may("UpdateAccessKey", user)
        super().set_status(user, key_id, status)

    def delete_key(self, user: str, key_id: str) -> None:
        self._may("DeleteAccessKey", user)
        super().delete_key(user, key_id)

    def _may(self, action: str, user: str) -> None:
        if (
            action in self.lacks
            or user not in self.users
            or not self.users[user].path.startswith(PATH)
        ):
            raise IamDenied("AccessDenied", action)


ALL = {
    "GetUser",
    "ListAccessKeys",
    "GetAccessKeyLastUsed",
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
}
"""What an operator removes who detaches the policy."""


def narrow_desk(**rules: Any) -> tuple[World, NarrowIssuer]:
    """Return a world with such a policy. Alice's and Bob's IAM users are under PATH."""
    world = make_desk(iam_path=PATH, **rules)
    iam = NarrowIssuer(world.clock.now)
    iam.own = frozenset({"AKIADESKSOWNKEY23456"})
    for member in (ALICE, BOB):
        iam.add_user(member.email, path=PATH)
    services = replace(world.services, issuer=Tapped("issuer", iam, world.taps))
    return replace(world, services=services, iam=iam), iam

"""Show that the simulation finds each part that is broken on purpose."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from bot.domain.codes import Detail
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, KeyStatus, ManagedKey
from bot.domain.outside_errors import AccessKeyLimit, Conflict
from bot.domain.rate_limits import Usage
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret
from tests.support.world import ALICE, BOB, CAROL, ERIN
from tests.verification.simulation.campaign import campaign
from tests.verification.simulation.outside import (
    SimulatedDirectory,
    SimulatedIssuer,
    SimulatedMessenger,
    SimulatedStore,
)
from tests.verification.simulation.world import Variant

WITHIN = 400
"""Schedules at most until each is found."""


class IgnoresVersions(SimulatedStore):
    """Overwrites what another process has written meanwhile."""

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        with contextlib.suppress(Conflict):
            return super().commit(*changes, entry=entry, usage=usage)
        for change in changes:
            self._values.pop(change.after.name, None)
            if change.before is not None:
                self._values[change.after.name] = change.before
        super().commit(*changes, entry=entry, usage=usage)


class LosesLocks(SimulatedStore):
    """Forgets who has which lock."""

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        self._holders = {}
        super().commit(*changes, entry=entry, usage=usage)


class ForgetsWhatIsDue(SimulatedStore):
    """Does not record when requests are due."""

    def due(self, now: datetime, limit: int = 100) -> Sequence[str]:
        return [name for name in super().due(now, limit) if name.startswith("key:")]


class NamesAnotherRequest(SimulatedStore):
    """Writes an entry about another request than the change."""

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        super().commit(*changes, entry=replace(entry, request_id="another", key_id=""), usage=usage)


class LosesEntries(SimulatedStore):
    """Writes no entries of decisions."""

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        super().commit(*changes, entry=entry, usage=usage)
        if entry.action in ("approve", "deny", "revoke", "cancel"):
            self.entries.pop()


class RepeatsCreateAccessKey(SimulatedIssuer):
    """Creates a key again, as an SDK's own retry would."""

    def create_key(self, user: str, *, give_up_at: float = 0) -> tuple[AccessKey, Secret]:
        made = super().create_key(user, give_up_at=give_up_at)
        with contextlib.suppress(AccessKeyLimit):
            made = super().create_key(user, give_up_at=give_up_at)
        return made


class DeletesNothing(SimulatedIssuer):
    """Reports a deletion, and keeps the key."""

    def delete_key(self, user: str, key_id: str) -> None:
        self._known(user, key_id, "DeleteAccessKey")


class TurnsNothingOff(SimulatedIssuer):
    def set_status(self, user: str, key_id: str, status: KeyStatus) -> None:
        super().set_status(user, key_id, KeyStatus.ACTIVE)


class ShowsElsewhere(SimulatedMessenger):
    """Shows the secret in the approval channel."""

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        super().deliver(replace(request, dm="C0KEYS"), key, secret)


class SaysSecrets(SimulatedMessenger):
    """Posts the secret in a lasting message, too."""

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        super().deliver(request, key, secret)
        self.announce(request.dm, Detail(secret.expose()))


class PostsNothing(SimulatedMessenger):
    """Reports a posted message, and posts none."""

    def announce(self, channel: str, detail: Detail) -> bool:
        return True


class KeepsFirstApprovers(SimulatedStore):
    """Keeps the first announced approvers for ever."""

    def set_announced_approvers(self, people: frozenset[str]) -> None:
        super().set_announced_approvers(self.announced_approvers() or people)


class RemembersApprovers(SimulatedDirectory):
    """Returns all who were ever allowed to approve."""

    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        return frozenset({"U0CAROL", "U0ERIN"})


class RemembersEmails(SimulatedDirectory):
    """Returns the email address that a user had first."""

    def member(self, slack_user: str, *, fresh: bool = False) -> Member:
        return {member.id: member for member in (ALICE, BOB, CAROL, ERIN)}[slack_user]


class KnowsUsersByName(SimulatedIssuer):
    """Takes a recreated IAM user for the one before."""

    def user(self, name: str) -> IamUser:
        return replace(super().user(name), user_id=f"AIDA{name.upper()}")


class AllMembersApprove(SimulatedDirectory):
    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        return frozenset(self.people)


class ForgetsLeaks(SimulatedStore):
    """Forgets that a key is leaked."""

    def key(self, key_id: str) -> ManagedKey | None:
        key = super().key(key_id)
        return replace(key, leaked=False) if key else None


FAULTY: dict[str, tuple[Variant, str]] = {
    "a store whose commit ignores versions": (Variant(store=IgnoresVersions), ""),
    "a store that loses locks": (Variant(store=LosesLocks), ""),
    "a store that forgets what is due": (Variant(store=ForgetsWhatIsDue), ""),
    "an audit trail that names another request": (Variant(store=NamesAnotherRequest), ""),
    "an audit trail without decisions": (Variant(store=LosesEntries), ""),
    "a store that forgets leaks": (Variant(store=ForgetsLeaks), ""),
    "an issuer that repeats CreateAccessKey": (
        Variant(issuer=RepeatsCreateAccessKey),
        "living keys|was not read",
    ),
    "an issuer that deletes nothing": (Variant(issuer=DeletesNothing), ""),
    "an issuer that turns nothing off": (Variant(issuer=TurnsNothingOff), ""),
    "a messenger that shows the key elsewhere": (
        Variant(messenger=ShowsElsewhere),
        "was shown in C0KEYS",
    ),
    "a messenger whose lasting message has the secret": (
        Variant(messenger=SaysSecrets),
        "was stored",
    ),
    "a messenger that posts nothing and says it did": (
        Variant(messenger=PostsNothing),
        "was never posted",
    ),
    "a store that keeps the first approvers": (
        Variant(store=KeepsFirstApprovers),
        "was posted last",
    ),
    "a directory that remembers who could approve": (
        Variant(directory=RemembersApprovers),
        "who may not",
    ),
    "a directory in which all members approve": (Variant(directory=AllMembersApprove), ""),
    "a directory that remembers email addresses": (
        Variant(directory=RemembersEmails),
        "its requester is alice.new",
    ),
    "an issuer that knows users by name alone": (
        Variant(issuer=KnowsUsersByName),
        "and a key is made for",
    ),
}
"""Parts that are broken on purpose, and what the promise says that finds them ("": any)."""


@pytest.mark.parametrize("what", FAULTY)
def test_a_broken_part_is_found_by_its_promise(what: str) -> None:
    variant, words = FAULTY[what]
    failures = campaign(range(WITHIN), variant, stop_after=1).failures
    assert failures, f"{what} broke nothing in {WITHIN} schedules"
    [said] = failures.values()
    assert "promises.Broken: " in said, "it was found by accident"
    assert re.search(words, said), said

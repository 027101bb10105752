"""Would the simulation notice? Each part that is wrong in one point breaks a promise within a few schedules."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

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
"""Schedules at most until each is found out."""


class IgnoresVersions(SimulatedStore):
    """Writes whatever it is given, though another has written meanwhile."""

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        with contextlib.suppress(Conflict):
            return super().commit(*changes, entry=entry, usage=usage)
        for change in changes:
            self._values.pop(change.after.name, None)
            if change.before is not None:
                self._values[change.after.name] = change.before
        super().commit(*changes, entry=entry, usage=usage)


class LosesHolds(SimulatedStore):
    """Forgets who holds what."""

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        self._holders = {}
        super().commit(*changes, entry=entry, usage=usage)


class ForgetsWhatIsDue(SimulatedStore):
    """What time must do is not put down."""

    def due(self, now: datetime, limit: int = 100) -> Sequence[str]:
        return [name for name in super().due(now, limit) if name.startswith("key:")]


class NamesSomebodyElse(SimulatedStore):
    """The entry that goes with a change is about something else."""

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        super().commit(*changes, entry=replace(entry, request_id="another", key_id=""), usage=usage)


class LosesEntries(SimulatedStore):
    """Decisions leave no entry."""

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        super().commit(*changes, entry=entry, usage=usage)
        if entry.action in ("approve", "deny", "revoke", "cancel"):
            self.entries.pop()


class RepeatsCreateAccessKey(SimulatedIssuer):
    """The SDK's own retry: an answer was lost, so it asks again."""

    def create_key(self, user: str, *, give_up_at: float = 0) -> tuple[AccessKey, Secret]:
        made = super().create_key(user, give_up_at=give_up_at)
        with contextlib.suppress(AccessKeyLimit):
            made = super().create_key(user, give_up_at=give_up_at)
        return made


class DeletesNothing(SimulatedIssuer):
    """Says that a key is deleted, and keeps it."""

    def delete_key(self, user: str, key_id: str) -> None:
        self._known(user, key_id, "DeleteAccessKey")


class TurnsNothingOff(SimulatedIssuer):
    def set_status(self, user: str, key_id: str, status: KeyStatus) -> None:
        super().set_status(user, key_id, KeyStatus.ACTIVE)


class ShowsElsewhere(SimulatedMessenger):
    """The secret goes to the approval channel."""

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        super().deliver(replace(request, dm="C0KEYS"), key, secret)


class SaysSecrets(SimulatedMessenger):
    """A lasting message holds the secret, too."""

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        super().deliver(request, key, secret)
        self.announce(request.dm, Detail(secret.expose()))


class PostsNothing(SimulatedMessenger):
    """Says that a line stands, and posts none."""

    def announce(self, channel: str, detail: Detail) -> bool:
        return True


class ForgetsWhoWasTold(SimulatedStore):
    """Keeps the first approvers that it was told, for ever."""

    def set_announced_approvers(self, people: frozenset[str]) -> None:
        super().set_announced_approvers(self.announced_approvers() or people)


class RemembersApprovers(SimulatedDirectory):
    """Answers with whoever was ever allowed to approve."""

    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        return frozenset({"U0CAROL", "U0ERIN"})


class RemembersEmails(SimulatedDirectory):
    """Answers with the e-mail address that somebody had first."""

    def member(self, slack_user: str, *, fresh: bool = False) -> Member:
        return {member.id: member for member in (ALICE, BOB, CAROL, ERIN)}[slack_user]


class KnowsUsersByName(SimulatedIssuer):
    """Takes an IAM user that was made anew for the one before."""

    def user(self, name: str) -> IamUser:
        return replace(super().user(name), user_id=f"AIDA{name.upper()}")


class EverybodyApproves(SimulatedDirectory):
    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        return frozenset(self.people)


class ForgetsLeaks(SimulatedStore):
    """Keeps a key without what it knew of its leak."""

    def key(self, key_id: str) -> ManagedKey | None:
        key = super().key(key_id)
        return replace(key, leaked=False) if key else None


FAULTY: dict[str, Variant] = {
    "a store whose commit ignores versions": Variant(store=IgnoresVersions),
    "a store that loses holds": Variant(store=LosesHolds),
    "a store that forgets what is due": Variant(store=ForgetsWhatIsDue),
    "an audit trail that names somebody else": Variant(store=NamesSomebodyElse),
    "an audit trail without decisions": Variant(store=LosesEntries),
    "a store that forgets leaks": Variant(store=ForgetsLeaks),
    "an issuer that repeats CreateAccessKey": Variant(issuer=RepeatsCreateAccessKey),
    "an issuer that deletes nothing": Variant(issuer=DeletesNothing),
    "an issuer that turns nothing off": Variant(issuer=TurnsNothingOff),
    "a messenger that shows the key elsewhere": Variant(messenger=ShowsElsewhere),
    "a messenger whose lasting message has the secret": Variant(messenger=SaysSecrets),
    "a messenger that posts nothing and says it did": Variant(messenger=PostsNothing),
    "a store that keeps the approvers told first": Variant(store=ForgetsWhoWasTold),
    "a directory that remembers who could approve": Variant(directory=RemembersApprovers),
    "a directory in which everybody approves": Variant(directory=EverybodyApproves),
    "a directory that remembers e-mail addresses": Variant(directory=RemembersEmails),
    "an issuer that knows users by name alone": Variant(issuer=KnowsUsersByName),
}


@pytest.mark.parametrize("what", FAULTY)
def test_the_simulation_finds(what: str) -> None:
    outcome = campaign(range(WITHIN), FAULTY[what], stop_after=1)
    assert outcome.failures, f"{what} broke nothing in {WITHIN} schedules"
    assert all("promises.Broken: " in said for said in outcome.failures.values()), (
        "it was found by an accident"
    )


def test_what_it_finds_is_what_is_wrong() -> None:
    """Each is found by the promise that it breaks, not by accident."""
    words: dict[str, Callable[[str], Any]] = {
        "an issuer that repeats CreateAccessKey": lambda said: (
            "living keys" in said or "nobody has read" in said
        ),
        "a messenger that shows the key elsewhere": lambda said: "was shown in C0KEYS" in said,
        "a messenger whose lasting message has the secret": lambda said: "was kept" in said,
        "a messenger that posts nothing and says it did": lambda said: "was never posted" in said,
        "a store that keeps the approvers told first": lambda said: "was told last" in said,
        "a directory that remembers who could approve": lambda said: "who may not" in said,
        "a directory that remembers e-mail addresses": lambda said: (
            "its requester is alice.new" in said
        ),
        "an issuer that knows users by name alone": lambda said: "and a key is made for" in said,
    }
    for what, told in words.items():
        (said,) = campaign(range(WITHIN), FAULTY[what], stop_after=1).failures.values()
        assert told(said), f"{what}: {said}"

"""Choose what users do next. They click what they see, and are honest.

They confirm only a key whose secret they have read. An approver enables only such an orphan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

from bot.domain.identity import Member
from bot.domain.keys import AccessKey, DesiredState, KeyStatus, ManagedKey, Origin
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_orphan,
    decide_request,
    disable_key,
    finish_rotation,
    remind_approvers,
    report_leak,
    reveal_key,
)
from bot.operations.create_request import RequestOptions
from bot.operations.services import Services
from tests.support.world import ALICE, BOB, CAROL, ERIN
from tests.verification.simulation.outside import (
    SimulatedDirectory,
    SimulatedIssuer,
    SimulatedMessenger,
    SimulatedStore,
    quietly,
)

APPROVERS = (CAROL, ERIN)
REQUESTERS = (ALICE, BOB)
Operation = Callable[[Services, Member, str], object]


class Click(NamedTuple):
    """A click: who, what, the operation that runs, its subject, and its weight."""

    who: Member
    what: str
    operation: Operation
    about: str
    weight: int = 1

    @property
    def words(self) -> str:
        return f"{self.who.id} {self.what} {self.about}"


class People:
    """What each user could do now, as the store and IAM show it."""

    def __init__(
        self,
        store: SimulatedStore,
        iam: SimulatedIssuer,
        slack: SimulatedMessenger,
        directory: SimulatedDirectory,
    ) -> None:
        self._store, self._iam, self._slack, self._directory = store, iam, slack, directory

    def next(self, random: Random) -> Click:
        """Choose a click by weight: going on is likelier than ending."""
        possible = self.possible()
        return random.choices(possible, [click.weight for click in possible])[0]

    def possible(self) -> list[Click]:
        """Return every click that is possible now."""
        clicks: list[Click] = []
        records: dict[str, ManagedKey] = {}
        open_for: set[str] = set()
        for value in self._store.values():
            if isinstance(value, KeyRequest):
                clicks += self._on_request(value)
                open_for |= set() if value.status.final else {value.requester}
            else:
                records[value.id] = value
        for who in REQUESTERS:
            # what they were shown before stays clickable
            users = {who.email, self._directory.people[who.id].email}
            keys = [key for key in self._iam._keys.values() if key.iam_user in users]
            clicks += self._on_keys(who, keys, records, again=who.id in open_for)
        return clicks

    def _on_request(self, request: KeyRequest) -> Iterator[Click]:
        who = ALICE if request.requester == ALICE.id else BOB
        mine, theirs = _choices(request)
        for what, operation, weight in mine:
            yield Click(who, what, operation, request.id, weight)
        yield Click(_other(who), "approve", decide_request.approve, request.id)
        for by in APPROVERS:
            for what, operation, weight in theirs:
                yield Click(by, what, operation, request.id, weight)
        if request.status in (Status.DELIVERED, Status.UNCLAIMED):
            yield from self._on_receipt(who, request)

    def _on_receipt(self, who: Member, request: KeyRequest) -> Iterator[Click]:
        key_id, read = request.access_key_id, request.access_key_id in self._slack.seen
        delivered = request.status is Status.DELIVERED
        returns = confirm_receipt.did_not_get if delivered else confirm_receipt.replace_key
        yield Click(who, "did not get", returns, key_id, 4 if read else 30)
        yield Click(CAROL, "disable for", _disable_for, key_id, 4)
        if read:
            yield Click(who, "have it", confirm_receipt.confirm, key_id, 30)
        for older in request.deleted_keys:
            if older in self._slack.seen:
                yield Click(who, "have it", confirm_receipt.confirm, older, 2)

    def _on_keys(
        self, who: Member, keys: list[AccessKey], records: dict[str, ManagedKey], *, again: bool
    ) -> Iterator[Click]:
        """Return clicks on keys. `again`: the user has an open request."""
        if len(keys) < 2:
            weight = 2 if who is BOB or again else 24
            short = timedelta(hours=2)
            yield Click(who, "create", _create("deploy"), "", weight)
            yield Click(who, "create for 2h", _create("try", lifetime=short), "", 1 + weight // 12)
            yield Click(who, "create urgently", _create("fire", urgent=True), "", 1 + weight // 24)
        for key in keys:
            record, read = records.get(key.id), key.id in self._slack.seen
            yield from self._on_key(who, key, record)
            delete_first = keys[-1].id if len(keys) > 1 else ""
            yield Click(who, "rotate", _rotate(delete_first), key.id, 1 if again else 12)
            yield from self._on_record(who, key, record, read=read)
            if record is not None and record.origin is Origin.ORPHANED:
                desired = DesiredState.ACTIVE if read else DesiredState.DELETED
                yield Click(CAROL, f"orphan, {desired}", _decide_orphan(desired), key.id, 8)

    def _on_key(self, who: Member, key: AccessKey, record: ManagedKey | None) -> Iterator[Click]:
        reported = record is not None and record.reported_at is not None
        yield Click(who, "disable", disable_key.disable, key.id, 2)
        yield Click(who, "delete", disable_key.delete, key.id, 2)
        yield Click(who, "leaked", report_leak.report, key.id)
        yield Click(_other(who), "leaked", report_leak.report, key.id)
        yield Click(ERIN, "leaked, disable", report_leak.disable, key.id, 2 if reported else 0)
        yield Click(CAROL, "disable for", _disable_for, key.id)

    def _on_record(
        self, who: Member, key: AccessKey, record: ManagedKey | None, *, read: bool
    ) -> Iterator[Click]:
        if read and not key.active:
            yield Click(who, "enable", _enable, key.id, 12)
        if record is not None:
            undo = 20 if record.inactive_reason == "rotated" else 0
            yield Click(who, "extend", create_request.extend, key.id, 3)
            yield Click(who, "undo", finish_rotation.undo, key.id, undo)
            if record.replaces:
                yield Click(who, "disable the old one", finish_rotation.disable_old, key.id, 12)
                yield Click(who, "not yet", finish_rotation.not_yet, key.id, 4)
                yield Click(who, "check again", finish_rotation.check_last_use, key.id, 4)
        if read and key.active:
            yield Click(who, "uses", lambda services, by, key_id: self._iam.use(key_id), key.id, 4)

    def in_the_console(self, random: Random) -> tuple[str, Callable[[], Any]]:
        """Choose a change of a key in the AWS console."""
        keys = sorted(self._iam._keys)
        who = random.choice(REQUESTERS).email
        if not keys or random.random() < 0.15:
            return f"a key of {who} is made", lambda: self._make(who)
        key_id = random.choice(keys)
        user = self._iam._keys[key_id].iam_user
        does, words = random.choice(
            (
                (lambda: self._iam.set_status(user, key_id, KeyStatus.ACTIVE), "on"),
                (lambda: self._iam.set_status(user, key_id, KeyStatus.INACTIVE), "off"),
                (lambda: self._iam.delete_key(user, key_id), "gone"),
            )
        )
        return f"{key_id} is {words}", lambda: quietly(does)

    def _make(self, user: str) -> None:
        quietly(lambda: self._slack.seen.add(self._iam.create_key(user)[0].id))


Choices = list[tuple[str, Operation, int]]


def _choices(request: KeyRequest) -> tuple[Choices, Choices]:
    """Return what the requester and what each approver may click, with the weights."""
    cancel: Choices = [("cancel", create_request.cancel, 1)]
    approve: Choices = [("approve", decide_request.approve, 1)]
    match request.status:
        case Status.PENDING:
            withdraw = 3 if request.approvals else 0
            return [*cancel, ("nudge", remind_approvers.nudge, 2), *approve], [
                ("approve", decide_request.approve, 30),
                ("on it", remind_approvers.toggle_review, 2),
                ("deny", _deny, 2),
                ("withdraw", decide_request.withdraw_approval, withdraw),
            ]
        case Status.APPROVED | Status.ISSUING:
            reveal = 40 if request.delivers_secret else 1
            mine: Choices = [("reveal", reveal_key.reveal, reveal), *cancel]
            return mine, [("revoke", decide_request.revoke, 2), *approve]
        case Status.DELETING:
            return [("reveal", reveal_key.reveal, 4)], [("revoke", decide_request.revoke, 2)]
        case Status.CONFIRMED:
            return [], [("revoke", decide_request.revoke, 1)]
    return [], []


def _other(who: Member) -> Member:
    return BOB if who is ALICE else ALICE


def _create(reason: str, **options: Any) -> Operation:
    chosen = RequestOptions(**options)
    return lambda services, by, about: create_request.create(services, by, reason, chosen)


def _deny(services: Services, by: Member, request_id: str) -> object:
    return decide_request.deny(services, by, request_id, "not now")


def _disable_for(services: Services, by: Member, key_id: str) -> object:
    return disable_key.disable_for(services, by, key_id, "seen in a public file")


def _decide_orphan(desired: DesiredState) -> Operation:
    return lambda services, by, key_id: decide_orphan.decide(services, by, key_id, desired)


def _rotate(delete_first: str) -> Operation:
    return lambda services, by, key_id: create_request.rotate(
        services, by, key_id, delete_first=delete_first
    )


def _enable(services: Services, by: Member, key_id: str) -> object:
    return create_request.enable(services, by, key_id, "again")

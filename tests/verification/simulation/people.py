"""Who is at the desk in the simulation, and what may they do next? They click what they are shown, and are honest.

Nobody says **I have it** of a key whose secret they have not read, and no approver calls a key ours that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

from bot.domain.identity import Member
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    KeyStatus,
    ManagedKey,
    Origin,
)
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
ASKERS = (ALICE, BOB)
ROTATION_CLICKS: tuple[tuple[str, Callable[..., object], int], ...] = (
    ("disable the old one", finish_rotation.disable_old, 12),
    ("not yet", finish_rotation.not_yet, 4),
    ("check again", finish_rotation.check_last_use, 4),
)


class Click(NamedTuple):
    """What a person does at the desk: who, what, about what, and what the desk then runs for them as they are then."""

    who: Member
    what: str
    about: str
    does: Callable[[Services, Member], object]
    weight: int = 1

    @property
    def words(self) -> str:
        return f"{self.who.id} {self.what} {self.about}"


class People:
    """What everybody could do now, as the store and IAM show it to them."""

    def __init__(
        self,
        store: SimulatedStore,
        iam: SimulatedIssuer,
        slack: SimulatedMessenger,
        directory: SimulatedDirectory,
    ) -> None:
        self._store, self._iam, self._slack, self._directory = store, iam, slack, directory

    def next(self, random: Random) -> Click:
        """One click, by weight: what brings a story on is likelier than what ends it."""
        may = self.could()
        return random.choices(may, [click.weight for click in may])[0]

    def could(self) -> list[Click]:
        """Every click that somebody could make."""
        clicks: list[Click] = []
        records: dict[str, ManagedKey] = {}
        asked: set[str] = set()
        for value in self._store.values():
            if isinstance(value, KeyRequest):
                clicks += self._about_request(value)
                asked |= set() if value.status.final else {value.requester}
            else:
                records[value.id] = value
        for who in ASKERS:
            users = {
                who.email,
                self._directory.people[who.id].email,
            }  # what they were shown before stays clickable
            keys = [key for key in self._iam._keys.values() if key.iam_user in users]
            clicks += self._about_keys(who, keys, records, again=who.id in asked)
        return clicks

    def _about_request(self, request: KeyRequest) -> list[Click]:
        id_, who = request.id, ALICE if request.requester == ALICE.id else BOB
        mine: list[tuple[str, Callable[..., object], int]] = []
        theirs: list[tuple[str, Callable[..., object], int]] = []
        match request.status:
            case Status.PENDING:
                theirs = [
                    ("approve", decide_request.approve, 30),
                    ("on it", remind_approvers.toggle_review, 2),
                    (
                        "deny",
                        lambda services, by, id_: decide_request.deny(services, by, id_, "not now"),
                        2,
                    ),
                    ("take back", decide_request.withdraw_approval, 3 if request.approvals else 0),
                ]
                mine = [
                    ("cancel", create_request.cancel, 1),
                    ("nudge", remind_approvers.nudge, 2),
                    ("approve", decide_request.approve, 1),
                ]
            case Status.APPROVED | Status.ISSUING:
                mine = [
                    ("reveal", reveal_key.reveal, 40 if request.delivers_secret else 1),
                    ("cancel", create_request.cancel, 1),
                ]
                theirs = [
                    ("revoke", decide_request.revoke, 2),
                    ("approve", decide_request.approve, 1),
                ]
            case Status.DELETING:
                mine, theirs = (
                    [("reveal", reveal_key.reveal, 4)],
                    [("revoke", decide_request.revoke, 2)],
                )
            case Status.CONFIRMED:
                theirs = [("revoke", decide_request.revoke, 1)]
        clicks = [Click(who, what, id_, _call(does, id_), weight) for what, does, weight in mine]
        other = BOB if who is ALICE else ALICE
        clicks.append(Click(other, "approve", id_, _call(decide_request.approve, id_)))
        clicks += [
            Click(by, what, id_, _call(does, id_), weight)
            for by in APPROVERS
            for what, does, weight in theirs
        ]
        if request.status in (Status.DELIVERED, Status.UNCLAIMED):
            clicks += self._receipts(who, request)
        return clicks

    def _receipts(self, who: Member, request: KeyRequest) -> list[Click]:
        key_id, read = request.access_key_id, request.access_key_id in self._slack.seen
        not_mine = (
            confirm_receipt.did_not_get
            if request.status is Status.DELIVERED
            else confirm_receipt.replace_key
        )
        clicks = [
            Click(who, "did not get", key_id, _call(not_mine, key_id), 4 if read else 30),
            Click(CAROL, "disable for", key_id, _disable_for(key_id), 4),
        ]
        if read:
            clicks.append(Click(who, "have it", key_id, _call(confirm_receipt.confirm, key_id), 30))
        older = [old for old in request.deleted_keys if old in self._slack.seen]
        clicks += [
            Click(who, "have it", old, _call(confirm_receipt.confirm, old), 2) for old in older
        ]
        return clicks

    def _about_keys(
        self, who: Member, keys: list[AccessKey], records: dict[str, ManagedKey], *, again: bool
    ) -> list[Click]:
        """`again` says that this person has asked for something already."""
        clicks = []
        if len(keys) < 2:
            weight = 2 if who is BOB or again else 24
            short, urgent = (
                create_request.RequestOptions(lifetime=timedelta(hours=2)),
                create_request.RequestOptions(urgent=True),
            )
            clicks = [
                Click(
                    who,
                    "create",
                    "",
                    lambda services, by: create_request.create(services, by, "deploy"),
                    weight,
                ),
                Click(
                    who,
                    "create for 2h",
                    "",
                    lambda services, by: create_request.create(services, by, "try", short),
                    1 + weight // 12,
                ),
                Click(
                    who,
                    "create urgently",
                    "",
                    lambda services, by: create_request.create(services, by, "fire", urgent),
                    1 + weight // 24,
                ),
            ]
        for key in keys:
            record = records.get(key.id)
            mine = key.id in self._slack.seen
            clicks += self._about_key(
                who, key, record, [one.id for one in keys], mine=mine, again=again
            )
            if record is not None and record.origin is Origin.ORPHANED:
                gone = DesiredState.ACTIVE if mine else DesiredState.DELETED
                clicks.append(Click(CAROL, f"found, {gone}", key.id, _found(key.id, gone), 8))
        return clicks

    def _about_key(
        self,
        who: Member,
        key: AccessKey,
        record: ManagedKey | None,
        both: list[str],
        *,
        mine: bool,
        again: bool,
    ) -> list[Click]:
        def click(
            what: str, does: Callable[..., object], weight: int = 1, by: Member = who
        ) -> Click:
            return Click(by, what, key.id, _call(does, key.id), weight)

        clicks = [
            click("disable", disable_key.disable, 2),
            click("delete", disable_key.delete, 2),
            click("leaked", report_leak.report, 1),
            click("leaked", report_leak.report, 1, by=BOB if who is ALICE else ALICE),
            click(
                "leaked, disable",
                report_leak.disable,
                2 if record and record.reported_at else 0,
                by=ERIN,
            ),
            Click(CAROL, "disable for", key.id, _disable_for(key.id)),
        ]
        delete_first = both[-1] if len(both) > 1 else ""
        clicks.append(click("rotate", _rotate(delete_first), 1 if again else 12))
        if mine and not key.active:
            clicks.append(click("enable", _enable, 12))
        if record is not None:
            clicks += [
                click("extend", create_request.extend, 3),
                click(
                    "undo", finish_rotation.undo, 20 if record.inactive_reason == "rotated" else 0
                ),
            ]
            if record.replaces:
                clicks += [
                    Click(who, what, key.id, _call(does, key.id), weight)
                    for what, does, weight in ROTATION_CLICKS
                ]
        if mine and key.active:
            clicks.append(Click(who, "uses", key.id, lambda services, by: self._iam.use(key.id), 4))
        return clicks

    def at_the_console(self, random: Random) -> tuple[str, Callable[[], Any]]:
        """Somebody changes a key in AWS, behind the desk's back."""
        keys = sorted(self._iam._keys)
        who = random.choice(ASKERS).email
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


def _call(does: Callable[..., object], about: str) -> Callable[[Services, Member], object]:
    return lambda services, by: does(services, by, about)


def _disable_for(key_id: str) -> Callable[[Services, Member], object]:
    return lambda services, by: disable_key.disable_for(
        services, by, key_id, "seen in a public file"
    )


def _found(key_id: str, desired: DesiredState) -> Callable[[Services, Member], object]:
    return lambda services, by: decide_orphan.decide(services, by, key_id, desired)


def _rotate(delete_first: str) -> Callable[..., object]:
    return lambda services, by, key_id: create_request.rotate(
        services, by, key_id, delete_first=delete_first
    )


def _enable(services: Services, by: Member, key_id: str) -> object:
    return create_request.enable(services, by, key_id, "again")

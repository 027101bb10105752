"""Who is at the desk in the simulation, and what may they do next? They click what they are shown, and are honest.

Nobody says **I have it** of a key whose secret they have not read, and no approver calls a key ours that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

from bot.core.access_key import AccessKey, KeyStatus, ManagedKey, Origin, Wanted
from bot.core.moves import Status
from bot.core.people import Member
from bot.core.request import KeyRequest
from bot.core.workflow import ageing, ask, decide, hand_over, leak, receipt, retire, waiting
from bot.core.workflow.desk import Desk
from tests.core.fakes import ALICE, BOB, CAROL, ERIN
from tests.simulation.outside import (
    SimulatedDirectory,
    SimulatedIssuer,
    SimulatedMessenger,
    SimulatedStore,
    quietly,
)

APPROVERS = (CAROL, ERIN)
ASKERS = (ALICE, BOB)


class Click(NamedTuple):
    """What a person does at the desk: who, what, about what, and what the desk then runs for them as they are then."""

    who: Member
    what: str
    about: str
    does: Callable[[Desk, Member], object]
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
                    ("approve", decide.approve, 30),
                    ("on it", waiting.on_it, 2),
                    ("deny", lambda desk, by, id_: decide.deny(desk, by, id_, "not now"), 2),
                    ("take back", decide.take_back, 3 if request.approvals else 0),
                ]
                mine = [
                    ("cancel", ask.cancel, 1),
                    ("nudge", waiting.nudge, 2),
                    ("approve", decide.approve, 1),
                ]
            case Status.APPROVED | Status.ISSUING:
                mine = [
                    ("reveal", hand_over.reveal, 40 if request.has_secret else 1),
                    ("cancel", ask.cancel, 1),
                ]
                theirs = [("revoke", decide.revoke, 2), ("approve", decide.approve, 1)]
            case Status.WITHDRAWING:
                mine, theirs = [("reveal", hand_over.reveal, 4)], [("revoke", decide.revoke, 2)]
            case Status.CONFIRMED:
                theirs = [("revoke", decide.revoke, 1)]
        clicks = [Click(who, what, id_, _call(does, id_), weight) for what, does, weight in mine]
        other = BOB if who is ALICE else ALICE
        clicks.append(Click(other, "approve", id_, _call(decide.approve, id_)))
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
            receipt.did_not_get if request.status is Status.DELIVERED else receipt.replace_key
        )
        clicks = [
            Click(who, "did not get", key_id, _call(not_mine, key_id), 4 if read else 30),
            Click(CAROL, "disable for", key_id, _disable_for(key_id), 4),
        ]
        if read:
            clicks.append(Click(who, "have it", key_id, _call(receipt.confirm, key_id), 30))
        older = [old for old in request.withdrawn if old in self._slack.seen]
        clicks += [Click(who, "have it", old, _call(receipt.confirm, old), 2) for old in older]
        return clicks

    def _about_keys(
        self, who: Member, keys: list[AccessKey], records: dict[str, ManagedKey], *, again: bool
    ) -> list[Click]:
        """`again` says that this person has asked for something already."""
        clicks = []
        if len(keys) < 2:
            weight = 2 if who is BOB or again else 24
            short, urgent = ask.Terms(lifetime=timedelta(hours=2)), ask.Terms(urgent=True)
            clicks = [
                Click(who, "create", "", lambda desk, by: ask.create(desk, by, "deploy"), weight),
                Click(
                    who,
                    "create for 2h",
                    "",
                    lambda desk, by: ask.create(desk, by, "try", short),
                    1 + weight // 12,
                ),
                Click(
                    who,
                    "create urgently",
                    "",
                    lambda desk, by: ask.create(desk, by, "fire", urgent),
                    1 + weight // 24,
                ),
            ]
        for key in keys:
            record = records.get(key.id)
            mine = key.id in self._slack.seen
            clicks += self._about_key(
                who, key, record, [one.id for one in keys], mine=mine, again=again
            )
            if record is not None and record.origin is Origin.FOUND:
                gone = Wanted.ACTIVE if mine else Wanted.DELETED
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
            click("disable", retire.disable, 2),
            click("delete", retire.delete, 2),
            click("leaked", leak.report, 1),
            click("leaked", leak.report, 1, by=BOB if who is ALICE else ALICE),
            click(
                "leaked, disable", leak.disable, 2 if record and record.reported_at else 0, by=ERIN
            ),
            Click(CAROL, "disable for", key.id, _disable_for(key.id)),
        ]
        let_go = both[-1] if len(both) > 1 else ""
        clicks.append(
            click(
                "rotate",
                lambda desk, by, id_: ask.rotate(desk, by, id_, let_go=let_go),
                1 if again else 12,
            )
        )
        if mine and not key.active:
            clicks.append(
                click("enable", lambda desk, by, id_: ask.enable(desk, by, id_, "again"), 12)
            )
        if record is not None:
            clicks += [
                click("extend", ask.extend, 3),
                click("undo", ageing.undo, 20 if record.why == "rotated" else 0),
            ]
            if record.replaces:
                clicks += [
                    click("disable the old one", ageing.disable_old, 12),
                    click("not yet", ageing.not_yet, 4),
                    click("check again", ageing.check, 4),
                ]
        if mine and key.active:
            clicks.append(Click(who, "uses", key.id, lambda desk, by: self._iam.use(key.id), 4))
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


def _call(does: Callable[..., object], about: str) -> Callable[[Desk, Member], object]:
    return lambda desk, by: does(desk, by, about)


def _disable_for(key_id: str) -> Callable[[Desk, Member], object]:
    return lambda desk, by: retire.disable_for(desk, by, key_id, "seen in a public file")


def _found(key_id: str, wanted: Wanted) -> Callable[[Desk, Member], object]:
    return lambda desk, by: retire.decide_found(desk, by, key_id, wanted)

"""What stands in for IAM and Slack where the workflow is tested, and who sits at the desk there?"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.core.access_key import AccessKey, KeyStatus, LastUsed, ManagedKey, Secret, Wanted
from bot.core.errors import (
    HandOverFailed,
    KeydeskError,
    KeyLimit,
    NoSuchIamUser,
    NoSuchKey,
    NotAMember,
)
from bot.core.iam_facts import IamFacts
from bot.core.people import IamMapping, IamUser, Member
from bot.core.policy import KEYS_PER_USER
from bot.core.request import KeyRequest
from bot.core.workflow import ask, decide, hand_over, lapse, learn, receipt
from bot.core.workflow.desk import Desk, Rules
from tests.core.taps import Tapped, Taps
from tests.fakes import FakeClock, MemoryStore

TEAM = "T0DESK"
ACCOUNT = "111122223333"
ALICE = Member("U0ALICE", TEAM, "alice@example.com")
BOB = Member("U0BOB", TEAM, "bob@example.com")
CAROL = Member("U0CAROL", TEAM, "carol@example.com")
ERIN = Member("U0ERIN", TEAM, "erin@example.com")


class FakeIssuer:
    """A KeyIssuer with an IAM of its own: two slots for each user, `made` remembers each secret by key ID.

    What is in `hidden` is left out of lists, unknown to changes and nobody's, as a young key may be in IAM; how one in
    `use_unknown` was last used is not told. `may` is what each user may do.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.users: dict[str, IamUser] = {}
        self.made: dict[str, str] = {}
        self.may: dict[str, IamFacts] = {}
        self.hidden: set[str] = set()
        self.use_unknown: set[str] = set()
        self.own: frozenset[str] = frozenset()
        self._keys: dict[str, AccessKey] = {}
        self._used: dict[str, LastUsed] = {}
        self._now = now
        self._numbers = itertools.count(1)

    def add_user(self, name: str, user_id: str = "", *, path: str = "/", **tags: str) -> None:
        """Makes an IAM user, or makes it anew with another UserId or under another path."""
        self.users[name] = IamUser(
            name,
            user_id or f"AIDA{name.upper()}",
            f"arn:aws:iam::{ACCOUNT}:user{path}{name}",
            self._now(),
            tags,
        )

    def delete_user(self, name: str) -> None:
        """Somebody deletes an IAM user, with its keys, as AWS demands."""
        del self.users[name]
        self._keys = {key.id: key for key in self._keys.values() if key.iam_user != name}

    def rename_user(self, name: str, new: str) -> None:
        """Somebody gives an IAM user another name; it keeps its UserId and its keys."""
        self.users[new] = replace(self.users.pop(name), name=new)
        self._keys = {
            key.id: replace(key, iam_user=new if key.iam_user == name else key.iam_user)
            for key in self._keys.values()
        }

    def use(self, key_id: str) -> None:
        """Somebody calls AWS with this key."""
        self._used[key_id] = LastUsed(self._now(), "s3", "eu-central-1")

    def shown(self, key_id: str) -> AccessKey | None:
        """The key as it truly stands in IAM, or None."""
        return self._keys.get(key_id)

    @property
    def active(self) -> list[str]:
        return [key.id for key in self._keys.values() if key.active]

    def user(self, name: str) -> IamUser:
        if name not in self.users:
            raise NoSuchIamUser
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
            raise NoSuchIamUser("ListAccessKeys")
        return tuple(
            k for k in self._keys.values() if k.iam_user == user and k.id not in self.hidden
        )

    def last_used(self, key_id: str) -> LastUsed:
        if key_id not in self._keys:
            raise NoSuchKey("GetAccessKeyLastUsed")
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

    def facts(self, user: str) -> IamFacts:
        return self.may.get(user, IamFacts(mfa=True))

    def create_key(self, user: str, *, give_up_at: float = 0) -> tuple[AccessKey, Secret]:
        if user not in self.users:
            raise NoSuchIamUser("CreateAccessKey")
        if sum(key.iam_user == user for key in self._keys.values()) >= KEYS_PER_USER:
            raise KeyLimit
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
            raise NoSuchIamUser(action)
        key = self._keys.get(key_id)
        if key is None or key.iam_user != user or key_id in self.hidden:
            raise NoSuchKey(action)
        return key


class FakeMessenger:
    """A Messenger that keeps what it shows: `shown` are the ephemerals, as (channel, key ID, secret)."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str, str]] = []
        self.drawn: list[str] = []
        self.said: list[tuple[str, str]] = []

    def dm(self, slack_user: str) -> str:
        return "D" + slack_user[1:]

    def draw(self, name: str) -> None:
        self.drawn.append(name)

    def hand_over(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        self.shown.append((request.dm, key.id, secret.expose()))

    def say(self, channel: str, text: str) -> bool:
        self.said.append((channel, text))
        return True


@dataclass
class FakeDirectory:
    """A Directory of the people given to it."""

    people: dict[str, Member] = field(
        default_factory=lambda: {m.id: m for m in (ALICE, BOB, CAROL, ERIN)}
    )
    may_approve: frozenset[str] = frozenset({CAROL.id, ERIN.id})
    groups: dict[str, frozenset[str]] = field(default_factory=dict)

    def member(self, slack_user: str, *, fresh: bool = False) -> Member:
        if slack_user not in self.people:
            raise NotAMember
        return self.people[slack_user]

    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        return self.may_approve

    def group(self, group: str, *, fresh: bool = False) -> frozenset[str]:
        return self.groups.get(group, frozenset())

    def person_by_email(self, email: str) -> str:
        return next(
            (
                m.id
                for m in self.people.values()
                if m.email.lower() == email.lower()
                and m.team_id == TEAM
                and not (m.deleted or m.is_bot or m.is_guest or m.is_stranger)
            ),
            "",
        )


@dataclass
class World:
    """A desk and everything around it, as a test sees it. `taps` see every call that the desk makes outside."""

    desk: Desk
    clock: FakeClock
    store: MemoryStore
    iam: FakeIssuer
    slack: FakeMessenger
    people: FakeDirectory
    taps: Taps

    def pending(self) -> KeyRequest:
        return ask.create(self.desk, ALICE, "deploy script")

    def waiting(self) -> KeyRequest:
        """Alice's request, waiting, with what its key will be able to do."""
        learn.learn(self.desk, self.pending().id)
        return self.store.requests_of(ALICE.id)[0]

    def approved(self) -> KeyRequest:
        return decide.approve(self.desk, CAROL, self.pending().id)

    def console_key(self, member: Member = ALICE) -> str:
        """The ID of a key that was made in the console an hour ago."""
        key_id = self.iam.create_key(member.email)[0].id
        self.clock.advance(timedelta(hours=1))
        return key_id

    def rotating(self, *, full: bool = False, **terms: Any) -> KeyRequest:
        """An approved rotation of a key of Alice's; where it is `full`, another key of hers is let go for it."""
        target, other = self.console_key(), self.console_key() if full else ""
        return decide.approve(
            self.desk,
            CAROL,
            ask.rotate(self.desk, ALICE, target, let_go=other, terms=ask.Terms(**terms)).id,
        )

    def rotated(self) -> KeyRequest:
        """A rotation whose new key has arrived: the old key's grace has begun."""
        request = hand_over.reveal(self.desk, ALICE, self.rotating().id)
        return receipt.confirm(self.desk, ALICE, request.access_key_id)

    def delivered(self) -> KeyRequest:
        return hand_over.reveal(self.desk, ALICE, self.approved().id)

    def unclaimed(self) -> KeyRequest:
        request = self.delivered()
        for _ in range(2):
            self.pass_time(self.desk.rules.receipt_ttl / 2)
        return self.now(request)

    def now(self, request: KeyRequest) -> KeyRequest:
        """The request as it stands."""
        return self.desk.found(request.id)

    def record(self, key_id: str) -> ManagedKey:
        key = self.store.key(key_id)
        assert key is not None
        return key

    def records(self) -> list[ManagedKey]:
        """The records of all keys that IAM ever made."""
        return [key for key_id in self.iam.made if (key := self.store.key(key_id))]

    def wanted(self) -> list[str]:
        """The key IDs that Keydesk means to be active."""
        return [key.id for key in self.records() if key.wanted is Wanted.ACTIVE]

    def pass_time(self, by: timedelta) -> None:
        """Time goes on, and the sweeper comes by once."""
        self.clock.advance(by)
        self.sweep()

    def sweep(self) -> None:
        """What the sweeper does in one round: each name that is due; what fails is put off."""
        for name in self.store.due(self.clock.now()):
            try:
                lapse.tick(self.desk, name)
            except KeydeskError:
                self.store.postpone(name, self.clock.now() + self.desk.rules.retry_after)

    def outlive(self, days: int = 100) -> None:
        """Lets so many days pass, by default until every key has reached its end and is deleted."""
        for _ in range(days):
            self.pass_time(timedelta(days=1))

    def rest(self, days: int = 14) -> None:
        """Lets time pass until nothing moves any more: in small steps while leases and looks are due."""
        for step, times in ((30, 80), (3600, 30), (6 * 3600, 4 * days)):
            for _ in range(times):
                self.pass_time(timedelta(seconds=step))

    def still_due(self) -> list[str]:
        """What time will ever do something with, but for the daily look at a leaked key that is off."""
        leaked = {
            key.name for key in self.records() if key.leaked and key.wanted is Wanted.INACTIVE
        }
        return [
            name
            for name in self.store.due(self.clock.now() + timedelta(days=4000))
            if name not in leaked
        ]

    def facts(self) -> tuple[object, ...]:
        """Everything that a refusal must leave as it is."""
        states = [self.store.request(id_) for id_ in {e.request_id for e in self.store.entries}]
        return (
            sorted((r.id, r.version) for r in states if r),
            [(k.id, k.version) for k in self.records()],
            list(self.store.entries),
            dict(self.iam._keys),
            list(self.slack.shown),
            list(self.slack.said),
            list(self.slack.drawn),
        )

    @contextmanager
    def nothing_happens(self) -> Iterator[None]:
        """No key made or changed, no state moved, no message, no audit entry."""
        before = self.facts()
        yield
        assert self.facts() == before


def make_desk(**rules: Any) -> World:
    """A desk on fakes: Alice and Bob have IAM users, Carol and Erin approve. `rules` are those of `Rules`."""
    clock, taps, slack, people = FakeClock(), Taps(), FakeMessenger(), FakeDirectory()
    store, iam = MemoryStore(clock.now), FakeIssuer(clock.now)
    iam.add_user(ALICE.email)
    iam.add_user(BOB.email)
    ids = itertools.count(1)
    desk = Desk(
        store=Tapped("store", store, taps),
        issuer=Tapped("issuer", iam, taps),
        messenger=Tapped("messenger", slack, taps),
        directory=Tapped("directory", people, taps),
        clock=clock,
        rules=Rules(
            **{"team_id": TEAM, "approval_channel": "C0KEYS", "mapping": IamMapping()} | rules
        ),
        new_id=lambda: f"id{next(ids)}",
    )
    return World(desk, clock, store, iam, slack, people, taps)


def reveal(world: World, request: KeyRequest) -> KeyRequest:
    """Alice clicks **Reveal my key**."""
    return hand_over.reveal(world.desk, ALICE, request.id)


def fails(world: World, request: KeyRequest, words: str | None = None) -> None:
    """Alice clicks **Reveal my key**, and is told these words: it ended without a delivered key."""
    with pytest.raises(HandOverFailed, match=words):
        reveal(world, request)


def no_key_is_left(world: World) -> None:
    """No key is active in IAM, and Keydesk means none to be."""
    assert world.iam.active == [] and world.wanted() == []

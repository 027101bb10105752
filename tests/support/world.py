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

from bot.domain.codes import Code, Detail
from bot.domain.errors import DeliveryFailed, KeydeskError, NotAMember
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, DesiredState, KeyStatus, LastUsed, ManagedKey
from bot.domain.outside_errors import AccessKeyLimit, AccessKeyNotFound, IamUserNotFound
from bot.domain.permissions import Permissions
from bot.domain.policy import KEYS_PER_USER
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    load_permissions,
    reveal_key,
    run_due,
)
from bot.operations.services import Services
from tests.support.memory_store import FakeClock, MemoryStore
from tests.support.settings import settings
from tests.support.taps import Tapped, Taps

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
        self.may: dict[str, Permissions] = {}
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

    def observed(self, key_id: str) -> AccessKey | None:
        """The key as it truly stands in IAM, or None."""
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


class FakeMessenger:
    """A Messenger that keeps what it shows: `shown` are the ephemerals, as (channel, key ID, secret)."""

    def __init__(self) -> None:
        self.observed: list[tuple[str, str, str]] = []
        self.rendered: list[str] = []
        self.announced: list[tuple[str, Detail]] = []

    def dm(self, slack_user: str) -> str:
        return "D" + slack_user[1:]

    def render(self, name: str) -> None:
        self.rendered.append(name)

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        self.observed.append((request.dm, key.id, secret.expose()))

    def announce(self, channel: str, detail: Detail) -> bool:
        self.announced.append((channel, detail))
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

    def member_by_email(self, email: str) -> str:
        return next(
            (
                m.id
                for m in self.people.values()
                if m.email.lower() == email.lower()
                and m.team_id == TEAM
                and not (m.deleted or m.is_bot or m.is_guest or m.is_external)
            ),
            "",
        )


@dataclass
class World:
    """A desk and everything around it, as a test sees it. `taps` see every call that the desk makes outside."""

    services: Services
    clock: FakeClock
    store: MemoryStore
    iam: FakeIssuer
    slack: FakeMessenger
    people: FakeDirectory
    taps: Taps

    def pending(self) -> KeyRequest:
        return create_request.create(self.services, ALICE, "deploy script")

    def pending_request(self) -> KeyRequest:
        """Alice's request, waiting, with what its key will be able to do."""
        load_permissions.load(self.services, self.pending().id)
        return self.store.requests_of(ALICE.id)[0]

    def approved(self) -> KeyRequest:
        return decide_request.approve(self.services, CAROL, self.pending().id)

    def console_key(self, member: Member = ALICE) -> str:
        """The ID of a key that was made in the console an hour ago."""
        key_id = self.iam.create_key(member.email)[0].id
        self.clock.advance(timedelta(hours=1))
        return key_id

    def rotating(self, *, full: bool = False, **options: Any) -> KeyRequest:
        """An approved rotation of a key of Alice's; where it is `full`, another key of hers is let go for it."""
        target, other = self.console_key(), self.console_key() if full else ""
        return decide_request.approve(
            self.services,
            CAROL,
            create_request.rotate(
                self.services,
                ALICE,
                target,
                delete_first=other,
                options=create_request.RequestOptions(**options),
            ).id,
        )

    def rotated(self) -> KeyRequest:
        """A rotation whose new key has arrived: the old key's grace has begun."""
        request = reveal_key.reveal(self.services, ALICE, self.rotating().id)
        return confirm_receipt.confirm(self.services, ALICE, request.access_key_id)

    def delivered(self) -> KeyRequest:
        return reveal_key.reveal(self.services, ALICE, self.approved().id)

    def unclaimed(self) -> KeyRequest:
        request = self.delivered()
        for _ in range(2):
            self.pass_time(self.services.settings.receipt_ttl / 2)
        return self.now(request)

    def now(self, request: KeyRequest) -> KeyRequest:
        """The request as it stands."""
        return self.services.get_request(request.id)

    def record(self, key_id: str) -> ManagedKey:
        key = self.store.key(key_id)
        assert key is not None
        return key

    def records(self) -> list[ManagedKey]:
        """The records of all keys that IAM ever made."""
        return [key for key_id in self.iam.made if (key := self.store.key(key_id))]

    def desired(self) -> list[str]:
        """The key IDs that Keydesk means to be active."""
        return [key.id for key in self.records() if key.desired is DesiredState.ACTIVE]

    def pass_time(self, by: timedelta) -> None:
        """Time goes on, and the sweeper comes by once."""
        self.clock.advance(by)
        self.sweep()

    def sweep(self) -> None:
        """What the sweeper does in one round: each name that is due; what fails is put off."""
        for name in self.store.due(self.clock.now()):
            try:
                run_due.run(self.services, name)
            except KeydeskError:
                self.store.reschedule(name, self.clock.now() + self.services.settings.sweep_every)

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
            key.name
            for key in self.records()
            if key.leaked and key.desired is DesiredState.INACTIVE
        }
        return [
            name
            for name in self.store.due(self.clock.now() + timedelta(days=4000))
            if name not in leaked
        ]

    def state(self) -> tuple[object, ...]:
        """Everything that a refusal must leave as it is."""
        states = [self.store.request(id_) for id_ in {e.request_id for e in self.store.entries}]
        return (
            sorted((r.id, r.version) for r in states if r),
            [(k.id, k.version) for k in self.records()],
            list(self.store.entries),
            dict(self.iam._keys),
            list(self.slack.observed),
            list(self.slack.announced),
            list(self.slack.rendered),
        )

    @contextmanager
    def nothing_happens(self) -> Iterator[None]:
        """No key made or changed, no state moved, no message, no audit entry."""
        before = self.state()
        yield
        assert self.state() == before


def make_desk(**overrides: Any) -> World:
    """Return a world on fakes: Alice and Bob have IAM users, Carol and Erin approve."""
    clock, taps, slack, people = FakeClock(), Taps(), FakeMessenger(), FakeDirectory()
    store, iam = MemoryStore(clock.now), FakeIssuer(clock.now)
    iam.add_user(ALICE.email)
    iam.add_user(BOB.email)
    ids = itertools.count(1)
    services = Services(
        store=Tapped("store", store, taps),
        issuer=Tapped("issuer", iam, taps),
        messenger=Tapped("messenger", slack, taps),
        directory=Tapped("directory", people, taps),
        clock=clock,
        settings=settings(**overrides),
        team_id=TEAM,
        new_id=lambda: f"id{next(ids)}",
    )
    return World(services, clock, store, iam, slack, people, taps)


def reveal(world: World, request: KeyRequest) -> KeyRequest:
    """Alice clicks **Reveal my key**."""
    return reveal_key.reveal(world.services, ALICE, request.id)


def fails(world: World, request: KeyRequest, code: Code, **facts: Any) -> DeliveryFailed:
    """Assert that a reveal by Alice ends without a delivered key, with this code and these facts.

    Returns the error.
    """
    with pytest.raises(DeliveryFailed) as caught:
        reveal(world, request)
    assert caught.value.code is code
    assert {name: caught.value.facts.get(name) for name in facts} == facts
    return caught.value


def no_key_is_left(world: World) -> None:
    """No key is active in IAM, and Keydesk means none to be."""
    assert world.iam.active == [] and world.desired() == []

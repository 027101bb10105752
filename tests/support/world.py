"""A fake Slack, its members, and the world in which operations are tested."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import DeliveryFailed, KeydeskError, NotAMember
from bot.domain.identity import Member
from bot.domain.keys import AccessKey, DesiredState, ManagedKey
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
from tests.support.fake_issuer import FakeIssuer
from tests.support.memory_store import FakeClock, MemoryStore
from tests.support.settings import settings
from tests.support.taps import Tapped, Taps

TEAM = "T0DESK"
ALICE = Member("U0ALICE", TEAM, "alice@example.com")
BOB = Member("U0BOB", TEAM, "bob@example.com")
CAROL = Member("U0CAROL", TEAM, "carol@example.com")
ERIN = Member("U0ERIN", TEAM, "erin@example.com")


class FakeMessenger:
    """A Messenger that records what it shows.

    `observed` are the ephemeral messages, as (channel, key ID, secret).
    """

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
    """A Directory of the members in `people`."""

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
    """Keydesk and everything around it. `taps` see every call that it makes outside."""

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
        """Request a key as Alice, and load its permissions."""
        load_permissions.load(self.services, self.pending().id)
        return self.store.requests_of(ALICE.id)[0]

    def approved(self) -> KeyRequest:
        return decide_request.approve(self.services, CAROL, self.pending().id)

    def console_key(self, member: Member = ALICE) -> str:
        """Make a key in the console, and let an hour pass. Return the key's ID."""
        key_id = self.iam.create_key(member.email)[0].id
        self.clock.advance(timedelta(hours=1))
        return key_id

    def rotating(self, *, full: bool = False, **options: Any) -> KeyRequest:
        """Approve a rotation of Alice's key. If `full`, it deletes another key first."""
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
        """Rotate and confirm a key of Alice's: the old key's grace period has begun."""
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
        """Return the request as it is stored."""
        return self.services.get_request(request.id)

    def record(self, key_id: str) -> ManagedKey:
        key = self.store.key(key_id)
        assert key is not None
        return key

    def records(self) -> list[ManagedKey]:
        """Return the records of all keys that IAM ever made."""
        return [key for key_id in self.iam.made if (key := self.store.key(key_id))]

    def desired(self) -> list[str]:
        """Return the IDs of the keys that Keydesk means to be active."""
        return [key.id for key in self.records() if key.desired is DesiredState.ACTIVE]

    def pass_time(self, by: timedelta) -> None:
        """Let time pass, and run what is due once."""
        self.clock.advance(by)
        self.sweep()

    def sweep(self) -> None:
        """Run each name that is due, as the scheduler does. Reschedule what fails."""
        for name in self.store.due(self.clock.now()):
            try:
                run_due.run(self.services, name)
            except KeydeskError:
                self.store.reschedule(name, self.clock.now() + self.services.settings.sweep_every)

    def outlive(self, days: int = 100) -> None:
        """Let days pass, by default until every key has expired and is deleted."""
        for _ in range(days):
            self.pass_time(timedelta(days=1))

    def rest(self, days: int = 14) -> None:
        """Let time pass until nothing changes any more, in small steps at first."""
        for step, times in ((30, 80), (3600, 30), (6 * 3600, 4 * days)):
            for _ in range(times):
                self.pass_time(timedelta(seconds=step))

    def still_due(self) -> list[str]:
        """Return what will ever be due, without the daily check of a leaked key."""
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
        """Return everything that a refusal must leave as it is."""
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
        """Assert that no key, state, message or audit entry is new or changed."""
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
    """Click **Reveal my key** as Alice."""
    return reveal_key.reveal(world.services, ALICE, request.id)


def fails(world: World, request: KeyRequest, code: Code, **facts: Any) -> DeliveryFailed:
    """Assert that Alice's reveal delivers no key, and fails with this code and facts.

    Returns the error.
    """
    with pytest.raises(DeliveryFailed) as caught:
        reveal(world, request)
    assert caught.value.code is code
    assert {name: caught.value.facts.get(name) for name in facts} == facts
    return caught.value


def no_key_is_left(world: World) -> None:
    """Assert that no key is active in IAM, and that Keydesk means none to be."""
    assert world.iam.active == [] and world.desired() == []

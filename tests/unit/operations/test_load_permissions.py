"""What a request's key will be able to do is read after the card is posted; no decision waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError
from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.permissions import Permissions, Unread
from bot.domain.records import Change
from bot.domain.requests import KeyRequest, RequestHistory
from bot.domain.states import Event, Status
from bot.operations import create_request, decide_request, load_permissions
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

ADMIN = Permissions(
    attached=("AdministratorAccess",), admin_like=("AdministratorAccess",), mfa=False
)
DENIED = Permissions(mfa=True, unread=(Unread("ListGroupsForUser", denied=True),))


class Room:
    """Where the work goes that nobody waits for: it is kept until the test lets it run. `full`: none is taken."""

    def __init__(self, full: bool = False) -> None:
        self.full = full
        self.work: list[Callable[[], object]] = []

    def take(self, work: Callable[[], object]) -> bool:
        if not self.full:
            self.work.append(work)
        return not self.full

    def run(self) -> None:
        work, self.work = self.work, []
        for one in work:
            one()


def desk_with(room: Room, permissions: Permissions = ADMIN) -> World:
    world = make_desk()
    world.iam.may[ALICE.email] = permissions
    return replace(world, services=replace(world.services, run_later=room.take))


def learnt(world: World) -> list[Detail | None]:
    """What the audit trail says of each time the permissions were loaded."""
    return [entry.detail for entry in world.store.entries if entry.action == Event.LOAD_PERMISSIONS]


def test_permissions_are_added_after_the_request_is_stored() -> None:
    room = Room()
    world = desk_with(room)
    request = world.pending()
    assert (
        world.now(request) == request and request.permissions is None and request.awaits_permissions
    )
    assert "issuer.permissions" not in world.taps.calls

    room.run()

    now = world.now(request)
    assert (now.permissions, now.permissions_at, now.status) == (
        ADMIN,
        world.clock.now(),
        Status.PENDING,
    )
    assert (now.last_event, now.last_event_by, now.deadline) == (
        Event.LOAD_PERMISSIONS,
        "keydesk",
        request.deadline,
    )
    assert (
        now.next_run == request.requested_at + timedelta(hours=24) and not now.awaits_permissions
    )  # its first reminder
    assert world.slack.rendered[-1] == request.name
    assert learnt(world) == [Detail(Code.PERMISSIONS_LOADED, {"admin": "AdministratorAccess"})]


@pytest.mark.parametrize("verb", ["create", "rotate", "enable"])
def test_every_verb_that_needs_approval_loads_permissions(verb: str) -> None:
    room = Room()
    world = desk_with(room)
    if verb == "create":
        request = world.pending()
    elif verb == "rotate":
        request = create_request.rotate(world.services, ALICE, world.console_key())
    else:
        key_id = world.console_key()
        world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
        asked = create_request.enable(world.services, ALICE, key_id, "again")
        assert asked
        request = asked
    room.run()
    assert world.now(request).permissions == ADMIN


def test_what_could_not_be_read_is_in_the_audit_trail() -> None:
    room = Room()
    world = desk_with(room, DENIED)
    world.pending()
    room.run()
    assert learnt(world) == [Detail(Code.PERMISSIONS_LOADED, {"unread": "iam:ListGroupsForUser"})]


def test_it_still_waits_for_an_approver_since_it_was_asked_for() -> None:
    world = desk_with(Room(full=True))
    request = world.pending()
    world.pass_time(timedelta(minutes=1))
    now = world.now(request)
    assert (now.status, now.requested_at) == (Status.PENDING, request.requested_at)
    assert now.permissions


def test_a_request_is_decided_without_permissions() -> None:
    for decides in (
        lambda world, request: decide_request.approve(world.services, CAROL, request.id),
        lambda world, request: decide_request.deny(world.services, CAROL, request.id, "not needed"),
        lambda world, request: create_request.cancel(world.services, ALICE, request.id),
    ):
        room = Room()
        world = desk_with(room)
        request = decides(world, world.pending())
        with world.nothing_happens():
            room.run()
            world.pass_time(timedelta(minutes=5))
        assert (
            "issuer.permissions" not in world.taps.calls and world.now(request).permissions is None
        )


def test_a_request_decided_during_the_load_is_left_alone() -> None:
    room = Room()
    world = desk_with(room)
    request = world.pending()
    world.taps.on(
        "issuer.permissions",
        after=lambda: decide_request.approve(world.services, CAROL, request.id),
    )
    room.run()
    now = world.now(request)
    assert (now.status, now.decided_by, now.permissions) == (Status.APPROVED, CAROL.id, None)
    assert learnt(world) == []


def test_a_load_does_not_lose_a_concurrent_approval() -> None:
    room = Room()
    world = desk_with(room)
    request = world.pending()
    world.taps.on(
        "store.commit", before=room.run
    )  # the approver has read the request, and the facts are written now
    approved = decide_request.approve(world.services, CAROL, request.id)
    assert (approved.status, approved.permissions) == (Status.APPROVED, ADMIN)


def test_a_load_that_loses_a_race_writes_once() -> None:
    room = Room()
    world = desk_with(room)
    request = world.pending()
    world.taps.on("store.commit", before=lambda: touch(world, request))
    room.run()
    now = world.now(request)
    assert (now.permissions, now.denial_reason) == (ADMIN, "touched")
    assert world.taps.calls.count("issuer.permissions") == 1 and len(learnt(world)) == 1


def test_two_processes_that_read_write_once() -> None:
    room = Room()
    world = desk_with(room)
    request = world.pending()
    world.taps.on(
        "issuer.permissions", after=lambda: load_permissions.load(world.services, request.id)
    )
    room.run()
    assert world.now(request).permissions == ADMIN and len(learnt(world)) == 1


@pytest.mark.parametrize("call", ["store.request", "issuer.permissions", "store.commit"])
def test_the_scheduler_loads_what_a_dead_process_left(call: str) -> None:
    room = Room()
    world = desk_with(room)
    request = world.pending()
    world.taps.on(call, before=ProcessDied())
    with pytest.raises(ProcessDied):
        room.run()
    world.taps.calm()
    world.pass_time(load_permissions.LOAD_TIMEOUT)
    room.run()
    assert world.now(request).permissions == ADMIN and len(learnt(world)) == 1


def test_where_there_is_no_room_time_does_it() -> None:
    world = desk_with(Room(full=True))
    request = world.pending()
    with world.nothing_happens():
        world.pass_time(load_permissions.LOAD_TIMEOUT - timedelta(seconds=1))
    world.pass_time(timedelta(seconds=1))
    assert world.now(request).permissions == ADMIN


def test_the_scheduler_does_not_repeat_a_running_load() -> None:
    room = Room()
    world = desk_with(room)
    world.pending()
    world.pass_time(load_permissions.LOAD_TIMEOUT)
    for _ in range(3):
        world.pass_time(timedelta(seconds=2))
    assert len(room.work) == 2, "asking, and the sweeper once"


def test_a_store_that_is_away_leaves_it_to_the_sweeper() -> None:
    room = Room()
    world = desk_with(room)
    request = world.pending()
    world.taps.on("store.commit", before=StoreUnavailable())
    room.run()
    assert world.now(request) == request
    world.pass_time(load_permissions.LOAD_TIMEOUT)
    room.run()
    assert world.now(request).permissions == ADMIN


def test_a_request_expires_without_permissions() -> None:
    room = Room()
    world = desk_with(room)
    request = world.pending()
    world.pass_time(timedelta(hours=72))
    assert world.now(request).status is Status.EXPIRED
    with world.nothing_happens():
        room.run()


def test_a_request_of_before_there_were_facts_awaits_none() -> None:
    old = replace(make_desk().pending(), permissions_due=None)
    assert not old.awaits_permissions and old.next_run == old.requested_at + timedelta(
        hours=24
    )  # its first reminder


def test_a_refused_request_reads_nothing() -> None:
    room = Room()
    world = desk_with(room)
    world.pending()
    with pytest.raises(KeydeskError):
        world.pending()
    assert len(room.work) == 1


def test_a_request_says_what_its_person_asked_for_before() -> None:
    world = make_desk()
    assert world.pending().history == RequestHistory()
    create_request.cancel(world.services, ALICE, "id1")
    for approver in (CAROL, ERIN):
        world.clock.advance(timedelta(hours=1))
        decide_request.deny(world.services, approver, world.pending().id, "not needed")
    denied_at = world.clock.now()
    create_request.create(world.services, BOB, "not Alice's")
    world.clock.advance(timedelta(hours=1))
    assert world.pending().history == RequestHistory(
        asked=3, denied=2, denied_at=denied_at, by=ERIN.id, why="not needed"
    )


def touch(world: World, request: KeyRequest) -> None:
    """Another process moves the request, which stays pending."""
    now = world.now(request)
    world.store.commit(
        Change(now, replace(now, denial_reason="touched", version=now.version + 1)),
        entry=world.store.entries[-1],
    )


def test_a_load_is_due_only_before_the_deadline() -> None:
    request = make_desk().pending()
    assert request.permissions_due and request.deadline
    before, second = request.requested_at, timedelta(seconds=1)
    due = {
        at: load_permissions.is_due(request, at)
        for at in (
            before,
            request.permissions_due - second,
            request.permissions_due,
            request.deadline - second,
            request.deadline,
        )
    }
    assert list(due.values()) == [False, False, True, True, False]
    assert not load_permissions.is_due(replace(request, permissions=ADMIN), request.permissions_due)


def test_a_revocation_counts_as_a_denial_in_the_history() -> None:
    world = make_desk()
    request = world.approved()
    world.clock.advance(timedelta(hours=1))
    revoked_at = world.clock.now()
    world.services.transition(request.id, Event.REVOKE, ERIN.id, deadline=None)
    assert world.pending().history == RequestHistory(
        asked=1, denied=1, denied_at=revoked_at, by=ERIN.id
    )

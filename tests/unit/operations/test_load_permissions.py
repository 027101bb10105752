"""Load an IAM user's permissions after the card is posted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import Conflict, StoreUnavailable
from bot.domain.permissions import Permissions, Unread
from bot.domain.records import Change
from bot.domain.requests import KeyRequest, RequestHistory
from bot.domain.states import Event, Status
from bot.operations import create_request, decide_request, load_permissions
from bot.operations.load_permissions import HISTORY_LIMIT, LOAD_TIMEOUT
from bot.operations.services import MAX_CONFLICTS
from tests.support.errors import refuses
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
ADMIN = Permissions(attached=("AdministratorAccess",), admin_like=("AdministratorAccess",))
UNREAD = Permissions(mfa=True, unread=(Unread("ListGroupsForUser", denied=True),))


class Pool:
    """Keep the work until the test runs it, and accept none while `full`."""

    def __init__(self) -> None:
        self.full = False
        self.work: list[Callable[[], object]] = []

    def take(self, work: Callable[[], object]) -> bool:
        if not self.full:
            self.work.append(work)
        return not self.full

    def run(self) -> None:
        work, self.work = self.work, []
        for one in work:
            one()


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def world(pool: Pool) -> World:
    """Return a world in which Alice has admin access."""
    world = make_desk()
    world.iam.may[ALICE.email] = ADMIN
    return replace(world, services=replace(world.services, run_later=pool.take))


def loads(world: World) -> list[Detail | None]:
    """Return what the audit trail says of each load."""
    return [entry.detail for entry in world.store.entries if entry.action == Event.LOAD_PERMISSIONS]


def is_loaded_once(world: World, request: KeyRequest) -> bool:
    return world.now(request).permissions == ADMIN and len(loads(world)) == 1


def test_permissions_are_loaded_after_the_request_is_stored(world: World, pool: Pool) -> None:
    request = world.pending()
    assert world.now(request) == request
    assert request.permissions is None and request.awaits_permissions
    assert "issuer.permissions" not in world.taps.calls
    pool.run()
    now = world.now(request)
    assert (now.status, now.permissions) == (Status.PENDING, ADMIN)
    assert (now.permissions_at, now.permissions_due) == (world.clock.now(), None)
    assert (now.last_event, now.last_event_by) == (Event.LOAD_PERMISSIONS, "keydesk")
    assert not now.awaits_permissions and now.deadline == request.deadline
    assert now.next_run == request.requested_at + 24 * HOUR, "its first reminder"
    assert world.slack.rendered[-1] == request.name
    assert loads(world) == [Detail(Code.PERMISSIONS_LOADED, {"admin": "AdministratorAccess"})]


@pytest.mark.parametrize(
    ("permissions", "detail"),
    [
        (UNREAD, Detail(Code.PERMISSIONS_LOADED, {"unread": "iam:ListGroupsForUser"})),
        (Permissions(), None),
    ],
    ids=["unread", "without admin access"],
)
def test_the_audit_trail_says_what_was_not_read(
    world: World, pool: Pool, permissions: Permissions, detail: Detail | None
) -> None:
    world.iam.may[ALICE.email] = permissions
    world.pending()
    pool.run()
    assert loads(world) == [detail]


@pytest.mark.parametrize("verb", ["rotate", "enable"])
def test_every_verb_that_needs_approval_loads_permissions(
    world: World, pool: Pool, verb: str
) -> None:
    key_id = world.console_key()
    if verb == "enable":
        world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    request = getattr(create_request, verb)(world.services, ALICE, key_id, "again")
    pool.run()
    assert is_loaded_once(world, request)


def test_a_refused_request_loads_nothing(world: World, pool: Pool) -> None:
    world.pending()
    with refuses(Code.REQUEST_ALREADY_OPEN):
        world.pending()
    assert len(pool.work) == 1


# -- decisions meanwhile


DECISIONS: dict[str, Callable[[World, KeyRequest], Any]] = {
    "approve": lambda world, request: decide_request.approve(world.services, CAROL, request.id),
    "deny": lambda world, request: decide_request.deny(world.services, CAROL, request.id, "no"),
    "cancel": lambda world, request: create_request.cancel(world.services, ALICE, request.id),
    "expire": lambda world, request: world.pass_time(72 * HOUR),
}


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_request_is_decided_without_permissions(world: World, pool: Pool, decision: str) -> None:
    request = world.pending()
    DECISIONS[decision](world, request)
    assert world.now(request).status is not Status.PENDING
    with world.nothing_happens():
        pool.run()
        world.pass_time(timedelta(minutes=5))
    assert "issuer.permissions" not in world.taps.calls
    assert world.now(request).permissions is None


def test_a_request_decided_during_the_load_is_left_alone(world: World, pool: Pool) -> None:
    request = world.pending()
    world.taps.on("issuer.permissions", after=lambda: DECISIONS["approve"](world, request))
    pool.run()
    now = world.now(request)
    assert (now.status, now.decided_by, now.permissions) == (Status.APPROVED, CAROL.id, None)
    assert loads(world) == []


def test_a_load_does_not_lose_an_approval_at_once(world: World, pool: Pool) -> None:
    request = world.pending()
    world.taps.on("store.commit", before=pool.run)
    approved = DECISIONS["approve"](world, request)
    assert (approved.status, approved.permissions) == (Status.APPROVED, ADMIN)


def test_a_load_that_loses_a_race_writes_once(world: World, pool: Pool) -> None:
    request = world.pending()

    def touch() -> None:
        now = world.now(request)
        touched = replace(now, denial_reason="touched", version=now.version + 1)
        world.store.commit(Change(now, touched), entry=world.store.entries[-1])

    world.taps.on("store.commit", before=touch)
    pool.run()
    assert is_loaded_once(world, request) and world.now(request).denial_reason == "touched"
    assert world.taps.calls.count("issuer.permissions") == 1


def test_two_processes_that_load_write_once(world: World, pool: Pool) -> None:
    request = world.pending()
    load = load_permissions.load
    world.taps.on("issuer.permissions", after=lambda: load(world.services, request.id))
    pool.run()
    assert is_loaded_once(world, request)


# -- The scheduler loads what no process has loaded in time.


@pytest.mark.parametrize("call", ["store.request", "issuer.permissions", "store.commit"])
@pytest.mark.parametrize("problem", [ProcessDied(), StoreUnavailable()], ids=["death", "outage"])
def test_the_scheduler_loads_what_a_process_left(
    world: World, pool: Pool, call: str, problem: BaseException
) -> None:
    request = world.pending()
    world.taps.on(call, before=problem)
    if isinstance(problem, ProcessDied):
        with pytest.raises(ProcessDied):
            pool.run()
    else:
        pool.run()
    world.taps.calm()
    assert world.now(request) == request
    world.pass_time(LOAD_TIMEOUT)
    pool.run()
    assert is_loaded_once(world, request)


def test_a_load_that_loses_every_race_stays_due(world: World, pool: Pool) -> None:
    request = world.pending()
    for nth in range(1, MAX_CONFLICTS + 1):
        world.taps.on("store.commit", nth=nth, before=Conflict(request.name))
    with world.nothing_happens(), refuses(Code.CONFLICT, name=request.name):
        load_permissions.load(world.services, request.id)
    assert world.now(request).awaits_permissions


def test_without_a_free_process_the_scheduler_loads(world: World, pool: Pool) -> None:
    pool.full = True
    request = world.pending()
    with world.nothing_happens():
        world.pass_time(LOAD_TIMEOUT - SECOND)
    world.pass_time(SECOND)
    now = world.now(request)
    assert (now.permissions, now.status) == (ADMIN, Status.PENDING)
    assert now.requested_at == request.requested_at


def test_the_scheduler_does_not_repeat_a_running_load(world: World, pool: Pool) -> None:
    world.pending()
    world.pass_time(LOAD_TIMEOUT)
    for _ in range(3):
        world.pass_time(timedelta(seconds=2))
    assert len(pool.work) == 2, "the request and the scheduler"


def test_a_load_is_due_only_before_the_deadline(world: World) -> None:
    request = world.pending()
    due, ends = request.permissions_due, request.deadline
    assert due == request.requested_at + LOAD_TIMEOUT and ends
    times = (request.requested_at, due - SECOND, due, ends - SECOND, ends)
    is_due = [load_permissions.is_due(request, at) for at in times]
    assert is_due == [False, False, True, True, False]
    assert not load_permissions.is_due(replace(request, permissions=ADMIN), due)
    without_load = replace(request, permissions_due=None)
    assert not without_load.awaits_permissions
    assert without_load.next_run == request.requested_at + 24 * HOUR, "its first reminder"


# -- the requester's history


def test_a_request_has_its_requesters_history(world: World) -> None:
    request = world.pending()
    assert request.history == RequestHistory()
    create_request.cancel(world.services, ALICE, request.id)
    for approver, why in ((CAROL, "no reason"), (ERIN, "not needed")):
        world.clock.advance(HOUR)
        decide_request.deny(world.services, approver, world.pending().id, why)
    denied_at = world.clock.now()
    create_request.create(world.services, BOB, "not Alice's")
    world.clock.advance(HOUR)
    history = RequestHistory(3, denied=2, denied_at=denied_at, by=ERIN.id, why="not needed")
    assert world.pending().history == history


def test_a_revocation_counts_as_a_denial_in_the_history(world: World) -> None:
    request = world.approved()
    world.clock.advance(HOUR)
    decide_request.revoke(world.services, ERIN, request.id)
    history = RequestHistory(1, denied=1, denied_at=world.clock.now(), by=ERIN.id)
    assert world.pending().history == history


def test_the_history_counts_the_latest_requests_alone() -> None:
    world = make_desk(requests_an_hour=(999, 999))
    for _ in range(HISTORY_LIMIT + 1):
        create_request.cancel(world.services, ALICE, world.pending().id)
    assert world.pending().history == RequestHistory(HISTORY_LIMIT)

"""Approvers decide about orphaned keys, which live as long as was requested."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.requests import KeyRequest
from bot.operations import decide_orphan, disable_key, report_leak, run_due
from bot.operations.create_request import RequestOptions
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, fails, make_desk, reveal
from tests.unit.operations.key_checks import iam_status
from tests.unit.operations.key_steps import (
    NO_EXPIRY,
    UNKNOWN_KEY,
    approve,
    request_enable,
    request_key,
)
from tests.unit.operations.key_times import DAY, HOUR, LEASE, ORPHAN_CHECK

DEFAULTS = RequestOptions()
URGENT = RequestOptions(urgent=True)


@pytest.fixture
def world() -> World:
    return make_desk(break_glass=frozenset({ALICE.id}))


def run_orphan_check(world: World) -> None:
    for span in (LEASE, ORPHAN_CHECK):
        world.pass_time(span)
    world.sweep()


def orphaned(world: World, options: RequestOptions = DEFAULTS, *, reported: bool = False) -> str:
    """Return the ID of an orphaned key, whose creation was not confirmed.

    If it is `reported`, a member reported it as leaked before the orphan check.
    """
    request = request_key(world, options)
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, Code.KEY_CREATION_UNCONFIRMED)
    (key_id,) = world.iam.made
    if reported:
        report_leak.report(world.services, BOB, key_id)
    run_orphan_check(world)
    assert world.iam.active == []
    return key_id


def enable(world: World, key_id: str) -> None:
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)


def delete(world: World, key_id: str) -> None:
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED)


@pytest.mark.parametrize(
    ("desired", "action", "status"),
    [(DesiredState.ACTIVE, "enable", "Active"), (DesiredState.DELETED, "delete", "gone")],
)
def test_an_approver_decides_about_an_orphaned_key(
    world: World, desired: DesiredState, action: str, status: str
) -> None:
    key_id = orphaned(world)
    record = decide_orphan.decide(world.services, CAROL, key_id, desired)
    assert (record.desired, record.changed_by) == (desired, CAROL.id)
    assert iam_status(world, key_id) == status
    entries = [(e.action, e.key_id) for e in world.store.entries if e.by == CAROL.id]
    assert entries[-1] == (action, key_id)


def test_no_one_else_decides_and_about_no_other_key(world: World) -> None:
    key_id = orphaned(world)
    world.people.may_approve |= {ALICE.id}
    refusals = [
        (ALICE, key_id, Code.OWN_REQUEST),
        (BOB, key_id, Code.NOT_AN_APPROVER),
        (CAROL, UNKNOWN_KEY, Code.NOT_YOUR_KEY),
    ]
    (request,) = world.store.requests_of(ALICE.id)
    delivered = reveal(world, request).access_key_id
    for member, refused, code in (*refusals, (CAROL, delivered, Code.NOT_YOUR_KEY)):
        with world.nothing_happens(), refuses(code):
            decide_orphan.decide(world.services, member, refused, DesiredState.DELETED)


@pytest.mark.parametrize("first", [DesiredState.ACTIVE, DesiredState.DELETED])
def test_the_second_approver_learns_what_the_first_decided(
    world: World, first: DesiredState
) -> None:
    key_id = orphaned(world)
    world.taps.on(
        "store.commit", before=lambda: decide_orphan.decide(world.services, ERIN, key_id, first)
    )
    with refuses(Code.ORPHAN_DECIDED, by=ERIN.id, status=first, key_id=key_id):
        delete(world, key_id)
    assert world.iam.active == ([key_id] if first is DesiredState.ACTIVE else [])


def test_a_decision_beats_the_scheduler_reading_the_key(world: World) -> None:
    key_id = orphaned(world)
    world.clock.advance(ORPHAN_CHECK)
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, f"key:{key_id}"))
    delete(world, key_id)
    assert world.record(key_id).desired is DesiredState.DELETED
    assert iam_status(world, key_id) == "gone"


def test_a_deleted_orphan_cannot_be_enabled(world: World) -> None:
    key_id = orphaned(world)
    world.iam.delete_key(ALICE.email, key_id)
    with refuses(Code.CHANGED_KEY_GONE):
        enable(world, key_id)
    world.taps.calls.clear()
    world.rest(days=1)
    assert "issuer.set_status" not in world.taps.calls
    assert world.record(key_id).check_at is None


@pytest.mark.parametrize("iam_answers", [True, False])
def test_a_late_process_deletes_the_orphan_that_it_created(world: World, iam_answers: bool) -> None:
    """The scheduler finishes the deletion if AWS does not confirm it."""
    request = world.approved()
    world.taps.on("issuer.create_key", after=lambda: run_orphan_check(world))
    code = Code.UNRECORDED_KEY_DELETED
    if not iam_answers:
        world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
        code = Code.UNRECORDED_KEY_NOT_DELETED
    fails(world, request, code, cause=Code.KEY_NOT_RECORDED)
    (key_id,) = world.iam.made
    if not iam_answers:
        world.pass_time(LEASE)
    assert iam_status(world, key_id) == "gone"
    assert world.record(key_id).desired is DesiredState.DELETED
    with world.nothing_happens(), refuses(Code.ORPHAN_DECIDED):
        enable(world, key_id)


# How long an orphaned key lives.


def enable_by_request(world: World, key_id: str) -> KeyRequest:
    return approve(world, request_enable(world, key_id))


@pytest.mark.parametrize("reported", [False, True])
@pytest.mark.parametrize("how", [enable, enable_by_request])
@pytest.mark.parametrize(
    ("options", "lives"),
    [(DEFAULTS, 90 * DAY), (RequestOptions(lifetime=3 * DAY), 3 * DAY), (URGENT, 4 * HOUR)],
)
def test_an_enabled_orphan_expires_as_was_requested(
    world: World, options: RequestOptions, lives: timedelta, how: object, reported: bool
) -> None:
    key_id = orphaned(world, options, reported=reported)
    how(world, key_id)
    record = world.record(key_id)
    assert (world.iam.active, record.expires_at) == ([key_id], record.created_at + lives)
    world.outlive(int(lives / DAY) + 2)
    assert key_id not in world.iam.active
    assert world.record(key_id).inactive_reason is InactiveReason.EXPIRED


def test_an_enabled_orphan_without_a_lifetime_never_expires() -> None:
    world = make_desk(**NO_EXPIRY)
    key_id = orphaned(world)
    enable(world, key_id)
    world.outlive(400)
    assert world.iam.active == [key_id]


@pytest.mark.parametrize("by_approver", [False, True])
def test_an_undecided_orphan_is_never_deleted(world: World, by_approver: bool) -> None:
    """An AWS admin may have created it in the console at that time."""
    key_id = orphaned(world)
    if by_approver:
        world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
        disable_key.disable_for(world.services, CAROL, key_id, "whose is it?")
    world.outlive(200)
    assert iam_status(world, key_id) == "Inactive"


def test_an_orphan_enabled_after_its_expiry_gets_new_time(world: World) -> None:
    key_id = orphaned(world, URGENT)
    world.pass_time(3 * DAY)
    enable(world, key_id)
    ends = world.clock.now() + world.services.settings.break_glass_ttl
    assert world.record(key_id).expires_at == ends
    world.pass_time(4 * HOUR)
    world.sweep()
    assert world.iam.active == []


def test_after_the_longest_lifetime_an_orphan_is_not_enabled() -> None:
    world = make_desk(key_ttl=20 * DAY, key_ttl_max=30 * DAY)
    key_id = orphaned(world)
    world.outlive(31)
    with world.nothing_happens(), refuses(Code.KEY_LIFETIME_OVER):
        enable(world, key_id)
    delete(world, key_id)
    assert iam_status(world, key_id) == "gone"

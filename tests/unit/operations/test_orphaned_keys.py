"""Orphaned keys: an approver decides about them, and they live as long as was asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import ChangePending, NotAllowed, NotYourKey, WrongState
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus
from bot.domain.outside_errors import OutcomeUnknown
from bot.operations import (
    create_request,
    decide_orphan,
    decide_request,
    disable_key,
    report_leak,
    run_due,
)
from bot.operations.create_request import RequestOptions
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, fails, make_desk, reveal
from tests.unit.operations.test_recover_delivery import LEASE, ORPHAN_CHECK, checked

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DEFAULTS = RequestOptions()


def orphaned(world: World, options: RequestOptions = DEFAULTS, *, reported: bool = False) -> str:
    """Return the ID of an orphaned key, of which the answer was lost.

    Where it is `reported`, a member reported it as leaked before the orphan check.
    """
    request = decide_request.approve(
        world.services, CAROL, create_request.create(world.services, ALICE, "deploy", options).id
    )
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, Code.KEY_CREATION_UNCONFIRMED)
    (key_id,) = world.iam.made
    if reported:
        report_leak.report(world.services, BOB, key_id)
    checked(world, request)
    world.sweep()
    assert world.iam.active == []
    return key_id


@pytest.mark.parametrize("desired", [DesiredState.ACTIVE, DesiredState.DELETED])
def test_an_approver_decides_about_an_orphaned_key(desired: DesiredState) -> None:
    world = make_desk()
    key_id = orphaned(world)
    record = decide_orphan.decide(world.services, CAROL, key_id, desired)
    assert (record.desired, record.changed_by) == (desired, CAROL.id)
    assert world.iam.active == ([key_id] if desired is DesiredState.ACTIVE else [])
    assert (world.iam.observed(key_id) is None) is (desired is DesiredState.DELETED)


def test_no_one_else_decides_and_about_no_other_key() -> None:
    world = make_desk()
    key_id = orphaned(world)
    world.people.may_approve |= {ALICE.id}
    with world.nothing_happens():
        for member in (ALICE, BOB):
            with pytest.raises(NotAllowed):
                decide_orphan.decide(world.services, member, key_id, DesiredState.DELETED)
        with pytest.raises(NotYourKey):
            decide_orphan.decide(
                world.services, CAROL, "AKIAIOSFODNN7EXAMPLE", DesiredState.DELETED
            )
    issued = reveal(world, world.now(world.store.requests_of(ALICE.id)[0])).access_key_id
    with world.nothing_happens(), pytest.raises(NotYourKey):
        decide_orphan.decide(world.services, CAROL, issued, DesiredState.DELETED)


def test_the_second_approver_learns_what_the_first_decided() -> None:
    world = make_desk()
    key_id = orphaned(world)
    world.taps.on(
        "store.commit",
        before=lambda: decide_orphan.decide(world.services, ERIN, key_id, DesiredState.ACTIVE),
    )
    with pytest.raises(WrongState) as refused:
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED)
    assert refused.value.facts["by"] == ERIN.id
    assert world.iam.active == [key_id]


def test_a_decision_beats_the_scheduler_reading_the_key() -> None:
    world = make_desk()
    key_id = orphaned(world)
    record = world.record(key_id)
    world.clock.advance(ORPHAN_CHECK)
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, record.name))
    assert (
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED).desired
        is DesiredState.DELETED
    )
    assert world.iam.observed(key_id) is None


def test_a_deleted_orphan_cannot_be_enabled() -> None:
    world = make_desk()
    key_id = orphaned(world)
    world.iam.delete_key(ALICE.email, key_id)
    with pytest.raises(ChangePending):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    before = len(world.taps.calls)
    world.rest(days=1)
    assert "issuer.set_status" not in world.taps.calls[before:]
    assert world.record(key_id).check_at is None


def test_a_late_process_deletes_the_orphan_that_it_created() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=lambda: [checked(world, request)])
    fails(world, request, Code.UNRECORDED_KEY_DELETED, cause=Code.KEY_NOT_RECORDED)
    (key_id,) = world.iam.made
    assert world.iam.observed(key_id) is None
    assert world.record(key_id).desired is DesiredState.DELETED
    with pytest.raises(WrongState):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)


def test_the_scheduler_finishes_the_deletion_of_a_late_process() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=lambda: [checked(world, request)])
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    fails(world, request, Code.UNRECORDED_KEY_NOT_DELETED, cause=Code.KEY_NOT_RECORDED)
    world.pass_time(LEASE)
    assert world.iam.observed(*world.iam.made) is None


@pytest.mark.parametrize("reported", [False, True])
@pytest.mark.parametrize("back", ["by an approver", "by a request"])
@pytest.mark.parametrize(
    ("options", "lives"),
    [
        (DEFAULTS, 90 * DAY),
        (RequestOptions(lifetime=3 * DAY), 3 * DAY),
        (RequestOptions(urgent=True), 4 * HOUR),
    ],
)
def test_an_enabled_orphan_expires_as_was_asked_for(
    options: RequestOptions, lives: timedelta, back: str, *, reported: bool
) -> None:
    world = make_desk(break_glass=frozenset({ALICE.id}))
    key_id = orphaned(world, options, reported=reported)
    if back == "by an approver":
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    else:
        request = create_request.enable(world.services, ALICE, key_id, "it is mine")
        assert request is not None
        decide_request.approve(world.services, CAROL, request.id)
    record = world.record(key_id)
    assert (world.iam.active, record.expires_at) == ([key_id], record.created_at + lives)
    world.outlive(int(lives / DAY) + 2)
    assert (
        key_id not in world.iam.active
        and world.record(key_id).inactive_reason is InactiveReason.EXPIRED
    )


def test_an_enabled_orphan_without_a_lifetime_never_expires() -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    key_id = orphaned(world)
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    world.outlive(400)
    assert world.iam.active == [key_id]


@pytest.mark.parametrize("off", ["by the orphan check", "by an approver"])
def test_an_undecided_orphan_is_never_deleted(off: str) -> None:
    """An AWS admin may have created it in the console at that time."""
    world = make_desk()
    key_id = orphaned(world)
    if off == "by an approver":
        world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
        disable_key.disable_for(world.services, CAROL, key_id, "whose is it?")
    world.outlive(200)
    assert world.iam.observed(key_id) is not None and world.iam.active == []


def test_an_orphan_enabled_after_its_expiry_gets_new_time() -> None:
    world = make_desk(break_glass=frozenset({ALICE.id}))
    key_id = orphaned(world, RequestOptions(urgent=True))
    world.pass_time(3 * DAY)
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    assert (
        world.record(key_id).expires_at
        == world.clock.now() + world.services.settings.break_glass_ttl
    )
    world.pass_time(4 * HOUR)
    world.sweep()
    assert world.iam.active == []


def test_after_the_longest_lifetime_an_orphan_is_not_enabled() -> None:
    world = make_desk(key_ttl=20 * DAY, key_ttl_max=30 * DAY)
    key_id = orphaned(world)
    world.outlive(31)
    with world.nothing_happens(), pytest.raises(NotAllowed):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED)
    assert world.iam.observed(key_id) is None

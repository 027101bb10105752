"""A key that an approver turned off is on again by an approver alone, whichever way its owner tries."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import ChangePending, WrongState
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus
from bot.domain.outside_errors import IamUnavailable, OutcomeUnknown
from bot.domain.states import Event, Status
from bot.operations import (
    apply_request,
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    expire_keys,
    finish_rotation,
    report_leak,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.taps import ProcessDied
from tests.support.world import (
    ALICE,
    BOB,
    CAROL,
    ERIN,
    World,
    fails,
    make_desk,
    no_key_is_left,
    reveal,
)

DAY = timedelta(days=1)
WHY = "it is in a public file"
FREE = frozenset({"disable", "delete", "enable"})


def must_stay_off(world: World, key_id: str) -> None:
    """The key is off, it is on record who turned it off and why, and its owner must ask for it."""
    record = world.record(key_id)
    assert (record.desired, record.inactive_reason, record.disable_note, record.changed_by) == (
        DesiredState.INACTIVE,
        InactiveReason.DISABLED,
        WHY,
        CAROL.id,
    )
    assert key_id not in world.iam.active
    assert create_request.enable(world.services, ALICE, key_id, "I need it") is not None


@pytest.mark.parametrize("when", ["delivered", "reminded", "unclaimed"])
def test_a_receipt_does_not_enable_what_an_approver_disabled(when: str) -> None:
    world = make_desk(approval_free=FREE)
    request = world.delivered()
    for _ in range({"delivered": 0, "reminded": 1, "unclaimed": 2}[when]):
        world.pass_time(DAY / 2)
    assert disable_key.disable_for(world.services, CAROL, request.access_key_id, WHY).already is (
        when == "unclaimed"
    )
    while world.now(request).status is not Status.UNCLAIMED:
        world.pass_time(DAY / 2)
    assert (
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id).status
        is Status.CONFIRMED
    )
    must_stay_off(world, request.access_key_id)
    world.rest()
    must_stay_off(world, request.access_key_id)


def test_an_unclaimed_key_disabled_by_an_approver_is_deleted() -> None:
    world = make_desk()
    request = world.delivered()
    disable_key.disable_for(world.services, CAROL, request.access_key_id, WHY)
    world.rest()
    assert (
        world.now(request).status is Status.EXPIRED
        and world.iam.observed(request.access_key_id) is None
    )


@pytest.mark.parametrize("then", ["reported", "reported, turned off by its owner"])
def test_a_receipt_does_not_enable_a_reported_key(then: str) -> None:
    world = make_desk()
    request = world.delivered()
    if then != "reported":
        disable_key.disable(world.services, ALICE, request.access_key_id)
    for _ in range(2):
        world.pass_time(DAY / 2)
    report_leak.report(world.services, BOB, request.access_key_id)
    assert (
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id).status
        is Status.CONFIRMED
    )
    no_key_is_left(world)
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.ACTIVE)
    world.outlive(110)
    assert world.iam.observed(request.access_key_id) is None, "its own end counts again"


@pytest.mark.parametrize("off", ["disabled", "leaked"])
@pytest.mark.parametrize("when", ["delivered", "unclaimed"])
def test_an_approval_whose_key_was_disabled_gives_no_other(when: str, off: str) -> None:
    world = make_desk()
    request = world.delivered()
    key_id = request.access_key_id
    world.pass_time(DAY / 2)
    if off == "disabled":
        disable_key.disable_for(world.services, CAROL, key_id, WHY)
    else:
        report_leak.disable(world.services, CAROL, key_id)
    assert (world.now(request).last_event, world.now(request).stopped_by) == (Event.STOP, CAROL.id)
    if when == "unclaimed":
        world.pass_time(DAY / 2)
    click = confirm_receipt.did_not_get if when == "delivered" else confirm_receipt.replace_key
    closed = click(world.services, ALICE, key_id)
    assert (closed.status, closed.last_event, closed.deleted_keys) == (
        Status.EXPIRED,
        Event.CLOSE,
        (key_id,),
    )
    assert closed.detail == Detail(
        Code.KEY_DELETED_STOPPED,
        {"key_id": key_id, "verb": "create", "service_user": "", "by": CAROL.id},
    )
    assert world.iam.observed(key_id) is None
    with world.nothing_happens(), pytest.raises(WrongState):
        reveal_key.reveal(world.services, ALICE, request.id)
    assert world.pending().status is Status.PENDING, "another may be asked for"


def test_a_later_deletion_gives_no_other_key_either() -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(DAY / 4)
    disable_key.disable_for(world.services, CAROL, request.access_key_id, WHY)
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with refuses(Code.KEY_DELETION_PENDING, key_id=request.access_key_id):
        confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)
    assert world.now(request).reveals_left == 0
    world.rest(days=1)
    assert world.now(request).last_event is Event.CLOSE
    no_key_is_left(world)


def test_a_key_disabled_while_created_is_not_shown() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit",
        nth=2,
        after=lambda: disable_key.disable_for(world.services, CAROL, *world.iam.made, WHY),
    )
    fails(
        world,
        request,
        Code.KEY_DELETED_STOPPED,
        cause=Code.KEY_STOPPED_BEFORE_SHOWN,
        by=CAROL.id,
    )
    assert world.slack.observed == [] and world.now(request).last_event is Event.CLOSE
    no_key_is_left(world)


@pytest.mark.parametrize("off", [disable_key.disable, report_leak.report])
def test_an_owner_who_disabled_their_key_gets_another(off: object) -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(DAY / 4)
    off(world.services, ALICE, request.access_key_id)
    assert world.now(request).stopped_by == ""
    confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)
    assert reveal(world, world.now(request)).status is Status.DELIVERED


def test_whoever_gets_such_a_key_back_from_an_approver_has_it() -> None:
    world = make_desk()
    request = world.delivered()
    disable_key.disable_for(world.services, CAROL, request.access_key_id, WHY)
    asked = create_request.enable(
        world.services, ALICE, request.access_key_id, "the file is private now"
    )
    assert asked is not None
    decide_request.approve(world.services, CAROL, asked.id)
    assert world.now(request).status is Status.CONFIRMED
    world.rest()
    assert world.iam.active == [request.access_key_id]


@pytest.mark.parametrize("owner", ["turned it off", "turned it off in the console"])
def test_an_approvers_reason_is_recorded_for_an_inactive_key(owner: str) -> None:
    world = make_desk(approval_free=FREE)
    key_id = world.console_key()
    if owner == "turned it off":
        disable_key.disable(world.services, ALICE, key_id)
    else:
        world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    retired = disable_key.disable_for(world.services, CAROL, key_id, WHY)
    assert (retired.already, retired.reason_stored, retired.notified_owner) == (
        True,
        True,
        ALICE.id,
    )
    assert [(entry.by, entry.reason) for entry in world.store.entries if entry.action == "disable"][
        -1
    ] == (CAROL.id, WHY)
    must_stay_off(world, key_id)
    with world.nothing_happens():
        assert not disable_key.disable_for(
            world.services, ERIN, key_id, "as she says"
        ).reason_stored


def test_a_leaked_or_deleted_key_keeps_its_record() -> None:
    world = make_desk()
    leaked, going = world.console_key(), world.console_key()
    report_leak.report(world.services, ALICE, leaked)
    disable_key.disable(world.services, ALICE, going)
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(ChangePending):
        disable_key.delete(world.services, ALICE, going)
    for key_id in (leaked, going):
        with world.nothing_happens():
            retired = disable_key.disable_for(world.services, CAROL, key_id, WHY)
            assert (retired.already, retired.reason_stored) == (True, False)


def test_an_approvers_reason_keeps_a_scheduled_deletion() -> None:
    world = make_desk(key_ttl=None, key_ttl_max=None)
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.pass_time(DAY)
    goes = world.record(request.target).delete_at
    disable_key.disable_for(world.services, CAROL, request.target, WHY)
    assert goes is not None and world.record(request.target).delete_at == goes
    with world.nothing_happens(), refuses(Code.NOTHING_TO_UNDO, key_id=request.target):
        finish_rotation.undo(world.services, ALICE, request.target)
    world.outlive(8)
    assert world.iam.observed(request.target) is None


@pytest.mark.parametrize("by", ["its owner", "time"])
def test_a_rotations_end_keeps_an_approvers_decision(by: str) -> None:
    world = make_desk()
    request = world.rotated()
    world.taps.on("issuer.set_status", before=IamUnavailable("UpdateAccessKey"))
    with pytest.raises(ChangePending):
        disable_key.disable_for(world.services, CAROL, request.target, WHY)
    if by == "its owner":
        finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    else:
        new = world.record(request.access_key_id)
        world.clock.advance(DAY)
        expire_keys.run(world.services, new)
    assert (
        world.record(request.access_key_id).replaces == ""
        and world.record(request.target).delete_at is not None
    )
    with world.nothing_happens(), refuses(Code.NOTHING_TO_UNDO, key_id=request.target):
        finish_rotation.undo(world.services, ALICE, request.target)
    must_stay_off(world, request.target)


def test_undo_does_not_enable_a_reported_key() -> None:
    world = make_desk()
    request = world.rotated()
    report_leak.report(world.services, BOB, request.target)
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    with (
        world.nothing_happens(),
        refuses(Code.UNDO_REPORTED, key_id=request.target),
    ):
        finish_rotation.undo(world.services, ALICE, request.target)
    assert request.target not in world.iam.active


def test_an_approver_wins_over_a_free_enable_at_once() -> None:
    world = make_desk(approval_free=FREE)
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    key = world.iam.keys(ALICE.email)[0]
    world.taps.on(
        "store.commit", before=lambda: disable_key.disable_for(world.services, CAROL, key_id, WHY)
    )
    with refuses(Code.ENABLE_NEEDS_APPROVAL, key_id=key_id):
        apply_request.enable_without_approval(
            world.services, ALICE, world.iam.user(ALICE.email), key, "I need it"
        )
    must_stay_off(world, key_id)


def test_disabling_after_the_approval_wins() -> None:
    """The process of the approval died before it was applied; whoever sweeps does not turn the key on."""
    world = make_desk()
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still needed")
    assert request is not None
    world.taps.on("directory.member", before=ProcessDied())
    with pytest.raises(ProcessDied):
        decide_request.approve(world.services, CAROL, request.id)
    world.taps.calm()
    assert world.now(request).status is Status.APPROVED
    world.clock.advance(timedelta(seconds=1))
    disable_key.disable_for(world.services, ERIN, key_id, WHY)

    world.rest(days=1)
    now = world.now(request)
    assert (now.status, now.detail) == (
        Status.EXPIRED,
        Detail(Code.DISABLED_AFTER_APPROVAL, {"key_id": key_id, "by": ERIN.id}),
    )
    assert world.iam.active == [] and world.record(key_id).disable_note == WHY


def test_an_approval_after_the_disabling_wins() -> None:
    world = make_desk()
    key_id = world.console_key()
    disable_key.disable_for(world.services, ERIN, key_id, "unused")
    request = create_request.enable(world.services, ALICE, key_id, "it is needed after all")
    assert request is not None
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.CONFIRMED
    assert world.iam.active == [key_id]

"""A key that an approver disabled is enabled by an approver alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus
from bot.domain.outside_errors import IamUnavailable, OutcomeUnknown
from bot.domain.states import Event, Status
from bot.operations import (
    apply_request,
    confirm_receipt,
    create_request,
    disable_key,
    expire_keys,
    finish_rotation,
    report_leak,
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
from tests.unit.operations.key_checks import assert_fields, iam_status
from tests.unit.operations.key_steps import (
    APPROVAL_FREE,
    NO_EXPIRY,
    approve,
    confirm,
    request_enable,
    start_deletion,
)
from tests.unit.operations.key_times import DAY, SECOND

WHY = "it is in a public file"


@pytest.fixture
def world() -> World:
    return make_desk()


def disable_for(world: World, key_id: str) -> disable_key.DisableResult:
    return disable_key.disable_for(world.services, CAROL, key_id, WHY)


def assert_approver_must_enable(world: World, key_id: str) -> None:
    """Assert that the key is inactive, and that only an approver may enable it."""
    record = world.record(key_id)
    assert_fields(
        record,
        desired=DesiredState.INACTIVE,
        inactive_reason=InactiveReason.DISABLED,
        disable_note=WHY,
        changed_by=CAROL.id,
    )
    assert key_id not in world.iam.active
    assert create_request.enable(world.services, ALICE, key_id, "I need it") is not None


@pytest.mark.parametrize(
    ("when", "half_days"), [("delivered", 0), ("reminded", 1), ("unclaimed", 2)]
)
def test_a_receipt_does_not_enable_what_an_approver_disabled(when: str, half_days: int) -> None:
    world = make_desk(approval_free=APPROVAL_FREE)
    request = world.delivered()
    key_id = request.access_key_id
    for _ in range(half_days):
        world.pass_time(DAY / 2)
    assert disable_for(world, key_id).already is (when == "unclaimed")
    for _ in range(2 - half_days):
        world.pass_time(DAY / 2)
    assert world.now(request).status is Status.UNCLAIMED
    assert confirm(world, key_id).status is Status.CONFIRMED
    assert_approver_must_enable(world, key_id)
    world.rest()
    assert_approver_must_enable(world, key_id)


def test_an_unclaimed_key_disabled_by_an_approver_is_deleted(world: World) -> None:
    request = world.delivered()
    disable_for(world, request.access_key_id)
    world.rest()
    assert world.now(request).status is Status.EXPIRED
    assert iam_status(world, request.access_key_id) == "gone"


@pytest.mark.parametrize("disabled_by_owner", [False, True])
def test_a_receipt_does_not_enable_a_reported_key(world: World, disabled_by_owner: bool) -> None:
    key_id = world.delivered().access_key_id
    if disabled_by_owner:
        disable_key.disable(world.services, ALICE, key_id)
    for _ in range(2):
        world.pass_time(DAY / 2)
    report_leak.report(world.services, BOB, key_id)
    assert confirm(world, key_id).status is Status.CONFIRMED
    no_key_is_left(world)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.outlive(110)
    assert iam_status(world, key_id) == "gone", "its expiry counts again"


@pytest.mark.parametrize("off", ["disabled", "leaked"])
@pytest.mark.parametrize("when", ["delivered", "unclaimed"])
def test_an_approval_whose_key_was_disabled_gives_no_other(
    world: World, when: str, off: str
) -> None:
    request = world.delivered()
    key_id = request.access_key_id
    world.pass_time(DAY / 2)
    if off == "disabled":
        disable_for(world, key_id)
    else:
        report_leak.disable(world.services, CAROL, key_id)
    assert (world.now(request).last_event, world.now(request).stopped_by) == (Event.STOP, CAROL.id)
    if when == "unclaimed":
        world.pass_time(DAY / 2)
    click = confirm_receipt.did_not_get if when == "delivered" else confirm_receipt.replace_key
    closed = click(world.services, ALICE, key_id)
    facts = {"key_id": key_id, "verb": "create", "service_user": "", "by": CAROL.id}
    assert_fields(
        closed,
        status=Status.EXPIRED,
        last_event=Event.CLOSE,
        deleted_keys=(key_id,),
        detail=Detail(Code.KEY_DELETED_STOPPED, facts),
    )
    assert iam_status(world, key_id) == "gone"
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="expired"):
        reveal(world, request)
    assert world.pending().status is Status.PENDING, "another may be requested"


def test_a_later_deletion_gives_no_other_key_either(world: World) -> None:
    request = world.delivered()
    world.pass_time(DAY / 4)
    disable_for(world, request.access_key_id)
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with refuses(Code.KEY_DELETION_PENDING, key_id=request.access_key_id):
        confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)
    assert world.now(request).reveals_left == 0
    world.rest(days=1)
    assert world.now(request).last_event is Event.CLOSE
    no_key_is_left(world)


def test_a_key_disabled_while_created_is_not_shown(world: World) -> None:
    request = world.approved()
    world.taps.on("store.commit", nth=2, after=lambda: disable_for(world, *world.iam.made))
    cause = Code.KEY_STOPPED_BEFORE_SHOWN
    fails(world, request, Code.KEY_DELETED_STOPPED, cause=cause, by=CAROL.id)
    assert world.slack.observed == [] and world.now(request).last_event is Event.CLOSE
    no_key_is_left(world)


@pytest.mark.parametrize("off", [disable_key.disable, report_leak.report])
def test_an_owner_who_disabled_their_key_gets_another(
    world: World, off: Callable[..., object]
) -> None:
    request = world.delivered()
    world.pass_time(DAY / 4)
    off(world.services, ALICE, request.access_key_id)
    assert world.now(request).stopped_by == ""
    confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)
    assert reveal(world, request).status is Status.DELIVERED


def test_an_approved_enable_confirms_the_receipt(world: World) -> None:
    request = world.delivered()
    disable_for(world, request.access_key_id)
    approve(world, request_enable(world, request.access_key_id))
    assert world.now(request).status is Status.CONFIRMED
    assert world.record(request.access_key_id).disable_note == ""
    world.rest()
    assert world.iam.active == [request.access_key_id]


@pytest.mark.parametrize("where", ["here", "in the console"])
def test_an_approvers_reason_is_recorded_for_an_inactive_key(where: str) -> None:
    world = make_desk(approval_free=APPROVAL_FREE)
    key_id = world.console_key()
    if where == "here":
        disable_key.disable(world.services, ALICE, key_id)
    else:
        world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    result = disable_for(world, key_id)
    assert (result.already, result.reason_stored, result.notified_owner) == (True, True, ALICE.id)
    entry = [entry for entry in world.store.entries if entry.action == "disable"][-1]
    assert (entry.by, entry.reason) == (CAROL.id, WHY)
    assert_approver_must_enable(world, key_id)
    with world.nothing_happens():
        result = disable_key.disable_for(world.services, ERIN, key_id, "as she says")
        assert not result.reason_stored


def test_a_leaked_or_deleted_key_keeps_its_record(world: World) -> None:
    leaked, deleted = world.console_key(), world.console_key()
    report_leak.report(world.services, ALICE, leaked)
    start_deletion(world, deleted)
    for key_id in (leaked, deleted):
        with world.nothing_happens():
            result = disable_for(world, key_id)
            assert (result.already, result.reason_stored) == (True, False)


def test_an_approvers_reason_keeps_a_scheduled_deletion() -> None:
    world = make_desk(**NO_EXPIRY)
    request = world.rotated()
    finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    world.pass_time(DAY)
    delete_at = world.record(request.target).delete_at
    disable_for(world, request.target)
    assert delete_at is not None and world.record(request.target).delete_at == delete_at
    with world.nothing_happens(), refuses(Code.NOTHING_TO_UNDO, key_id=request.target):
        finish_rotation.undo(world.services, ALICE, request.target)
    world.outlive(8)
    assert iam_status(world, request.target) == "gone"


@pytest.mark.parametrize("by", ["its owner", "time"])
def test_a_rotations_end_keeps_an_approvers_decision(world: World, by: str) -> None:
    request = world.rotated()
    world.taps.on("issuer.set_status", before=IamUnavailable("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        disable_for(world, request.target)
    if by == "its owner":
        finish_rotation.disable_old(world.services, ALICE, request.access_key_id)
    else:
        world.clock.advance(DAY)
        expire_keys.run(world.services, world.record(request.access_key_id))
    assert world.record(request.access_key_id).replaces == ""
    assert world.record(request.target).delete_at is not None
    with world.nothing_happens(), refuses(Code.NOTHING_TO_UNDO, key_id=request.target):
        finish_rotation.undo(world.services, ALICE, request.target)
    assert_approver_must_enable(world, request.target)


def test_an_approver_wins_over_a_free_enable_at_once() -> None:
    world = make_desk(approval_free=APPROVAL_FREE)
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    user, (key,) = world.iam.user(ALICE.email), world.iam.keys(ALICE.email)
    world.taps.on("store.commit", before=lambda: disable_for(world, key_id))
    with refuses(Code.ENABLE_NEEDS_APPROVAL, key_id=key_id):
        apply_request.enable_without_approval(world.services, ALICE, user, key, "I need it")
    assert_approver_must_enable(world, key_id)


def test_the_owners_own_disable_keeps_the_approvers_decision() -> None:
    world = make_desk(approval_free=APPROVAL_FREE)
    key_id = world.console_key()
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        disable_for(world, key_id)
    disable_key.disable(world.services, ALICE, key_id)
    assert world.iam.active == []
    assert_approver_must_enable(world, key_id)


def test_disabling_after_the_approval_wins(world: World) -> None:
    """The process died before the approval was applied. The scheduler does not."""
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = request_enable(world, key_id)
    world.taps.on("directory.member", before=ProcessDied())
    with pytest.raises(ProcessDied):
        approve(world, request)
    world.taps.calm()
    assert world.now(request).status is Status.APPROVED
    world.clock.advance(SECOND)
    disable_key.disable_for(world.services, ERIN, key_id, WHY)
    world.rest(days=1)
    now = world.now(request)
    assert_fields(
        now,
        status=Status.EXPIRED,
        detail=Detail(Code.DISABLED_AFTER_APPROVAL, {"key_id": key_id, "by": ERIN.id}),
    )
    assert world.iam.active == [] and world.record(key_id).disable_note == WHY


def test_an_approval_after_the_disabling_wins(world: World) -> None:
    key_id = world.console_key()
    disable_key.disable_for(world.services, ERIN, key_id, "unused")
    assert approve(world, request_enable(world, key_id)).status is Status.CONFIRMED
    assert (world.iam.active, world.record(key_id).disable_note) == ([key_id], "")

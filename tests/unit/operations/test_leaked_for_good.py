"""A leaked key is never on again: not by enabling, undo, a receipt, an approver, time, or the console."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, KeyIsLeaked, OutcomeUnknown, Refused
from bot.domain.keys import (
    DesiredState,
    KeyStatus,
    ObservedState,
    Origin,
)
from bot.domain.states import Status
from bot.operations import (
    apply_request,
    confirm_receipt,
    create_request,
    decide_orphan,
    decide_request,
    disable_key,
    finish_rotation,
    report_leak,
)
from tests.support.world import ALICE, CAROL, World, make_desk, reveal
from tests.unit.operations.test_report_leak import off_for_good

DAY = timedelta(days=1)
FREE = frozenset({"disable", "delete", "enable"})


def never_on_again(world: World, key_id: str) -> None:
    off_for_good(world, key_id)
    with pytest.raises(KeyIsLeaked):
        create_request.enable(world.services, ALICE, key_id, "please")
    with pytest.raises(KeyIsLeaked):
        apply_request.enable_without_approval(
            world.services,
            ALICE,
            world.iam.user(ALICE.email),
            world.iam.keys(ALICE.email)[0],
            "please",
        )
    with pytest.raises(KeyIsLeaked):
        finish_rotation.undo(world.services, ALICE, key_id)
    with pytest.raises(KeyIsLeaked):
        world.record(key_id).set_desired(
            DesiredState.ACTIVE, ALICE.id, world.clock.now(), check_at=world.clock.now()
        )
    off_for_good(world, key_id)


@pytest.mark.parametrize("free", [frozenset(), FREE])
def test_a_leaked_key_is_never_asked_back_not_even_where_enabling_is_free(
    free: frozenset[str],
) -> None:
    world = make_desk(approval_free=free)
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    never_on_again(world, key_id)


def test_an_enable_that_was_asked_for_before_the_leak_is_approved_to_no_effect() -> None:
    world = make_desk()
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still used")
    assert request is not None
    report_leak.report(world.services, ALICE, key_id)
    ended = decide_request.approve(world.services, CAROL, request.id)
    assert ended.status is Status.EXPIRED and Code.KEY_IS_LEAKED in ended.note
    never_on_again(world, key_id)


def test_a_leak_that_is_reported_while_an_enable_is_applied_wins() -> None:
    world = make_desk()
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still used")
    assert request is not None
    world.taps.on(
        "store.commit", nth=2, before=lambda: report_leak.report(world.services, ALICE, key_id)
    )
    decide_request.approve(world.services, CAROL, request.id)
    world.rest(days=1)
    assert world.now(request).status is Status.EXPIRED
    off_for_good(world, key_id)


def test_a_leak_reported_before_iam_turned_it_on_is_put_right_at_once() -> None:
    world = make_desk(approval_free=FREE)
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    world.taps.on(
        "issuer.set_status", before=lambda: report_leak.report(world.services, ALICE, key_id)
    )
    create_request.enable(world.services, ALICE, key_id, "still used")
    off_for_good(world, key_id)
    world.rest(days=1)
    off_for_good(world, key_id)


@pytest.mark.parametrize("when", ["delivered", "unclaimed"])
def test_a_receipt_does_not_turn_a_leaked_key_on(when: str) -> None:
    world = make_desk()
    request = world.delivered()
    key_id = request.access_key_id
    if when == "unclaimed":
        world.pass_time(DAY / 2)
        world.pass_time(DAY / 2)
    report_leak.report(world.services, ALICE, key_id)
    if when == "delivered":
        world.pass_time(DAY / 2)
        world.pass_time(DAY / 2)
    assert world.now(request).status is Status.UNCLAIMED
    with pytest.raises(KeyIsLeaked):
        confirm_receipt.confirm(world.services, ALICE, key_id)
    off_for_good(world, key_id)
    confirm_receipt.replace_key(world.services, ALICE, key_id)
    assert (
        world.iam.observed(key_id) is None
        and reveal(world, world.now(request)).status is Status.DELIVERED
    )


def test_a_leak_in_the_very_moment_of_a_late_receipt_wins() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.taps.on(
        "store.commit",
        before=lambda: report_leak.report(world.services, ALICE, request.access_key_id),
    )
    with pytest.raises(KeyIsLeaked):
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    off_for_good(world, request.access_key_id)


def test_a_found_key_that_leaked_is_not_enabled_by_an_approver_but_can_be_deleted() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    with pytest.raises(KeydeskError):
        reveal(world, request)
    for _ in range(3):
        world.pass_time(timedelta(minutes=8))
    (key_id,) = world.iam.made
    assert world.record(key_id).origin is Origin.ORPHANED
    report_leak.report(world.services, ALICE, key_id)
    with pytest.raises(KeyIsLeaked):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    off_for_good(world, key_id)
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED)
    assert world.iam.observed(key_id) is None


def test_a_leaked_key_that_is_turned_on_in_the_console_is_turned_off_again_by_the_look_after() -> (
    None
):
    world = make_desk()
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.pass_time(timedelta(minutes=15))
    off_for_good(world, key_id)
    world.rest(days=1)
    assert not world.still_due()


def test_a_leaked_key_that_is_turned_on_in_the_console_much_later_is_off_again_within_a_day() -> (
    None
):
    world = make_desk()
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    world.outlive(40)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.pass_time(DAY)
    off_for_good(world, key_id)


def test_an_expired_key_that_leaked_is_still_deleted_in_time() -> None:
    world = make_desk()
    request = confirm_receipt.confirm(world.services, ALICE, world.delivered().access_key_id)
    world.pass_time(90 * DAY)
    report_leak.report(world.services, ALICE, request.access_key_id)
    world.rest(10)
    assert world.iam.observed(request.access_key_id) is None
    assert (
        world.record(request.access_key_id).observed,
        world.record(request.access_key_id).leaked,
    ) == (ObservedState.DELETED, True)


def test_a_leaked_key_that_its_owner_turns_off_once_more_stays_leaked() -> None:
    world = make_desk(approval_free=FREE)
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    disable_key.disable(world.services, ALICE, key_id)
    assert world.record(key_id).leaked and world.iam.active == []
    with pytest.raises(Refused):
        create_request.enable(world.services, ALICE, key_id, "please")


def test_a_leaked_key_that_was_never_claimed_goes_though_somebody_turned_it_on_in_the_console_and_uses_it() -> (
    None
):
    world = make_desk()
    request = world.unclaimed()
    report_leak.report(world.services, ALICE, request.access_key_id)
    world.pass_time(DAY)
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.ACTIVE)
    world.iam.use(request.access_key_id)
    world.rest()
    assert (
        world.iam.observed(request.access_key_id) is None
        and world.now(request).status is Status.EXPIRED
    )
    assert not world.still_due()


def test_a_leaked_key_that_is_gone_from_aws_is_not_looked_at_for_ever() -> None:
    world = make_desk()
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    world.iam.delete_key(ALICE.email, key_id)
    for _ in range(3):
        world.pass_time(DAY)
    assert (
        world.record(key_id).observed is ObservedState.DELETED
        and world.record(key_id).next_run is None
    )
    with world.nothing_happens():
        world.pass_time(DAY)

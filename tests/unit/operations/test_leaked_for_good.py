"""A leaked key is never active again, whatever happens to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus, ObservedState, Origin
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.states import Status
from bot.operations import (
    apply_request,
    confirm_receipt,
    create_request,
    decide_orphan,
    disable_key,
    finish_rotation,
    report_leak,
)
from bot.slack import action_ids
from bot.slack.messages import keys
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, World, fails, make_desk, reveal
from tests.unit.operations.key_checks import assert_fields, assert_leaked, iam_status
from tests.unit.operations.key_steps import (
    APPROVAL_FREE,
    approve,
    confirm,
    confirmed,
    living,
    request_enable,
)
from tests.unit.operations.key_times import DAY, HOUR, ORPHAN_CHECK


@pytest.fixture
def world() -> World:
    return make_desk()


def report(world: World, key_id: str) -> None:
    report_leak.report(world.services, ALICE, key_id)


def enable_in_console(world: World, key_id: str) -> None:
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)


def leaked_key(world: World) -> str:
    key_id = world.console_key()
    report(world, key_id)
    return key_id


def assert_cannot_be_enabled(world: World, key_id: str) -> None:
    """Assert that every way to enable a leaked key is refused."""
    user, (key,) = world.iam.user(ALICE.email), world.iam.keys(ALICE.email)
    now = world.clock.now()
    ways: list[Callable[[], object]] = [
        lambda: create_request.enable(world.services, ALICE, key_id, "please"),
        lambda: apply_request.enable_without_approval(world.services, ALICE, user, key, "please"),
        lambda: finish_rotation.undo(world.services, ALICE, key_id),
        lambda: world.record(key_id).set_desired(DesiredState.ACTIVE, ALICE.id, now, check_at=now),
    ]
    for way in ways:
        with world.nothing_happens(), refuses(Code.KEY_IS_LEAKED):
            way()
    assert_leaked(world, key_id)


@pytest.mark.parametrize("free", [frozenset(), APPROVAL_FREE])
def test_a_leaked_key_is_never_enabled_even_without_approval(free: frozenset[str]) -> None:
    world = make_desk(approval_free=free)
    key_id = leaked_key(world)
    assert_cannot_be_enabled(world, key_id)
    enable_in_console(world, key_id)
    disable_key.disable(world.services, ALICE, key_id)
    assert_cannot_be_enabled(world, key_id)


def test_an_enable_approved_after_the_leak_has_no_effect(world: World) -> None:
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = request_enable(world, key_id)
    report(world, key_id)
    ended = approve(world, request)
    assert_fields(
        ended, status=Status.EXPIRED, detail=Detail(Code.KEY_IS_LEAKED, {"key_id": key_id})
    )
    assert_cannot_be_enabled(world, key_id)


def test_a_leak_reported_while_an_enable_is_applied_wins(world: World) -> None:
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = request_enable(world, key_id)
    world.taps.on("store.commit", nth=2, before=lambda: report(world, key_id))
    approve(world, request)
    world.rest(days=1)
    assert world.now(request).status is Status.EXPIRED
    assert_leaked(world, key_id)


def test_a_leak_reported_before_iam_enables_is_repaired() -> None:
    world = make_desk(approval_free=APPROVAL_FREE)
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    world.taps.on("issuer.set_status", before=lambda: report(world, key_id))
    create_request.enable(world.services, ALICE, key_id, "still used")
    assert_leaked(world, key_id)
    world.rest(days=1)
    assert_leaked(world, key_id)


# A leaked key before its receipt.


@pytest.mark.parametrize("when", ["delivered", "unclaimed"])
def test_a_receipt_does_not_enable_a_leaked_key(world: World, when: str) -> None:
    request = world.delivered() if when == "delivered" else world.unclaimed()
    key_id = request.access_key_id
    report(world, key_id)
    for _ in range(2 if when == "delivered" else 0):
        world.pass_time(DAY / 2)
    assert world.now(request).status is Status.UNCLAIMED
    with world.nothing_happens(), refuses(Code.KEY_IS_LEAKED):
        confirm(world, key_id)
    assert_leaked(world, key_id)
    confirm_receipt.replace_key(world.services, ALICE, key_id)
    assert iam_status(world, key_id) == "gone"
    assert reveal(world, request).status is Status.DELIVERED


def test_a_leak_at_the_moment_of_a_late_receipt_wins(world: World) -> None:
    key_id = world.unclaimed().access_key_id
    world.taps.on("store.commit", before=lambda: report(world, key_id))
    with refuses(Code.KEY_IS_LEAKED):
        confirm(world, key_id)
    assert_leaked(world, key_id)


def test_a_leaked_unclaimed_key_is_deleted_though_it_is_used(world: World) -> None:
    request = world.unclaimed()
    key_id = request.access_key_id
    report(world, key_id)
    world.pass_time(DAY)
    enable_in_console(world, key_id)
    world.iam.use(key_id)
    world.rest()
    assert (iam_status(world, key_id), world.now(request).status) == ("gone", Status.EXPIRED)
    assert not world.still_due()


def test_a_leaked_orphan_is_only_deleted(world: World) -> None:
    request = world.approved()
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, Code.KEY_CREATION_UNCONFIRMED)
    for _ in range(3):
        world.pass_time(ORPHAN_CHECK)
    (key_id,) = world.iam.made
    assert world.record(key_id).origin is Origin.ORPHANED
    report(world, key_id)
    card = str(keys.render(world.record(key_id), "found").blocks)
    assert action_ids.FOUND_ENABLE not in card and action_ids.FOUND_DELETE not in card
    with refuses(Code.KEY_IS_LEAKED):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    assert_leaked(world, key_id)
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED)
    assert iam_status(world, key_id) == "gone"


# A leaked key that is enabled in the console.


def test_a_check_disables_a_leaked_key_enabled_in_the_console(world: World) -> None:
    key_id = leaked_key(world)
    enable_in_console(world, key_id)
    world.pass_time(ORPHAN_CHECK)
    assert_leaked(world, key_id)
    world.outlive(40)
    assert not world.still_due()
    enable_in_console(world, key_id)
    world.pass_time(DAY)
    assert_leaked(world, key_id)


def test_a_leaked_key_awaiting_deletion_is_checked_daily(world: World) -> None:
    key_id = living(world).access_key_id
    world.outlive(31)
    assert world.record(key_id).inactive_reason is InactiveReason.EXPIRED
    report(world, key_id)
    world.pass_time(HOUR)
    enable_in_console(world, key_id)
    world.pass_time(DAY)
    assert world.iam.active == []
    world.rest(10)
    assert iam_status(world, key_id) == "gone"
    assert world.record(key_id).desired is DesiredState.DELETED


def test_an_expired_key_that_leaked_is_deleted_in_time(world: World) -> None:
    key_id = confirmed(world).access_key_id
    world.pass_time(90 * DAY)
    report(world, key_id)
    world.rest(10)
    assert iam_status(world, key_id) == "gone"
    record = world.record(key_id)
    assert (record.observed, record.leaked) == (ObservedState.DELETED, True)


def test_a_leaked_key_gone_from_aws_is_checked_no_more(world: World) -> None:
    key_id = leaked_key(world)
    world.iam.delete_key(ALICE.email, key_id)
    for _ in range(3):
        world.pass_time(DAY)
    record = world.record(key_id)
    assert (record.observed, record.next_run) == (ObservedState.DELETED, None)
    with world.nothing_happens():
        world.pass_time(DAY)


def test_an_owner_may_delete_a_leaked_key(world: World) -> None:
    key_id = leaked_key(world)
    disable_key.delete(world.services, ALICE, key_id)
    world.rest(days=1)
    assert iam_status(world, key_id) == "gone"

"""A leaked key is never active again, whoever or whatever tries."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError, Refused
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    KeyStatus,
    ManagedKey,
    ObservedState,
    Origin,
)
from bot.domain.outside_errors import OutcomeUnknown
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
from bot.slack.messages import keys
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, World, fails, make_desk, reveal

FREE = frozenset({"disable", "delete", "enable"})


DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def off_for_good(world: World, key_id: str) -> None:
    record = world.record(key_id)
    assert (record.leaked, record.desired, record.inactive_reason) == (
        True,
        DesiredState.INACTIVE,
        InactiveReason.LEAKED,
    )
    assert key_id not in world.iam.active


def never_on_again(world: World, key_id: str) -> None:
    off_for_good(world, key_id)
    with refuses(Code.KEY_IS_LEAKED):
        create_request.enable(world.services, ALICE, key_id, "please")
    with refuses(Code.KEY_IS_LEAKED):
        apply_request.enable_without_approval(
            world.services,
            ALICE,
            world.iam.user(ALICE.email),
            world.iam.keys(ALICE.email)[0],
            "please",
        )
    with refuses(Code.KEY_IS_LEAKED):
        finish_rotation.undo(world.services, ALICE, key_id)
    with refuses(Code.KEY_IS_LEAKED):
        world.record(key_id).set_desired(
            DesiredState.ACTIVE, ALICE.id, world.clock.now(), check_at=world.clock.now()
        )
    off_for_good(world, key_id)


def drawn(record: ManagedKey, kind: str) -> str:
    return str(keys.render(record, kind).blocks)


def living_key(world: World, lifetime: timedelta = 30 * DAY, *, confirmed: bool = True) -> str:
    """A key of Alice's that lives so long."""
    asked = create_request.create(
        world.services, ALICE, "deploy script", create_request.RequestOptions(lifetime=lifetime)
    )
    key_id = reveal(world, decide_request.approve(world.services, CAROL, asked.id)).access_key_id
    if confirmed:
        confirm_receipt.confirm(world.services, ALICE, key_id)
    return key_id


@pytest.mark.parametrize("free", [frozenset(), FREE])
def test_a_leaked_key_is_never_enabled_even_without_approval(
    free: frozenset[str],
) -> None:
    world = make_desk(approval_free=free)
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    never_on_again(world, key_id)


def test_an_enable_approved_after_the_leak_has_no_effect() -> None:
    world = make_desk()
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "still used")
    assert request is not None
    report_leak.report(world.services, ALICE, key_id)
    ended = decide_request.approve(world.services, CAROL, request.id)
    assert ended.status is Status.EXPIRED and ended.detail == Detail(
        Code.KEY_IS_LEAKED, {"key_id": key_id}
    )
    never_on_again(world, key_id)


def test_a_leak_reported_while_an_enable_is_applied_wins() -> None:
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


def test_a_leak_reported_before_iam_enables_is_repaired() -> None:
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
def test_a_receipt_does_not_enable_a_leaked_key(when: str) -> None:
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
    with refuses(Code.KEY_IS_LEAKED):
        confirm_receipt.confirm(world.services, ALICE, key_id)
    off_for_good(world, key_id)
    confirm_receipt.replace_key(world.services, ALICE, key_id)
    assert (
        world.iam.observed(key_id) is None
        and reveal(world, world.now(request)).status is Status.DELIVERED
    )


def test_a_leak_at_the_moment_of_a_late_receipt_wins() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.taps.on(
        "store.commit",
        before=lambda: report_leak.report(world.services, ALICE, request.access_key_id),
    )
    with refuses(Code.KEY_IS_LEAKED):
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    off_for_good(world, request.access_key_id)


def test_a_leaked_orphan_is_only_deleted() -> None:
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
    with refuses(Code.KEY_IS_LEAKED):
        decide_orphan.decide(world.services, CAROL, key_id, DesiredState.ACTIVE)
    off_for_good(world, key_id)
    decide_orphan.decide(world.services, CAROL, key_id, DesiredState.DELETED)
    assert world.iam.observed(key_id) is None


def test_a_leaked_orphans_card_does_not_offer_to_enable_it() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, Code.KEY_CREATION_UNCONFIRMED)
    world.rest(1)
    [found] = world.records()
    report_leak.report(world.services, ALICE, found.id)
    card = drawn(world.record(found.id), "found")
    assert "found_enable" not in card and "found_delete" not in card


def test_a_check_disables_a_leaked_key_enabled_in_the_console() -> None:
    world = make_desk()
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.pass_time(timedelta(minutes=15))
    off_for_good(world, key_id)
    world.rest(days=1)
    assert not world.still_due()


def test_a_leaked_key_enabled_much_later_is_off_within_a_day() -> None:
    world = make_desk()
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    world.outlive(40)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.pass_time(DAY)
    off_for_good(world, key_id)


def test_a_leaked_key_awaiting_deletion_is_checked_daily() -> None:
    world = make_desk()
    key_id = living_key(world)
    world.outlive(31)
    assert world.record(key_id).inactive_reason is InactiveReason.EXPIRED
    report_leak.report(world.services, ALICE, key_id)
    world.pass_time(HOUR)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.pass_time(DAY)
    assert world.iam.active == []
    world.rest(10)
    assert (
        world.iam.observed(key_id) is None and world.record(key_id).desired is DesiredState.DELETED
    )


def test_an_expired_key_that_leaked_is_deleted_in_time() -> None:
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


def test_a_leaked_key_disabled_again_by_its_owner_stays_leaked() -> None:
    world = make_desk(approval_free=FREE)
    key_id = world.console_key()
    report_leak.report(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    disable_key.disable(world.services, ALICE, key_id)
    assert world.record(key_id).leaked and world.iam.active == []
    with pytest.raises(Refused):
        create_request.enable(world.services, ALICE, key_id, "please")


def test_a_leaked_unclaimed_key_is_deleted_though_it_is_used() -> None:
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


def test_a_leaked_key_gone_from_aws_is_checked_no_more() -> None:
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

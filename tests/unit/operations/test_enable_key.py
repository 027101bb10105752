"""Request that a key is turned on again, or do it without approval."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus, Origin
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import create_request, decide_request, disable_key, report_leak
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, fails, make_desk, reveal
from tests.unit.operations.test_apply_request import DAY, approve, asked, inactive, living

FREE = frozenset({"disable", "delete", "enable"})


@pytest.fixture
def world() -> World:
    return make_desk()


def enable(world: World, key_id: str, reason: str = "the nightly job") -> KeyRequest | None:
    return create_request.enable(world.services, ALICE, key_id, reason)


def test_an_approval_enables_the_key_and_ends_the_request(world: World) -> None:
    key_id = inactive(world)
    request = asked(world, key_id)
    assert (request.verb, request.target, request.status) == ("enable", key_id, Status.PENDING)
    assert request.key(key_id) is not None and not request.delivers_secret
    assert world.iam.active == []
    done = approve(world, request)
    assert (done.status, done.deadline, done.decided_by) == (Status.CONFIRMED, None, CAROL.id)
    record = world.record(key_id)
    state = (record.desired, record.inactive_reason, record.owner, record.dm)
    assert state == (DesiredState.ACTIVE, InactiveReason.NONE, ALICE.id, "D0ALICE")
    assert world.iam.active == [key_id]
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="confirmed"):
        approve(world, done)


def test_a_key_without_a_record_is_adopted(world: World) -> None:
    key_id = world.console_key()
    world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    approve(world, asked(world, key_id))
    assert world.record(key_id).origin is Origin.ADOPTED and world.iam.active == [key_id]


def test_a_denied_or_cancelled_request_enables_nothing(world: World) -> None:
    key_id = inactive(world)
    decide_request.deny(world.services, CAROL, asked(world, key_id).id, "not needed")
    create_request.cancel(world.services, ALICE, asked(world, key_id).id)
    world.rest()
    assert world.iam.active == []


def test_only_an_own_inactive_key_is_enabled_for_a_reason(world: World) -> None:
    key_id, bobs = world.console_key(), world.console_key(BOB)
    with world.nothing_happens():
        with refuses(Code.KEY_ALREADY_ACTIVE, key_id=key_id):
            enable(world, key_id)
        with refuses(Code.REASON_MISSING):
            enable(world, key_id, " ")
        for other in (bobs, "AKIAIOSFODNN7EXAMPLE"):
            with refuses(Code.NOT_YOUR_KEY):
                enable(world, other)


def test_an_iam_user_has_one_open_enable_request(world: World) -> None:
    key_id, second = inactive(world), inactive(world)
    asked(world, key_id)
    with world.nothing_happens(), refuses(Code.REQUEST_ALREADY_OPEN, verb="enable", key_id=""):
        enable(world, second)


# -- without approval


def test_where_approval_is_not_needed_enabling_is_audited() -> None:
    world = make_desk(approval_free=FREE)
    key_id = inactive(world)
    assert enable(world, key_id) is None
    assert world.iam.active == [key_id]
    entry = next(one for one in world.store.entries if one.action == "enable")
    assert (entry.by, entry.reason, entry.to_status) == (ALICE.id, "the nightly job", "active")


def orphaned(world: World) -> str:
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, world.approved(), Code.KEY_CREATION_UNCONFIRMED)
    for _ in range(3):
        world.pass_time(timedelta(minutes=8))
    (key_id,) = world.iam.made
    return key_id


def expired(world: World, *, disabled: bool = False) -> str:
    key_id = living(world).access_key_id
    if disabled:
        disable_key.disable(world.services, ALICE, key_id)
    world.pass_time(90 * DAY)
    world.sweep()
    return key_id


def disabled_by_approver(world: World) -> str:
    key_id = living(world).access_key_id
    disable_key.disable_for(world.services, CAROL, key_id, "it is in a public file")
    return key_id


def reported(world: World) -> str:
    key_id = living(world).access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    report_leak.report(world.services, BOB, key_id)
    return key_id


ENDED: dict[str, Callable[[World], str]] = {
    "expired": expired,
    "expired while disabled": lambda world: expired(world, disabled=True),
    "unclaimed": lambda world: world.unclaimed().access_key_id,
    "orphaned": orphaned,
    "disabled by an approver": disabled_by_approver,
    "reported": reported,
}


@pytest.mark.parametrize("ended", ENDED.values(), ids=ENDED)
def test_a_key_ended_by_others_needs_approval(ended: Callable[[World], str]) -> None:
    world = make_desk(approval_free=FREE)
    key_id = ended(world)
    assert world.iam.active == []
    assert asked(world, key_id).status is Status.PENDING
    assert world.iam.active == []


# -- an unclaimed key


def test_enabling_an_unclaimed_key_is_its_receipt(world: World) -> None:
    first = world.unclaimed()
    approve(world, asked(world, first.access_key_id))
    assert world.now(first).status is Status.CONFIRMED
    world.outlive(20)
    assert world.iam.active == [first.access_key_id]


def test_enabling_an_unclaimed_rotation_starts_the_grace_period(world: World) -> None:
    key_id = reveal(world, world.rotating()).access_key_id
    for _ in range(2):
        world.pass_time(timedelta(hours=12))
    approve(world, asked(world, key_id))
    assert world.record(key_id).grace_ends_at == world.clock.now() + DAY
    world.pass_time(DAY)
    world.sweep()
    assert world.iam.active == [key_id]

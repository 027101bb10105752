"""Apply an approved change: turn a key on again, or extend it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import AlreadyOpen, BadCommand, ChangePending, KeydeskError, NotYourKey
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    KeyStatus,
    Origin,
)
from bot.domain.outside_errors import (
    IamDenied,
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    report_leak,
)
from tests.support.errors import refuses
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, CAROL, World, make_desk, reveal

DAY, SOON = timedelta(days=1), timedelta(seconds=15)
FREE = frozenset({"disable", "delete", "enable"})


def inactive(world: World) -> str:
    """A key of Alice's that she turned off."""
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    return key_id


def asked(world: World, key_id: str) -> KeyRequest:
    request = create_request.enable(world.services, ALICE, key_id, "the nightly job")
    assert request is not None
    return request


def living(world: World) -> KeyRequest:
    """A request whose key has arrived and lives for 90 days."""
    return confirm_receipt.confirm(world.services, ALICE, world.delivered().access_key_id)


def test_an_enable_request_has_what_approvers_see() -> None:
    world = make_desk()
    key_id = inactive(world)
    request = asked(world, key_id)
    assert (request.verb, request.target, request.status) == ("enable", key_id, Status.PENDING)
    assert not request.delivers_secret
    assert request.key(key_id) is not None and world.iam.active == []


def test_the_approval_turns_it_on_and_finishes_the_request() -> None:
    world = make_desk()
    key_id = inactive(world)
    done = decide_request.approve(world.services, CAROL, asked(world, key_id).id)
    assert (done.status, done.deadline, done.decided_by) == (Status.CONFIRMED, None, CAROL.id)
    record = world.record(key_id)
    assert (record.desired, record.inactive_reason, record.owner, record.dm) == (
        DesiredState.ACTIVE,
        InactiveReason.NONE,
        ALICE.id,
        "D0ALICE",
    )
    assert world.iam.active == [key_id]
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="confirmed"):
        decide_request.approve(world.services, CAROL, done.id)


def test_an_approval_counts_while_slack_is_unavailable() -> None:
    world = make_desk()
    key_id = inactive(world)
    request = asked(world, key_id)
    world.taps.on("directory.member", before=SlackUnavailable("users.info", "token_revoked"))
    with refuses(Code.APPROVED_NOT_APPLIED, service="slack"):
        decide_request.approve(world.services, CAROL, request.id)
    assert (world.now(request).status, world.iam.active) == (Status.APPROVED, [])
    world.pass_time(SOON)
    assert (world.now(request).status, world.iam.active) == (Status.CONFIRMED, [key_id])


def test_a_key_that_no_record_knows_is_adopted() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    decide_request.approve(world.services, CAROL, asked(world, key_id).id)
    assert world.record(key_id).origin is Origin.ADOPTED and world.iam.active == [key_id]


def test_a_denied_or_cancelled_request_turns_nothing_on() -> None:
    world = make_desk()
    key_id = inactive(world)
    decide_request.deny(world.services, CAROL, asked(world, key_id).id, "not needed")
    create_request.cancel(world.services, ALICE, asked(world, key_id).id)
    world.rest()
    assert world.iam.active == []


def test_what_need_not_be_asked_is_refused() -> None:
    world = make_desk()
    key_id = world.console_key()
    bobs = world.console_key(BOB)
    with world.nothing_happens():
        with refuses(Code.KEY_ALREADY_ACTIVE):
            create_request.enable(world.services, ALICE, key_id, "again")
        with pytest.raises(BadCommand):
            create_request.enable(world.services, ALICE, key_id, " ")
        for other in (bobs, "AKIAIOSFODNN7EXAMPLE"):
            with pytest.raises(NotYourKey):
                create_request.enable(world.services, ALICE, other, "mine")


def test_there_are_never_two_open_for_one_iam_user() -> None:
    world = make_desk()
    key_id, second = inactive(world), inactive(world)
    first = asked(world, key_id)
    with world.nothing_happens(), pytest.raises(AlreadyOpen) as refused:
        create_request.enable(world.services, ALICE, second, "this one, too")
    assert refused.value.request_id == first.id


def test_where_enabling_is_free_it_is_done_at_once_and_noted() -> None:
    world = make_desk(approval_free=FREE)
    key_id = inactive(world)
    assert create_request.enable(world.services, ALICE, key_id, "the nightly job") is None
    assert world.iam.active == [key_id]
    entry = next(e for e in world.store.entries if e.action == "enable")
    assert (entry.by, entry.reason, entry.to_status) == (ALICE.id, "the nightly job", "active")


@pytest.mark.parametrize(
    "ended",
    [
        "expired",
        "unclaimed",
        "found",
        "its time ran out while it was off",
        "turned off by an approver",
        "reported by somebody",
    ],
)
def test_a_key_that_the_desk_or_an_approver_ended_is_never_free(ended: str) -> None:
    world = make_desk(approval_free=FREE)
    if ended == "unclaimed":
        key_id = world.unclaimed().access_key_id
    elif ended == "found":
        request = world.approved()
        world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
        with pytest.raises(KeydeskError):
            reveal(world, request)
        for _ in range(3):
            world.pass_time(timedelta(minutes=8))
        (key_id,) = world.iam.made
    else:
        key_id = living(world).access_key_id
        if ended == "turned off by an approver":
            disable_key.disable_for(world.services, CAROL, key_id, "it is in a public file")
        elif ended != "expired":
            disable_key.disable(world.services, ALICE, key_id)
        if ended == "reported by somebody":
            report_leak.report(world.services, BOB, key_id)
        elif ended != "turned off by an approver":
            world.pass_time(90 * DAY)
            world.sweep()
    assert world.iam.active == []
    assert asked(world, key_id).status is Status.PENDING
    assert world.iam.active == []


def test_enabling_an_unclaimed_key_is_its_receipt() -> None:
    world = make_desk()
    first = world.unclaimed()
    decide_request.approve(world.services, CAROL, asked(world, first.access_key_id).id)
    assert world.now(first).status is Status.CONFIRMED
    world.outlive(20)
    assert world.iam.active == [first.access_key_id]


def test_enabling_an_unclaimed_rotation_starts_the_grace_period() -> None:
    world = make_desk()
    first = reveal(world, world.rotating())
    for _ in range(2):
        world.pass_time(timedelta(hours=12))
    decide_request.approve(world.services, CAROL, asked(world, first.access_key_id).id)
    assert world.record(first.access_key_id).grace_ends_at == world.clock.now() + DAY
    world.pass_time(DAY)
    world.sweep()
    assert world.iam.active == [first.access_key_id]


BEFORE_IT = {"store.key": 1}
"""Calls of the approval itself, before any of the doing."""


@pytest.mark.parametrize("call", ["issuer.user", "issuer.keys", "store.key"])
def test_the_scheduler_applies_what_a_dead_process_left(call: str) -> None:
    world = make_desk()
    key_id = inactive(world)
    request = asked(world, key_id)
    world.taps.on(call, before=ProcessDied(), nth=1 + BEFORE_IT.get(call, 0))
    with pytest.raises(ProcessDied):
        decide_request.approve(world.services, CAROL, request.id)
    world.taps.calm()
    assert world.now(request).status is Status.APPROVED and world.iam.active == []
    world.pass_time(SOON)
    assert world.now(request).status is Status.CONFIRMED and world.iam.active == [key_id]


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("issuer.user", IamUnavailable("GetUser")),
        ("issuer.keys", IamThrottled("Throttling", "ListAccessKeys")),
        ("issuer.keys", IamDenied("AccessDenied", "ListAccessKeys")),
        ("store.key", StoreUnavailable()),
        ("issuer.set_status", OutcomeUnknown("UpdateAccessKey")),
        ("issuer.set_status", IamThrottled("x", "x")),
    ],
)
def test_an_unanswered_change_is_applied_later(call: str, problem: KeydeskError) -> None:
    world = make_desk()
    key_id = inactive(world)
    request = asked(world, key_id)
    world.taps.on(call, before=problem, nth=1 + BEFORE_IT.get(call, 0))
    with pytest.raises(ChangePending):
        decide_request.approve(world.services, CAROL, request.id)
    assert world.iam.active == []
    for _ in range(3):
        world.pass_time(SOON)
    assert world.now(request).status is Status.CONFIRMED and world.iam.active == [key_id]


def gone(world: World, key_id: str) -> None:
    world.iam.delete_key(ALICE.email, key_id)


def active(world: World, key_id: str) -> None:
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)


def leaked(world: World, key_id: str) -> None:
    report_leak.report(world.services, ALICE, key_id)


def going(world: World, key_id: str) -> None:
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(ChangePending):
        disable_key.delete(world.services, ALICE, key_id)


def made_anew(world: World, key_id: str) -> None:
    world.iam.add_user(ALICE.email, "AIDANEW")


def no_user(world: World, key_id: str) -> None:
    del world.iam.users[ALICE.email]


@pytest.mark.parametrize("meanwhile", [gone, active, leaked, going, made_anew, no_user])
def test_an_impossible_change_ends_with_a_detail(
    meanwhile: object,
) -> None:
    world = make_desk()
    key_id = inactive(world)
    request = asked(world, key_id)
    meanwhile(world, key_id)
    record, shown = world.record(key_id), world.iam.observed(key_id)
    ended = decide_request.approve(world.services, CAROL, request.id)
    assert (ended.status, ended.deadline, ended.locks) == (Status.EXPIRED, None, frozenset())
    assert ended.detail and world.store.entries[-1].detail == ended.detail
    assert (world.record(key_id), world.iam.observed(key_id)) == (record, shown)


def test_of_an_approver_and_the_sweeper_one_applies_it() -> None:
    world = make_desk()
    key_id = living(world).access_key_id
    request = create_request.extend(world.services, ALICE, key_id)
    end = world.record(key_id).expires_at
    assert end is not None
    world.taps.on("store.commit", nth=2, before=lambda: world.pass_time(SOON))
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.CONFIRMED
    assert world.record(key_id).expires_at == end + 7 * DAY


# -- An approved key is said to be on again once IAM has done it, and not before.


RETRY = timedelta(seconds=15)
LOST: tuple[KeydeskError, ...] = (
    OutcomeUnknown("UpdateAccessKey"),
    IamUnavailable("UpdateAccessKey"),
)


def begun(world: World) -> KeyRequest:
    """A request whose key IAM was asked to turn on, without an answer and without having done it."""
    request = asked(world, inactive(world))
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.APPROVED_NOT_APPLIED):
        decide_request.approve(world.services, CAROL, request.id)
    return world.now(request)


@pytest.mark.parametrize("failure", LOST)
def test_it_is_not_said_to_be_on_before_iam_has_answered(failure: KeydeskError) -> None:
    world = make_desk()
    request = asked(world, inactive(world))
    world.taps.on("issuer.set_status", before=failure)
    with refuses(Code.APPROVED_NOT_APPLIED):
        decide_request.approve(world.services, CAROL, request.id)
    now = world.now(request)
    assert (now.status, now.last_event) == (Status.APPROVED, Event.START_APPLY)
    assert world.record(request.target).desired is DesiredState.ACTIVE and world.iam.active == []
    assert now.apply_started
    world.pass_time(2 * RETRY)
    assert world.now(request).status is Status.CONFIRMED and world.iam.active == [request.target]


def test_one_that_iam_did_without_an_answer_is_finished_by_time() -> None:
    world = make_desk()
    request = asked(world, inactive(world))
    world.taps.on("issuer.set_status", after=OutcomeUnknown("UpdateAccessKey"))
    with pytest.raises(ChangePending):
        decide_request.approve(world.services, CAROL, request.id)
    world.pass_time(2 * RETRY)
    assert world.now(request).status is Status.CONFIRMED and world.iam.active == [request.target]


@pytest.mark.parametrize(
    ("click", "code"),
    [
        (
            lambda world, request: decide_request.revoke(world.services, CAROL, request.id),
            Code.REVOKE_TOO_LATE,
        ),
        (
            lambda world, request: create_request.cancel(world.services, ALICE, request.id),
            Code.REQUEST_MOVED_ON,
        ),
    ],
)
def test_once_iam_was_asked_it_is_neither_revoked_nor_cancelled(
    click: Callable[[World, KeyRequest], object], code: Code
) -> None:
    world = make_desk()
    request = begun(world)
    with world.nothing_happens(), refuses(code, status="approved", key_id=request.target):
        click(world, request)


@pytest.mark.parametrize(
    "end",
    [
        lambda world, key_id: disable_key.disable(world.services, ALICE, key_id),
        lambda world, key_id: disable_key.disable_for(
            world.services, CAROL, key_id, "seen in public"
        ),
        lambda world, key_id: report_leak.report(world.services, ALICE, key_id),
    ],
)
def test_whoever_ends_the_key_meanwhile_keeps_it_off(end: Callable[[World, str], object]) -> None:
    world = make_desk()
    request = begun(world)
    end(world, request.target)
    assert world.record(request.target).desired is DesiredState.INACTIVE
    world.pass_time(2 * RETRY)
    now = world.now(request)
    assert now.status is Status.EXPIRED
    assert now.detail == Detail(Code.KEY_ENDED_BEFORE_APPLIED, {"key_id": request.target})
    assert world.iam.active == []


def test_one_that_is_gone_meanwhile_ends_with_the_reason() -> None:
    world = make_desk()
    request = begun(world)
    world.iam.delete_key(ALICE.email, request.target)
    world.pass_time(2 * RETRY)
    now = world.now(request)
    assert now.status is Status.EXPIRED
    assert now.detail == Detail(Code.KEY_ENDED_BEFORE_APPLIED, {"key_id": request.target})


def test_one_that_is_gone_as_iam_is_asked_ends_with_the_reason() -> None:
    world = make_desk()
    request = asked(world, inactive(world))
    world.taps.on(
        "issuer.set_status", before=lambda: world.iam.delete_key(ALICE.email, request.target)
    )
    ended = decide_request.approve(world.services, CAROL, request.id)
    assert ended.status is Status.EXPIRED
    assert ended.detail == Detail(Code.KEY_NOT_LISTED, {"key_id": request.target})


def test_a_key_turned_off_in_the_console_stays_applied() -> None:
    world = make_desk()
    request = asked(world, inactive(world))
    done = decide_request.approve(world.services, CAROL, request.id)
    world.iam.set_status(ALICE.email, request.target, KeyStatus.INACTIVE)
    world.pass_time(2 * RETRY)
    assert world.now(done).status is Status.CONFIRMED

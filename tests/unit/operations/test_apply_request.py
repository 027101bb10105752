"""Apply an approved change: turn a key on again, or extend it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import ChangePending, KeydeskError
from bot.domain.keys import DesiredState, KeyStatus
from bot.domain.outside_errors import (
    Conflict,
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
from bot.operations.services import MAX_CONFLICTS
from tests.support.errors import refuses
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, CAROL, World, make_desk

DAY, SOON = timedelta(days=1), timedelta(seconds=15)


@pytest.fixture
def world() -> World:
    return make_desk()


def inactive(world: World) -> str:
    """Return the ID of a key that Alice turned off."""
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    return key_id


def asked(world: World, key_id: str) -> KeyRequest:
    """Return the request that turns this key on."""
    request = create_request.enable(world.services, ALICE, key_id, "the nightly job")
    assert request is not None
    return request


def living(world: World) -> KeyRequest:
    """Return a request after the receipt of its key, which lives for 90 days."""
    return confirm_receipt.confirm(world.services, ALICE, world.delivered().access_key_id)


def approve(world: World, request: KeyRequest) -> KeyRequest:
    return decide_request.approve(world.services, CAROL, request.id)


def is_applied(world: World, request: KeyRequest) -> bool:
    done = world.now(request).status is Status.CONFIRMED
    return done and world.iam.active == [request.target]


# -- A change is applied later if a call fails or the process dies.


PROBLEMS: list[tuple[str, KeydeskError, str, Event]] = [
    ("directory.member", SlackUnavailable("users.info", "x"), "slack", Event.APPROVE),
    ("issuer.user", IamUnavailable("GetUser"), "aws", Event.APPROVE),
    ("issuer.keys", IamThrottled("Throttling", "ListAccessKeys"), "aws", Event.APPROVE),
    ("issuer.keys", IamDenied("AccessDenied", "ListAccessKeys"), "aws", Event.APPROVE),
    ("store.key", StoreUnavailable(), "store", Event.APPROVE),
    ("issuer.set_status", OutcomeUnknown("UpdateAccessKey"), "aws", Event.START_APPLY),
    ("issuer.set_status", IamUnavailable("UpdateAccessKey"), "aws", Event.START_APPLY),
    ("issuer.set_status", IamThrottled("x", "x"), "aws", Event.START_APPLY),
]
CALLS_OF_THE_APPROVAL = {"store.key": 1}
"""Calls that come before the change is applied."""


@pytest.mark.parametrize(
    ("call", "problem", "service", "event"),
    PROBLEMS,
    ids=[f"{call}: {problem.code}" for call, problem, *_ in PROBLEMS],
)
def test_an_unanswered_change_is_applied_later(
    world: World, call: str, problem: KeydeskError, service: str, event: Event
) -> None:
    request = asked(world, inactive(world))
    world.taps.on(call, before=problem, nth=1 + CALLS_OF_THE_APPROVAL.get(call, 0))
    with refuses(Code.APPROVED_NOT_APPLIED, service=service):
        approve(world, request)
    now = world.now(request)
    assert (now.status, now.last_event, world.iam.active) == (Status.APPROVED, event, [])
    started = event is Event.START_APPLY
    assert now.apply_started is started
    assert (world.record(request.target).desired is DesiredState.ACTIVE) is started
    for _ in range(3):
        world.pass_time(SOON)
    assert is_applied(world, request)


def test_a_change_that_iam_did_not_answer_is_finished_later(world: World) -> None:
    request = asked(world, inactive(world))
    world.taps.on("issuer.set_status", after=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.APPROVED_NOT_APPLIED):
        approve(world, request)
    world.pass_time(2 * SOON)
    assert is_applied(world, request)


@pytest.mark.parametrize("call", ["issuer.user", "issuer.keys", "store.key"])
def test_the_scheduler_applies_what_a_dead_process_left(world: World, call: str) -> None:
    request = asked(world, inactive(world))
    world.taps.on(call, before=ProcessDied(), nth=1 + CALLS_OF_THE_APPROVAL.get(call, 0))
    with pytest.raises(ProcessDied):
        approve(world, request)
    world.taps.calm()
    assert world.now(request).status is Status.APPROVED and world.iam.active == []
    world.pass_time(SOON)
    assert is_applied(world, request)


def test_of_an_approver_and_the_scheduler_one_applies_it(world: World) -> None:
    key_id = living(world).access_key_id
    request = create_request.extend(world.services, ALICE, key_id)
    end = world.record(key_id).expires_at
    world.taps.on("store.commit", nth=2, before=lambda: world.pass_time(SOON))
    assert approve(world, request).status is Status.CONFIRMED
    assert end and world.record(key_id).expires_at == end + 7 * DAY


def test_a_change_that_loses_every_race_stays_approved(world: World) -> None:
    request = asked(world, inactive(world))
    for nth in range(2, 2 + MAX_CONFLICTS):
        world.taps.on("store.commit", nth=nth, before=Conflict(request.name))
    with refuses(Code.APPROVED_KEY_BUSY):
        approve(world, request)
    assert (world.now(request).status, world.iam.active) == (Status.APPROVED, [])


# -- A change that is not possible any more ends the request.


def being_deleted(world: World, key_id: str) -> None:
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(ChangePending):
        disable_key.delete(world.services, ALICE, key_id)


def active_in_iam(world: World, key_id: str) -> None:
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)


def leaked(world: World, key_id: str) -> None:
    report_leak.report(world.services, ALICE, key_id)


def gone(world: World, key_id: str) -> None:
    world.iam.delete_key(ALICE.email, key_id)


IMPOSSIBLE: list[tuple[Callable[[World, str], object], Code]] = [
    (gone, Code.KEY_NOT_LISTED),
    (active_in_iam, Code.KEY_ALREADY_ACTIVE),
    (leaked, Code.KEY_IS_LEAKED),
    (being_deleted, Code.KEY_IS_BEING_DELETED),
    (lambda world, _: world.iam.add_user(ALICE.email, "AIDANEW"), Code.REQUESTER_CHANGED),
    (lambda world, _: world.iam.users.pop(ALICE.email), Code.IAM_USER_NOT_FOUND),
]


@pytest.mark.parametrize(("meanwhile", "code"), IMPOSSIBLE, ids=[code for _, code in IMPOSSIBLE])
def test_an_impossible_change_ends_with_a_detail(
    world: World, meanwhile: Callable[[World, str], object], code: Code
) -> None:
    request = asked(world, inactive(world))
    meanwhile(world, request.target)
    before = world.record(request.target), world.iam.observed(request.target)
    ended = approve(world, request)
    assert (ended.status, ended.deadline, ended.locks) == (Status.EXPIRED, None, frozenset())
    assert ended.detail and ended.detail.code == code
    assert world.store.entries[-1].detail == ended.detail
    assert (world.record(request.target), world.iam.observed(request.target)) == before


def begun(world: World) -> KeyRequest:
    """Return a request to enable a key that IAM has not enabled yet."""
    request = asked(world, inactive(world))
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.APPROVED_NOT_APPLIED):
        approve(world, request)
    return world.now(request)


def test_a_change_that_has_begun_is_not_revoked_or_cancelled(world: World) -> None:
    request = begun(world)
    facts = {"status": "approved", "key_id": request.target}
    with world.nothing_happens():
        with refuses(Code.REVOKE_TOO_LATE, **facts):
            decide_request.revoke(world.services, CAROL, request.id)
        with refuses(Code.REQUEST_MOVED_ON, **facts):
            create_request.cancel(world.services, ALICE, request.id)


@pytest.mark.parametrize(
    "end",
    [
        lambda world, key_id: disable_key.disable(world.services, ALICE, key_id),
        lambda world, key_id: disable_key.disable_for(world.services, CAROL, key_id, "public"),
        leaked,
        gone,
    ],
    ids=["its owner", "an approver", "a report", "an AWS admin"],
)
def test_a_key_ended_while_it_is_enabled_stays_off(
    world: World, end: Callable[[World, str], object]
) -> None:
    request = begun(world)
    end(world, request.target)
    world.pass_time(2 * SOON)
    now = world.now(request)
    detail = Detail(Code.KEY_ENDED_BEFORE_APPLIED, {"key_id": request.target})
    assert (now.status, now.detail, world.iam.active) == (Status.EXPIRED, detail, [])
    desired = DesiredState.DELETED if end is gone else DesiredState.INACTIVE
    assert world.record(request.target).desired is desired


def test_a_key_gone_as_iam_is_asked_ends_the_request(world: World) -> None:
    request = asked(world, inactive(world))
    world.taps.on("issuer.set_status", before=lambda: gone(world, request.target))
    ended = approve(world, request)
    detail = Detail(Code.KEY_NOT_LISTED, {"key_id": request.target})
    assert (ended.status, ended.detail) == (Status.EXPIRED, detail)


def test_a_key_turned_off_in_the_console_stays_applied(world: World) -> None:
    done = approve(world, asked(world, inactive(world)))
    world.iam.set_status(ALICE.email, done.target, KeyStatus.INACTIVE)
    world.pass_time(2 * SOON)
    assert world.now(done).status is Status.CONFIRMED

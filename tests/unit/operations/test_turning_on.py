"""An approved key is said to be on again once IAM has done it, and not before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import (
    ChangePending,
    IamUnavailable,
    KeydeskError,
    OutcomeUnknown,
)
from bot.domain.keys import DesiredState, KeyStatus
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import (
    create_request,
    decide_request,
    disable_key,
    report_leak,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, World, make_desk
from tests.unit.operations.test_apply_request import asked, inactive

SOON = timedelta(seconds=15)
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
    world.pass_time(2 * SOON)
    assert world.now(request).status is Status.CONFIRMED and world.iam.active == [request.target]


def test_one_that_iam_did_without_an_answer_is_finished_by_time() -> None:
    world = make_desk()
    request = asked(world, inactive(world))
    world.taps.on("issuer.set_status", after=OutcomeUnknown("UpdateAccessKey"))
    with pytest.raises(ChangePending):
        decide_request.approve(world.services, CAROL, request.id)
    world.pass_time(2 * SOON)
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
    world.pass_time(2 * SOON)
    now = world.now(request)
    assert now.status is Status.EXPIRED
    assert now.detail == Detail(Code.KEY_ENDED_BEFORE_APPLIED, {"key_id": request.target})
    assert world.iam.active == []


def test_one_that_is_gone_meanwhile_ends_with_the_reason() -> None:
    world = make_desk()
    request = begun(world)
    world.iam.delete_key(ALICE.email, request.target)
    world.pass_time(2 * SOON)
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


def test_a_key_that_the_console_turned_off_after_it_was_on_is_still_said_to_have_been_done() -> (
    None
):
    world = make_desk()
    request = asked(world, inactive(world))
    done = decide_request.approve(world.services, CAROL, request.id)
    world.iam.set_status(ALICE.email, request.target, KeyStatus.INACTIVE)
    world.pass_time(2 * SOON)
    assert world.now(done).status is Status.CONFIRMED

"""Limit actions: beyond a limit nothing happens, but safe actions still work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.identity import Member
from bot.domain.rate_limits import Limit, LimitedAction, RateLimited
from bot.domain.states import Status
from bot.operations import (
    create_request,
    decide_request,
    disable_key,
    remind_approvers,
    report_leak,
    reveal_key,
)
from bot.operations.create_request import RequestOptions
from bot.operations.report_leak import report
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

HOUR = timedelta(hours=1)
UNKNOWN = [f"AKIAIOSFODNN7EXAMPL{letter}" for letter in "ABCDEFGHJKLM"]
Step = Callable[[World], object]


def limited(action: LimitedAction, person: int = 1, overall: int = 9, **settings: object) -> World:
    """Return a world with this limit of one action and no other that is reached."""
    hourly_limits = dict.fromkeys(LimitedAction, Limit(99, 999)) | {action: Limit(person, overall)}
    world = make_desk(hourly_limits=hourly_limits, **settings)
    world.iam.add_user(CAROL.email)
    return world


def assert_limited(world: World, step: Step) -> RateLimited:
    """Assert that the step is over a limit, and return the refusal."""
    with world.nothing_happens(), pytest.raises(RateLimited) as over:
        step(world)
    assert over.value.code is Code.RATE_LIMITED
    return over.value


def assert_limited_for_an_hour(world: World, step: Step) -> RateLimited:
    over = assert_limited(world, step)
    world.clock.advance(HOUR)
    step(world)
    return over


def enable(world: World) -> object:
    (key,) = world.iam.keys(ALICE.email)
    return create_request.enable(world.services, ALICE, key.id, "needed again")


# -- requests


REQUESTS: dict[str, Step] = {
    "create": lambda world: create_request.create(world.services, ALICE, "deploy"),
    "create --urgent": lambda world: create_request.create(
        world.services, ALICE, "incident", RequestOptions(urgent=True)
    ),
    "rotate": lambda world: create_request.rotate(world.services, ALICE, world.iam.active[0]),
    "enable": enable,
    "enable without approval": enable,
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_verb_that_requests_is_counted(name: str) -> None:
    free = {"disable", "delete"} | ({"enable"} if "without" in name else set())
    settings = {"break_glass": frozenset({ALICE.id}), "approval_free": frozenset(free)}
    world = limited(LimitedAction.REQUEST, **settings)
    key_id = world.console_key()
    if name.startswith("enable"):
        disable_key.disable(world.services, ALICE, key_id)
    create_request.cancel(world.services, ALICE, world.pending().id)
    over = assert_limited_for_an_hour(world, REQUESTS[name])
    assert (over.limited_action, over.limit) == ("request", 1)
    assert (over.whose, over.first) == ("person", True)


def test_extending_counts_as_a_request() -> None:
    world = limited(LimitedAction.REQUEST)
    key_id = world.delivered().access_key_id
    assert_limited_for_an_hour(
        world, lambda _: create_request.extend(world.services, ALICE, key_id)
    )


def test_a_limited_reveal_creates_no_key_and_keeps_the_approval() -> None:
    world = limited(LimitedAction.REVEAL, person=0)
    request = world.approved()
    over = assert_limited(world, lambda _: reveal_key.reveal(world.services, ALICE, request.id))
    assert over.limited_action == "reveal" and not world.iam.made
    assert world.now(request).status is Status.APPROVED


def test_reveals_are_counted_over_all_requests_of_a_user() -> None:
    world = limited(LimitedAction.REVEAL, person=1)
    rotation = create_request.rotate(world.services, ALICE, world.delivered().access_key_id)
    decide_request.approve(world.services, CAROL, rotation.id)
    assert_limited_for_an_hour(
        world, lambda _: reveal_key.reveal(world.services, ALICE, rotation.id)
    )
    assert world.now(rotation).status is Status.DELIVERED


def test_a_limited_nudge_reminds_no_approver() -> None:
    world = limited(LimitedAction.NUDGE, person=0)
    request = world.pending_request()
    over = assert_limited(
        world, lambda _: remind_approvers.nudge(world.services, ALICE, request.id)
    )
    assert over.limited_action == "nudge" and world.now(request).nudged_at is None


def test_decisions_are_never_limited() -> None:
    world = make_desk(hourly_limits=dict.fromkeys(LimitedAction, Limit(1, 1)))
    request = world.pending()
    for _ in range(31):
        remind_approvers.toggle_review(world.services, CAROL, request.id)
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.APPROVED
    assert decide_request.revoke(world.services, ERIN, request.id).status is Status.DENIED


# -- leak reports


@pytest.mark.parametrize("member", [ALICE, CAROL], ids=["owner", "approver"])
def test_owners_and_approvers_disable_beyond_every_limit(member: Member) -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=1, overall=1)
    key_id = world.console_key()
    report(world.services, BOB, UNKNOWN[0])
    if member is ALICE:
        report(world.services, ALICE, world.iam.create_key(ALICE.email)[0].id)
        assert report(world.services, ALICE, key_id).disabled
    else:
        assert report(world.services, CAROL, key_id).ask
        report_leak.disable(world.services, CAROL, key_id)
    assert world.iam.active == []


def test_a_report_by_others_does_not_reveal_whether_a_key_exists() -> None:
    """Give the same answers and counters for existing and for unknown keys."""

    def outcomes(exists: bool) -> list[str]:
        world = limited(LimitedAction.LEAK_REPORT, person=2)
        existing = [world.iam.create_key(member.email)[0].id for member in (ALICE, CAROL, ALICE)]
        answers = []
        for key_id in existing if exists else UNKNOWN[:3]:
            try:
                answers.append(repr(report(world.services, BOB, key_id)))
            except RateLimited as over:
                answers.append(f"{over.detail()} {over.first}")
        return [*answers, str(world.store.counted)]

    assert outcomes(exists=True) == outcomes(exists=False)


def test_repeated_reports_of_one_key_are_counted() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=3)
    key_id = world.console_key()
    for _ in range(3):
        report(world.services, BOB, key_id)
    assert_limited(world, lambda _: report(world.services, BOB, key_id))


def test_one_reporter_cannot_block_the_others() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=3, overall=6)
    for key_id in UNKNOWN[:3]:
        report(world.services, BOB, key_id)
    for key_id in UNKNOWN[3:]:
        over = assert_limited(world, lambda _, id_=key_id: report(world.services, BOB, id_))
        assert over.whose == "person"
    key_id = world.console_key()
    report(world.services, replace(ERIN, is_guest=True), key_id)
    assert world.record(key_id).reported_by == ERIN.id


def test_a_shared_limit_refuses_a_report_until_the_next_hour() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=9, overall=0)
    key_id = world.console_key()
    over = assert_limited(world, lambda _: report(world.services, BOB, key_id))
    assert over.whose == "all"
    assert timedelta() < over.until - world.clock.now() <= HOUR
    assert world.store.key(key_id) is None

"""Rate limits: beyond them nothing happens, but safe actions still work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code
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
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

HOUR = timedelta(hours=1)
FREE = frozenset({"disable", "delete", "enable"})
FOREIGN = [f"AKIAIOSFODNN7EXAMPL{letter}" for letter in "ABCDEFGHJKLM"]
Ask = Callable[[World], object]


def limited(
    limited_action: LimitedAction, person: int = 1, overall: int = 9, **rules: object
) -> World:
    """Return a world with this limit of one action. The other limits are never reached."""
    hourly_limits = dict.fromkeys(LimitedAction, Limit(99, 999)) | {
        limited_action: Limit(person, overall)
    }
    world = make_desk(hourly_limits=hourly_limits, **rules)
    world.iam.add_user(CAROL.email)
    return world


def refused(world: World, step: Callable[[], object]) -> RateLimited:
    """Assert that the step is over a limit and that nothing happens. Return the refusal."""
    with world.nothing_happens(), pytest.raises(RateLimited) as over:
        step()
    assert over.value.code is Code.RATE_LIMITED
    return over.value


def used_up(world: World) -> None:
    """Use up the one request of this hour: Alice creates it and cancels it."""
    create_request.cancel(world.services, ALICE, world.pending().id)


def enables(world: World) -> object:
    [key] = world.iam.keys(ALICE.email)
    return create_request.enable(world.services, ALICE, key.id, "needed again")


@pytest.mark.parametrize(
    "asks",
    [
        lambda world: create_request.create(world.services, ALICE, "deploy"),
        lambda world: create_request.create(
            world.services, ALICE, "incident", create_request.RequestOptions(urgent=True)
        ),
        lambda world: create_request.rotate(world.services, ALICE, world.iam.active[0]),
    ],
    ids=["create", "create --urgent", "rotate"],
)
def test_every_verb_that_requests_is_counted(asks: Ask) -> None:
    world = limited(LimitedAction.REQUEST, break_glass=frozenset({ALICE.id}))
    world.console_key()
    used_up(world)
    over = refused(world, lambda: asks(world))
    assert (over.limited_action, over.limit, over.whose, over.first) == (
        "request",
        1,
        "person",
        True,
    )
    world.clock.advance(HOUR)
    asks(world)


@pytest.mark.parametrize(
    "free", [frozenset({"disable", "delete"}), FREE], ids=["asked for", "without approval"]
)
def test_enabling_counts_with_and_without_approval(
    free: frozenset[str],
) -> None:
    world = limited(LimitedAction.REQUEST, approval_free=free)
    disable_key.disable(world.services, ALICE, world.console_key())
    used_up(world)
    refused(world, lambda: enables(world))
    world.clock.advance(HOUR)
    enables(world)


def test_extending_counts_as_a_request() -> None:
    world = limited(LimitedAction.REQUEST)
    key_id = world.delivered().access_key_id
    record = world.record(key_id)
    assert record.expires_at
    refused(world, lambda: create_request.extend(world.services, ALICE, key_id))
    world.clock.advance(HOUR)
    assert create_request.extend(world.services, ALICE, key_id).status is Status.PENDING


def test_limited_reveal_makes_no_key_and_keeps_the_approval() -> None:
    world = limited(LimitedAction.REVEAL, person=0)
    request = world.approved()
    over = refused(world, lambda: reveal_key.reveal(world.services, ALICE, request.id))
    assert over.limited_action == "reveal" and not world.iam.made
    assert world.now(request).status is Status.APPROVED


def test_reveals_are_counted_over_all_requests_of_a_user() -> None:
    world = limited(LimitedAction.REVEAL, person=1)
    world.delivered()
    target = world.iam.active[0]
    rotation = decide_request.approve(
        world.services, CAROL, create_request.rotate(world.services, ALICE, target).id
    )
    refused(world, lambda: reveal_key.reveal(world.services, ALICE, rotation.id))
    world.clock.advance(HOUR)
    assert reveal_key.reveal(world.services, ALICE, rotation.id).status is Status.DELIVERED


def test_limited_nudge_reminds_no_approver() -> None:
    world = limited(LimitedAction.NUDGE, person=0)
    request = world.pending_request()
    assert (
        refused(
            world, lambda: remind_approvers.nudge(world.services, ALICE, request.id)
        ).limited_action
        == "nudge"
    )
    assert world.now(request).nudged_at is None


def test_decisions_are_never_limited() -> None:
    world = make_desk(hourly_limits=dict.fromkeys(LimitedAction, Limit(1, 1)))
    request = world.pending()
    remind_approvers.toggle_review(world.services, CAROL, request.id)
    for _ in range(30):
        remind_approvers.toggle_review(world.services, CAROL, request.id)
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.APPROVED
    assert decide_request.revoke(world.services, ERIN, request.id).status is Status.DENIED


# -- leak reports


def test_owner_report_disables_beyond_every_limit() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=1, overall=1)
    key_id = world.console_key()
    report_leak.report(world.services, BOB, FOREIGN[0])
    report_leak.report(world.services, ALICE, world.iam.create_key(ALICE.email)[0].id)
    assert report_leak.report(world.services, ALICE, key_id).disabled
    assert world.iam.active == []


def test_approver_disables_a_leaked_key_beyond_every_limit() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=1, overall=1)
    key_id = world.console_key()
    report_leak.report(world.services, BOB, FOREIGN[0])
    assert report_leak.report(world.services, CAROL, key_id).ask
    report_leak.disable(world.services, CAROL, key_id)
    assert world.iam.active == []


def test_report_by_others_does_not_reveal_whether_a_key_exists() -> None:
    """The answers and the counters are the same for existing and for unknown keys."""

    def outcomes(exists: bool) -> list[str]:
        world = limited(LimitedAction.LEAK_REPORT, person=2)
        real = [world.iam.create_key(member.email)[0].id for member in (ALICE, CAROL, ALICE)]
        said = []
        for key_id in real if exists else FOREIGN[:3]:
            try:
                said.append(repr(report_leak.report(world.services, BOB, key_id)))
            except RateLimited as over:
                said.append(f"{over.detail()} {over.first}")
        return [*said, str(world.store.counted)]

    assert outcomes(exists=True) == outcomes(exists=False)


def test_repeated_reports_of_one_key_are_counted() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=3)
    key_id = world.console_key()
    for _ in range(3):
        report_leak.report(world.services, BOB, key_id)
    refused(world, lambda: report_leak.report(world.services, BOB, key_id))


def test_one_reporter_cannot_block_the_others() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=3, overall=6)
    for key_id in FOREIGN:
        try:
            report_leak.report(world.services, BOB, key_id)
        except RateLimited as over:
            assert over.whose == "person"
    key_id = world.console_key()
    report_leak.report(world.services, replace(ERIN, is_guest=True), key_id)
    assert world.record(key_id).reported_by == ERIN.id


def test_shared_limit_refuses_a_report_until_the_next_hour() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=9, overall=0)
    key_id = world.console_key()
    over = refused(world, lambda: report_leak.report(world.services, BOB, key_id))
    assert over.whose == "all"
    assert timedelta() < over.until - world.clock.now() <= HOUR
    assert world.store.key(key_id) is None

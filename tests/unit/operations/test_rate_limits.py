"""How much one person may do in an hour: beyond it nothing happens, they are told once, and what is safe goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

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
    """A desk with this limit of one deed, and none that is met of the others."""
    hourly_limits = dict.fromkeys(LimitedAction, Limit(99, 999)) | {
        limited_action: Limit(person, overall)
    }
    world = make_desk(hourly_limits=hourly_limits, **rules)
    world.iam.add_user(CAROL.email)
    return world


def refused(world: World, step: Callable[[], object]) -> RateLimited:
    """The step is one too many: nothing happens at all."""
    with world.nothing_happens(), pytest.raises(RateLimited) as over:
        step()
    return over.value


def used_up(world: World) -> None:
    """Alice asks, and takes it back: her one request of this hour."""
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
def test_every_verb_that_asks_is_counted_as_a_request(asks: Ask) -> None:
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
def test_turning_a_key_on_again_is_a_request_whether_or_not_it_needs_approval(
    free: frozenset[str],
) -> None:
    world = limited(LimitedAction.REQUEST, approval_free=free)
    disable_key.disable(world.services, ALICE, world.console_key())
    used_up(world)
    refused(world, lambda: enables(world))
    world.clock.advance(HOUR)
    enables(world)


def test_more_time_is_a_request_too() -> None:
    world = limited(LimitedAction.REQUEST)
    key_id = world.delivered().access_key_id
    record = world.record(key_id)
    assert record.expires_at
    refused(world, lambda: create_request.extend(world.services, ALICE, key_id))
    world.clock.advance(HOUR)
    assert create_request.extend(world.services, ALICE, key_id).status is Status.PENDING


def test_a_reveal_beyond_the_limit_makes_no_key_and_the_approval_stands() -> None:
    world = limited(LimitedAction.REVEAL, person=0)
    request = world.approved()
    over = refused(world, lambda: reveal_key.reveal(world.services, ALICE, request.id))
    assert over.limited_action == "reveal" and not world.iam.made
    assert world.now(request).status is Status.APPROVED and "approval still stands" in over.sentence


def test_reveals_are_counted_over_all_of_a_persons_requests() -> None:
    world = limited(LimitedAction.REVEAL, person=1)
    world.delivered()
    target = world.iam.active[0]
    rotation = decide_request.approve(
        world.services, CAROL, create_request.rotate(world.services, ALICE, target).id
    )
    refused(world, lambda: reveal_key.reveal(world.services, ALICE, rotation.id))
    world.clock.advance(HOUR)
    assert reveal_key.reveal(world.services, ALICE, rotation.id).status is Status.DELIVERED


def test_a_nudge_beyond_the_limit_asks_nobody() -> None:
    world = limited(LimitedAction.NUDGE, person=0)
    request = world.pending_request()
    assert (
        refused(
            world, lambda: remind_approvers.nudge(world.services, ALICE, request.id)
        ).limited_action
        == "nudge"
    )
    assert world.now(request).nudged_at is None


def test_approving_denying_and_taking_back_are_never_limited() -> None:
    world = make_desk(hourly_limits=dict.fromkeys(LimitedAction, Limit(1, 1)))
    request = world.pending()
    remind_approvers.toggle_review(world.services, CAROL, request.id)
    for _ in range(30):
        remind_approvers.toggle_review(world.services, CAROL, request.id)
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.APPROVED
    assert decide_request.revoke(world.services, ERIN, request.id).status is Status.DENIED


# -- leak reports


def test_an_owners_report_turns_the_key_off_though_every_limit_is_used_up() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=1, overall=1)
    key_id = world.console_key()
    report_leak.report(world.services, BOB, FOREIGN[0])
    report_leak.report(world.services, ALICE, world.iam.create_key(ALICE.email)[0].id)
    assert report_leak.report(world.services, ALICE, key_id).disabled
    assert world.iam.active == []


def test_an_approver_turns_a_leaked_key_off_though_every_limit_is_used_up() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=1, overall=1)
    key_id = world.console_key()
    report_leak.report(world.services, BOB, FOREIGN[0])
    assert report_leak.report(world.services, CAROL, key_id).ask
    report_leak.disable(world.services, CAROL, key_id)
    assert world.iam.active == []


def test_what_a_stranger_is_told_and_how_it_is_counted_does_not_depend_on_whether_the_key_exists() -> (
    None
):
    def outcomes(exists: bool) -> list[str]:
        world = limited(LimitedAction.LEAK_REPORT, person=2)
        real = [world.iam.create_key(member.email)[0].id for member in (ALICE, CAROL, ALICE)]
        said = []
        for key_id in real if exists else FOREIGN[:3]:
            try:
                said.append(repr(report_leak.report(world.services, BOB, key_id)))
            except RateLimited as over:
                said.append(f"{over.sentence} {over.first}")
        return [*said, str(world.store.counted)]

    assert outcomes(exists=True) == outcomes(exists=False)


def test_reporting_the_same_key_again_and_again_is_counted() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=3)
    key_id = world.console_key()
    for _ in range(3):
        report_leak.report(world.services, BOB, key_id)
    refused(world, lambda: report_leak.report(world.services, BOB, key_id))


def test_one_who_reports_without_end_keeps_nobody_else_from_reporting() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=3, overall=6)
    for key_id in FOREIGN:
        try:
            report_leak.report(world.services, BOB, key_id)
        except RateLimited as over:
            assert over.whose == "person"
    key_id = world.console_key()
    report_leak.report(world.services, replace(ERIN, is_guest=True), key_id)
    assert world.record(key_id).reported_by == ERIN.id


def test_beyond_what_all_may_report_a_stranger_is_told_where_to_go_instead() -> None:
    world = limited(LimitedAction.LEAK_REPORT, person=9, overall=0)
    key_id = world.console_key()
    over = refused(world, lambda: report_leak.report(world.services, BOB, key_id))
    assert (
        over.whose == "all"
        and "tell an approver in person" in over.sentence
        and "AWS console" in over.sentence
    )
    assert f"{over.until:%H:%M} UTC" in over.sentence
    assert world.store.key(key_id) is None

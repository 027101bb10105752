"""Time passes: requests lapse, receipts are asked for, keys that nobody has are turned off and then deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.errors import (
    ClockSkewed,
    Conflict,
    IamDenied,
    IamUnavailable,
)
from bot.domain.keys import DesiredState, KeyStatus
from bot.domain.states import Event, Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    run_due,
)
from tests.support.world import ALICE, CAROL, make_desk, no_key_is_left, reveal

HOURS_12, SECOND = timedelta(hours=12), timedelta(seconds=1)


@pytest.mark.parametrize("state", ["pending", "approved"])
def test_a_request_lapses_when_its_time_is_over_and_not_before(state: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    world.pass_time(timedelta(hours=48))  # what its key may do is read
    world.sweep()  # and its reminders are behind it
    with world.nothing_happens():
        world.pass_time(timedelta(hours=24) - SECOND)
    world.pass_time(SECOND)
    now = world.now(request)
    assert (now.status, now.last_event_by, now.deadline, now.locks) == (
        Status.EXPIRED,
        "keydesk",
        None,
        frozenset(),
    )
    assert world.slack.rendered[-1] == request.name
    with world.nothing_happens():
        world.rest(days=1)


def test_a_key_without_a_receipt_is_reminded_of_once_at_half_time() -> None:
    world = make_desk()
    request = world.delivered()
    with world.nothing_happens():
        world.pass_time(HOURS_12 - SECOND)
    world.pass_time(SECOND)
    now = world.now(request)
    assert (now.status, now.last_event, now.reminded_at) == (
        Status.DELIVERED,
        Event.REMIND,
        world.clock.now(),
    )
    with world.nothing_happens():
        world.pass_time(HOURS_12 - SECOND)


@pytest.mark.parametrize("click", ["approve", "reveal", "cancel"])
def test_a_click_at_a_process_whose_clock_is_off_ends_no_request_by_that_clock(click: str) -> None:
    """By its clock the request is over; by the store's there may be time left."""
    world = make_desk()
    request = world.pending() if click == "approve" else world.approved()
    world.clock.advance(timedelta(hours=73))
    world.clock.ahead = timedelta(hours=1)
    clicks = {
        "approve": lambda: decide_request.approve(world.services, CAROL, request.id),
        "reveal": lambda: reveal(world, request),
        "cancel": lambda: create_request.cancel(world.services, ALICE, request.id),
    }
    with world.nothing_happens(), pytest.raises(ClockSkewed, match="no request ends by it"):
        clicks[click]()
    world.clock.ahead = timedelta(0)
    world.sweep()
    assert world.now(request).status is Status.EXPIRED


@pytest.mark.parametrize("half_times", [1, 2])
def test_a_key_that_has_been_used_has_reached_its_person(half_times: int) -> None:
    world = make_desk()
    request = world.delivered()
    for _ in range(half_times - 1):
        world.pass_time(HOURS_12)
    world.iam.use(request.access_key_id)
    world.pass_time(HOURS_12)
    assert (
        world.now(request).status is Status.CONFIRMED
        and world.store.entries[-1].reason == "the key has been used"
    )
    assert world.iam.active == [request.access_key_id]


def test_a_key_without_receipt_or_use_is_turned_off_and_after_a_week_deleted() -> None:
    world = make_desk()
    request = world.unclaimed()
    assert (request.status, request.unclaimed_at) == (Status.UNCLAIMED, world.clock.now())
    assert world.record(request.access_key_id).desired is DesiredState.INACTIVE
    no_key_is_left(world)
    world.pass_time(timedelta(days=7) - SECOND)
    assert world.iam.observed(request.access_key_id) is not None
    world.pass_time(SECOND)
    assert (
        world.now(request).status is Status.EXPIRED
        and world.iam.observed(request.access_key_id) is None
    )


def test_an_unclaimed_key_that_somebody_turned_on_in_aws_and_uses_is_not_deleted() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.pass_time(
        timedelta(minutes=16)
    )  # a call of the desk's own that ran late is out of the question by now
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.ACTIVE)
    world.iam.use(request.access_key_id)
    world.pass_time(timedelta(days=8))
    assert world.now(request).status is Status.CONFIRMED
    assert world.iam.active == [request.access_key_id] and world.desired() == [
        request.access_key_id
    ]


def test_a_key_that_its_owner_deleted_while_its_receipt_was_due_lets_the_request_end() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit",
        nth=3,
        before=lambda: [
            disable_key.disable(world.services, ALICE, *world.iam.made),
            disable_key.delete(world.services, ALICE, *world.iam.made),
        ],
    )
    reveal(world, request)
    world.rest()
    assert world.now(request).status is Status.EXPIRED
    no_key_is_left(world)


def test_a_key_that_iam_does_not_know_any_more_counts_as_unused() -> None:
    world = make_desk()
    request = world.delivered()
    world.iam.delete_key(ALICE.email, request.access_key_id)
    for _ in range(2):
        world.taps.on("issuer.last_used", before=IamDenied("AccessDenied", "GetAccessKeyLastUsed"))
        world.pass_time(HOURS_12)
    assert world.now(request).status is Status.UNCLAIMED


@pytest.mark.parametrize(
    "problem",
    [IamDenied("AccessDenied", "GetAccessKeyLastUsed"), IamUnavailable("GetAccessKeyLastUsed")],
)
def test_while_iam_does_not_say_whether_a_key_was_used_it_is_not_turned_off(
    problem: Exception,
) -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(HOURS_12)
    world.taps.on("issuer.last_used", before=problem)
    with world.nothing_happens():
        world.pass_time(HOURS_12)
    world.pass_time(timedelta(seconds=15))
    assert world.now(request).status is Status.UNCLAIMED


def test_after_a_long_absence_of_the_desk_the_receipts_end_is_the_end() -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(timedelta(days=2))
    assert world.now(request).status is Status.UNCLAIMED


@pytest.mark.parametrize("state", ["pending", "approved", "delivered", "unclaimed"])
def test_of_two_sweepers_one_moves_it_and_the_other_loses_quietly(state: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    world.clock.advance(timedelta(days=8))
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, request.name))
    with pytest.raises(Conflict):
        run_due.run(world.services, request.name)
    with world.nothing_happens():
        run_due.run(world.services, request.name)


def test_nothing_is_done_before_its_time_nor_for_what_nobody_knows() -> None:
    world = make_desk()
    request = world.delivered()
    disable_key.disable(world.services, ALICE, request.access_key_id)
    with world.nothing_happens():
        for name in (
            request.name,
            f"key:{request.access_key_id}",
            "request:id9",
            "key:AKIAIOSFODNN7EXAMPLE",
            "other",
        ):
            run_due.run(world.services, name)


def test_a_confirmed_request_is_left_in_peace() -> None:
    world = make_desk()
    confirm_receipt.confirm(world.services, ALICE, world.delivered().access_key_id)
    with world.nothing_happens():
        world.rest(days=30)

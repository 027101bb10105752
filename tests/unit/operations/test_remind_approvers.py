"""Claim, remind of and nudge a request that waits for approvals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.identity import Member
from bot.domain.outside_errors import Conflict, IamUnavailable
from bot.domain.permissions import Permissions
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import create_request, decide_request, remind_approvers, run_due
from bot.operations.services import KEYDESK
from tests.support.errors import refuses
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

MINUTE, HOUR, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)
QUARTER = 15 * MINUTE
Click = Callable[..., KeyRequest]


@pytest.fixture
def world() -> World:
    return make_desk()


@pytest.fixture
def waiting(world: World) -> KeyRequest:
    """Return a request that waits for approvals."""
    return world.pending_request()


def claim(world: World, request: KeyRequest, member: Member = CAROL) -> KeyRequest:
    return remind_approvers.toggle_review(world.services, member, request.id)


def nudge(world: World, request: KeyRequest, member: Member = ALICE) -> KeyRequest:
    return remind_approvers.nudge(world.services, member, request.id)


def remind(world: World, request: KeyRequest) -> KeyRequest:
    run_due.run(world.services, request.name)
    return world.now(request)


def actions(world: World) -> list[str]:
    return [entry.action for entry in world.store.entries]


DECISIONS: dict[str, Click] = {
    "approved": lambda world, request: decide_request.approve(world.services, ERIN, request.id),
    "denied": lambda world, request: decide_request.deny(world.services, ERIN, request.id, "no"),
    "cancelled": lambda world, request: create_request.cancel(world.services, ALICE, request.id),
}
decided = pytest.mark.parametrize("status", DECISIONS)
both_clicks = pytest.mark.parametrize("click", [claim, nudge])


# -- reminders


def test_approvers_are_reminded_once_after_each_third(world: World, waiting: KeyRequest) -> None:
    for reminders in (("1",), ("1", "2")):
        with world.nothing_happens():
            world.pass_time(24 * HOUR - SECOND)
        world.pass_time(SECOND)
        now, entry = world.now(waiting), world.store.entries[-1]
        assert (now.status, now.reminders) == (Status.PENDING, reminders)
        assert (now.last_event, now.last_event_by) == (Event.REMIND, KEYDESK)
        assert world.slack.rendered[-1] == waiting.name
        detail = Detail(Code.REMINDER_SENT, {"reminder": reminders[-1]})
        assert (entry.action, entry.detail) == ("remind", detail)
    world.pass_time(24 * HOUR)
    assert world.now(waiting).status is Status.EXPIRED


@pytest.mark.parametrize(
    ("hours", "status", "reminders"),
    [(50, Status.PENDING, ("2",)), (80, Status.EXPIRED, ())],
    ids=["before the deadline", "after it"],
)
def test_after_an_outage_only_the_newest_reminder_is_sent(
    world: World, waiting: KeyRequest, hours: int, status: Status, reminders: tuple[str, ...]
) -> None:
    world.pass_time(hours * HOUR)
    assert (world.now(waiting).status, world.now(waiting).reminders) == (status, reminders)
    with world.nothing_happens():
        world.pass_time(HOUR)


@decided
def test_a_decision_just_before_a_reminder_wins(
    world: World, waiting: KeyRequest, status: str
) -> None:
    world.clock.advance(24 * HOUR)
    world.taps.on("store.commit", before=lambda: DECISIONS[status](world, waiting))
    with pytest.raises(Conflict):
        remind(world, waiting)
    assert (world.now(waiting).status, world.now(waiting).reminders) == (status, ())


def test_of_two_schedulers_one_reminds(world: World, waiting: KeyRequest) -> None:
    world.clock.advance(24 * HOUR)
    world.taps.on("store.commit", before=lambda: remind(world, waiting))
    with pytest.raises(Conflict):
        remind(world, waiting)
    assert actions(world).count("remind") == 1


def test_unreadable_permissions_delay_no_reminder_or_claim_end(world: World) -> None:
    def unavailable(user: str) -> Permissions:
        raise IamUnavailable("ListGroupsForUser")

    world.iam.permissions = unavailable
    request = world.pending()
    world.pass_time(24 * HOUR - QUARTER)
    claim(world, request)
    for _ in range(3):
        world.pass_time(QUARTER)
    now = world.now(request)
    assert (now.reminders, now.review_ends_at, now.permissions) == (("1",), None, None)
    del world.iam.permissions
    world.pass_time(QUARTER)
    assert world.now(request).permissions is not None


def test_a_reminder_and_a_claims_end_at_once_are_both_done(
    world: World, waiting: KeyRequest
) -> None:
    world.pass_time(24 * HOUR - QUARTER)
    claim(world, waiting)
    world.pass_time(QUARTER)
    world.sweep()
    assert (world.now(waiting).reminders, world.now(waiting).reviewer) == (("1",), "")


@pytest.mark.parametrize(("act", "after"), [(remind, 24 * HOUR), (nudge, HOUR)])
@pytest.mark.parametrize("side", ["before", "after"])
def test_it_is_recorded_before_it_is_sent(
    world: World, waiting: KeyRequest, act: Click, after: timedelta, side: str
) -> None:
    """Let another process send what a dead one has recorded."""
    world.clock.advance(after)
    rendered = list(world.slack.rendered)
    world.taps.on("store.commit", **{side: ProcessDied()})
    with pytest.raises(ProcessDied):
        act(world, waiting)
    now = world.now(waiting)
    assert bool(now.reminders or now.nudged_at) is (side == "after")
    assert world.slack.rendered == rendered
    assert waiting.name in world.store.unrendered(world.clock.now())


# -- Nudge


def test_a_nudge_works_again_an_hour_later(world: World, waiting: KeyRequest) -> None:
    world.clock.advance(5 * HOUR)
    nudged = nudge(world, waiting)
    at = world.clock.now()
    assert (nudged.nudged_at, nudged.status) == (at, Status.PENDING)
    assert nudged.deadline == waiting.deadline
    assert (world.store.entries[-1].by, world.store.entries[-1].action) == (ALICE.id, "nudge")
    assert world.slack.rendered[-1] == waiting.name
    world.clock.advance(HOUR - SECOND)
    with world.nothing_happens(), refuses(Code.NUDGED_RECENTLY, at=at, again_at=at + HOUR):
        nudge(world, waiting)
    world.clock.advance(SECOND)
    assert nudge(world, waiting).nudged_at == world.clock.now()


def test_only_the_requester_nudges(world: World, waiting: KeyRequest) -> None:
    with world.nothing_happens():
        for member in (BOB, CAROL):
            with refuses(Code.NOT_THE_REQUESTER):
                nudge(world, waiting, member)
        with refuses(Code.NOT_THE_REQUESTER):
            remind_approvers.nudge(world.services, ALICE, "id99")


def test_of_two_nudges_at_once_one_counts(world: World, waiting: KeyRequest) -> None:
    world.taps.on("store.commit", before=lambda: nudge(world, waiting))
    with refuses(Code.NUDGED_RECENTLY):
        nudge(world, waiting)
    assert actions(world).count("nudge") == 1


# -- both clicks


@decided
@both_clicks
def test_a_decided_request_is_not_claimed_or_nudged(
    world: World, waiting: KeyRequest, status: str, click: Click
) -> None:
    DECISIONS[status](world, waiting)
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status=status):
        click(world, waiting)


@decided
@both_clicks
def test_a_decision_at_once_wins_over_a_claim_or_nudge(
    world: World, waiting: KeyRequest, status: str, click: Click
) -> None:
    world.taps.on("store.commit", before=lambda: DECISIONS[status](world, waiting))
    with refuses(Code.REQUEST_MOVED_ON, status=status):
        click(world, waiting)
    now = world.now(waiting)
    assert (now.status, now.reviewer, now.nudged_at) == (status, "", None)


@both_clicks
def test_an_overdue_request_is_not_claimed_or_nudged(
    world: World, waiting: KeyRequest, click: Click
) -> None:
    world.clock.advance(72 * HOUR)
    with refuses(Code.REQUEST_MOVED_ON, status="expired"):
        click(world, waiting)
    now = world.now(waiting)
    assert (now.status, now.reviewer, now.nudged_at) == (Status.EXPIRED, "", None)


def test_claims_nudges_and_reminders_keep_the_deadline(world: World, waiting: KeyRequest) -> None:
    for _ in range(72):
        claim(world, waiting)
        nudge(world, waiting)
        world.pass_time(HOUR)
    assert world.now(waiting).status is Status.EXPIRED
    assert not world.store.due(world.clock.now() + 999 * HOUR)


# -- A claim (**I'm on it**) gives no right. Who may claim is asserted in test_decide_request.py.


def test_a_claim_names_the_approver_for_15_minutes(world: World, waiting: KeyRequest) -> None:
    claimed, now = claim(world, waiting), world.clock.now()
    assert claimed == world.now(waiting) and claimed.status is Status.PENDING
    times = (claimed.review_started_at, claimed.review_ends_at)
    assert (claimed.reviewer, *times) == (CAROL.id, now, now + QUARTER)
    entry = world.store.entries[-1]
    assert (entry.by, entry.action) == (CAROL.id, "start_review")
    assert (entry.from_status, entry.to_status) == ("pending", "pending")
    assert world.slack.rendered[-1] == waiting.name
    with world.nothing_happens():
        world.pass_time(QUARTER - SECOND)
    world.pass_time(SECOND)
    ended = world.now(waiting)
    assert (ended.reviewer, ended.review_ends_at) == ("", None)
    assert (ended.last_event, ended.last_event_by) == (Event.END_REVIEW, KEYDESK)
    with world.nothing_happens():
        world.pass_time(HOUR)


@pytest.mark.parametrize(("reviewer", "left"), [(CAROL, ""), (ERIN, ERIN.id)])
def test_an_approval_ends_only_the_approvers_own_claim(reviewer: Member, left: str) -> None:
    world = make_desk(approvals_required=2)
    request = claim(world, world.pending_request(), reviewer)
    approved = decide_request.approve(world.services, CAROL, request.id)
    assert (approved.status, approved.reviewer) == (Status.PENDING, left)
    assert (approved.review_ends_at is None) == (left == "")


def test_a_second_click_in_time_ends_the_claim(world: World, waiting: KeyRequest) -> None:
    claim(world, waiting)
    world.clock.advance(QUARTER - SECOND)
    again = claim(world, waiting)
    assert (again.reviewer, again.review_started_at) == ("", None)
    assert (again.last_event, again.last_event_by) == (Event.END_REVIEW, CAROL.id)
    claim(world, waiting)
    world.clock.advance(QUARTER)
    assert claim(world, waiting).review_ends_at == world.clock.now() + QUARTER, "too late"


def test_another_approver_may_take_over_the_claim(world: World, waiting: KeyRequest) -> None:
    claim(world, waiting)
    world.pass_time(10 * MINUTE)
    assert claim(world, waiting, ERIN).reviewer == ERIN.id
    world.pass_time(10 * MINUTE)
    assert world.now(waiting).reviewer == ERIN.id
    world.pass_time(5 * MINUTE)
    assert world.now(waiting).reviewer == ""


@decided
def test_a_decision_ends_a_claim_and_all_reminders(status: str) -> None:
    world = make_desk(claim_ttl=200 * HOUR)
    now = DECISIONS[status](world, claim(world, world.pending_request()))
    assert now.status == status and now.review_ends_at is None
    with world.nothing_happens():
        world.pass_time(QUARTER)
        world.pass_time(25 * HOUR)
    assert world.now(now).reminders == ()


@pytest.mark.parametrize("click", [claim, DECISIONS["approved"]], ids=["claim", "approval"])
def test_a_claim_at_once_loses_no_other_click(
    world: World, waiting: KeyRequest, click: Click
) -> None:
    world.taps.on("store.commit", before=lambda: claim(world, waiting, ERIN))
    now = click(world, waiting)
    approved = click is not claim
    assert now.status is (Status.APPROVED if approved else Status.PENDING)
    assert now.reviewer == (ERIN.id if approved else CAROL.id)

"""While a request waits: claims, reminders and nudges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError, WrongState
from bot.domain.identity import IamMapping, Member
from bot.domain.outside_errors import Conflict, IamUnavailable, SlackUnavailable
from bot.domain.permissions import Permissions
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import (
    create_request,
    decide_request,
    remind_approvers,
    run_due,
)
from bot.operations.services import KEYDESK
from tests.support.errors import refuses
from tests.support.taps import ProcessDied
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUARTER = 15 * MINUTE
SECOND = timedelta(seconds=1)

DECISIONS: dict[str, Callable[[World, KeyRequest], KeyRequest]] = {
    "approved": lambda world, request: decide_request.approve(world.services, ERIN, request.id),
    "denied": lambda world, request: decide_request.deny(
        world.services, ERIN, request.id, "not needed"
    ),
    "cancelled": lambda world, request: create_request.cancel(world.services, ALICE, request.id),
}
decided = pytest.mark.parametrize("decision", DECISIONS)


# -- reminders


def test_approvers_are_reminded_after_each_third_once() -> None:
    world = make_desk()
    request = world.pending_request()
    for expected in (("1",), ("1", "2")):
        with world.nothing_happens():
            world.pass_time(24 * HOUR - SECOND)
        world.pass_time(SECOND)
        now = world.now(request)
        assert (now.status, now.last_event, now.last_event_by, now.reminders) == (
            Status.PENDING,
            Event.REMIND,
            KEYDESK,
            expected,
        )
        assert world.slack.rendered[-1] == request.name
        assert (world.store.entries[-1].action, world.store.entries[-1].detail) == (
            "remind",
            Detail(Code.REMINDER_SENT, {"reminder": expected[-1]}),
        )
    world.pass_time(24 * HOUR)
    assert world.now(request).status is Status.EXPIRED


def test_after_a_long_outage_only_the_newest_reminder_is_sent() -> None:
    world = make_desk()
    request = world.pending_request()
    world.pass_time(50 * HOUR)
    assert world.now(request).reminders == ("2",)
    with world.nothing_happens():
        world.pass_time(HOUR)


def test_after_an_outage_past_the_deadline_it_just_expires() -> None:
    world = make_desk()
    request = world.pending_request()
    world.pass_time(80 * HOUR)
    assert (world.now(request).status, world.now(request).reminders) == (Status.EXPIRED, ())


@decided
def test_what_is_decided_is_not_reminded_of(decision: str) -> None:
    world = make_desk(claim_ttl=200 * HOUR)
    request = DECISIONS[decision](world, world.pending_request())
    with world.nothing_happens():
        world.pass_time(25 * HOUR)
    assert world.now(request).reminders == ()


@decided
def test_a_decision_just_before_a_reminder_wins(
    decision: str,
) -> None:
    world = make_desk()
    request = world.pending_request()
    world.clock.advance(24 * HOUR)
    world.taps.on("store.commit", before=lambda: DECISIONS[decision](world, request))
    with pytest.raises(Conflict):
        run_due.run(world.services, request.name)
    assert (world.now(request).status, world.now(request).reminders) == (decision, ())


def test_of_two_schedulers_one_reminds() -> None:
    world = make_desk()
    request = world.pending_request()
    world.clock.advance(24 * HOUR)
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, request.name))
    with pytest.raises(Conflict):
        run_due.run(world.services, request.name)
    assert [entry.action for entry in world.store.entries].count("remind") == 1


def test_unreadable_permissions_delay_no_reminder_or_claim_end() -> None:
    def away(user: str) -> Permissions:
        raise IamUnavailable("ListGroupsForUser")

    world = make_desk()
    world.iam.permissions = away
    request = world.pending()
    world.pass_time(24 * HOUR - QUARTER)
    remind_approvers.toggle_review(world.services, CAROL, request.id)
    for _ in range(3):
        world.pass_time(QUARTER)
    now = world.now(request)
    assert (now.reminders, now.review_ends_at, now.permissions) == (("1",), None, None)
    del world.iam.permissions
    world.pass_time(QUARTER)
    assert world.now(request).permissions is not None


def test_a_reminder_and_a_claims_end_at_once_are_both_done() -> None:
    world = make_desk()
    request = world.pending_request()
    world.pass_time(24 * HOUR - QUARTER)
    remind_approvers.toggle_review(world.services, CAROL, request.id)
    world.pass_time(QUARTER)
    world.sweep()
    assert (world.now(request).reminders, world.now(request).reviewer) == (("1",), "")


Said = Callable[[World, KeyRequest], object]
SENT: dict[str, tuple[timedelta, Said]] = {
    "a reminder": (24 * HOUR, lambda world, request: run_due.run(world.services, request.name)),
    "a nudge": (
        HOUR,
        lambda world, request: remind_approvers.nudge(world.services, ALICE, request.id),
    ),
}


@pytest.mark.parametrize("said", SENT)
@pytest.mark.parametrize("side", ["before", "after"])
def test_it_is_recorded_before_it_is_sent(said: str, side: str) -> None:
    """A process that dies on the way has it sent later, by another, or has done nothing."""
    world = make_desk()
    request = world.pending_request()
    after, does = SENT[said]
    world.clock.advance(after)
    drawn = len(world.slack.rendered)
    world.taps.on("store.commit", **{side: ProcessDied()})
    with pytest.raises(ProcessDied):
        does(world, request)
    now = world.now(request)
    recorded = bool(now.reminders or now.nudged_at)
    assert recorded is (side == "after") and len(world.slack.rendered) == drawn
    assert request.name in world.store.unrendered(world.clock.now())


# -- Nudge


def test_a_nudge_is_recorded_and_works_again_an_hour_later() -> None:
    world = make_desk()
    request = world.pending_request()
    world.clock.advance(5 * HOUR)
    nudged = remind_approvers.nudge(world.services, ALICE, request.id)
    assert (nudged.nudged_at, nudged.status, nudged.deadline) == (
        world.clock.now(),
        Status.PENDING,
        request.deadline,
    )
    assert (world.store.entries[-1].by, world.store.entries[-1].action) == (ALICE.id, "nudge")
    assert world.slack.rendered[-1] == request.name
    world.clock.advance(HOUR - SECOND)
    with (
        world.nothing_happens(),
        refuses(Code.NUDGED_RECENTLY, at=nudged.nudged_at, again_at=nudged.nudged_at + HOUR),
    ):
        remind_approvers.nudge(world.services, ALICE, request.id)
    world.clock.advance(SECOND)
    assert remind_approvers.nudge(world.services, ALICE, request.id).nudged_at == world.clock.now()


def test_nobody_else_nudges() -> None:
    world = make_desk()
    request = world.pending_request()
    with world.nothing_happens():
        for member in (BOB, CAROL):
            with refuses(Code.NOT_THE_REQUESTER):
                remind_approvers.nudge(world.services, member, request.id)


@decided
def test_a_decided_request_is_not_nudged(
    decision: str,
) -> None:
    world = make_desk()
    request = DECISIONS[decision](world, world.pending_request())
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status=decision):
        remind_approvers.nudge(world.services, ALICE, request.id)


@decided
def test_a_decision_in_the_same_instant_as_a_nudge_stands(decision: str) -> None:
    world = make_desk()
    request = world.pending_request()
    world.taps.on("store.commit", before=lambda: DECISIONS[decision](world, request))
    with pytest.raises(WrongState):
        remind_approvers.nudge(world.services, ALICE, request.id)
    assert world.now(request).status == decision and world.now(request).nudged_at is None


def test_of_two_nudges_in_the_same_instant_one_counts() -> None:
    world = make_desk()
    request = world.pending_request()
    world.taps.on(
        "store.commit", before=lambda: remind_approvers.nudge(world.services, ALICE, request.id)
    )
    with refuses(Code.NUDGED_RECENTLY):
        remind_approvers.nudge(world.services, ALICE, request.id)
    assert [entry.action for entry in world.store.entries].count("nudge") == 1


def test_claims_nudges_and_reminders_keep_the_deadline() -> None:
    world = make_desk()
    request = world.pending_request()
    for _ in range(72):
        for click, member in (
            (remind_approvers.toggle_review, CAROL),
            (remind_approvers.nudge, ALICE),
        ):
            try:
                click(world.services, member, request.id)
            except KeydeskError:
                pytest.fail("both work once an hour")
        world.pass_time(HOUR)
    assert world.now(request).status is Status.EXPIRED
    assert not world.store.due(world.clock.now() + 999 * HOUR)


def test_an_overdue_request_is_not_claimed() -> None:
    world = make_desk()
    request = world.pending_request()
    world.clock.advance(72 * HOUR)
    for click, member in ((remind_approvers.toggle_review, CAROL), (remind_approvers.nudge, ALICE)):
        with refuses(Code.REQUEST_MOVED_ON, status="expired"):
            click(world.services, member, request.id)
    assert world.now(request).reviewer == "" and world.now(request).nudged_at is None


# -- Waiting for approvers: an approver says **I'm on it**, which hands them no right.


def looked_at(world: World, member: Member = CAROL) -> KeyRequest:
    return remind_approvers.toggle_review(world.services, member, world.pending_request().id)


def test_an_approver_who_is_on_it_is_named_with_since_when() -> None:
    world = make_desk()
    request = looked_at(world)
    now = world.clock.now()
    assert request == world.now(request)
    assert (
        request.status,
        request.reviewer,
        request.review_started_at,
        request.review_ends_at,
    ) == (
        Status.PENDING,
        CAROL.id,
        now,
        now + QUARTER,
    )
    entry = world.store.entries[-1]
    assert (entry.by, entry.action, entry.from_status, entry.to_status) == (
        CAROL.id,
        "start_review",
        "pending",
        "pending",
    )
    assert world.slack.rendered[-1] == request.name


def test_it_ends_by_time_after_a_quarter_of_an_hour() -> None:
    world = make_desk()
    request = looked_at(world)
    with world.nothing_happens():
        world.pass_time(QUARTER - SECOND)
    world.pass_time(SECOND)
    now = world.now(request)
    assert (now.reviewer, now.review_ends_at, now.last_event, now.last_event_by) == (
        "",
        None,
        Event.END_REVIEW,
        KEYDESK,
    )
    with world.nothing_happens():
        world.pass_time(HOUR)


def test_an_approval_ends_only_the_approvers_own_claim() -> None:
    for reviewer, still in ((CAROL, ""), (ERIN, ERIN.id)):
        world = make_desk(approvals_required=2)
        request = looked_at(world, reviewer)
        endorsed = decide_request.approve(world.services, CAROL, request.id)
        assert (endorsed.status, endorsed.reviewer) == (Status.PENDING, still)
        assert (endorsed.review_ends_at is None) == (still == "")


def test_a_second_click_ends_the_claim() -> None:
    world = make_desk()
    request = looked_at(world)
    world.clock.advance(MINUTE)
    again = remind_approvers.toggle_review(world.services, CAROL, request.id)
    assert (again.reviewer, again.review_started_at, again.last_event, again.last_event_by) == (
        "",
        None,
        Event.END_REVIEW,
        CAROL.id,
    )


def test_a_click_after_the_claim_has_ended_claims_again() -> None:
    world = make_desk()
    request = looked_at(world)
    world.clock.advance(QUARTER)
    assert (
        remind_approvers.toggle_review(world.services, CAROL, request.id).review_ends_at
        == world.clock.now() + QUARTER
    )


def test_a_second_approver_may_take_over_the_claim() -> None:
    world = make_desk()
    request = looked_at(world)
    world.pass_time(10 * MINUTE)
    assert remind_approvers.toggle_review(world.services, ERIN, request.id).reviewer == ERIN.id
    world.pass_time(10 * MINUTE)
    assert world.now(request).reviewer == ERIN.id
    world.pass_time(5 * MINUTE)
    assert world.now(request).reviewer == ""


@decided
def test_it_hands_nobody_an_exclusive_right(decision: str) -> None:
    world = make_desk()
    request = looked_at(world)
    now = DECISIONS[decision](world, request)
    assert now.status == decision and now.review_ends_at is None
    with world.nothing_happens():
        world.pass_time(QUARTER)


def test_whoever_could_not_decide_is_not_on_it() -> None:
    world = make_desk()
    world.people.may_approve |= {ALICE.id}
    request = world.pending_request()
    with world.nothing_happens():
        with refuses(Code.OWN_REQUEST):
            remind_approvers.toggle_review(world.services, ALICE, request.id)
        with refuses(Code.NOT_AN_APPROVER):
            remind_approvers.toggle_review(world.services, BOB, request.id)
        world.taps.on(
            "directory.approvers", before=SlackUnavailable("usergroups.users.list", "fatal_error")
        )
        with pytest.raises(SlackUnavailable):
            remind_approvers.toggle_review(world.services, CAROL, request.id)


def test_whoever_shares_the_requesters_iam_user_is_not_on_it() -> None:
    world = make_desk(iam_mapping=IamMapping("", pairs={ALICE.id: "deploy", CAROL.id: "deploy"}))
    world.iam.add_user("deploy")
    request = world.pending_request()
    with world.nothing_happens(), refuses(Code.SAME_IAM_USER):
        remind_approvers.toggle_review(world.services, CAROL, request.id)


@decided
def test_nobody_is_on_what_is_decided(decision: str) -> None:
    world = make_desk()
    request = DECISIONS[decision](world, world.pending_request())
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status=decision):
        remind_approvers.toggle_review(world.services, CAROL, request.id)


@decided
def test_a_decision_wins_over_a_claim_at_once(decision: str) -> None:
    world = make_desk()
    request = world.pending_request()
    world.taps.on("store.commit", before=lambda: DECISIONS[decision](world, request))
    with refuses(Code.REQUEST_MOVED_ON, status=decision):
        remind_approvers.toggle_review(world.services, CAROL, request.id)
    assert world.now(request).status == decision and world.now(request).reviewer == ""


def test_a_claim_at_once_does_not_lose_a_decision() -> None:
    world = make_desk()
    request = world.pending_request()
    world.taps.on(
        "store.commit",
        before=lambda: remind_approvers.toggle_review(world.services, ERIN, request.id),
    )
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.APPROVED


def test_of_two_claims_at_once_the_later_counts() -> None:
    world = make_desk()
    request = world.pending_request()
    world.taps.on(
        "store.commit",
        before=lambda: remind_approvers.toggle_review(world.services, ERIN, request.id),
    )
    assert remind_approvers.toggle_review(world.services, CAROL, request.id).reviewer == CAROL.id

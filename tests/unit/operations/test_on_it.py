"""Waiting for approvers: an approver says **I'm on it**, which hands them no right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import SlackUnavailable
from bot.domain.identity import IamMapping, Member
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import decide_request, remind_approvers
from bot.operations.services import KEYDESK
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk
from tests.unit.operations.test_remind_approvers import DECISIONS, decided

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUARTER = 15 * MINUTE
SECOND = timedelta(seconds=1)


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


def test_who_approves_looks_at_it_no_more_and_somebody_else_still_does() -> None:
    for reviewer, still in ((CAROL, ""), (ERIN, ERIN.id)):
        world = make_desk(approvals_required=2)
        request = looked_at(world, reviewer)
        endorsed = decide_request.approve(world.services, CAROL, request.id)
        assert (endorsed.status, endorsed.reviewer) == (Status.PENDING, still)
        assert (endorsed.review_ends_at is None) == (still == "")


def test_clicked_again_by_the_same_person_it_is_taken_back() -> None:
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


def test_clicked_again_when_its_time_is_over_it_begins_anew_though_the_sweeper_has_not_come() -> (
    None
):
    world = make_desk()
    request = looked_at(world)
    world.clock.advance(QUARTER)
    assert (
        remind_approvers.toggle_review(world.services, CAROL, request.id).review_ends_at
        == world.clock.now() + QUARTER
    )


def test_a_second_approver_may_take_it_over_and_has_their_own_quarter_of_an_hour() -> None:
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
def test_a_decision_in_the_same_instant_stands_and_the_click_is_told_of_it(decision: str) -> None:
    world = make_desk()
    request = world.pending_request()
    world.taps.on("store.commit", before=lambda: DECISIONS[decision](world, request))
    with refuses(Code.REQUEST_MOVED_ON, status=decision):
        remind_approvers.toggle_review(world.services, CAROL, request.id)
    assert world.now(request).status == decision and world.now(request).reviewer == ""


def test_a_decision_is_not_lost_to_somebody_who_is_on_it_in_the_same_instant() -> None:
    world = make_desk()
    request = world.pending_request()
    world.taps.on(
        "store.commit",
        before=lambda: remind_approvers.toggle_review(world.services, ERIN, request.id),
    )
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.APPROVED


def test_of_two_who_are_on_it_in_the_same_instant_the_later_one_is_named() -> None:
    world = make_desk()
    request = world.pending_request()
    world.taps.on(
        "store.commit",
        before=lambda: remind_approvers.toggle_review(world.services, ERIN, request.id),
    )
    assert remind_approvers.toggle_review(world.services, CAROL, request.id).reviewer == CAROL.id

"""Waiting for approvers: an approver says **I'm on it**, which hands them no right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.core.errors import NotAllowed, SlackUnavailable, WrongState
from bot.core.moves import Action, Status
from bot.core.people import IamMapping, Member
from bot.core.request import KeyRequest
from bot.core.workflow import decide, waiting
from bot.core.workflow.desk import KEYDESK
from tests.core.fakes import ALICE, BOB, CAROL, ERIN, World, make_desk
from tests.core.test_waiting import DECISIONS, decided

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUARTER = 15 * MINUTE
SECOND = timedelta(seconds=1)


def looked_at(world: World, member: Member = CAROL) -> KeyRequest:
    return waiting.on_it(world.desk, member, world.waiting().id)


def test_an_approver_who_is_on_it_is_named_with_since_when() -> None:
    world = make_desk()
    request = looked_at(world)
    now = world.clock.now()
    assert request == world.now(request)
    assert (request.status, request.looker, request.looking_since, request.looked_at_until) == (
        Status.PENDING,
        CAROL.id,
        now,
        now + QUARTER,
    )
    entry = world.store.entries[-1]
    assert (entry.by, entry.action, entry.was, entry.becomes) == (
        CAROL.id,
        "on_it",
        "pending",
        "pending",
    )
    assert world.slack.drawn[-1] == request.name


def test_it_ends_by_time_after_a_quarter_of_an_hour() -> None:
    world = make_desk()
    request = looked_at(world)
    with world.nothing_happens():
        world.pass_time(QUARTER - SECOND)
    world.pass_time(SECOND)
    now = world.now(request)
    assert (now.looker, now.looked_at_until, now.moved, now.moved_by) == (
        "",
        None,
        Action.OFF_IT,
        KEYDESK,
    )
    with world.nothing_happens():
        world.pass_time(HOUR)


def test_who_approves_looks_at_it_no_more_and_somebody_else_still_does() -> None:
    for looker, still in ((CAROL, ""), (ERIN, ERIN.id)):
        world = make_desk(approvals_required=2)
        request = looked_at(world, looker)
        endorsed = decide.approve(world.desk, CAROL, request.id)
        assert (endorsed.status, endorsed.looker) == (Status.PENDING, still)
        assert (endorsed.looked_at_until is None) == (still == "")


def test_clicked_again_by_the_same_person_it_is_taken_back() -> None:
    world = make_desk()
    request = looked_at(world)
    world.clock.advance(MINUTE)
    again = waiting.on_it(world.desk, CAROL, request.id)
    assert (again.looker, again.looking_since, again.moved, again.moved_by) == (
        "",
        None,
        Action.OFF_IT,
        CAROL.id,
    )


def test_clicked_again_when_its_time_is_over_it_begins_anew_though_the_sweeper_has_not_come() -> (
    None
):
    world = make_desk()
    request = looked_at(world)
    world.clock.advance(QUARTER)
    assert (
        waiting.on_it(world.desk, CAROL, request.id).looked_at_until == world.clock.now() + QUARTER
    )


def test_a_second_approver_may_take_it_over_and_has_their_own_quarter_of_an_hour() -> None:
    world = make_desk()
    request = looked_at(world)
    world.pass_time(10 * MINUTE)
    assert waiting.on_it(world.desk, ERIN, request.id).looker == ERIN.id
    world.pass_time(10 * MINUTE)
    assert world.now(request).looker == ERIN.id
    world.pass_time(5 * MINUTE)
    assert world.now(request).looker == ""


@decided
def test_it_hands_nobody_an_exclusive_right(decision: str) -> None:
    world = make_desk()
    request = looked_at(world)
    now = DECISIONS[decision](world, request)
    assert now.status == decision and now.looked_at_until is None
    with world.nothing_happens():
        world.pass_time(QUARTER)


def test_whoever_could_not_decide_is_not_on_it() -> None:
    world = make_desk()
    world.people.may_approve |= {ALICE.id}
    request = world.waiting()
    with world.nothing_happens():
        with pytest.raises(NotAllowed, match="Nobody decides their own request"):
            waiting.on_it(world.desk, ALICE, request.id)
        with pytest.raises(NotAllowed, match="Only the desk's approvers"):
            waiting.on_it(world.desk, BOB, request.id)
        world.taps.on(
            "directory.approvers", before=SlackUnavailable("usergroups.users.list", "fatal_error")
        )
        with pytest.raises(SlackUnavailable):
            waiting.on_it(world.desk, CAROL, request.id)


def test_whoever_shares_the_requesters_iam_user_is_not_on_it() -> None:
    world = make_desk(mapping=IamMapping("", pairs={ALICE.id: "deploy", CAROL.id: "deploy"}))
    world.iam.add_user("deploy")
    request = world.waiting()
    with world.nothing_happens(), pytest.raises(NotAllowed, match="share the IAM user"):
        waiting.on_it(world.desk, CAROL, request.id)


@decided
def test_nobody_is_on_what_is_decided(decision: str) -> None:
    world = make_desk()
    request = DECISIONS[decision](world, world.waiting())
    with world.nothing_happens(), pytest.raises(WrongState, match=f"already {decision} by"):
        waiting.on_it(world.desk, CAROL, request.id)


@decided
def test_a_decision_in_the_same_instant_stands_and_the_click_is_told_of_it(decision: str) -> None:
    world = make_desk()
    request = world.waiting()
    world.taps.on("store.commit", before=lambda: DECISIONS[decision](world, request))
    with pytest.raises(WrongState, match=f"already {decision} by"):
        waiting.on_it(world.desk, CAROL, request.id)
    assert world.now(request).status == decision and world.now(request).looker == ""


def test_a_decision_is_not_lost_to_somebody_who_is_on_it_in_the_same_instant() -> None:
    world = make_desk()
    request = world.waiting()
    world.taps.on("store.commit", before=lambda: waiting.on_it(world.desk, ERIN, request.id))
    assert decide.approve(world.desk, CAROL, request.id).status is Status.APPROVED


def test_of_two_who_are_on_it_in_the_same_instant_the_later_one_is_named() -> None:
    world = make_desk()
    request = world.waiting()
    world.taps.on("store.commit", before=lambda: waiting.on_it(world.desk, ERIN, request.id))
    assert waiting.on_it(world.desk, CAROL, request.id).looker == CAROL.id

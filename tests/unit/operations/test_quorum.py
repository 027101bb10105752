"""Several approvers: each counts once and only while they may approve; one no ends it; a yes can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import (
    NotAllowed,
    SlackUnavailable,
    StoreUnavailable,
    WrongState,
)
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import KeyStatus
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import create_request, decide_request
from tests.support.settings import settings
from tests.support.world import ALICE, CAROL, ERIN, TEAM, World, make_desk, reveal

DAN, FRANK = Member("U0DAN", TEAM, "dan@example.com"), Member("U0FRANK", TEAM, "frank@example.com")
BOARD = (CAROL, ERIN, DAN, FRANK)


def desk_of(approvals_needed: int, **rules: object) -> World:
    """A desk where so many of four must approve."""
    world = make_desk(approvals_required=approvals_needed, **rules)
    world.people.people |= {one.id: one for one in BOARD}
    world.people.may_approve = frozenset(one.id for one in BOARD)
    return world


def approved_by(world: World, request: KeyRequest, *people: Member) -> KeyRequest:
    for person in people:
        decide_request.approve(world.services, person, request.id)
    return world.now(request)


@pytest.mark.parametrize("approvals_needed", [1, 2, 3, 4])
def test_a_request_is_approved_by_the_click_that_completes_its_quorum_and_by_none_before(
    approvals_needed: int,
) -> None:
    world = desk_of(approvals_needed)
    request = world.pending()
    assert (request.approvals_needed, request.approvals_missing) == (
        approvals_needed,
        approvals_needed,
    )
    for count, person in enumerate(BOARD[: approvals_needed - 1], start=1):
        waiting = decide_request.approve(world.services, person, request.id)
        assert (waiting.status, len(waiting.approvals), waiting.approvals_missing) == (
            Status.PENDING,
            count,
            approvals_needed - count,
        )
        assert waiting.deadline == request.deadline, "an approval gives nobody more time"
    done = decide_request.approve(world.services, BOARD[approvals_needed - 1], request.id)
    assert (done.status, done.decided_by, done.approvers) == (
        Status.APPROVED,
        BOARD[approvals_needed - 1].id,
        tuple(one.id for one in BOARD[:approvals_needed]),
    )
    assert done.deadline == world.clock.now() + world.services.settings.claim_ttl
    assert [entry.action for entry in world.store.entries[1:]] == ["add_approval"] * (
        approvals_needed - 1
    ) + ["approve"]


def test_an_approval_counts_once_and_the_second_click_is_told_how_many_are_missing() -> None:
    world = desk_of(3)
    request = world.pending()
    approved_by(world, request, CAROL)
    for missing, other in (("two more are", ERIN), ("one more is", None)):
        with (
            world.nothing_happens(),
            pytest.raises(NotAllowed, match=f"approved this already; {missing} needed"),
        ):
            decide_request.approve(world.services, CAROL, request.id)
        if other:
            approved_by(world, request, other)
    assert world.now(request).approvers == (CAROL.id, ERIN.id)


def test_a_setting_that_is_lowered_meanwhile_does_not_lower_what_was_asked_for() -> None:
    world = desk_of(2)
    request = world.pending()
    lower = replace(world.services, settings=settings(approvals_required=1))
    assert decide_request.approve(lower, CAROL, request.id).status is Status.PENDING
    assert decide_request.approve(lower, ERIN, request.id).status is Status.APPROVED


def test_one_denial_ends_it_however_many_have_approved() -> None:
    world = desk_of(3)
    request = world.pending()
    approved_by(world, request, CAROL, ERIN)
    denied = decide_request.deny(world.services, DAN, request.id, "not needed")
    assert (denied.status, denied.decided_by, denied.deadline) == (Status.DENIED, DAN.id, None)
    with world.nothing_happens(), pytest.raises(WrongState, match="already denied by <@U0DAN>"):
        decide_request.approve(world.services, FRANK, request.id)


def test_who_has_approved_may_still_deny() -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    assert (
        decide_request.deny(world.services, CAROL, request.id, "not needed").status is Status.DENIED
    )


LOST: dict[str, Callable[[World], object]] = {
    "is no approver any more": lambda world: setattr(
        world.people, "may_approve", world.people.may_approve - {CAROL.id}
    ),
    "is deactivated": lambda world: world.people.people.update(
        {CAROL.id: replace(CAROL, deleted=True)}
    ),
    "is a guest now": lambda world: world.people.people.update(
        {CAROL.id: replace(CAROL, is_guest=True)}
    ),
    "has moved to another workspace": lambda world: world.people.people.update(
        {CAROL.id: replace(CAROL, team_id="T0OTHER")}
    ),
    "has got the requester's e-mail address": lambda world: world.people.people.update(
        {CAROL.id: replace(CAROL, email=ALICE.email.upper())}
    ),
}


@pytest.mark.parametrize("lost", LOST)
def test_whoever_has_lost_the_right_when_the_quorum_is_reached_does_not_count(lost: str) -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    LOST[lost](world)
    waiting = decide_request.approve(world.services, ERIN, request.id)
    assert (waiting.status, waiting.approvers, waiting.dropped_approvers) == (
        Status.PENDING,
        (ERIN.id,),
        (CAROL.id,),
    )
    assert world.store.entries[-1].reason == "<@U0CAROL> may not approve any more"
    assert "one more is needed (<@U0CAROL> may not approve any more" in waiting.tally()
    done = decide_request.approve(world.services, DAN, request.id)
    assert (done.status, done.approvers, done.dropped_approvers) == (
        Status.APPROVED,
        (ERIN.id, DAN.id),
        (CAROL.id,),
    )


def test_whoever_regains_the_right_may_approve_again_and_then_counts() -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.people.may_approve -= {CAROL.id}
    approved_by(world, request, ERIN)
    world.people.may_approve |= {CAROL.id}
    done = decide_request.approve(world.services, CAROL, request.id)
    assert (done.status, done.approvers, done.dropped_approvers) == (
        Status.APPROVED,
        (ERIN.id, CAROL.id),
        (),
    )


def test_while_slack_does_not_say_whether_an_earlier_approver_still_may_nothing_is_decided() -> (
    None
):
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.taps.on("directory.member", before=SlackUnavailable("users.info", "fatal_error"))
    with world.nothing_happens(), pytest.raises(SlackUnavailable):
        decide_request.approve(world.services, ERIN, request.id)
    assert decide_request.approve(world.services, ERIN, request.id).status is Status.APPROVED


def test_the_requesters_own_approval_never_counts() -> None:
    world = desk_of(2)
    world.people.may_approve |= {ALICE.id}
    request = world.pending()
    approved_by(world, request, CAROL)
    with (
        world.nothing_happens(),
        pytest.raises(NotAllowed, match="Nobody decides their own request"),
    ):
        decide_request.approve(world.services, ALICE, request.id)


def test_an_approver_mapped_to_the_requesters_iam_user_never_counts() -> None:
    world = desk_of(2, iam_mapping=IamMapping("", pairs={ALICE.id: "deploy", CAROL.id: "Deploy"}))
    world.iam.add_user("deploy")
    request = world.pending()
    with world.nothing_happens(), pytest.raises(NotAllowed, match="share the IAM user"):
        decide_request.approve(world.services, CAROL, request.id)


def test_once_the_quorum_is_reached_it_stands_though_an_approver_loses_the_right() -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL, ERIN)
    world.people.may_approve = frozenset()
    assert reveal(world, request).status is Status.DELIVERED


# -- clicks in the same instant


def test_of_two_approvals_in_the_same_instant_neither_is_lost() -> None:
    world = desk_of(3)
    request = world.pending()
    world.taps.on(
        "store.commit", before=lambda: decide_request.approve(world.services, ERIN, request.id)
    )
    waiting = decide_request.approve(world.services, CAROL, request.id)
    assert set(waiting.approvers) == {CAROL.id, ERIN.id} and waiting.approvals_missing == 1


def test_of_two_completing_clicks_in_the_same_instant_one_completes_and_the_other_is_told() -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.taps.on(
        "store.commit", before=lambda: decide_request.approve(world.services, ERIN, request.id)
    )
    with pytest.raises(WrongState, match="already approved by <@U0CAROL> and <@U0ERIN> on"):
        decide_request.approve(world.services, DAN, request.id)
    assert world.now(request).approvers == (CAROL.id, ERIN.id)


def test_two_first_approvals_in_the_same_instant_complete_a_quorum_of_two() -> None:
    """Whoever loses the compare-and-set finds that theirs now completes it, and checks the other again."""
    world = desk_of(2)
    request = world.pending()
    world.taps.on(
        "store.commit", before=lambda: decide_request.approve(world.services, ERIN, request.id)
    )
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.APPROVED
    assert world.taps.calls.count("directory.member") == 1


@pytest.mark.parametrize(
    "rival",
    [
        lambda world, request: decide_request.deny(world.services, DAN, request.id, "not needed"),
        lambda world, request: create_request.cancel(world.services, ALICE, request.id),
        lambda world, request: world.pass_time(timedelta(hours=72)),
    ],
    ids=["denial", "cancel", "lapse"],
)
def test_an_approval_against_a_final_move_in_the_same_instant_is_told_what_happened(
    rival: Callable[[World, KeyRequest], object],
) -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.taps.on("store.commit", before=lambda: rival(world, request))
    with pytest.raises(WrongState, match="already (denied|cancelled|expired)"):
        decide_request.approve(world.services, ERIN, request.id)
    assert world.now(request).status.final and world.now(request).approvers == (CAROL.id,)


def test_an_approval_whose_answer_was_lost_counts_once() -> None:
    world = desk_of(2)
    request = world.pending()
    world.taps.on("store.commit", after=StoreUnavailable())
    with pytest.raises(StoreUnavailable):
        decide_request.approve(world.services, CAROL, request.id)
    with pytest.raises(NotAllowed, match="approved this already; one more is needed"):
        decide_request.approve(world.services, CAROL, request.id)


# -- taking it back


def test_an_approver_takes_their_own_approval_back_while_more_are_needed() -> None:
    world = desk_of(3)
    request = world.pending()
    approved_by(world, request, CAROL, ERIN)
    world.people.may_approve -= {CAROL.id}  # less is always allowed
    left = decide_request.withdraw_approval(world.services, CAROL, request.id)
    assert (left.status, left.approvers, left.approvals_missing) == (Status.PENDING, (ERIN.id,), 2)
    assert (world.store.entries[-1].by, world.store.entries[-1].action) == (
        CAROL.id,
        "withdraw_approval",
    )


def test_nobody_takes_back_what_is_not_theirs_or_is_decided() -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    with world.nothing_happens(), pytest.raises(NotAllowed, match="nothing of yours to take back"):
        decide_request.withdraw_approval(world.services, ERIN, request.id)
    approved_by(world, request, ERIN)
    with (
        world.nothing_happens(),
        pytest.raises(WrongState, match="already approved by <@U0CAROL> and <@U0ERIN>"),
    ):
        decide_request.withdraw_approval(world.services, CAROL, request.id)


def test_taking_back_and_approving_in_the_same_instant_lose_neither() -> None:
    world = desk_of(3)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.taps.on(
        "store.commit", before=lambda: decide_request.approve(world.services, ERIN, request.id)
    )
    assert decide_request.withdraw_approval(world.services, CAROL, request.id).approvers == (
        ERIN.id,
    )


# -- the other verbs


@pytest.mark.parametrize("verb", ["enable", "extend", "rotate"])
def test_every_verb_that_needs_approval_waits_for_the_quorum(verb: str) -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL, ERIN)
    key_id = reveal(world, request).access_key_id
    match verb:
        case "enable":
            off = world.console_key()
            world.iam.set_status(ALICE.email, off, KeyStatus.INACTIVE)
            asked = create_request.enable(world.services, ALICE, off, "needed again")
        case "extend":
            asked = create_request.extend(world.services, ALICE, key_id)
        case _:
            asked = create_request.rotate(world.services, ALICE, key_id)
    assert asked
    shown, expires = dict(world.iam._keys), world.record(key_id).expires_at
    assert decide_request.approve(world.services, CAROL, asked.id).status is Status.PENDING
    assert (world.iam._keys, world.record(key_id).expires_at) == (shown, expires), (
        "nothing is done before the quorum"
    )
    done = decide_request.approve(world.services, ERIN, asked.id)
    assert done.status is (Status.APPROVED if verb == "rotate" else Status.CONFIRMED)

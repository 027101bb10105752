"""Decide a request: approve it, deny it, withdraw an approval, revoke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import BadCommand, LooksLikeSecret, RequestNotFound, WrongState
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import SlackUnavailable, StoreUnavailable
from bot.domain.requests import Approval, KeyRequest
from bot.domain.states import Status
from bot.operations import create_request, decide_request
from bot.operations.services import Services
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, TEAM, World, make_desk, reveal

Decide = Callable[[Services, Member, str], KeyRequest]
WHY = "Use the role of the build server"


def deny(services: Services, member: Member, request_id: str) -> KeyRequest:
    return decide_request.deny(services, member, request_id, WHY)


both = pytest.mark.parametrize("decision", [decide_request.approve, deny])


@both
def test_nobody_decides_their_own_request_not_even_an_approver(decision: Decide) -> None:
    world = make_desk()
    world.people.may_approve |= {ALICE.id}
    request = world.pending()
    with (
        world.nothing_happens(),
        refuses(Code.OWN_REQUEST),
    ):
        decision(world.services, ALICE, request.id)


@both
@pytest.mark.parametrize(
    "pairs",
    [
        {ALICE.id: "deploy", CAROL.id: "Deploy"},
        {ALICE.id: "deploy", CAROL.id: "carol", CAROL.email: "deploy"},
    ],
)
def test_nobody_decides_who_is_mapped_to_the_same_iam_user(
    decision: Decide, pairs: dict[str, str]
) -> None:
    world = make_desk(iam_mapping=IamMapping("", pairs=pairs))
    world.iam.add_user("deploy")
    request = world.pending()
    with world.nothing_happens(), refuses(Code.SAME_IAM_USER):
        decision(world.services, CAROL, request.id)


@both
def test_nobody_decides_who_is_no_approver_at_that_moment(decision: Decide) -> None:
    world = make_desk()
    request = world.pending()
    world.people.may_approve -= {CAROL.id}
    with world.nothing_happens():
        for member in (BOB, CAROL):
            with refuses(Code.NOT_AN_APPROVER):
                decision(world.services, member, request.id)


@both
def test_nothing_is_decided_while_slack_does_not_say_who_may(decision: Decide) -> None:
    world = make_desk()
    request = world.pending()
    world.taps.on(
        "directory.approvers", before=SlackUnavailable("usergroups.users.list", "fatal_error")
    )
    with world.nothing_happens(), pytest.raises(SlackUnavailable):
        decision(world.services, CAROL, request.id)


def test_an_approved_request_may_be_revealed_for_72_hours() -> None:
    world = make_desk()
    pending = world.pending()
    world.clock.advance(timedelta(hours=5))
    request = decide_request.approve(world.services, CAROL, pending.id)
    now = world.clock.now()
    assert request == world.now(request)
    assert (
        request.status,
        request.decided_by,
        request.decided_at,
        request.approvals,
        request.deadline,
    ) == (Status.APPROVED, CAROL.id, now, (Approval(CAROL.id, now),), now + timedelta(hours=72))
    assert world.iam.made == {}
    assert (world.store.entries[-1].by, world.store.entries[-1].action) == (CAROL.id, "approve")


def test_a_denied_request_is_final_and_gives_its_place_back() -> None:
    world = make_desk()
    request = deny(world.services, CAROL, world.pending().id)
    assert (request.status, request.decided_by, request.deadline) == (Status.DENIED, CAROL.id, None)
    assert not world.store.due(world.clock.now() + timedelta(days=99))
    world.pending()


@both
def test_a_decided_request_is_not_decided_again(
    decision: Decide,
) -> None:
    world = make_desk()
    request = world.approved()
    with (
        world.nothing_happens(),
        refuses(
            Code.REQUEST_MOVED_ON,
            status="approved",
            last_event="approve",
            by="U0CAROL",
            at=request.decided_at,
        ),
    ):
        decision(world.services, ERIN, request.id)


@both
def test_of_two_approvers_at_once_one_decides(
    decision: Decide,
) -> None:
    world = make_desk()
    request = world.pending()
    world.taps.on("store.commit", before=lambda: deny(world.services, ERIN, request.id))
    with refuses(Code.REQUEST_MOVED_ON, status="denied", last_event="deny", by="U0ERIN"):
        decision(world.services, CAROL, request.id)
    assert world.now(request).decided_by == ERIN.id


@both
def test_a_cancelled_expired_or_unknown_request_is_not_decided(
    decision: Decide,
) -> None:
    world = make_desk()
    gone = create_request.cancel(world.services, ALICE, world.pending().id)
    with (
        world.nothing_happens(),
        refuses(Code.REQUEST_MOVED_ON, status="cancelled", by="U0ALICE"),
    ):
        decision(world.services, CAROL, gone.id)
    late = world.pending()
    world.clock.advance(timedelta(hours=72))
    with refuses(Code.REQUEST_MOVED_ON, status="expired"):
        decision(world.services, CAROL, late.id)
    with pytest.raises(RequestNotFound):
        decision(world.services, CAROL, "id99")
    assert world.now(late).status is Status.EXPIRED


def test_the_reason_of_a_denial_is_stored_and_audited() -> None:
    world = make_desk()
    request = decide_request.deny(world.services, CAROL, world.pending().id, f"  {WHY}\n")
    assert (
        request.denial_reason,
        world.store.entries[-1].reason,
        world.store.entries[-1].action,
    ) == (
        WHY,
        WHY,
        "deny",
    )


@pytest.mark.parametrize(
    ("why", "refusal"),
    [
        ("", BadCommand),
        (" \u00a0\u200b", BadCommand),
        ("x" * 501, BadCommand),
        ("it holds wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2", LooksLikeSecret),
    ],
)
def test_a_denial_needs_a_reason_without_a_secret(why: str, refusal: type[Exception]) -> None:
    world = make_desk()
    request = world.pending()
    with world.nothing_happens(), pytest.raises(refusal):
        decide_request.deny(world.services, CAROL, request.id, why)


def test_who_may_not_deny_is_refused_before_the_form() -> None:
    world = make_desk()
    request = world.pending()
    with world.nothing_happens():
        assert decide_request.check_may_deny(world.services, CAROL, request.id) == request
        for member, code in ((ALICE, Code.OWN_REQUEST), (BOB, Code.NOT_AN_APPROVER)):
            with refuses(code):
                decide_request.check_may_deny(world.services, member, request.id)
    decide_request.approve(world.services, CAROL, request.id)
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="approved", by="U0CAROL"):
        decide_request.check_may_deny(world.services, ERIN, request.id)


# -- Several approvers: each counts once and only while they may approve; one no ends it; a yes can be taken back.


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
def test_the_click_that_completes_the_quorum_approves(
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


def test_an_approval_counts_once() -> None:
    world = desk_of(3)
    request = world.pending()
    approved_by(world, request, CAROL)
    for missing, other in ((2, ERIN), (1, None)):
        with (
            world.nothing_happens(),
            refuses(Code.ALREADY_APPROVED, missing=missing),
        ):
            decide_request.approve(world.services, CAROL, request.id)
        if other:
            approved_by(world, request, other)
    assert world.now(request).approvers == (CAROL.id, ERIN.id)


def test_a_lowered_quorum_does_not_change_open_requests() -> None:
    world = desk_of(2)
    request = world.pending()
    lower = replace(
        world.services,
        settings=world.services.settings.model_copy(update={"approvals_required": 1}),
    )
    assert decide_request.approve(lower, CAROL, request.id).status is Status.PENDING
    assert decide_request.approve(lower, ERIN, request.id).status is Status.APPROVED


def test_one_denial_ends_it_however_many_have_approved() -> None:
    world = desk_of(3)
    request = world.pending()
    approved_by(world, request, CAROL, ERIN)
    denied = decide_request.deny(world.services, DAN, request.id, "not needed")
    assert (denied.status, denied.decided_by, denied.deadline) == (Status.DENIED, DAN.id, None)
    with (
        world.nothing_happens(),
        refuses(Code.REQUEST_MOVED_ON, status="denied", last_event="deny", by="U0DAN"),
    ):
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
def test_an_approval_is_dropped_if_its_right_is_lost(lost: str) -> None:
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
    assert world.store.entries[-1].detail == Detail(Code.APPROVALS_DROPPED, {"users": CAROL.id})
    assert waiting.approvals_missing == 1
    done = decide_request.approve(world.services, DAN, request.id)
    assert (done.status, done.approvers, done.dropped_approvers) == (
        Status.APPROVED,
        (ERIN.id, DAN.id),
        (CAROL.id,),
    )


def test_an_approver_with_regained_rights_may_approve_again() -> None:
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


def test_no_quorum_while_slack_hides_an_earlier_approver() -> None:
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
        refuses(Code.OWN_REQUEST),
    ):
        decide_request.approve(world.services, ALICE, request.id)


def test_an_approver_with_the_requesters_iam_user_never_counts() -> None:
    world = desk_of(2, iam_mapping=IamMapping("", pairs={ALICE.id: "deploy", CAROL.id: "Deploy"}))
    world.iam.add_user("deploy")
    request = world.pending()
    with world.nothing_happens(), refuses(Code.SAME_IAM_USER):
        decide_request.approve(world.services, CAROL, request.id)


def test_a_reached_quorum_stands_when_a_right_is_lost() -> None:
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


def test_of_two_completing_clicks_at_once_one_completes() -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.taps.on(
        "store.commit", before=lambda: decide_request.approve(world.services, ERIN, request.id)
    )
    with refuses(Code.REQUEST_MOVED_ON, status="approved", by="U0ERIN"):
        decide_request.approve(world.services, DAN, request.id)
    assert world.now(request).approvers == (CAROL.id, ERIN.id)


def test_two_first_approvals_at_once_complete_a_quorum_of_two() -> None:
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
    ids=["denial", "cancel", "expiry"],
)
def test_an_approval_loses_against_a_final_event(
    rival: Callable[[World, KeyRequest], object],
) -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.taps.on("store.commit", before=lambda: rival(world, request))
    with pytest.raises(WrongState) as refused:
        decide_request.approve(world.services, ERIN, request.id)
    assert refused.value.facts["status"] == world.now(request).status
    assert world.now(request).status.final and world.now(request).approvers == (CAROL.id,)


def test_an_approval_whose_answer_was_lost_counts_once() -> None:
    world = desk_of(2)
    request = world.pending()
    world.taps.on("store.commit", after=StoreUnavailable())
    with pytest.raises(StoreUnavailable):
        decide_request.approve(world.services, CAROL, request.id)
    with refuses(Code.ALREADY_APPROVED, missing=1, repeat_helps=False):
        decide_request.approve(world.services, CAROL, request.id)


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

"""Approve or deny a request: who may decide, and what one decision does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.identity import IamMapping, Member
from bot.domain.outside_errors import SlackUnavailable
from bot.domain.requests import Approval, KeyRequest
from bot.domain.states import Status
from bot.operations import create_request, decide_request, remind_approvers
from bot.operations.services import Services
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk

Click = Callable[[Services, Member, str], KeyRequest]
WHY = "Use the role of the build server"


def deny(services: Services, member: Member, request_id: str) -> KeyRequest:
    return decide_request.deny(services, member, request_id, WHY)


approve, claim = decide_request.approve, remind_approvers.toggle_review
CLICKS = {
    "approve": approve,
    "deny": deny,
    "open the form of a denial": decide_request.check_may_deny,
    "revoke": decide_request.revoke,
    "claim": claim,
}
each_click = pytest.mark.parametrize("click", CLICKS.values(), ids=CLICKS)
both = pytest.mark.parametrize("click", [approve, deny], ids=["approve", "deny"])


@pytest.fixture
def world() -> World:
    return make_desk()


# -- who may decide


@each_click
def test_an_approver_does_not_decide_their_own_request(world: World, click: Click) -> None:
    world.people.may_approve |= {ALICE.id}
    request = world.pending()
    with world.nothing_happens(), refuses(Code.OWN_REQUEST):
        click(world.services, ALICE, request.id)


@each_click
@pytest.mark.parametrize(
    "pairs",
    [
        {ALICE.id: "deploy", CAROL.id: "Deploy"},
        {ALICE.id: "deploy", CAROL.id: "carol", CAROL.email: "deploy"},
    ],
    ids=["in other letters", "by the address"],
)
def test_sharers_of_an_iam_user_do_not_decide_for_it(click: Click, pairs: dict[str, str]) -> None:
    world = make_desk(iam_mapping=IamMapping("", pairs=pairs))
    world.iam.add_user("deploy")
    request = world.pending()
    with world.nothing_happens(), refuses(Code.SAME_IAM_USER, iam_user="deploy"):
        click(world.services, CAROL, request.id)


@each_click
def test_only_those_who_are_approvers_now_decide(world: World, click: Click) -> None:
    request = world.pending()
    world.people.may_approve -= {CAROL.id}
    with world.nothing_happens():
        for member in (BOB, CAROL):
            with refuses(Code.NOT_AN_APPROVER):
                click(world.services, member, request.id)


@each_click
def test_nothing_is_decided_while_slack_hides_approvers(world: World, click: Click) -> None:
    request = world.pending()
    silent = SlackUnavailable("usergroups.users.list", "fatal_error")
    world.taps.on("directory.approvers", before=silent)
    with world.nothing_happens(), refuses(Code.SLACK_UNAVAILABLE):
        click(world.services, CAROL, request.id)


# -- what may be decided


@each_click
def test_cancelled_expired_and_unknown_requests_are_refused(world: World, click: Click) -> None:
    cancelled = create_request.cancel(world.services, ALICE, world.pending().id)
    moved_on = refuses(Code.REQUEST_MOVED_ON, status="cancelled", by=ALICE.id)
    with world.nothing_happens(), moved_on:
        click(world.services, CAROL, cancelled.id)
    with world.nothing_happens(), refuses(Code.REQUEST_NOT_FOUND):
        click(world.services, CAROL, "id99")
    late = world.pending()
    world.clock.advance(timedelta(hours=72))
    with refuses(Code.REQUEST_MOVED_ON, status="expired"):
        click(world.services, CAROL, late.id)
    assert world.now(late).status is Status.EXPIRED


@pytest.mark.parametrize("name", [name for name in CLICKS if name != "revoke"])
def test_a_decided_request_is_not_decided_again(world: World, name: str) -> None:
    request = world.approved()
    facts = {"status": "approved", "last_event": "approve", "by": CAROL.id}
    moved_on = refuses(Code.REQUEST_MOVED_ON, at=request.decided_at, **facts)
    with world.nothing_happens(), moved_on:
        CLICKS[name](world.services, ERIN, request.id)


@both
def test_of_two_approvers_at_once_one_decides(world: World, click: Click) -> None:
    request = world.pending()
    world.taps.on("store.commit", before=lambda: deny(world.services, ERIN, request.id))
    with refuses(Code.REQUEST_MOVED_ON, status="denied", last_event="deny", by=ERIN.id):
        click(world.services, CAROL, request.id)
    assert world.now(request).decided_by == ERIN.id


# -- what a decision does


def test_an_approved_request_may_be_revealed_for_72_hours(world: World) -> None:
    pending = world.pending()
    world.clock.advance(timedelta(hours=5))
    request = approve(world.services, CAROL, pending.id)
    now = world.clock.now()
    assert request == world.now(request)
    assert (request.status, request.approvals) == (Status.APPROVED, (Approval(CAROL.id, now),))
    assert (request.decided_by, request.decided_at) == (CAROL.id, now)
    assert request.deadline == now + timedelta(hours=72)
    assert world.iam.made == {}
    assert (world.store.entries[-1].by, world.store.entries[-1].action) == (CAROL.id, "approve")


def test_a_denied_request_is_final_and_frees_its_lock(world: World) -> None:
    request = decide_request.deny(world.services, CAROL, world.pending().id, f"  {WHY}\n")
    assert (request.status, request.decided_by, request.deadline) == (Status.DENIED, CAROL.id, None)
    assert request.decided_at == world.clock.now()
    entry = world.store.entries[-1]
    assert (request.denial_reason, entry.reason, entry.action) == (WHY, WHY, "deny")
    assert not world.store.due(world.clock.now() + timedelta(days=99))
    assert world.pending().status is Status.PENDING


@pytest.mark.parametrize(
    ("why", "code"),
    [
        ("", Code.REASON_MISSING),
        (" \u00a0\u200b", Code.REASON_MISSING),
        ("x" * 501, Code.REASON_TOO_LONG),
        ("it holds wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2", Code.LOOKS_LIKE_SECRET),
    ],
    ids=["empty", "invisible", "too long", "a secret"],
)
def test_a_denial_needs_a_reason_without_a_secret(world: World, why: str, code: Code) -> None:
    request = world.pending()
    with world.nothing_happens(), refuses(code):
        decide_request.deny(world.services, CAROL, request.id, why)


def test_opening_the_form_of_a_denial_changes_nothing(world: World) -> None:
    request = world.pending()
    with world.nothing_happens():
        assert decide_request.check_may_deny(world.services, CAROL, request.id) == request

"""Deciding: by an approver, about somebody else's request, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    BadCommand,
    LooksLikeSecret,
    RequestNotFound,
    SlackUnavailable,
)
from bot.domain.identity import IamMapping, Member
from bot.domain.requests import Approval, KeyRequest
from bot.domain.states import Status
from bot.operations import create_request, decide_request
from bot.operations.services import Services
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, make_desk

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


def test_an_approved_request_may_be_revealed_for_72_hours_and_no_key_is_made_yet() -> None:
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
def test_a_decided_request_stays_as_it_is_and_the_second_is_told_who_decided_and_when(
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
def test_of_two_approvers_in_the_same_instant_one_decides_and_the_other_is_told(
    decision: Decide,
) -> None:
    world = make_desk()
    request = world.pending()
    world.taps.on("store.commit", before=lambda: deny(world.services, ERIN, request.id))
    with refuses(Code.REQUEST_MOVED_ON, status="denied", last_event="deny", by="U0ERIN"):
        decision(world.services, CAROL, request.id)
    assert world.now(request).decided_by == ERIN.id


@both
def test_a_request_that_was_taken_back_or_is_over_or_unknown_is_not_decided(
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


def test_the_reason_of_a_denial_is_kept_in_the_request_and_in_the_record() -> None:
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
def test_a_denial_without_a_reason_or_with_a_secret_in_it_is_none(
    why: str, refusal: type[Exception]
) -> None:
    world = make_desk()
    request = world.pending()
    with world.nothing_happens(), pytest.raises(refusal):
        decide_request.deny(world.services, CAROL, request.id, why)


def test_who_could_not_deny_is_told_so_before_they_are_asked_why() -> None:
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

"""Two Slack accounts of one IAM user are one approver: their approvals are not two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.codes import Code
from bot.domain.errors import SlackUnavailable
from bot.domain.identity import IamMapping
from bot.domain.states import Status
from bot.operations import decide_request
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, ERIN, World
from tests.unit.operations.test_quorum import DAN, FRANK, approved_by, desk_of


def of_one_iam_user(approvals_needed: int) -> World:
    """Carol and Erin are two Slack accounts of one IAM user, written in two ways."""
    pairs = {ALICE.id: ALICE.email, CAROL.id: "carol", ERIN.id: "Carol", DAN.id: "dan"}
    return desk_of(approvals_needed, iam_mapping=IamMapping(rule="", pairs=pairs))


@pytest.mark.parametrize("approvals_needed", [2, 3])
def test_two_slack_accounts_of_one_iam_user_are_one_approver(approvals_needed: int) -> None:
    world = of_one_iam_user(approvals_needed)
    request = world.pending()
    approved_by(world, request, CAROL)
    with (
        world.nothing_happens(),
        refuses(Code.IAM_USER_HAS_APPROVED, by="U0CAROL", iam_user="carol"),
    ):
        decide_request.approve(world.services, ERIN, request.id)
    assert len(approved_by(world, request, DAN).approvals) == 2


def test_who_has_taken_their_approval_back_leaves_the_other_account_free_to_approve() -> None:
    world = of_one_iam_user(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    decide_request.withdraw_approval(world.services, CAROL, request.id)
    assert approved_by(world, request, ERIN, DAN).status is Status.APPROVED


def test_two_who_have_come_to_share_an_iam_user_count_once_when_the_quorum_is_reached() -> None:
    world = desk_of(3)
    request = world.pending()
    approved_by(world, request, CAROL, ERIN)
    world.people.people[ERIN.id] = replace(ERIN, email=CAROL.email.upper())
    waiting = approved_by(world, request, DAN)
    assert (waiting.status, waiting.approvers, waiting.dropped_approvers) == (
        Status.PENDING,
        (CAROL.id, DAN.id),
        (ERIN.id,),
    )
    assert approved_by(world, request, FRANK).status is Status.APPROVED


def test_an_approver_who_has_lost_the_right_keeps_no_other_account_of_that_iam_user_from_approving() -> (
    None
):
    world = of_one_iam_user(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.people.may_approve -= {CAROL.id}
    waiting = approved_by(world, request, ERIN)
    assert (waiting.approvers, waiting.dropped_approvers) == ((ERIN.id,), (CAROL.id,))


def test_where_slack_does_not_say_who_has_approved_no_further_approval_is_taken() -> None:
    world = of_one_iam_user(3)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.taps.on("directory.member", before=SlackUnavailable("users.info", "timeout"))
    with world.nothing_happens(), pytest.raises(SlackUnavailable):
        decide_request.approve(world.services, ERIN, request.id)

"""One approval more, where a request may be risky: until it is known not to be, and given up once."""

from __future__ import annotations

import pytest

from bot.domain.errors import NotAllowed
from bot.domain.permissions import Permissions
from bot.domain.states import Status
from bot.operations import decide_request, load_permissions
from tests.support.world import ALICE, CAROL, ERIN, make_desk
from tests.unit.operations.test_load_permissions import ADMIN, DENIED

RULE = {"approvals_required": 1, "risky_needs_one_more": True}


@pytest.mark.parametrize(
    ("permissions", "approvals_needed"),
    [(ADMIN, 2), (Permissions(), 1), (DENIED, 2)],
    ids=["risky", "plain", "unread"],
)
def test_where_risky_requests_need_one_more_a_request_does_until_it_is_known_not_to_be_risky(
    permissions: Permissions, approvals_needed: int
) -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = permissions
    request = world.pending()
    assert request.approvals_needed == 2
    load_permissions.load(world.services, request.id)
    assert world.now(request).approvals_needed == approvals_needed


def test_who_approves_before_the_facts_are_there_does_not_decide_alone() -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = Permissions()
    request = world.pending()
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.PENDING
    load_permissions.load(world.services, request.id)
    assert (world.now(request).status, world.now(request).approvals_needed) == (
        Status.PENDING,
        2,
    ), "what Carol was told stands"
    assert decide_request.approve(world.services, ERIN, request.id).status is Status.APPROVED


def test_who_approved_before_the_facts_were_there_may_do_so_again_where_nobody_else_can() -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = Permissions()
    request = world.pending()
    decide_request.approve(world.services, CAROL, request.id)
    load_permissions.load(world.services, request.id)
    with pytest.raises(
        NotAllowed, match=r"one more is needed\. You did before .* \*Withdraw my approval\*"
    ):
        decide_request.approve(world.services, CAROL, request.id)
    assert decide_request.withdraw_approval(world.services, CAROL, request.id).approvals_needed == 1
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.APPROVED


@pytest.mark.parametrize("permissions", [ADMIN, DENIED], ids=["risky", "unread"])
def test_what_may_be_risky_needs_one_more_however_often_approvals_are_taken_back(
    permissions: Permissions,
) -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = permissions
    request = world.pending()
    for _ in range(2):
        decide_request.approve(world.services, CAROL, request.id)
        assert (
            decide_request.withdraw_approval(world.services, CAROL, request.id).approvals_needed
            == 2
        )
        load_permissions.load(world.services, request.id)
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.PENDING


def test_one_more_is_given_up_once() -> None:
    world = make_desk(approvals_required=2, risky_needs_one_more=True)
    world.iam.may[ALICE.email] = Permissions()
    request = world.pending_request()
    for _ in range(2):
        decide_request.approve(world.services, CAROL, request.id)
        assert (
            decide_request.withdraw_approval(world.services, CAROL, request.id).approvals_needed
            == 2
        )
    assert decide_request.approve(world.services, CAROL, request.id).approvals_missing == 1


def test_without_that_rule_a_risky_request_needs_as_many_as_any_other() -> None:
    world = make_desk()
    world.iam.may[ALICE.email] = ADMIN
    assert world.pending_request().approvals_needed == 1

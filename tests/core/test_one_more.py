"""One approval more, where a request may be risky: until it is known not to be, and given up once."""

from __future__ import annotations

import pytest

from bot.core.errors import NotAllowed
from bot.core.iam_facts import IamFacts
from bot.core.moves import Status
from bot.core.workflow import decide, learn
from tests.core.fakes import ALICE, CAROL, ERIN, make_desk
from tests.core.test_learn import ADMIN, DENIED

RULE = {"approvals_required": 1, "risky_needs_one_more": True}


@pytest.mark.parametrize(
    ("facts", "needed"),
    [(ADMIN, 2), (IamFacts(), 1), (DENIED, 2)],
    ids=["risky", "plain", "unread"],
)
def test_where_risky_requests_need_one_more_a_request_does_until_it_is_known_not_to_be_risky(
    facts: IamFacts, needed: int
) -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = facts
    request = world.pending()
    assert request.needed == 2
    learn.learn(world.desk, request.id)
    assert world.now(request).needed == needed


def test_who_approves_before_the_facts_are_there_does_not_decide_alone() -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = IamFacts()
    request = world.pending()
    assert decide.approve(world.desk, CAROL, request.id).status is Status.PENDING
    learn.learn(world.desk, request.id)
    assert (world.now(request).status, world.now(request).needed) == (Status.PENDING, 2), (
        "what Carol was told stands"
    )
    assert decide.approve(world.desk, ERIN, request.id).status is Status.APPROVED


def test_who_approved_before_the_facts_were_there_may_do_so_again_where_nobody_else_can() -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = IamFacts()
    request = world.pending()
    decide.approve(world.desk, CAROL, request.id)
    learn.learn(world.desk, request.id)
    with pytest.raises(
        NotAllowed, match=r"one more is needed\. You did before .* \*Take back my approval\*"
    ):
        decide.approve(world.desk, CAROL, request.id)
    assert decide.take_back(world.desk, CAROL, request.id).needed == 1
    assert decide.approve(world.desk, CAROL, request.id).status is Status.APPROVED


@pytest.mark.parametrize("facts", [ADMIN, DENIED], ids=["risky", "unread"])
def test_what_may_be_risky_needs_one_more_however_often_approvals_are_taken_back(
    facts: IamFacts,
) -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = facts
    request = world.pending()
    for _ in range(2):
        decide.approve(world.desk, CAROL, request.id)
        assert decide.take_back(world.desk, CAROL, request.id).needed == 2
        learn.learn(world.desk, request.id)
    assert decide.approve(world.desk, CAROL, request.id).status is Status.PENDING


def test_one_more_is_given_up_once() -> None:
    world = make_desk(approvals_required=2, risky_needs_one_more=True)
    world.iam.may[ALICE.email] = IamFacts()
    request = world.waiting()
    for _ in range(2):
        decide.approve(world.desk, CAROL, request.id)
        assert decide.take_back(world.desk, CAROL, request.id).needed == 2
    assert decide.approve(world.desk, CAROL, request.id).missing == 1


def test_without_that_rule_a_risky_request_needs_as_many_as_any_other() -> None:
    world = make_desk()
    world.iam.may[ALICE.email] = ADMIN
    assert world.waiting().needed == 1

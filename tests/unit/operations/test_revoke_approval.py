"""Approvals that do not count, are withdrawn or revoked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.codes import Code
from bot.domain.errors import ChangePending
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import SlackUnavailable, StoreUnavailable
from bot.domain.permissions import Permissions
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, decide_request, load_permissions
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk, reveal
from tests.unit.operations.test_decide_request import DAN, FRANK, approved_by, desk_of
from tests.unit.operations.test_load_permissions import ADMIN, DENIED


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


def test_a_withdrawn_approval_lets_the_other_account_approve() -> None:
    world = of_one_iam_user(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    decide_request.withdraw_approval(world.services, CAROL, request.id)
    assert approved_by(world, request, ERIN, DAN).status is Status.APPROVED


def test_approvers_that_come_to_share_an_iam_user_count_once() -> None:
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


def test_a_dropped_approver_does_not_block_their_other_account() -> None:
    world = of_one_iam_user(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.people.may_approve -= {CAROL.id}
    waiting = approved_by(world, request, ERIN)
    assert (waiting.approvers, waiting.dropped_approvers) == ((ERIN.id,), (CAROL.id,))


def test_no_approval_while_slack_hides_who_approved() -> None:
    world = of_one_iam_user(3)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.taps.on("directory.member", before=SlackUnavailable("users.info", "timeout"))
    with world.nothing_happens(), pytest.raises(SlackUnavailable):
        decide_request.approve(world.services, ERIN, request.id)


# -- Withdrawing an own approval


def test_an_approver_withdraws_their_own_approval() -> None:
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


def test_only_own_undecided_approvals_are_withdrawn() -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL)
    with world.nothing_happens(), refuses(Code.NOT_APPROVED_BY_YOU):
        decide_request.withdraw_approval(world.services, ERIN, request.id)
    approved_by(world, request, ERIN)
    with (
        world.nothing_happens(),
        refuses(Code.WITHDRAW_TOO_LATE, status="approved", by="U0ERIN"),
    ):
        decide_request.withdraw_approval(world.services, CAROL, request.id)


def test_withdrawing_and_approving_at_once_lose_neither() -> None:
    world = desk_of(3)
    request = world.pending()
    approved_by(world, request, CAROL)
    world.taps.on(
        "store.commit", before=lambda: decide_request.approve(world.services, ERIN, request.id)
    )
    assert decide_request.withdraw_approval(world.services, CAROL, request.id).approvers == (
        ERIN.id,
    )


# -- Revoking: any approver takes back what the quorum approved, as long as no key is being made or shown.


def test_any_approver_revokes_before_the_reveal() -> None:
    world = desk_of(2)
    request = world.pending()
    approved_by(world, request, CAROL, ERIN)
    revoked = decide_request.revoke(world.services, DAN, request.id)
    assert (revoked.status, revoked.last_event_by, revoked.deadline) == (
        Status.DENIED,
        DAN.id,
        None,
    )
    assert world.store.entries[-1].action == "revoke"
    with (
        world.nothing_happens(),
        refuses(Code.REQUEST_MOVED_ON, status="denied", last_event="revoke", by="U0DAN"),
    ):
        reveal(world, request)
    world.pending()  # its place is free again


@pytest.mark.parametrize(("who", "code"), [(ALICE, Code.OWN_REQUEST), (BOB, Code.NOT_AN_APPROVER)])
def test_only_approvers_revoke_and_never_their_own(who: Member, code: Code) -> None:
    world = make_desk()
    world.people.may_approve |= {ALICE.id}
    request = world.approved()
    with world.nothing_happens(), refuses(code):
        decide_request.revoke(world.services, who, request.id)


def test_a_revealed_request_is_not_revoked() -> None:
    world = make_desk()
    request = world.delivered()
    with (
        world.nothing_happens(),
        refuses(Code.REVOKE_TOO_LATE, status="delivered", key_id=request.access_key_id),
    ):
        decide_request.revoke(world.services, CAROL, request.id)


@pytest.mark.parametrize("first", ["reveal", "revoke"])
def test_of_reveal_and_revoke_at_once_one_wins(
    first: str,
) -> None:
    world = make_desk()
    request = world.approved()
    if first == "revoke":
        world.taps.on(
            "store.commit", before=lambda: decide_request.revoke(world.services, ERIN, request.id)
        )
        with refuses(Code.REQUEST_MOVED_ON, status="denied", last_event="revoke", by="U0ERIN"):
            reveal(world, request)
        assert world.iam.made == {}
    else:
        world.taps.on("store.commit", before=lambda: reveal(world, request))
        with refuses(Code.REVOKE_TOO_LATE, by="U0ALICE"):
            decide_request.revoke(world.services, ERIN, request.id)
        assert world.now(request).status is Status.DELIVERED and len(world.iam.active) == 1


def test_a_pending_request_is_not_revoked() -> None:
    world = desk_of(2)
    request = world.pending()
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="pending"):
        decide_request.revoke(world.services, CAROL, request.id)


def test_an_approved_change_that_is_not_done_yet_can_be_revoked() -> None:
    world = desk_of(1)
    off = world.console_key()
    world.iam.set_status(ALICE.email, off, KeyStatus.INACTIVE)
    asked = create_request.enable(world.services, ALICE, off, "needed again")
    assert asked
    world.taps.on("issuer.user", before=StoreUnavailable())
    with pytest.raises(ChangePending):
        decide_request.approve(world.services, CAROL, asked.id)
    assert decide_request.revoke(world.services, ERIN, asked.id).status is Status.DENIED
    world.rest(days=1)
    assert world.iam.active == []


def test_a_late_withdrawal_or_revocation_names_the_way_out() -> None:
    world = desk_of(1)
    request = world.approved()
    with (
        world.nothing_happens(),
        refuses(Code.WITHDRAW_TOO_LATE, status="approved"),
    ):
        decide_request.withdraw_approval(world.services, CAROL, request.id)
    key_id = reveal(world, request).access_key_id
    world.iam.hidden.add(key_id)  # too young for IAM to know it when it is to go
    assert confirm_receipt.did_not_get(world.services, ALICE, key_id).status is Status.DELETING
    with (
        world.nothing_happens(),
        refuses(Code.REVOKE_AFTER_DELETION, status="deleting", key_id=key_id),
    ):
        decide_request.revoke(world.services, CAROL, request.id)


# -- One approval more, where a request may be risky: until it is known not to be, and given up once.


RULE = {"approvals_required": 1, "risky_needs_one_more": True}


@pytest.mark.parametrize(
    ("permissions", "approvals_needed"),
    [(ADMIN, 2), (Permissions(), 1), (DENIED, 2)],
    ids=["risky", "plain", "unread"],
)
def test_a_request_needs_one_more_until_known_not_risky(
    permissions: Permissions, approvals_needed: int
) -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = permissions
    request = world.pending()
    assert request.approvals_needed == 2
    load_permissions.load(world.services, request.id)
    assert world.now(request).approvals_needed == approvals_needed


def test_an_early_approver_does_not_decide_alone() -> None:
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


def test_an_early_approver_may_withdraw_and_decide_alone() -> None:
    world = make_desk(**RULE)
    world.iam.may[ALICE.email] = Permissions()
    request = world.pending()
    decide_request.approve(world.services, CAROL, request.id)
    load_permissions.load(world.services, request.id)
    with refuses(Code.ALREADY_APPROVED, missing=1, repeat_helps=True):
        decide_request.approve(world.services, CAROL, request.id)
    assert decide_request.withdraw_approval(world.services, CAROL, request.id).approvals_needed == 1
    assert decide_request.approve(world.services, CAROL, request.id).status is Status.APPROVED


@pytest.mark.parametrize("permissions", [ADMIN, DENIED], ids=["risky", "unread"])
def test_withdrawals_do_not_lower_a_risky_requests_quorum(
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


def test_the_extra_approval_is_dropped_once() -> None:
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


def test_without_the_rule_risk_needs_no_extra_approval() -> None:
    world = make_desk()
    world.iam.may[ALICE.email] = ADMIN
    assert world.pending_request().approvals_needed == 1

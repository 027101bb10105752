"""Withdraw an own approval, revoke what was approved, and drop an extra approval."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.codes import Code
from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.permissions import Permissions, Unread
from bot.domain.requests import Approval, KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, decide_request, load_permissions
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, World, make_desk, reveal
from tests.unit.operations.test_quorum import DAN, approve, waiting


@pytest.fixture
def world() -> World:
    return make_desk()


def withdraw(world: World, request: KeyRequest, member: object = CAROL) -> KeyRequest:
    return decide_request.withdraw_approval(world.services, member, request.id)


def revoke(world: World, request: KeyRequest, member: object = ERIN) -> KeyRequest:
    return decide_request.revoke(world.services, member, request.id)


# -- withdraw


def test_an_approver_withdraws_their_own_approval() -> None:
    """Let a former approver withdraw, too: less approval is always allowed."""
    world, request = waiting(3, CAROL, ERIN)
    world.people.may_approve -= {CAROL.id}
    left = withdraw(world, request)
    assert (left.status, left.approvers, left.approvals_missing) == (Status.PENDING, (ERIN.id,), 2)
    entry = world.store.entries[-1]
    assert (entry.by, entry.action) == (CAROL.id, "withdraw_approval")


def test_only_own_undecided_approvals_are_withdrawn() -> None:
    world, request = waiting(2, CAROL)
    with world.nothing_happens():
        with refuses(Code.NOT_APPROVED_BY_YOU):
            withdraw(world, request, ERIN)
        with refuses(Code.NOT_AN_APPROVER):
            withdraw(world, request, BOB)
        with refuses(Code.REQUEST_NOT_FOUND):
            decide_request.withdraw_approval(world.services, CAROL, "id99")
    approve(world, request, ERIN)
    with world.nothing_happens(), refuses(Code.WITHDRAW_TOO_LATE, status="approved", by=ERIN.id):
        withdraw(world, request)
    reveal(world, request)
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="delivered"):
        withdraw(world, request)


def test_withdrawing_and_approving_at_once_lose_neither() -> None:
    world, request = waiting(3, CAROL)
    world.taps.on("store.commit", before=lambda: approve(world, request, ERIN))
    assert withdraw(world, request).approvers == (ERIN.id,)


# -- revoke


def test_any_approver_revokes_before_the_reveal() -> None:
    world, request = waiting(2, CAROL, ERIN)
    revoked = revoke(world, request, DAN)
    end = (revoked.status, revoked.last_event_by, revoked.deadline)
    assert end == (Status.DENIED, DAN.id, None)
    assert world.store.entries[-1].action == "revoke"
    moved_on = refuses(Code.REQUEST_MOVED_ON, status="denied", last_event="revoke", by=DAN.id)
    with world.nothing_happens(), moved_on:
        reveal(world, request)
    assert world.pending().status is Status.PENDING, "its lock is free again"


def test_a_pending_request_is_not_revoked(world: World) -> None:
    request = world.pending()
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="pending"):
        revoke(world, request)


@pytest.mark.parametrize("state", ["delivered", "unclaimed", "confirmed"])
def test_a_revealed_request_is_not_revoked(world: World, state: str) -> None:
    request = world.unclaimed() if state == "unclaimed" else world.delivered()
    key_id = request.access_key_id
    if state == "confirmed":
        confirm_receipt.confirm(world.services, ALICE, key_id)
    with world.nothing_happens(), refuses(Code.REVOKE_TOO_LATE, status=state, key_id=key_id):
        revoke(world, request)


def test_a_revocation_waits_for_a_deletion(world: World) -> None:
    request = world.delivered()
    world.iam.hidden.add(request.access_key_id)  # IAM does not know a new key everywhere yet
    deleting = confirm_receipt.did_not_get(world.services, ALICE, request.access_key_id)
    facts = {"status": "deleting", "key_id": request.access_key_id}
    assert deleting.status is Status.DELETING
    with world.nothing_happens(), refuses(Code.REVOKE_AFTER_DELETION, **facts):
        revoke(world, request)


def test_a_revocation_wins_over_a_reveal_at_once(world: World) -> None:
    request = world.approved()
    world.taps.on("store.commit", before=lambda: revoke(world, request))
    with refuses(Code.REQUEST_MOVED_ON, status="denied", last_event="revoke", by=ERIN.id):
        reveal(world, request)
    assert world.iam.made == {}


def test_a_reveal_wins_over_a_revocation_at_once(world: World) -> None:
    request = world.approved()
    world.taps.on("store.commit", before=lambda: reveal(world, request))
    with refuses(Code.REVOKE_TOO_LATE, by=ALICE.id):
        revoke(world, request)
    assert world.now(request).status is Status.DELIVERED and len(world.iam.active) == 1


def test_an_approved_change_that_is_not_applied_is_revoked(world: World) -> None:
    key_id = world.console_key()
    world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE)
    request = create_request.enable(world.services, ALICE, key_id, "needed again")
    assert request
    world.taps.on("issuer.user", before=StoreUnavailable())
    with refuses(Code.APPROVED_NOT_APPLIED, service="store"):
        approve(world, request, CAROL)
    assert revoke(world, request).status is Status.DENIED
    world.rest(days=1)
    assert world.iam.active == []


# -- One approval more, until the request is known not to be risky.


ADMIN = Permissions(attached=("AdministratorAccess",), admin_like=("AdministratorAccess",))
UNREAD = Permissions(mfa=True, unread=(Unread("ListGroupsForUser", denied=True),))
risky = pytest.mark.parametrize("permissions", [ADMIN, UNREAD], ids=["risky", "unread"])


def maybe_risky(permissions: Permissions, required: int = 1) -> tuple[World, KeyRequest]:
    """Return a request with an extra approval and without loaded permissions."""
    world = make_desk(approvals_required=required, risky_needs_one_more=True)
    world.iam.may[ALICE.email] = permissions
    return world, world.pending()


def load(world: World, request: KeyRequest) -> KeyRequest:
    load_permissions.load(world.services, request.id)
    return world.now(request)


def test_a_request_known_not_to_be_risky_needs_one_less() -> None:
    world, request = maybe_risky(Permissions())
    assert (request.approvals_needed, request.extra_approval) == (2, True)
    loaded = load(world, request)
    assert (loaded.approvals_needed, loaded.extra_approval) == (1, False)
    assert approve(world, request, CAROL).status is Status.APPROVED


@risky
def test_the_quorum_of_a_risky_request_is_never_lowered(permissions: Permissions) -> None:
    world, request = maybe_risky(permissions)
    for _ in range(2):
        approve(world, request, CAROL)
        left = withdraw(world, request)
        assert (left.approvals_needed, left.extra_approval) == (2, True)
        assert load(world, request).approvals_needed == 2
    assert approve(world, request, CAROL).status is Status.PENDING
    assert approve(world, request, ERIN).status is Status.APPROVED


def test_an_early_approver_does_not_decide_alone() -> None:
    """Keep the number of missing approvals that an approver has seen."""
    world, request = maybe_risky(Permissions())
    assert approve(world, request, CAROL).status is Status.PENDING
    loaded = load(world, request)
    assert (loaded.status, loaded.approvals_needed) == (Status.PENDING, 2)
    assert approve(world, request, ERIN).status is Status.APPROVED


def test_an_early_approver_may_withdraw_and_decide_alone() -> None:
    world, request = maybe_risky(Permissions())
    approve(world, request, CAROL)
    load(world, request)
    with world.nothing_happens(), refuses(Code.ALREADY_APPROVED, missing=1, repeat_helps=True):
        approve(world, request, CAROL)
    left = withdraw(world, request)
    assert (left.approvals_needed, left.extra_approval) == (1, False)
    assert approve(world, request, CAROL).status is Status.APPROVED


def test_the_extra_approval_is_dropped_once() -> None:
    world, request = maybe_risky(Permissions(), required=2)
    assert load(world, request).approvals_needed == 2
    for _ in range(2):
        approve(world, request, CAROL)
        assert withdraw(world, request).approvals_needed == 2
    assert approve(world, request, CAROL).approvals_missing == 1


@pytest.mark.parametrize(("approvals", "needed"), [(0, 2), (1, 2), (2, 3)])
def test_dropping_the_extra_approval_approves_nothing(approvals: int, needed: int) -> None:
    """Drop it only if at least one other approval is missing then."""
    _, request = maybe_risky(Permissions(), required=2)
    given = tuple(Approval(one.id, request.requested_at) for one in (CAROL, ERIN)[:approvals])
    request = replace(request, permissions=Permissions(), approvals=given)
    assert load_permissions.without_extra_approval(request).approvals_needed == needed


def test_without_the_setting_risk_needs_no_extra_approval(world: World) -> None:
    world.iam.may[ALICE.email] = ADMIN
    request = world.pending_request()
    assert (request.approvals_needed, request.extra_approval) == (1, False)

"""Approve a request by several approvers, each of whom counts once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import Conflict, SlackUnavailable, StoreUnavailable
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import create_request, decide_request, remind_approvers
from bot.operations.decide_request import MAX_APPROVAL_CONFLICTS
from bot.operations.services import MAX_CONFLICTS
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, ERIN, TEAM, World, make_desk, reveal

DAN, FRANK = Member("U0DAN", TEAM, "dan@example.com"), Member("U0FRANK", TEAM, "frank@example.com")
APPROVERS = (CAROL, ERIN, DAN, FRANK)


def approve(world: World, request: KeyRequest, *approvers: Member) -> KeyRequest:
    """Approve by these approvers, one after the other, and return the request."""
    for approver in approvers:
        decide_request.approve(world.services, approver, request.id)
    return world.now(request)


def waiting(needed: int, *approvers: Member, **settings: object) -> tuple[World, KeyRequest]:
    """Return a request that needs so many of four approvers, and has these approvals."""
    world = make_desk(approvals_required=needed, **settings)
    world.people.people |= {one.id: one for one in APPROVERS}
    world.people.may_approve = frozenset(one.id for one in APPROVERS)
    request = world.pending()
    return world, approve(world, request, *approvers)


@pytest.mark.parametrize("needed", [1, 2, 3, 4])
def test_the_click_that_completes_the_quorum_approves(needed: int) -> None:
    world, request = waiting(needed)
    assert (request.approvals_needed, request.approvals_missing) == (needed, needed)
    for count, approver in enumerate(APPROVERS[: needed - 1], start=1):
        now = approve(world, request, approver)
        assert (now.status, len(now.approvals)) == (Status.PENDING, count)
        assert now.approvals_missing == needed - count
        assert now.deadline == request.deadline, "an approval gives no more time"
    last = APPROVERS[needed - 1]
    done = approve(world, request, last)
    assert (done.status, done.decided_by) == (Status.APPROVED, last.id)
    assert done.approvers == tuple(one.id for one in APPROVERS[:needed])
    assert done.deadline == world.clock.now() + world.services.settings.claim_ttl
    actions = [entry.action for entry in world.store.entries[1:]]
    assert actions == ["add_approval"] * (needed - 1) + ["approve"]


def test_an_approval_counts_once() -> None:
    world, request = waiting(3, CAROL)
    with world.nothing_happens(), refuses(Code.ALREADY_APPROVED, missing=2):
        approve(world, request, CAROL)
    approve(world, request, ERIN)
    with world.nothing_happens(), refuses(Code.ALREADY_APPROVED, missing=1):
        approve(world, request, CAROL)


def test_a_lowered_setting_does_not_change_open_requests() -> None:
    world, request = waiting(2)
    settings = world.services.settings.model_copy(update={"approvals_required": 1})
    world = replace(world, services=replace(world.services, settings=settings))
    assert approve(world, request, CAROL).status is Status.PENDING
    assert approve(world, request, ERIN).status is Status.APPROVED


@pytest.mark.parametrize("member", [DAN, CAROL], ids=["another approver", "one who has approved"])
def test_one_denial_ends_it_however_many_approved(member: Member) -> None:
    world, request = waiting(3, CAROL, ERIN)
    denied = decide_request.deny(world.services, member, request.id, "not needed")
    assert (denied.status, denied.decided_by, denied.deadline) == (Status.DENIED, member.id, None)


def test_a_reached_quorum_stands_when_a_right_is_lost() -> None:
    world, request = waiting(2, CAROL, ERIN)
    world.people.may_approve = frozenset()
    assert reveal(world, request).status is Status.DELIVERED


@pytest.mark.parametrize("verb", ["enable", "extend", "rotate"])
def test_every_verb_that_needs_approval_waits_for_the_quorum(verb: str) -> None:
    world, request = waiting(2, CAROL, ERIN)
    key_id = reveal(world, request).access_key_id
    if verb == "enable":
        off = world.console_key()
        world.iam.set_status(ALICE.email, off, KeyStatus.INACTIVE)
        asked = create_request.enable(world.services, ALICE, off, "needed again")
    else:
        asks = {"extend": create_request.extend, "rotate": create_request.rotate}[verb]
        asked = asks(world.services, ALICE, key_id)
    assert asked
    before = dict(world.iam._keys), world.record(key_id).expires_at
    assert approve(world, asked, CAROL).status is Status.PENDING
    assert (world.iam._keys, world.record(key_id).expires_at) == before
    done = Status.APPROVED if verb == "rotate" else Status.CONFIRMED
    assert approve(world, asked, ERIN).status is done


# -- The approval that completes a quorum has the earlier ones checked again.


LOST_RIGHTS: dict[str, dict[str, object]] = {
    "is deactivated": {"deleted": True},
    "is a guest now": {"is_guest": True},
    "is in another workspace": {"team_id": "T0OTHER"},
    "has the requester's address": {"email": ALICE.email.upper()},
    "is no approver any more": {},
}


@pytest.mark.parametrize("changes", LOST_RIGHTS.values(), ids=LOST_RIGHTS)
def test_an_approval_is_dropped_if_its_right_is_lost(changes: dict[str, object]) -> None:
    world, request = waiting(2, CAROL)
    if changes:
        world.people.people[CAROL.id] = replace(CAROL, **changes)
    else:
        world.people.may_approve -= {CAROL.id}
    now = approve(world, request, ERIN)
    assert (now.status, now.approvals_missing) == (Status.PENDING, 1)
    assert (now.approvers, now.dropped_approvers) == ((ERIN.id,), (CAROL.id,))
    assert world.store.entries[-1].detail == Detail(Code.APPROVALS_DROPPED, {"users": CAROL.id})
    done = approve(world, request, DAN)
    assert (done.status, done.approvers) == (Status.APPROVED, (ERIN.id, DAN.id))
    assert done.dropped_approvers == (CAROL.id,) and world.store.entries[-1].detail is None


def test_only_the_completing_approval_drops_others() -> None:
    """Read the others from Slack again at that approval alone."""
    world, request = waiting(3, CAROL)
    fresh_reads: list[bool] = []
    member = world.people.member

    def read(slack_user: str, *, fresh: bool = False) -> Member:
        fresh_reads.append(fresh)
        return member(slack_user, fresh=fresh)

    world.people.member = read
    world.people.may_approve -= {CAROL.id}
    now = approve(world, request, ERIN)
    assert (now.approvers, now.dropped_approvers) == ((CAROL.id, ERIN.id), ())
    now = approve(world, request, DAN)
    assert (now.approvers, now.dropped_approvers) == ((ERIN.id, DAN.id), (CAROL.id,))
    assert fresh_reads == [False, True, True]


def test_an_approver_with_regained_rights_may_approve_again() -> None:
    world, request = waiting(2, CAROL)
    world.people.may_approve -= {CAROL.id}
    approve(world, request, ERIN)
    world.people.may_approve |= {CAROL.id}
    done = approve(world, request, CAROL)
    assert (done.status, done.approvers) == (Status.APPROVED, (ERIN.id, CAROL.id))
    assert done.dropped_approvers == ()


@pytest.mark.parametrize(("needed", "then"), [(2, Status.APPROVED), (3, Status.PENDING)])
def test_no_approval_while_slack_hides_an_earlier_approver(needed: int, then: Status) -> None:
    world, request = waiting(needed, CAROL)
    world.taps.on("directory.member", before=SlackUnavailable("users.info", "fatal_error"))
    with world.nothing_happens(), refuses(Code.SLACK_UNAVAILABLE):
        approve(world, request, ERIN)
    assert approve(world, request, ERIN).status is then


# -- Two Slack accounts of one IAM user are one approver.


def sharing(needed: int) -> tuple[World, KeyRequest]:
    """Return a request approved by Carol, who shares an IAM user with Erin."""
    pairs = {ALICE.id: ALICE.email, CAROL.id: "carol", ERIN.id: "Carol", DAN.id: "dan"}
    return waiting(needed, CAROL, iam_mapping=IamMapping(rule="", pairs=pairs))


@pytest.mark.parametrize("needed", [2, 3])
def test_two_slack_accounts_of_one_iam_user_count_once(needed: int) -> None:
    world, request = sharing(needed)
    facts = {"by": CAROL.id, "iam_user": "carol"}
    with world.nothing_happens(), refuses(Code.IAM_USER_HAS_APPROVED, **facts):
        approve(world, request, ERIN)
    assert approve(world, request, DAN).approvers == (CAROL.id, DAN.id)


def test_a_withdrawn_approval_lets_the_other_account_approve() -> None:
    world, request = sharing(2)
    decide_request.withdraw_approval(world.services, CAROL, request.id)
    assert approve(world, request, ERIN, DAN).status is Status.APPROVED


def test_a_dropped_approver_does_not_block_their_other_account() -> None:
    world, request = sharing(2)
    world.people.may_approve -= {CAROL.id}
    now = approve(world, request, ERIN)
    assert (now.approvers, now.dropped_approvers) == ((ERIN.id,), (CAROL.id,))


def test_approvers_that_come_to_share_an_iam_user_count_once() -> None:
    world, request = waiting(3, CAROL, ERIN)
    world.people.people[ERIN.id] = replace(ERIN, email=CAROL.email.upper())
    now = approve(world, request, DAN)
    assert now.status is Status.PENDING
    assert (now.approvers, now.dropped_approvers) == ((CAROL.id, DAN.id), (ERIN.id,))
    assert approve(world, request, FRANK).status is Status.APPROVED


# -- clicks at the same moment


def test_of_two_approvals_at_once_neither_is_lost() -> None:
    world, request = waiting(3)
    world.taps.on("store.commit", before=lambda: approve(world, request, ERIN))
    now = approve(world, request, CAROL)
    assert now.approvers == (ERIN.id, CAROL.id) and now.approvals_missing == 1


def test_of_two_completing_clicks_at_once_one_completes() -> None:
    world, request = waiting(2, CAROL)
    world.taps.on("store.commit", before=lambda: approve(world, request, ERIN))
    with refuses(Code.REQUEST_MOVED_ON, status="approved", by=ERIN.id):
        approve(world, request, DAN)
    assert world.now(request).approvers == (CAROL.id, ERIN.id)


def test_two_first_approvals_at_once_complete_a_quorum_of_two() -> None:
    """Check the other approval again where the compare-and-set is lost."""
    world, request = waiting(2)
    world.taps.on("store.commit", before=lambda: approve(world, request, ERIN))
    assert approve(world, request, CAROL).status is Status.APPROVED
    assert world.taps.calls.count("directory.member") == 1


FINAL_EVENTS: dict[str, Callable[[World, KeyRequest], object]] = {
    "denied": lambda world, request: decide_request.deny(world.services, DAN, request.id, "no"),
    "cancelled": lambda world, request: create_request.cancel(world.services, ALICE, request.id),
    "expired": lambda world, request: world.pass_time(timedelta(hours=72)),
}


@pytest.mark.parametrize("status", FINAL_EVENTS)
def test_an_approval_loses_against_a_final_event(status: str) -> None:
    world, request = waiting(2, CAROL)
    world.taps.on("store.commit", before=lambda: FINAL_EVENTS[status](world, request))
    with refuses(Code.REQUEST_MOVED_ON, status=status):
        approve(world, request, ERIN)
    assert (world.now(request).status, world.now(request).approvers) == (status, (CAROL.id,))


def test_an_approval_after_a_lost_answer_counts_once() -> None:
    world, request = waiting(2)
    world.taps.on("store.commit", after=StoreUnavailable())
    with refuses(Code.STORE_UNAVAILABLE):
        approve(world, request, CAROL)
    with world.nothing_happens(), refuses(Code.ALREADY_APPROVED, missing=1, repeat_helps=False):
        approve(world, request, CAROL)


CONTENDED = {
    "approve": (decide_request.approve, ERIN, MAX_APPROVAL_CONFLICTS),
    "withdraw": (decide_request.withdraw_approval, CAROL, MAX_APPROVAL_CONFLICTS),
    "claim": (remind_approvers.toggle_review, ERIN, MAX_CONFLICTS),
}


@pytest.mark.parametrize(("click", "member", "tries"), CONTENDED.values(), ids=CONTENDED)
def test_a_click_that_loses_every_race_gives_up(
    click: Callable[..., KeyRequest], member: Member, tries: int
) -> None:
    world, request = waiting(3, CAROL)
    for nth in range(1, tries + 1):
        world.taps.on("store.commit", nth=nth, before=Conflict(request.name))
    with world.nothing_happens(), refuses(Code.REQUEST_CONTENDED, status="pending"):
        click(world.services, member, request.id)
    assert click(world.services, member, request.id).status is Status.PENDING

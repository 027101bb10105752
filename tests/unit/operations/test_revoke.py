"""Revoking: any approver takes back what the quorum approved, as long as no key is being made or shown."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    ChangePending,
    StoreUnavailable,
)
from bot.domain.identity import Member
from bot.domain.keys import KeyStatus
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, decide_request
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, make_desk, reveal
from tests.unit.operations.test_quorum import DAN, approved_by, desk_of


def test_any_approver_revokes_what_is_approved_as_long_as_nothing_is_revealed() -> None:
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


def test_once_it_is_revealed_revoking_says_how_to_turn_the_key_off() -> None:
    world = make_desk()
    request = world.delivered()
    with (
        world.nothing_happens(),
        refuses(Code.REVOKE_TOO_LATE, status="delivered", key_id=request.access_key_id),
    ):
        decide_request.revoke(world.services, CAROL, request.id)


@pytest.mark.parametrize("first", ["reveal", "revoke"])
def test_of_reveal_and_revoke_in_the_same_instant_one_wins_and_no_key_is_left_over(
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


def test_who_comes_too_late_to_take_back_or_to_revoke_is_told_what_works_instead() -> None:
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

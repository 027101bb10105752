"""The table of moves, row by row; what a request holds in each state; and the story it tells of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.errors import WrongState
from bot.domain.requests import Approval, KeyRequest
from bot.domain.states import Event, Status

ASKED = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
LATER = ASKED + timedelta(hours=3)

NO_KEY, KEY = "", "AKIAIOSFODNN7EXAMPLE"

# (status, the key on record): every action that may be taken there, and where it leads.
TABLE: dict[tuple[str, str], dict[str, str]] = {
    ("pending", NO_KEY): {
        "load_permissions": "pending",
        "add_approval": "pending",
        "withdraw_approval": "pending",
        "approve": "approved",
        "deny": "denied",
        "cancel": "cancelled",
        "expire": "expired",
        "start_review": "pending",
        "end_review": "pending",
        "nudge": "pending",
        "remind": "pending",
    },
    ("approved", NO_KEY): {
        "reveal": "issuing",
        "start_apply": "approved",
        "apply": "confirmed",
        "refresh": "approved",
        "cancel": "cancelled",
        "revoke": "denied",
        "expire": "expired",
    },
    ("issuing", NO_KEY): {
        "record_key": "issuing",
        "create_failed": "approved",
        "orphan_check": "approved",
    },
    ("issuing", KEY): {
        "deliver": "delivered",
        "recover": "delivered",
        "confirm": "confirmed",
        "delete_undelivered": "deleting",
    },
    ("deleting", KEY): {"key_deleted": "approved", "close": "expired"},
    ("delivered", KEY): {
        "confirm": "confirmed",
        "did_not_get": "deleting",
        "key_gone": "deleting",
        "remind": "delivered",
        "unclaim": "unclaimed",
        "owner_deleted": "expired",
        "stop": "delivered",
    },
    ("unclaimed", KEY): {
        "confirm": "confirmed",
        "replace": "deleting",
        "expire": "expired",
        "owner_deleted": "expired",
        "stop": "unclaimed",
    },
    ("confirmed", KEY): {},
    ("denied", NO_KEY): {},
    ("cancelled", NO_KEY): {},
    ("expired", NO_KEY): {},
}


def a_request(status: str = "pending", key_id: str = NO_KEY) -> KeyRequest:
    return KeyRequest(
        id="id1",
        verb="create",
        requester="U0ALICE",
        dm="D0ALICE",
        account="111122223333",
        iam_user="Alice@example.com",
        iam_user_id="AIDAALICE",
        reason="deploy",
        keys=(),
        requested_at=ASKED,
        deadline=LATER,
        status=Status(status),
        access_key_id=key_id,
    )


def test_the_table_names_every_state() -> None:
    assert {status for status, _ in TABLE} == set(Status)


@pytest.mark.parametrize("action", Event)
@pytest.mark.parametrize(("status", "key_id"), TABLE)
def test_a_request_moves_as_the_table_says_and_in_no_other_way(
    status: str, key_id: str, action: Event
) -> None:
    request = a_request(status, key_id)
    expected = TABLE[status, key_id].get(action)
    if expected is None:
        with pytest.raises(WrongState) as refused:
            request.transition(action, "U0CAROL", LATER)
        assert refused.value.status == status
    else:
        moved = request.transition(action, "U0CAROL", LATER)
        assert moved == replace(
            request,
            status=Status(expected),
            last_event=action,
            last_event_by="U0CAROL",
            last_event_at=LATER,
            version=2,
        )


def test_a_move_sets_the_facts_given_with_it_and_leaves_the_old_value_alone() -> None:
    request = a_request()
    moved = request.transition(Event.APPROVE, "U0CAROL", LATER, decided_by="U0CAROL")
    assert (moved.decided_by, request.decided_by, request.status) == ("U0CAROL", "", Status.PENDING)


@pytest.mark.parametrize("status", Status)
def test_a_request_holds_its_place_until_it_is_final_and_the_issuing_place_only_while_issuing(
    status: Status,
) -> None:
    open_, issuing = (
        "open:111122223333:alice@example.com:create",
        "issuing:111122223333:alice@example.com",
    )
    expected = {
        "issuing": {open_, issuing},
        "confirmed": set(),
        "denied": set(),
        "cancelled": set(),
        "expired": set(),
    }.get(status, {open_})
    assert a_request(status).locks == expected


@pytest.mark.parametrize(
    ("status", "action", "by", "story"),
    [
        ("pending", Event.APPROVE, "U0CAROL", "approved by <@U0CAROL>"),
        ("pending", Event.DENY, "W0CAROL", "denied by <@W0CAROL>"),
        ("pending", Event.CANCEL, "U0ALICE", "cancelled by <@U0ALICE>"),
        ("approved", Event.EXPIRE, "keydesk", "expired"),
        ("delivered", Event.CONFIRM, "U0ALICE", "finished by <@U0ALICE>"),
    ],
)
def test_the_story_says_what_happened_by_whom_and_when(
    status: str, action: Event, by: str, story: str
) -> None:
    moved = a_request(status).transition(action, by, LATER)
    again = (
        " A new one may be made with `/key create`."
        if moved.status in (Status.DENIED, Status.CANCELLED, Status.EXPIRED)
        else ""
    )
    assert moved.story() == f"This request was already {story} on 24 Nov 2026, 13:02 UTC.{again}"


def test_the_story_of_a_request_that_nobody_touched_says_since_when_it_waits() -> None:
    assert (
        a_request().story()
        == "This request has been waiting for an approver since 24 Nov 2026, 10:02 UTC."
    )


CAROL, ERIN, DAN = (Approval(one, LATER) for one in ("U0CAROL", "U0ERIN", "U0DAN"))


@pytest.mark.parametrize(
    ("approvals_needed", "approvals", "dropped_approvers", "words"),
    [
        (1, (), (), ""),
        (2, (), (), "two approvals are needed"),
        (2, (CAROL,), (), "approved by <@U0CAROL>; one more is needed"),
        (3, (CAROL,), (), "approved by <@U0CAROL>; two more are needed"),
        (
            4,
            (CAROL, ERIN, DAN),
            (),
            "approved by <@U0CAROL>, <@U0ERIN> and <@U0DAN>; one more is needed",
        ),
        (
            2,
            (ERIN,),
            ("U0CAROL",),
            "approved by <@U0ERIN>; one more is needed (<@U0CAROL> may not approve any "
            "more, so that does not count)",
        ),
        (
            1,
            (),
            ("U0CAROL",),
            "one approval is needed (<@U0CAROL> may not approve any more, so that does not count)",
        ),
        (6, (), (), "six approvals are needed"),
    ],
)
def test_a_request_says_who_has_approved_and_how_many_are_missing(
    approvals_needed: int,
    approvals: tuple[Approval, ...],
    dropped_approvers: tuple[str, ...],
    words: str,
) -> None:
    request = replace(
        a_request(),
        approvals_needed=approvals_needed,
        approvals=approvals,
        dropped_approvers=dropped_approvers,
    )
    assert request.tally() == words
    assert request.approvals_missing == approvals_needed - len(approvals)
    told = f": {words}" if words else ""
    assert request.story() == (
        f"This request has been waiting for an approver since 24 Nov 2026, 10:02 UTC{told}."
    )


def test_the_story_of_an_approved_request_names_all_who_approved() -> None:
    approved = a_request().transition(
        Event.APPROVE, "U0ERIN", LATER, approvals=(CAROL, ERIN), decided_by="U0ERIN"
    )
    assert approved.story() == (
        "This request was already approved by <@U0CAROL> and <@U0ERIN> on 24 Nov 2026, 13:02 UTC."
    )


def test_a_withdrawal_promises_another_reveal_only_where_one_is_left() -> None:
    going = a_request("delivered", KEY).transition(Event.DID_NOT_GET, "U0ALICE", LATER)
    assert (
        going.story() == f"The key {KEY} is being withdrawn; *Reveal my key* comes back after that."
    )
    assert replace(going, reveals=3).story() == f"The key {KEY} is being withdrawn."


def test_a_request_that_came_back_to_approved_tells_who_approved_it() -> None:
    back = replace(a_request("issuing"), decided_by="U0CAROL").transition(
        Event.ORPHAN_CHECK, "keydesk", LATER
    )
    assert (
        back.story()
        == "This request is approved by <@U0CAROL> and waits for the requester to reveal the key."
    )


@pytest.mark.parametrize(
    "action", [Event.START_REVIEW, Event.END_REVIEW, Event.NUDGE, Event.REMIND]
)
def test_whatever_happens_while_it_waits_its_story_is_that_it_waits(action: Event) -> None:
    assert a_request().transition(action, "U0CAROL", LATER).story() == a_request().story()

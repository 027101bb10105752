"""The table of moves, row by row; what a request holds in each state; and the story it tells of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.core.errors import WrongState
from bot.core.moves import Action, Status
from bot.core.request import Approval, KeyRequest

ASKED = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
LATER = ASKED + timedelta(hours=3)

NO_KEY, KEY = "", "AKIAIOSFODNN7EXAMPLE"

# (status, the key on record): every action that may be taken there, and where it leads.
TABLE: dict[tuple[str, str], dict[str, str]] = {
    ("pending", NO_KEY): {
        "learn": "pending",
        "endorse": "pending",
        "take_back": "pending",
        "approve": "approved",
        "deny": "denied",
        "cancel": "cancelled",
        "lapse": "expired",
        "on_it": "pending",
        "off_it": "pending",
        "nudge": "pending",
        "remind": "pending",
    },
    ("approved", NO_KEY): {
        "reveal": "issuing",
        "begin": "approved",
        "apply": "confirmed",
        "refresh": "approved",
        "cancel": "cancelled",
        "revoke": "denied",
        "lapse": "expired",
    },
    ("issuing", NO_KEY): {"issue": "issuing", "refuse": "approved", "look": "approved"},
    ("issuing", KEY): {
        "hand_over": "delivered",
        "recover": "delivered",
        "confirm": "confirmed",
        "withdraw": "withdrawing",
    },
    ("withdrawing", KEY): {"withdrawn": "approved", "close": "expired"},
    ("delivered", KEY): {
        "confirm": "confirmed",
        "did_not_get": "withdrawing",
        "gone": "withdrawing",
        "remind": "delivered",
        "unclaim": "unclaimed",
        "delete": "expired",
        "stop": "delivered",
    },
    ("unclaimed", KEY): {
        "confirm": "confirmed",
        "replace": "withdrawing",
        "lapse": "expired",
        "delete": "expired",
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
        asked_at=ASKED,
        deadline=LATER,
        status=Status(status),
        access_key_id=key_id,
    )


def test_the_table_names_every_state() -> None:
    assert {status for status, _ in TABLE} == set(Status)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(("status", "key_id"), TABLE)
def test_a_request_moves_as_the_table_says_and_in_no_other_way(
    status: str, key_id: str, action: Action
) -> None:
    request = a_request(status, key_id)
    expected = TABLE[status, key_id].get(action)
    if expected is None:
        with pytest.raises(WrongState) as refused:
            request.move(action, "U0CAROL", LATER)
        assert refused.value.status == status
    else:
        moved = request.move(action, "U0CAROL", LATER)
        assert moved == replace(
            request,
            status=Status(expected),
            moved=action,
            moved_by="U0CAROL",
            moved_at=LATER,
            version=2,
        )


def test_a_move_sets_the_facts_given_with_it_and_leaves_the_old_value_alone() -> None:
    request = a_request()
    moved = request.move(Action.APPROVE, "U0CAROL", LATER, decided_by="U0CAROL")
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
    assert a_request(status).holds == expected


@pytest.mark.parametrize(
    ("status", "action", "by", "story"),
    [
        ("pending", Action.APPROVE, "U0CAROL", "approved by <@U0CAROL>"),
        ("pending", Action.DENY, "W0CAROL", "denied by <@W0CAROL>"),
        ("pending", Action.CANCEL, "U0ALICE", "cancelled by <@U0ALICE>"),
        ("approved", Action.LAPSE, "keydesk", "expired"),
        ("delivered", Action.CONFIRM, "U0ALICE", "finished by <@U0ALICE>"),
    ],
)
def test_the_story_says_what_happened_by_whom_and_when(
    status: str, action: Action, by: str, story: str
) -> None:
    moved = a_request(status).move(action, by, LATER)
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
    ("needed", "approvals", "dropped", "words"),
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
    needed: int, approvals: tuple[Approval, ...], dropped: tuple[str, ...], words: str
) -> None:
    request = replace(a_request(), needed=needed, approvals=approvals, dropped=dropped)
    assert request.tally() == words
    assert request.missing == needed - len(approvals)
    told = f": {words}" if words else ""
    assert request.story() == (
        f"This request has been waiting for an approver since 24 Nov 2026, 10:02 UTC{told}."
    )


def test_the_story_of_an_approved_request_names_all_who_approved() -> None:
    approved = a_request().move(
        Action.APPROVE, "U0ERIN", LATER, approvals=(CAROL, ERIN), decided_by="U0ERIN"
    )
    assert approved.story() == (
        "This request was already approved by <@U0CAROL> and <@U0ERIN> on 24 Nov 2026, 13:02 UTC."
    )


def test_a_withdrawal_promises_another_reveal_only_where_one_is_left() -> None:
    going = a_request("delivered", KEY).move(Action.DID_NOT_GET, "U0ALICE", LATER)
    assert (
        going.story() == f"The key {KEY} is being withdrawn; *Reveal my key* comes back after that."
    )
    assert replace(going, reveals=3).story() == f"The key {KEY} is being withdrawn."


def test_a_request_that_came_back_to_approved_tells_who_approved_it() -> None:
    back = replace(a_request("issuing"), decided_by="U0CAROL").move(Action.LOOK, "keydesk", LATER)
    assert (
        back.story()
        == "This request is approved by <@U0CAROL> and waits for the requester to reveal the key."
    )


@pytest.mark.parametrize("action", [Action.ON_IT, Action.OFF_IT, Action.NUDGE, Action.REMIND])
def test_whatever_happens_while_it_waits_its_story_is_that_it_waits(action: Action) -> None:
    assert a_request().move(action, "U0CAROL", LATER).story() == a_request().story()

"""The table of transitions, row by row, and the locks of a request in each state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.requests import Approval, KeyRequest
from bot.domain.states import Event, Status
from tests.support.errors import refuses

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
def test_a_request_moves_only_as_the_table_says(status: str, key_id: str, action: Event) -> None:
    request = a_request(status, key_id)
    expected = TABLE[status, key_id].get(action)
    if expected is None:
        with refuses(Code.REQUEST_MOVED_ON, status=status, request=request):
            request.transition(action, "U0CAROL", LATER)
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


def test_a_transition_sets_fields_of_a_new_value() -> None:
    request = a_request()
    moved = request.transition(Event.APPROVE, "U0CAROL", LATER, decided_by="U0CAROL")
    assert (moved.decided_by, request.decided_by, request.status) == ("U0CAROL", "", Status.PENDING)


@pytest.mark.parametrize("status", Status)
def test_a_request_holds_its_locks_by_status(
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
    ("status", "event", "by"),
    [
        ("pending", Event.APPROVE, "U0CAROL"),
        ("pending", Event.DENY, "W0CAROL"),
        ("pending", Event.CANCEL, "U0ALICE"),
        ("approved", Event.EXPIRE, "keydesk"),
        ("delivered", Event.CONFIRM, "U0ALICE"),
    ],
)
def test_a_refusal_says_what_happened_by_whom_and_when(status: str, event: Event, by: str) -> None:
    request = a_request(status).transition(event, by, LATER)
    with refuses(
        Code.REQUEST_MOVED_ON, status=request.status, last_event=event, by=by, at=LATER, key_id=""
    ):
        request.transition(Event.DENY, "U0DAN", LATER)


@pytest.mark.parametrize(
    ("needed", "given", "missing"), [(1, 0, 1), (2, 1, 1), (3, 1, 2), (1, 2, 0)]
)
def test_a_request_knows_how_many_approvals_are_missing(
    needed: int, given: int, missing: int
) -> None:
    approvals = tuple(Approval(f"U{number}", LATER) for number in range(given))
    request = replace(a_request(), approvals_needed=needed, approvals=approvals)
    assert request.approvals_missing == missing

"""The table of transitions, row by row, and the locks of a request in each state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import WrongState
from bot.domain.requests import Approval, KeyRequest
from bot.domain.states import Event, Status
from tests.support.errors import refuses

ASKED = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
LATER = ASKED + timedelta(hours=3)

NO_KEY, KEY = "", "AKIAIOSFODNN7EXAMPLE"

WHILE_PENDING = (
    "load_permissions add_approval withdraw_approval start_review end_review nudge remind"
)
# (status, the key on record): each status that it can get, with the events that lead there.
TABLE: dict[tuple[str, str], dict[str, str]] = {
    ("pending", NO_KEY): {
        "pending": WHILE_PENDING,
        "approved": "approve",
        "denied": "deny",
        "cancelled": "cancel",
        "expired": "expire",
    },
    ("approved", NO_KEY): {
        "approved": "start_apply refresh",
        "issuing": "reveal",
        "confirmed": "apply",
        "cancelled": "cancel",
        "denied": "revoke",
        "expired": "expire",
    },
    ("issuing", NO_KEY): {"issuing": "record_key", "approved": "create_failed orphan_check"},
    ("issuing", KEY): {
        "delivered": "deliver recover",
        "confirmed": "confirm",
        "deleting": "delete_undelivered",
    },
    ("deleting", KEY): {"approved": "key_deleted", "expired": "close"},
    ("delivered", KEY): {
        "delivered": "remind stop",
        "confirmed": "confirm",
        "deleting": "did_not_get key_gone",
        "unclaimed": "unclaim",
        "expired": "owner_deleted",
    },
    ("unclaimed", KEY): {
        "unclaimed": "stop",
        "confirmed": "confirm",
        "deleting": "replace",
        "expired": "expire owner_deleted",
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


def after(request: KeyRequest, event: Event) -> KeyRequest | None:
    """Return the request after an event, or None where the event is refused."""
    try:
        return request.transition(event, "U0CAROL", LATER)
    except WrongState as error:
        facts = (error.code, error.facts["status"], error.facts["request"])
        assert facts == (Code.REQUEST_MOVED_ON, request.status, request)
        return None


def test_the_table_names_every_state() -> None:
    assert {status for status, _ in TABLE} == set(Status)


@pytest.mark.parametrize(("status", "key_id"), TABLE)
def test_a_request_moves_only_as_the_table_says(status: str, key_id: str) -> None:
    request = a_request(status, key_id)
    expected: dict[Event, KeyRequest | None] = dict.fromkeys(Event)
    for new_status, events in TABLE[status, key_id].items():
        for event in map(Event, events.split()):
            expected[event] = replace(
                request,
                status=Status(new_status),
                last_event=event,
                last_event_by="U0CAROL",
                last_event_at=LATER,
                version=2,
            )
    assert {event: after(request, event) for event in Event} == expected


def test_a_transition_sets_fields_of_a_new_value() -> None:
    request = a_request()
    moved = request.transition(Event.APPROVE, "U0CAROL", LATER, decided_by="U0CAROL")
    assert (moved.decided_by, request) == ("U0CAROL", a_request())


@pytest.mark.parametrize("status", Status)
def test_a_request_holds_its_locks_by_status(status: Status) -> None:
    is_open = "open:111122223333:alice@example.com:create"
    issuing = "issuing:111122223333:alice@example.com"
    final = (Status.CONFIRMED, Status.DENIED, Status.CANCELLED, Status.EXPIRED)
    expected = dict.fromkeys(Status, {is_open}) | dict.fromkeys(final, set[str]())
    expected[Status.ISSUING] = {is_open, issuing}
    assert a_request(status).locks == expected[status]


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
    facts = {"status": request.status, "last_event": event, "by": by, "at": LATER, "key_id": ""}
    with refuses(Code.REQUEST_MOVED_ON, **facts):
        request.transition(Event.DENY, "U0DAN", LATER)


@pytest.mark.parametrize(
    ("needed", "given", "missing"), [(1, 0, 1), (2, 1, 1), (3, 1, 2), (1, 2, 0)]
)
def test_a_request_counts_its_missing_approvals(needed: int, given: int, missing: int) -> None:
    approvals = tuple(Approval(f"U{number}", LATER) for number in range(given))
    request = replace(a_request(), approvals_needed=needed, approvals=approvals)
    assert request.approvals_missing == missing

"""Messages about a request show the right facts. docs/messages.md pins words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.states import Event, Status
from bot.slack import action_ids
from bot.slack.messages.blocks import date_token
from bot.slack.messages.key_status import key_line
from bot.slack.messages.kinds import CARD, EXPIRED, OUTCOME, REMINDER, REQUESTED, UNCLAIMED
from bot.slack.messages.request_card import plan_text
from bot.slack.messages.request_status import approvals_text, note_text
from bot.slack.messages.text import mentions
from tests.support import example_request_variants as examples
from tests.support.example_request_variants import OVER, VERB_STATES
from tests.support.example_requests import (
    APPROVER,
    KEY,
    KEYS,
    LATER,
    NOW,
    OLDER_KEY,
    PARTLY_APPROVED,
    PENDING,
    PLACES,
    REASON,
    REQUESTER,
    REQUESTS,
    VERBS,
)
from tests.support.message_parts import formatted
from tests.unit.slack.messages.rendering import dialog, quotes, rendered, shown

SECOND = "U0ERIN00000"
O0, O1 = f"{OUTCOME}:0", f"{OUTCOME}:1"

# -- since when and until when


def test_a_waiting_request_says_since_when_and_until_when() -> None:
    nudged = replace(examples.NUDGED_REQUEST, nudged_at=LATER, deadline=None)
    assert date_token(LATER) in shown(PENDING, CARD) and date_token(LATER) in shown(
        nudged, REQUESTED
    )
    for request, kind in (
        (PENDING, REQUESTED),
        (examples.REMINDED, "waiting:1"),
        (examples.EVERYTHING, "waiting:2"),
    ):
        text = shown(request, kind)
        assert date_token(NOW) in text and date_token(LATER) in text
        assert text.count(PLACES.mentions) == (0 if kind == REQUESTED else 1)


@pytest.mark.parametrize("name", [name for name, one in REQUESTS.items() if one.decided_by])
def test_a_decided_card_says_who_decided_and_when(name: str) -> None:
    request, card = REQUESTS[name], shown(REQUESTS[name], CARD)
    by_approvers = mentions(request.approvers) or f"<@{APPROVER}>"
    who = f"<@{REQUESTER}>" if request.status is Status.CANCELLED else by_approvers
    assert who in card and date_token(NOW) in card


def test_an_approval_says_until_when_and_how_often_to_reveal() -> None:
    text = shown(REQUESTS["approved"], O0)
    assert date_token(LATER) in text and "3" in text


@pytest.mark.parametrize(
    ("kind", "on", "off"),
    [
        (f"{REMINDER}:{KEY}", "reminded", "stopped"),
        (f"{UNCLAIMED}:{KEY}", "unclaimed", "unclaimed and stopped"),
    ],
)
def test_a_receipt_message_says_when_or_who_turned_it_off(kind: str, on: str, off: str) -> None:
    waiting, stopped = shown(REQUESTS[on], kind), shown(REQUESTS[off], kind)
    assert date_token(LATER) in waiting and APPROVER not in waiting
    assert f"<@{APPROVER}> turned it off" in stopped
    assert kind.startswith(UNCLAIMED) or date_token(LATER) not in stopped


# -- keys


def test_the_card_has_the_existing_keys_with_their_last_use() -> None:
    """A key to rotate is named even if it is gone from the list."""
    assert all(key_line(key, NOW) in shown(PENDING, CARD) for key in KEYS)
    assert f"`{KEY}`" in plan_text(replace(VERBS["rotate"], keys=()))


@pytest.mark.parametrize(("which", "key_id"), [("other", OLDER_KEY), ("same", KEY)])
def test_a_deletion_that_has_begun_is_always_said(which: str, key_id: str) -> None:
    """Whatever becomes of the request, no message says that nothing was done."""
    verb = f"rotate, the {which} is being deleted"
    for state in ("approved", "cancelled after approval", "not revealed"):
        card = shown(VERB_STATES[f"{verb}: {state}"], CARD)
        assert date_token(NOW) in card and "will be deleted" not in card
        assert (f"The deletion of {key_id} has started" in card) is (state != "approved")
    assert key_id in shown(VERB_STATES[f"{verb}: not revealed"], EXPIRED)


@pytest.mark.parametrize("verb", [name for name, one in VERBS.items() if one.verb == "rotate"])
def test_the_dialogs_name_the_key_that_is_deleted(verb: str) -> None:
    """A reveal deletes it, or a cancellation does not stop its deletion."""
    request, message = VERBS[verb], rendered(VERB_STATES[f"{verb}: approved"], O0)
    reveal, style = dialog(message, action_ids.REVEAL)
    cancel, _ = dialog(message, action_ids.CANCEL)
    begun = request.delete_first_at is not None
    deletes = bool(request.delete_first) and not begun
    assert ("AKIA" in reveal, "AKIA" in cancel) == (deletes, begun)
    assert style == ("danger" if deletes else "primary")
    assert request.delete_first in (reveal if deletes else cancel if begun else "")


def test_an_unconfirmed_delivery_is_not_said_to_be_certain() -> None:
    for kind in (CARD, O0):
        assert "was shown" in shown(REQUESTS["delivered"], kind)
        assert "was shown" not in shown(REQUESTS["recovered"], kind)


# -- approvals


def test_the_number_of_approvals_is_said_where_it_matters() -> None:
    one = approvals_text(REQUESTS["approved by one of three"])
    assert "1 of 3" in one and f"<@{APPROVER}>" in one
    assert "2" in approvals_text(replace(PENDING, approvals_needed=2))
    assert not any(letter.isdigit() for letter in approvals_text(PENDING))


def test_a_former_approvers_approval_does_not_count() -> None:
    dropped = REQUESTS["approved by two of three, one of whom is dropped"]
    counted, _, rest = approvals_text(dropped).partition(" · ")
    assert f"<@{SECOND}>" in counted and APPROVER not in counted and f"<@{APPROVER}>" in rest
    both = replace(dropped, dropped_approvers=("U1", "U2"))
    assert mentions(["U1", "U2"]) in approvals_text(both)


def test_an_expired_request_names_a_lone_approver() -> None:
    expired = PARTLY_APPROVED.transition(Event.EXPIRE, "keydesk", NOW, deadline=None)
    for kind in (CARD, EXPIRED):
        assert f"<@{APPROVER}>" in shown(expired, kind)
        assert f"<@{APPROVER}>" not in shown(REQUESTS["not decided"], kind)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_decision_is_in_the_next_message_only(name: str) -> None:
    request = REQUESTS[name]
    assert request.decided_at is None or APPROVER not in shown(request, REQUESTED)
    assert quotes(rendered(request, REQUESTED)) == [REASON]


# -- notes


def test_a_denial_without_a_reason_quotes_the_request() -> None:
    assert quotes(rendered(replace(OVER["denied"], denial_reason=""), O0)) == [REASON]


def test_a_note_is_said_once() -> None:
    detail = Detail(Code.KEY_NOT_LISTED, {"key_id": KEY})
    failed = replace(VERB_STATES["enable: not applied"], detail=detail)
    for request, kind in ((REQUESTS["closed"], O0), (REQUESTS["approved again"], O1), (failed, O0)):
        note, texts = note_text(request), formatted(rendered(request, kind))[1:]
        assert note and sum(note in text for text in texts) == 1

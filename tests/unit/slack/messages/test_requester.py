"""The direct messages about a request: what the requester reads and may do in each state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from bot.slack.messages import kinds
from bot.slack.messages.blocks import Message, date_token
from bot.slack.messages.kinds import EXPIRED, OUTCOME, REMINDER, REQUESTED, REVOKED, UNCLAIMED
from bot.slack.messages.request_status import cancelled_text, note_text
from bot.slack.messages.text import mentions
from tests.support.example_messages import NUDGED_REQUEST, OVER, VERB_STATES
from tests.support.example_requests import (
    APPROVER,
    KEY,
    LATER,
    NOW,
    OLDER_KEY,
    PENDING,
    PLACES,
    REASON,
    REQUESTS,
    VERBS,
    WHY,
    formatted,
    parts,
)

SECOND = "U0ERIN00000"


def rendered(request: KeyRequest, kind: str) -> Message:
    return kinds.render(request, kind, PLACES)


def shown(request: KeyRequest, kind: str) -> str:
    """Return all text of a message in which Slack reads formatting."""
    return "\n".join(formatted(rendered(request, kind)))


def dialog(request: KeyRequest, kind: str, action_id: str) -> dict[str, Any]:
    """Return the dialog of a button, its text in `text`."""
    [button] = [
        one for one in parts(rendered(request, kind), "button") if one["action_id"] == action_id
    ]
    confirm = button["confirm"]
    return {"text": confirm["text"]["text"], "style": confirm["style"]}


def quotes(request: KeyRequest, kind: str) -> list[str]:
    found = parts(rendered(request, kind), "rich_text_quote")
    return [one["elements"][0]["text"] for one in found]


def test_a_waiting_request_says_since_when_and_until_when() -> None:
    text = shown(PENDING, REQUESTED)
    assert date_token(NOW) in text and date_token(LATER) in text
    nudged = replace(NUDGED_REQUEST, nudged_at=LATER, deadline=None)
    assert date_token(LATER) in shown(nudged, REQUESTED)


def test_the_requester_sees_who_has_approved() -> None:
    assert f"<@{APPROVER}>" in shown(REQUESTS["approved by one of three"], REQUESTED)
    both = mentions([APPROVER, SECOND])
    assert both in rendered(REQUESTS["approved by two"], f"{OUTCOME}:0").text


@pytest.mark.parametrize("name", REQUESTS)
def test_a_decision_stands_in_the_next_message_only(name: str) -> None:
    request = REQUESTS[name]
    assert request.decided_at is None or APPROVER not in shown(request, REQUESTED)
    assert quotes(request, REQUESTED) == [REASON]


def test_the_next_reveal_is_offered_with_who_approved() -> None:
    again = rendered(REQUESTS["approved again"], f"{OUTCOME}:1")
    first = rendered(REQUESTS["approved"], f"{OUTCOME}:0")
    assert f"<@{APPROVER}>" in again.text and again.text != first.text
    assert date_token(LATER) in shown(REQUESTS["approved"], f"{OUTCOME}:0")
    assert "3" in shown(REQUESTS["approved"], f"{OUTCOME}:0")


@pytest.mark.parametrize(
    "verb", [name for name, one in VERBS.items() if one.delete_first and not one.delete_first_at]
)
def test_revealing_names_the_key_that_is_deleted_first(verb: str) -> None:
    asked = dialog(VERB_STATES[f"{verb}: approved"], f"{OUTCOME}:0", action_ids.REVEAL)
    assert VERBS[verb].delete_first in asked["text"] and "used" in asked["text"]
    assert asked["style"] == "danger"


@pytest.mark.parametrize(
    "verb",
    ["rotate", "rotate, the other is being deleted", "rotate, the same is being deleted"],
)
def test_revealing_names_no_key_where_none_is_deleted_now(verb: str) -> None:
    asked = dialog(VERB_STATES[f"{verb}: approved"], f"{OUTCOME}:0", action_ids.REVEAL)
    assert "AKIA" not in asked["text"] and asked["style"] == "primary"


def test_cancelling_names_the_deletion_that_cannot_be_undone() -> None:
    for verb, key_id in (
        ("rotate, the other is being deleted", OLDER_KEY),
        ("rotate, the same is being deleted", KEY),
    ):
        approved = VERB_STATES[f"{verb}: approved"]
        assert key_id in dialog(approved, f"{OUTCOME}:0", action_ids.CANCEL)["text"]
    before = VERB_STATES["rotate, both slots taken, the other is deleted: approved"]
    assert "AKIA" not in dialog(before, f"{OUTCOME}:0", action_ids.CANCEL)["text"]


def test_the_last_reveal_warns_that_the_request_closes() -> None:
    last, first, stopped = (
        dialog(REQUESTS[name], kind, action_ids.DID_NOT_GET)["text"]
        for name, kind in (
            ("delivered a last time", f"{OUTCOME}:2"),
            ("delivered", f"{OUTCOME}:0"),
            ("stopped", f"{OUTCOME}:0"),
        )
    )
    assert KEY in last and len({last, first, stopped}) == 3
    assert "closed" in last and "closed" in stopped and "closed" not in first
    assert "reveal" in first and "reveal" not in stopped


def test_a_key_that_may_not_have_arrived_is_not_said_to_have() -> None:
    delivered, recovered = (
        shown(REQUESTS[name], f"{OUTCOME}:0") for name in ("delivered", "recovered")
    )
    assert "was shown" in delivered and "was shown" not in recovered
    assert "may have been shown" in recovered


def test_a_confirmed_key_is_named() -> None:
    assert f"`{KEY}`" in rendered(REQUESTS["confirmed"], f"{OUTCOME}:0").text


def test_a_reminder_says_when_the_key_will_be_turned_off() -> None:
    kind = f"{REMINDER}:{KEY}"
    assert date_token(LATER) in shown(REQUESTS["reminded"], kind)
    stopped = shown(REQUESTS["stopped"], kind)
    assert date_token(LATER) not in stopped and f"<@{APPROVER}> turned it off" in stopped


def test_an_unconfirmed_key_says_who_turned_it_off() -> None:
    kind = f"{UNCLAIMED}:{KEY}"
    assert date_token(LATER) in shown(REQUESTS["unclaimed"], kind)
    assert APPROVER not in shown(REQUESTS["unclaimed"], kind)
    assert f"<@{APPROVER}> turned it off" in shown(REQUESTS["unclaimed and stopped"], kind)


def test_a_stopped_key_promises_neither_use_nor_a_new_reveal() -> None:
    kind = f"{UNCLAIMED}:{KEY}"
    labels = [
        [one["text"]["text"] for one in parts(rendered(REQUESTS[name], kind), "button")]
        for name in ("unclaimed", "unclaimed and stopped")
    ]
    assert not set(labels[0]) & set(labels[1]) and not any("enable" in one for one in labels[1])
    stopped = dialog(REQUESTS["unclaimed and stopped"], kind, action_ids.REPLACE)["text"]
    assert "reveal" not in stopped
    assert "reveal" in dialog(REQUESTS["unclaimed"], kind, action_ids.REPLACE)["text"]


def test_a_denial_quotes_its_reason_and_says_whom_to_ask() -> None:
    denied = OVER["denied"]
    assert quotes(denied, f"{OUTCOME}:0") == [WHY]
    assert shown(denied, f"{OUTCOME}:0").count(f"<@{APPROVER}>") >= 2
    without = replace(denied, denial_reason="")
    assert quotes(without, f"{OUTCOME}:0") == [REASON]


def test_a_revocation_is_a_message_of_its_own() -> None:
    """A changed message notifies nobody."""
    revoked = REQUESTS["revoked"]
    assert f"<@{SECOND}>" in rendered(revoked, REVOKED).text
    assert cancelled_text(revoked) in shown(revoked, REVOKED)
    assert quotes(revoked, REVOKED) == [REASON]
    assert f"<@{SECOND}>" in rendered(revoked, f"{OUTCOME}:0").text


@pytest.mark.parametrize(
    ("verb", "command"),
    [
        ("rotate", "/key rotate"),
        ("enable", "/key enable"),
        ("extend", "/key rotate"),
        (
            "create for a service user",
            f"/key create --user {VERBS['create for a service user'].iam_user}",
        ),
    ],
)
@pytest.mark.parametrize(("state", "kind"), [("denied", f"{OUTCOME}:0"), ("not decided", EXPIRED)])
def test_asking_again_names_a_command_that_there_is(
    verb: str, command: str, state: str, kind: str
) -> None:
    assert f"`{command}`" in shown(VERB_STATES[f"{verb}: {state}"], kind)


def test_an_expiry_says_whether_a_key_was_left_unconfirmed() -> None:
    texts = {
        name: rendered(REQUESTS[name], EXPIRED).text
        for name in ("not decided", "not revealed", "not revealed again", "not claimed")
    }
    assert KEY in texts["not claimed"] and "AKIA" not in texts["not revealed again"]
    assert texts["not revealed"] == texts["not revealed again"]
    assert len(set(texts.values())) == 3


def test_a_note_stands_once_in_the_requesters_message() -> None:
    for name, kind in (("closed", f"{OUTCOME}:0"), ("approved again", f"{OUTCOME}:1")):
        note = note_text(REQUESTS[name])
        assert note and sum(text == note for text in formatted(rendered(REQUESTS[name], kind))) == 1


def test_a_change_that_was_not_made_says_why_once() -> None:
    failed = replace(
        VERB_STATES["enable: not applied"], detail=Detail(Code.KEY_NOT_LISTED, {"key_id": KEY})
    )
    texts = formatted(rendered(failed, f"{OUTCOME}:0"))[1:]
    assert sum(note_text(failed) in text for text in texts) == 1


def test_cancelling_says_what_is_left() -> None:
    created, changed, approved = (
        cancelled_text(one)
        for one in (
            REQUESTS["cancelled"],
            VERB_STATES["enable: cancelled"],
            REQUESTS["cancelled after approval"],
        )
    )
    assert len({created, changed, approved}) == 3

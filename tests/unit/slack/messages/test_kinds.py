"""Which lasting messages a request has in each state, where they are posted, and their buttons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.keys import DesiredState
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from bot.slack.messages import kinds
from bot.slack.messages.keys import ORPHANED
from bot.slack.messages.kinds import (
    CARD,
    EXPIRED,
    OUTCOME,
    REMINDER,
    REQUESTED,
    REVOKED,
    UNCLAIMED,
)
from tests.support.example_messages import NUDGED, OVER, THREAD, VERB_STATES, WAITING
from tests.support.example_requests import (
    ID,
    KEY,
    OLDER_KEY,
    PLACES,
    REQUESTS,
    buttons,
    found_keys,
    parts,
    requests,
)

KINDS = (
    CARD,
    REQUESTED,
    f"{OUTCOME}:0",
    f"{OUTCOME}:1",
    f"{OUTCOME}:2",
    f"{REMINDER}:{KEY}",
    f"{REMINDER}:{OLDER_KEY}",
    f"{UNCLAIMED}:{KEY}",
    f"{UNCLAIMED}:{OLDER_KEY}",
    EXPIRED,
    REVOKED,
    f"{CARD}#1764000000.000100",
    f"{OUTCOME}:0#1764000000.000100",
)

RENDERED = {
    name: {kind: kinds.render(request, kind, PLACES) for kind in KINDS}
    for name, request in requests()
}
"""Every message in every state."""

KEYS_RENDERED = {name: (key, kinds.render(key, ORPHANED, PLACES)) for name, key in found_keys()}
ALL = {
    **RENDERED,
    **{f"orphaned, {name}": {ORPHANED: message} for name, (_, message) in KEYS_RENDERED.items()},
}

APPROVER_BUTTONS = {action_ids.APPROVE: ID, action_ids.DENY: ID, action_ids.ON_IT: ID}
PENDING_BUTTONS = {action_ids.NUDGE: ID, action_ids.CANCEL: ID}
REVEAL_BUTTONS = {action_ids.REVEAL: ID, action_ids.CANCEL: ID}
RECEIPTS = {action_ids.HAVE_IT: KEY, action_ids.DID_NOT_GET: KEY}
UNCLAIMED_BUTTONS = {action_ids.ENABLE_UNCLAIMED: KEY, action_ids.REPLACE: KEY}

BUTTONS: dict[tuple[str, str], dict[str, str]] = {  # every other message has none
    ("pending", CARD): APPROVER_BUTTONS,
    ("pending", f"{CARD}#1764000000.000100"): APPROVER_BUTTONS,
    ("pending", REQUESTED): PENDING_BUTTONS,
    **{
        (name, kind): {**APPROVER_BUTTONS, action_ids.TAKE_BACK: ID}
        for kind in (CARD, f"{CARD}#1764000000.000100")
        for name in ("approved by one of three", "approved by two of three, one of whom is dropped")
    },
    ("approved by one of three", REQUESTED): PENDING_BUTTONS,
    ("approved by two of three, one of whom is dropped", REQUESTED): PENDING_BUTTONS,
    **{
        (name, kind): {action_ids.REVOKE: ID}
        for kind in (CARD, f"{CARD}#1764000000.000100")
        for name in ("approved", "approved again", "approved by two")
    },
    ("approved by two", f"{OUTCOME}:0"): REVEAL_BUTTONS,
    ("approved by two", f"{OUTCOME}:0#1764000000.000100"): REVEAL_BUTTONS,
    ("approved", f"{OUTCOME}:0"): REVEAL_BUTTONS,
    ("approved", f"{OUTCOME}:0#1764000000.000100"): REVEAL_BUTTONS,
    ("approved again", f"{OUTCOME}:1"): REVEAL_BUTTONS,
    ("delivered", f"{OUTCOME}:0"): RECEIPTS,
    ("delivered", f"{OUTCOME}:0#1764000000.000100"): RECEIPTS,
    ("delivered", f"{REMINDER}:{KEY}"): RECEIPTS,
    ("recovered", f"{OUTCOME}:0"): RECEIPTS,
    ("recovered", f"{OUTCOME}:0#1764000000.000100"): RECEIPTS,
    ("recovered", f"{REMINDER}:{KEY}"): RECEIPTS,
    ("reminded", f"{OUTCOME}:0"): RECEIPTS,
    ("reminded", f"{OUTCOME}:0#1764000000.000100"): RECEIPTS,
    ("reminded", f"{REMINDER}:{KEY}"): RECEIPTS,
    ("delivered a last time", f"{OUTCOME}:2"): RECEIPTS,
    ("delivered a last time", f"{REMINDER}:{KEY}"): RECEIPTS,
    ("unclaimed", f"{UNCLAIMED}:{KEY}"): UNCLAIMED_BUTTONS,
    ("stopped", f"{OUTCOME}:0"): RECEIPTS,
    ("stopped", f"{OUTCOME}:0#1764000000.000100"): RECEIPTS,
    ("stopped", f"{REMINDER}:{KEY}"): RECEIPTS,
    ("unclaimed and stopped", f"{UNCLAIMED}:{KEY}"): UNCLAIMED_BUTTONS,
}

EXPECTED: dict[str, tuple[str, ...]] = {  # messages besides the card and the requester's first
    "approved": ("outcome:0",),
    "approved again": ("outcome:1",),
    "issuing": ("outcome:0",),
    "issued": ("outcome:0",),
    "issuing again": ("outcome:1",),
    "deleting": ("outcome:0",),
    "delivered": ("outcome:0",),
    "recovered": ("outcome:0",),
    "delivered a last time": ("outcome:2",),
    "reminded": ("outcome:0", f"reminder:{KEY}"),
    "unclaimed": ("outcome:0", f"unclaimed:{KEY}"),
    "confirmed": ("outcome:0",),
    "denied": ("outcome:0",),
    "cancelled after approval": ("outcome:1",),
    "not decided": ("ended",),
    "not revealed": ("outcome:0", "ended"),
    "not revealed again": ("outcome:1", "ended"),
    "approved by two": ("outcome:0",),
    "revoked": ("outcome:0", "revoked"),
    "revoked after a reveal": ("outcome:1", "revoked"),
    "stopped": ("outcome:0",),
    "stopped and closed": ("outcome:0",),
    "unclaimed and stopped": ("outcome:0", f"unclaimed:{KEY}"),
    "not claimed": ("outcome:0", "ended"),
    "closed": ("outcome:0",),
    "deleted": ("outcome:0",),
}


@pytest.mark.parametrize("name", RENDERED)
def test_buttons_stand_only_where_the_state_allows_them(name: str) -> None:
    assert {kind: buttons(message) for kind, message in RENDERED[name].items()} == {
        kind: BUTTONS.get((name, kind), {}) for kind in KINDS
    }


@pytest.mark.parametrize("name", VERB_STATES)
def test_only_a_request_for_a_key_can_be_revealed(name: str) -> None:
    request, state = VERB_STATES[name], name.partition(": ")[2]
    waiting, approved = state == "pending", state == "approved"
    reveal = approved and request.delivers_secret
    revoke = {action_ids.REVOKE: ID} if approved else {}
    expected = {
        CARD: APPROVER_BUTTONS if waiting else revoke,
        REQUESTED: PENDING_BUTTONS if waiting else {},
        f"{OUTCOME}:0": REVEAL_BUTTONS if reveal else {},
        EXPIRED: {},
    }
    assert {kind: buttons(kinds.render(request, kind, PLACES)) for kind in expected} == expected


@pytest.mark.parametrize("name", WAITING)
def test_a_waiting_request_can_be_decided_nudged_and_cancelled(name: str) -> None:
    request = WAITING[name]
    assert buttons(kinds.render(request, CARD, PLACES)) == APPROVER_BUTTONS
    assert buttons(kinds.render(request, REQUESTED, PLACES)) == PENDING_BUTTONS


@pytest.mark.parametrize("name", KEYS_RENDERED)
def test_an_orphaned_key_has_buttons_until_it_is_decided(name: str) -> None:
    key, message = KEYS_RENDERED[name]
    awaits_decision = {action_ids.FOUND_DELETE: KEY, action_ids.FOUND_ENABLE: KEY}
    assert buttons(message) == (awaits_decision if key.desired is DesiredState.INACTIVE else {})


@pytest.mark.parametrize("name", REQUESTS)
def test_each_state_has_its_messages(name: str) -> None:
    assert kinds.expected_kinds(REQUESTS[name]) == (CARD, REQUESTED, *EXPECTED.get(name, ()))


def test_a_new_key_has_no_reminder_of_an_earlier_one() -> None:
    """Reminder and notice belong to the key they were sent for."""
    again = REQUESTS["issuing again"]
    assert again.reminded_at and again.unclaimed_at and again.access_key_id
    assert kinds.expected_kinds(again) == (CARD, REQUESTED, "outcome:1")


def test_an_orphaned_key_has_one_message_for_approvers() -> None:
    orphaned = dict(found_keys())["inactive, inactive"]
    assert kinds.expected_kinds(orphaned) == (ORPHANED,)
    assert kinds.channel(orphaned, ORPHANED, PLACES) == PLACES.approval_channel


@pytest.mark.parametrize("name", REQUESTS)
def test_only_the_card_is_posted_to_the_approvers(name: str) -> None:
    request = REQUESTS[name]
    for kind in kinds.expected_kinds(request):
        expected = PLACES.approval_channel if kind == CARD else request.dm
        assert kinds.channel(request, kind, PLACES) == expected


def test_reminders_and_nudges_stand_in_the_cards_thread() -> None:
    request = WAITING["nudged"]
    for kind in THREAD:
        assert kinds.thread_kind(kind) == CARD
        assert kinds.channel(request, kind, PLACES) == PLACES.approval_channel
    assert kinds.thread_kind(CARD) == kinds.thread_kind(f"{OUTCOME}:0") == ""


@pytest.mark.parametrize(
    ("name", "current"),
    [
        ("untouched", ()),
        ("reviewed", ()),
        ("reminded", ("waiting:1",)),
        ("reminded twice", ("waiting:2",)),
        ("nudged", ("waiting:2", NUDGED)),
    ],
)
def test_only_the_last_reminder_and_nudge_are_current(name: str, current: tuple[str, ...]) -> None:
    assert kinds.expected_kinds(WAITING[name]) == (CARD, REQUESTED, *current)
    for kind in THREAD:
        assert kinds.is_final(WAITING[name], kind) is (kind not in current)


@pytest.mark.parametrize("name", OVER)
def test_no_reminder_is_posted_once_it_does_not_wait(name: str) -> None:
    assert not set(THREAD) & set(kinds.expected_kinds(OVER[name]))
    assert all(kinds.is_final(OVER[name], kind) for kind in THREAD)


@pytest.mark.parametrize("request_", [*REQUESTS.values(), *WAITING.values(), *OVER.values()])
def test_no_expected_message_is_final(request_: KeyRequest) -> None:
    assert not any(kinds.is_final(request_, kind) for kind in kinds.expected_kinds(request_))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_click_names_a_message_with_that_button(name: str) -> None:
    """A click from a message that was never recorded tells its kind."""
    request = REQUESTS[name]
    for (state, kind), found in BUTTONS.items():
        for action_id in found if state == name and "#" not in kind else ():
            named = kinds.kind_of_action(request, action_id)
            assert action_id in buttons(kinds.render(request, named, PLACES)), kind


def test_a_message_of_an_earlier_reveal_has_no_buttons() -> None:
    older = RENDERED["approved again"]["outcome:0"]
    assert not buttons(older) and KEY in older.text and OLDER_KEY in older.text


def test_what_cannot_be_undone_asks_first() -> None:
    asks = {
        one["action_id"]: "confirm" in one
        for rendered in ALL.values()
        for message in rendered.values()
        for one in parts(message, "button")
    }
    assert {action_id for action_id, asked in asks.items() if not asked} == {
        action_ids.APPROVE,
        action_ids.DENY,
        action_ids.ON_IT,
        action_ids.NUDGE,
        action_ids.HAVE_IT,
        action_ids.ENABLE_UNCLAIMED,
    }


def test_reminders_are_the_messages_nobody_waits_for() -> None:
    """They have the lowest priority when Slack limits calls."""
    expected = {"reminder", "waiting", "nudge", "expiry", "used", "still_used", "deletion"}
    assert expected == kinds.REMINDERS


def test_a_card_is_about_the_request_as_it_is_now() -> None:
    gone = replace(REQUESTS["pending"], keys=())
    assert KEY not in str(kinds.render(gone, CARD, PLACES).blocks)

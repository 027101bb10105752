"""The messages about a request: which exist in each state, and their buttons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.keys import DesiredState, ManagedKey
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from bot.slack.messages import kinds
from bot.slack.messages.keys import ORPHANED
from bot.slack.messages.kinds import CARD, EXPIRED, REQUESTED, REVOKED
from tests.support.example_messages import NUDGED, THREAD
from tests.support.example_request_variants import OVER, VERB_STATES, WAITING
from tests.support.example_requests import (
    ID,
    KEY,
    OLDER_KEY,
    PLACES,
    REQUESTS,
    found_keys,
    requests,
)
from tests.support.message_parts import buttons
from tests.unit.slack.messages.rendering import asking, rendered

O0, O1, O2 = (f"{kinds.OUTCOME}:{number}" for number in range(3))
REMINDER, OLDER_REMINDER = (f"{kinds.REMINDER}:{key_id}" for key_id in (KEY, OLDER_KEY))
UNCLAIMED, OLDER_UNCLAIMED = (f"{kinds.UNCLAIMED}:{key_id}" for key_id in (KEY, OLDER_KEY))
SECOND = "#1764000000.000100"
"""Marks a second message of the same kind, posted because an answer was lost."""

KINDS = (
    *(CARD, REQUESTED, O0, O1, O2, REMINDER, OLDER_REMINDER, UNCLAIMED, OLDER_UNCLAIMED),
    *(EXPIRED, REVOKED, f"{CARD}{SECOND}", f"{O0}{SECOND}"),
)
RENDERED = {name: {kind: rendered(request, kind) for kind in KINDS} for name, request in requests()}

DECIDE = {action_ids.APPROVE: ID, action_ids.DENY: ID, action_ids.ON_IT: ID}
WITHDRAW = {**DECIDE, action_ids.TAKE_BACK: ID}
WAIT = {action_ids.NUDGE: ID, action_ids.CANCEL: ID}
REVOKE = {action_ids.REVOKE: ID}
REVEAL = {action_ids.REVEAL: ID, action_ids.CANCEL: ID}
RECEIPTS = {action_ids.HAVE_IT: KEY, action_ids.DID_NOT_GET: KEY}
LATE = {action_ids.ENABLE_UNCLAIMED: KEY, action_ids.REPLACE: KEY}
NONE: dict[str, str] = {}

MESSAGES: dict[str, dict[str, dict[str, str]]] = {
    "pending": {CARD: DECIDE, REQUESTED: WAIT},
    "approved by one of three": {CARD: WITHDRAW, REQUESTED: WAIT},
    "approved by two of three, one of whom is dropped": {CARD: WITHDRAW, REQUESTED: WAIT},
    "approved": {CARD: REVOKE, O0: REVEAL},
    "approved by two": {CARD: REVOKE, O0: REVEAL},
    "approved again": {CARD: REVOKE, O1: REVEAL},
    "issuing": {O0: NONE},
    "issued": {O0: NONE},
    "issuing again": {O1: NONE},
    "delivered": {O0: RECEIPTS},
    "recovered": {O0: RECEIPTS},
    "delivered a last time": {O2: RECEIPTS},
    "reminded": {O0: RECEIPTS, REMINDER: RECEIPTS},
    "stopped": {O0: RECEIPTS},
    "unclaimed": {O0: NONE, UNCLAIMED: LATE},
    "unclaimed and stopped": {O0: NONE, UNCLAIMED: LATE},
    "deleting": {O0: NONE},
    "confirmed": {O0: NONE},
    "denied": {O0: NONE},
    "cancelled": {},
    "cancelled after approval": {O1: NONE},
    "revoked": {O0: NONE, REVOKED: NONE},
    "revoked after a reveal": {O1: NONE, REVOKED: NONE},
    "not decided": {EXPIRED: NONE},
    "not revealed": {O0: NONE, EXPIRED: NONE},
    "not revealed again": {O1: NONE, EXPIRED: NONE},
    "not claimed": {O0: NONE, EXPIRED: NONE},
    "stopped and closed": {O0: NONE},
    "closed": {O0: NONE},
    "deleted": {O0: NONE},
}
"""The messages of each state with their buttons. Card and first message are left out if bare."""


@pytest.mark.parametrize("name", REQUESTS)
def test_each_state_has_its_messages(name: str) -> None:
    others = [kind for kind in MESSAGES[name] if kind not in (CARD, REQUESTED)]
    assert kinds.expected_kinds(REQUESTS[name]) == (CARD, REQUESTED, *others)


@pytest.mark.parametrize("name", REQUESTS)
def test_buttons_are_only_where_the_state_allows_them(name: str) -> None:
    """A message from before has none, but a reminder has the receipts of its key."""
    allowed = dict(MESSAGES[name])
    if RECEIPTS in allowed.values():
        allowed[REMINDER] = RECEIPTS
    assert {kind: buttons(one) for kind, one in RENDERED[name].items()} == {
        kind: allowed.get(kind.removesuffix(SECOND), NONE) for kind in KINDS
    }


@pytest.mark.parametrize("name", VERB_STATES)
def test_only_a_request_for_a_key_can_be_revealed(name: str) -> None:
    request, state = VERB_STATES[name], name.partition(": ")[2]
    expected: dict[str, dict[str, str]] = {
        "pending": {CARD: DECIDE, REQUESTED: WAIT},
        "approved": {CARD: REVOKE, O0: REVEAL if request.delivers_secret else NONE},
    }.get(state, {})
    for kind in (CARD, REQUESTED, O0, EXPIRED):
        assert buttons(rendered(request, kind)) == expected.get(kind, NONE)


@pytest.mark.parametrize("name", WAITING)
def test_a_waiting_request_can_be_decided(name: str) -> None:
    found = [buttons(rendered(WAITING[name], kind)) for kind in (CARD, REQUESTED)]
    assert found == [DECIDE, WAIT]


ORPHANED_KEYS = dict(found_keys())


@pytest.mark.parametrize("key", ORPHANED_KEYS.values(), ids=ORPHANED_KEYS)
def test_an_orphaned_key_can_be_decided_once(key: ManagedKey) -> None:
    decide = {action_ids.FOUND_DELETE: KEY, action_ids.FOUND_ENABLE: KEY}
    inactive = key.desired is DesiredState.INACTIVE
    assert buttons(rendered(key, ORPHANED)) == (decide if inactive else NONE)
    assert kinds.expected_kinds(key) == (ORPHANED,)
    assert kinds.channel(key, ORPHANED, PLACES) == PLACES.approval_channel


@pytest.mark.parametrize("name", REQUESTS)
def test_only_the_card_is_posted_to_the_approvers(name: str) -> None:
    request = REQUESTS[name]
    for kind in kinds.expected_kinds(request):
        expected = PLACES.approval_channel if kind == CARD else request.dm
        assert kinds.channel(request, kind, PLACES) == expected


def test_reminders_and_nudges_are_in_the_cards_thread() -> None:
    assert kinds.thread_kind(CARD) == kinds.thread_kind(O0) == ""
    for kind in THREAD:
        assert kinds.thread_kind(kind) == CARD
        assert kinds.channel(WAITING["nudged"], kind, PLACES) == PLACES.approval_channel


CURRENT: dict[str, tuple[str, ...]] = {
    "untouched": (),
    "reviewed": (),
    "reminded": ("waiting:1",),
    "reminded twice": ("waiting:2",),
    "nudged": ("waiting:2", NUDGED),
}


@pytest.mark.parametrize("name", CURRENT)
def test_only_the_last_reminder_and_nudge_are_current(name: str) -> None:
    assert kinds.expected_kinds(WAITING[name]) == (CARD, REQUESTED, *CURRENT[name])
    final = {kind for kind in THREAD if kinds.is_final(WAITING[name], kind)}
    assert final == set(THREAD) - set(CURRENT[name])


@pytest.mark.parametrize("name", OVER)
def test_a_request_that_does_not_wait_has_no_reminder(name: str) -> None:
    assert not set(THREAD) & set(kinds.expected_kinds(OVER[name]))
    assert all(kinds.is_final(OVER[name], kind) for kind in THREAD)


@pytest.mark.parametrize("request_", [*REQUESTS.values(), *WAITING.values(), *OVER.values()])
def test_no_expected_message_is_final(request_: KeyRequest) -> None:
    assert not any(kinds.is_final(request_, kind) for kind in kinds.expected_kinds(request_))


@pytest.mark.parametrize("name", REQUESTS)
def test_an_action_names_a_message_with_that_button(name: str) -> None:
    """A click on a message that was never recorded tells its kind."""
    for action_id in {action_id for found in MESSAGES[name].values() for action_id in found}:
        kind = kinds.kind_of_action(REQUESTS[name], action_id)
        assert action_id in buttons(rendered(REQUESTS[name], kind))


def test_what_cannot_be_undone_asks_first() -> None:
    orphaned = [rendered(key, ORPHANED) for key in ORPHANED_KEYS.values()]
    asks = asking([*orphaned, *(one for found in RENDERED.values() for one in found.values())])
    at_once = {action_id for action_id, asked in asks.items() if False in asked}
    assert at_once == {
        *(action_ids.APPROVE, action_ids.DENY, action_ids.ON_IT, action_ids.NUDGE),
        *(action_ids.HAVE_IT, action_ids.ENABLE_UNCLAIMED),
    }


def test_reminders_have_the_lowest_priority() -> None:
    """No user waits for them."""
    expected = {"reminder", "waiting", "nudge", "expiry", "used", "still_used", "deletion"}
    assert expected == kinds.REMINDERS


def test_a_card_is_about_the_request_as_it_is_now() -> None:
    gone = replace(REQUESTS["pending"], keys=())
    assert KEY not in str(rendered(gone, CARD).blocks)

"""The messages about a key: which exist in each state, and their buttons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.keys import DesiredState, InactiveReason, ManagedKey
from bot.slack import action_ids
from bot.slack.messages import keys
from bot.slack.messages import kinds as message_kinds
from tests.support.example_keys import DAY, MANAGED, REPORTED
from tests.support.example_requests import KEY, LATER, NOW, PLACES
from tests.support.message_parts import buttons
from tests.unit.slack.messages.rendering import asking, rendered

END, OFF = str(int(LATER.timestamp())), str(int(NOW.timestamp()))
WARN_7, WARN_1, WARN_LAST = (f"expiry:{span}:{END}" for span in ("7d", "1d", "1h"))
ENDED, RETIRED, DELETION, DISABLED = (
    f"{word}:{OFF}" for word in ("expired", "retired", "deletion", "off")
)
KINDS = (
    *(WARN_7, WARN_1, WARN_LAST, ENDED, "rotation", "used:1", "used:3", "still_used"),
    *(RETIRED, DELETION, DISABLED),
)
AGAIN, THIRD, EARLIER = (f":{int((NOW + by * DAY).timestamp())}" for by in (1, 2, -1))
"""Suffixes of the kinds of a later report."""

MORE_TIME = {action_ids.ROTATE: KEY, action_ids.EXTEND: KEY}
CHOICE = {action_ids.CHECK: KEY, action_ids.DISABLE_OLD: KEY, action_ids.NOT_YET: KEY}
REPLACE_EXPIRED = {action_ids.ASK: KEY, action_ids.ENABLE: KEY}
ENABLE, UNDO = {action_ids.ENABLE: KEY}, {action_ids.UNDO: KEY}
DISABLE_LEAKED = {action_ids.LEAKED_DISABLE: KEY}
FOUND = {action_ids.FOUND_DELETE: KEY, action_ids.FOUND_ENABLE: KEY}
NONE: dict[str, str] = {}
Buttons = dict[str, dict[str, str]]


def leak(again: str = "", card: dict[str, str] = NONE) -> Buttons:
    """Return the messages of a report. The owner's buttons follow from the key."""
    return {f"leak{again}": card, f"leak_facts{again}": NONE, f"leak_owner{again}": NONE}


MESSAGES: dict[str, Buttons] = {
    "expires in 7 days": {WARN_7: MORE_TIME},
    "expires in an hour": dict.fromkeys((WARN_7, WARN_1, WARN_LAST), MORE_TIME),
    "expired": {ENDED: REPLACE_EXPIRED},
    "expired, deleted soon": {ENDED: REPLACE_EXPIRED, DELETION: ENABLE},
    "rotating": {"rotation": CHOICE},
    "rotating, last use unknown": {"rotation": CHOICE},
    "rotating, still used for a day": {"rotation": CHOICE, "used:1": CHOICE},
    "rotating, still used for three days": {
        "still_used": NONE,
        "rotation": CHOICE,
        "used:3": CHOICE,
    },
    "replaced": {RETIRED: UNDO},
    "replaced, deleted soon": {RETIRED: UNDO, DELETION: ENABLE},
    "replaced and reported": {**leak("", DISABLE_LEAKED), RETIRED: ENABLE, DELETION: ENABLE},
    "reported": leak("", DISABLE_LEAKED),
    "reported, owner unknown": {"leak": DISABLE_LEAKED, "leak_facts": NONE},
    "reported again": leak(AGAIN, DISABLE_LEAKED),
    "reported a third time": leak(THIRD, DISABLE_LEAKED),
    "out of reach": leak(),
    "out of reach, reported again": leak(AGAIN),
    "leaked": leak(),
    "leaked, reported again": leak(EARLIER),
    "leaked and deleted": leak(),
    "leaked after it expired": {**leak(), DELETION: NONE},
    "turned off by an approver": {DISABLED: ENABLE},
    "orphaned": {"found": FOUND},
    "orphaned and enabled": {"found": NONE},
}
"""The messages of each state with their buttons. Every other state has none."""


def kinds(key: ManagedKey) -> list[str]:
    """Return every kind that a key in this state may have, now or from before."""
    found = ["found"] if "orphaned" in key.origin else []
    suffixes = ["", AGAIN, THIRD, EARLIER] if key.reported_again_at else [""]
    reports = [kind for suffix in suffixes for kind in leak(suffix)] if key.reported_at else []
    return [*found, *KINDS, *reports]


def allowed(name: str, kind: str) -> dict[str, str]:
    """Return the buttons that a message may have. An older report's card has none."""
    key = MANAGED[name]
    if kind.startswith("leak_owner"):
        if key.out_of_reach:
            return NONE
        return {action_ids.ASK: KEY} if key.leaked else {action_ids.ASK: KEY, **DISABLE_LEAKED}
    return MESSAGES.get(name, {}).get(kind, NONE)


RENDERED = {
    name: {kind: rendered(key, kind) for kind in kinds(key)} for name, key in MANAGED.items()
}


@pytest.mark.parametrize("name", MANAGED)
def test_each_state_has_its_messages(name: str) -> None:
    assert message_kinds.expected_kinds(MANAGED[name]) == tuple(MESSAGES.get(name, ()))


@pytest.mark.parametrize("name", MANAGED)
def test_buttons_are_only_where_the_state_allows_them(name: str) -> None:
    found = {kind: buttons(message) for kind, message in RENDERED[name].items()}
    assert found == {kind: allowed(name, kind) for kind in RENDERED[name]}


@pytest.mark.parametrize("name", MANAGED)
def test_only_approvers_messages_go_to_their_channel(name: str) -> None:
    """An owner who cannot be reached has no messages."""
    for kind in kinds(MANAGED[name]):
        approvers = kind.partition(":")[0] in ("found", "still_used", "leak", "leak_facts")
        channel = PLACES.approval_channel if approvers else MANAGED[name].dm
        assert message_kinds.channel(MANAGED[name], kind, PLACES) == channel
    unreachable = replace(MANAGED[name], dm="")
    for kind in message_kinds.expected_kinds(unreachable):
        assert message_kinds.channel(unreachable, kind, PLACES) == PLACES.approval_channel


def test_only_the_details_of_a_leak_are_in_a_thread() -> None:
    threads = {kind: message_kinds.thread_kind(kind) for name in MANAGED for kind in RENDERED[name]}
    assert {kind: parent for kind, parent in threads.items() if parent} == {
        f"leak_facts{again}": f"leak{again}" for again in ("", AGAIN, THIRD, EARLIER)
    }
    order = message_kinds.expected_kinds(REPORTED)
    assert order.index("leak") < order.index("leak_facts")


def test_what_breaks_something_asks_first() -> None:
    """The owner of a leaked key need not be asked: every click there is right."""
    for_owner = {
        kind for found in RENDERED.values() for kind in found if kind.startswith("leak_owner")
    }
    asks = asking(
        [one for found in RENDERED.values() for kind, one in found.items() if kind not in for_owner]
    )
    assert {action_id for action_id, asked in asks.items() if asked == {True}} == {
        *(action_ids.DISABLE_OLD, action_ids.LEAKED_DISABLE),
        *FOUND,
    }
    at_once = {action_id for action_id, asked in asks.items() if asked == {False}}
    assert at_once == {
        *(action_ids.ROTATE, action_ids.EXTEND, action_ids.ASK, action_ids.ENABLE),
        *(action_ids.CHECK, action_ids.NOT_YET, action_ids.UNDO),
    }
    assert set(asks) == at_once | {action_ids.DISABLE_OLD, action_ids.LEAKED_DISABLE, *FOUND}


@pytest.mark.parametrize("name", MANAGED)
def test_an_action_names_a_message_that_may_exist(name: str) -> None:
    for message in RENDERED[name].values():
        for action_id in buttons(message):
            assert message_kinds.kind_of_action(MANAGED[name], action_id) in kinds(MANAGED[name])


def test_every_kind_of_message_is_rendered_here() -> None:
    words = {message_kinds.word_of(kind) for found in RENDERED.values() for kind in found}
    others = {keys.EXPIRED, keys.ROTATION, keys.ROTATED_OUT, keys.LEAK_OWNER, keys.DISABLED}
    assert words == {*keys.FOR_APPROVERS, *keys.REMINDERS, *others}


def test_the_examples_have_every_state_and_reason() -> None:
    reasons = {key.inactive_reason for key in MANAGED.values()}
    assert set(InactiveReason) - reasons == {InactiveReason.UNCLAIMED, InactiveReason.ORPHANED}
    assert {key.desired for key in MANAGED.values()} == set(DesiredState)

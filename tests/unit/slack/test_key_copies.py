"""The lasting messages about a key: which there are in each state of its life, what they say, and their buttons."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.domain.keys import DesiredState, InactiveReason, ManagedKey
from bot.slack import action_ids
from bot.slack.messages import keys, requester
from bot.slack.messages.blocks import Message
from sandbox.limits import check_message
from tests.support.example_keys import DAY, DM, KEPT, MANAGED, REPORTED
from tests.support.example_requests import KEY, LATER, NOW, PLACES, bold, buttons, formatted, parts

END, OFF = str(int(LATER.timestamp())), str(int(NOW.timestamp()))
KINDS = (
    "expiry:7d",
    "expiry:1d",
    "expiry:1h",
    "expired",
    "rotation",
    "used:1",
    "used:3",
    "still_used",
    "retired",
    "deletion",
    "off",
)
LEAK_KINDS = ("leak", "leak_facts", "leak_owner")
AGAIN, THIRD, EARLIER = (f":{int((NOW + by * DAY).timestamp())}" for by in (1, 2, -1))
""":<when> in the kinds of a report that is not the first one."""


def leak_kinds(again: str) -> tuple[str, ...]:
    return tuple(f"{kind}{again}" for kind in LEAK_KINDS)


def kinds(key: ManagedKey) -> list[str]:
    """Every kind that a key in this state may have, since it is wanted or since it was once."""
    found = ["found"] if "orphaned" in key.origin else []
    marks = {"expiry": END, **dict.fromkeys(("expired", "retired", "deletion", "off"), OFF)}
    named = [
        f"{kind}:{mark}" if (mark := marks.get(kind.partition(":")[0])) else kind for kind in KINDS
    ]
    leaks = [again for again in ("", AGAIN, THIRD, EARLIER) if not again or key.reported_again_at]
    return [
        *found,
        *named,
        *(kind for again in leaks if key.reported_at for kind in leak_kinds(again)),
    ]


def drawn(key: ManagedKey, kind: str) -> Message:
    return requester.render(key, kind, PLACES)


DRAWN = {name: {kind: drawn(key, kind) for kind in kinds(key)} for name, key in MANAGED.items()}
"""Every copy in every state, by the state's name and the copy's kind."""

WANTED: dict[str, tuple[str, ...]] = {  # in every other state there is none
    "ends in 7 days": (f"expiry:7d:{END}",),
    "ends in an hour": (f"expiry:7d:{END}", f"expiry:1d:{END}", f"expiry:1h:{END}"),
    "ended": (f"expired:{OFF}",),
    "ended, deleted soon": (f"expired:{OFF}", f"deletion:{OFF}"),
    "rotating": ("rotation",),
    "rotating, no facts": ("rotation",),
    "rotating, still used for a day": ("rotation", "used:1"),
    "rotating, still used for three days": ("still_used", "rotation", "used:3"),
    "replaced": (f"retired:{OFF}",),
    "replaced, deleted soon": (f"retired:{OFF}", f"deletion:{OFF}"),
    "replaced and reported": (*LEAK_KINDS, f"retired:{OFF}", f"deletion:{OFF}"),
    "reported": LEAK_KINDS,
    "reported, owner unknown": ("leak", "leak_facts"),
    "reported again": leak_kinds(AGAIN),
    "reported a third time": leak_kinds(THIRD),
    "out of reach": LEAK_KINDS,
    "out of reach, reported again": leak_kinds(AGAIN),
    "leaked": LEAK_KINDS,
    "leaked, reported again": leak_kinds(EARLIER),
    "leaked and deleted": LEAK_KINDS,
    "leaked after its end": (*LEAK_KINDS, f"deletion:{OFF}"),
    "turned off by an approver": (f"off:{OFF}",),
    "found": ("found",),
    "found and enabled": ("found",),
}

MORE_TIME = {action_ids.ROTATE: KEY, action_ids.EXTEND: KEY}
CHOICE = {action_ids.CHECK: KEY, action_ids.DISABLE_OLD: KEY, action_ids.NOT_YET: KEY}
ENDED_BUTTONS = {action_ids.ASK: KEY, action_ids.ENABLE: KEY}

BUTTONS: dict[
    tuple[str, str], dict[str, str]
] = {  # all that there are; everywhere else there is none
    ("ends in 7 days", f"expiry:7d:{END}"): MORE_TIME,
    **{("ends in an hour", f"expiry:{span}:{END}"): MORE_TIME for span in ("7d", "1d", "1h")},
    ("ended", f"expired:{OFF}"): ENDED_BUTTONS,
    ("ended, deleted soon", f"expired:{OFF}"): ENDED_BUTTONS,
    **{(name, "rotation"): CHOICE for name in MANAGED if name.startswith("rotating")},
    ("rotating, still used for a day", "used:1"): CHOICE,  # an older day's message has none
    ("rotating, still used for three days", "used:3"): CHOICE,
    ("replaced", f"retired:{OFF}"): {action_ids.UNDO: KEY},
    ("replaced, deleted soon", f"retired:{OFF}"): {action_ids.UNDO: KEY},
    ("ended, deleted soon", f"deletion:{OFF}"): {action_ids.ENABLE: KEY},
    ("replaced, deleted soon", f"deletion:{OFF}"): {
        action_ids.ENABLE: KEY
    },  # it ends before it is deleted
    ("turned off by an approver", f"off:{OFF}"): {action_ids.ENABLE: KEY},
    **{
        ("replaced and reported", f"{kind}:{OFF}"): {action_ids.ENABLE: KEY}
        for kind in ("retired", "deletion")
    },
    ("replaced and reported", "leak"): {action_ids.LEAKED_DISABLE: KEY},
    ("replaced and reported", "leak_owner"): {action_ids.ASK: KEY, action_ids.LEAKED_DISABLE: KEY},
    ("reported", "leak"): {action_ids.LEAKED_DISABLE: KEY},
    ("reported, owner unknown", "leak"): {action_ids.LEAKED_DISABLE: KEY},
    ("reported again", f"leak{AGAIN}"): {
        action_ids.LEAKED_DISABLE: KEY
    },  # an older report's card has none
    ("reported a third time", f"leak{THIRD}"): {action_ids.LEAKED_DISABLE: KEY},
    **{
        (name, f"leak_owner{again}"): {action_ids.ASK: KEY, action_ids.LEAKED_DISABLE: KEY}
        for name in MANAGED
        if name.startswith("reported")
        for again in ("", AGAIN, THIRD, EARLIER)
    },
    **{
        (name, f"leak_owner{again}"): {action_ids.ASK: KEY}
        for name in MANAGED
        if name.startswith("leaked")
        for again in ("", AGAIN, THIRD, EARLIER)
    },
    ("found", "found"): {action_ids.FOUND_DELETE: KEY, action_ids.FOUND_ENABLE: KEY},
}

NEVER_BACK = {
    action_ids.ENABLE,
    action_ids.UNDO,
    action_ids.FOUND_ENABLE,
    action_ids.EXTEND,
    action_ids.ENABLE_UNCLAIMED,
}


@pytest.mark.parametrize("name", MANAGED)
def test_slack_takes_every_copy_in_every_state(name: str) -> None:
    for message in DRAWN[name].values():
        assert message.text
        check_message(message.text, message.blocks)
        check_message(message.text, message.blocks, update=True)


@pytest.mark.parametrize("name", MANAGED)
def test_each_state_wants_its_copies(name: str) -> None:
    assert requester.expected_kinds(MANAGED[name]) == WANTED.get(name, ())


@pytest.mark.parametrize("name", MANAGED)
def test_buttons_stand_only_where_the_state_allows_them(name: str) -> None:
    """Every one carries the key's ID."""
    assert {kind: buttons(message) for kind, message in DRAWN[name].items()} == {
        kind: BUTTONS.get((name, kind), {}) for kind in DRAWN[name]
    }


@pytest.mark.parametrize("name", [name for name, key in MANAGED.items() if key.leaked])
def test_no_message_offers_to_turn_a_leaked_key_on(name: str) -> None:
    assert not any(NEVER_BACK & set(buttons(message)) for message in DRAWN[name].values())


@pytest.mark.parametrize("name", MANAGED)
def test_only_the_approvers_kinds_stand_in_their_channel(name: str) -> None:
    for kind in kinds(MANAGED[name]):
        theirs = kind.partition(":")[0] in ("found", "still_used", "leak", "leak_facts")
        assert requester.channel(MANAGED[name], kind, PLACES) == (
            PLACES.approval_channel if theirs else MANAGED[name].dm
        )


@pytest.mark.parametrize("name", MANAGED)
def test_nothing_is_for_an_owner_who_cannot_be_told(name: str) -> None:
    nobody = replace(MANAGED[name], dm="")
    assert {
        requester.channel(nobody, kind, PLACES) for kind in requester.expected_kinds(nobody)
    } <= {PLACES.approval_channel}


def test_the_facts_of_a_leak_stand_in_the_thread_of_its_card_and_nothing_else_in_one() -> None:
    threads = {kind: requester.thread_kind(kind) for name in MANAGED for kind in DRAWN[name]}
    assert {kind: parent for kind, parent in threads.items() if parent} == {
        f"leak_facts{again}": f"leak{again}" for again in ("", AGAIN, THIRD, EARLIER)
    }
    order = requester.expected_kinds(REPORTED)
    assert order.index("leak") < order.index("leak_facts")


@pytest.mark.parametrize("name", MANAGED)
def test_user_text_can_neither_mention_nor_link(name: str) -> None:
    ours = re.compile(r"@[UW][A-Z0-9]+|!date\^\d+\^[^|]+\|[^|<]+")
    for text in (text for message in DRAWN[name].values() for text in formatted(message)):
        assert all(ours.fullmatch(control) for control in re.findall(r"<([^>]*)>", text)), text
        assert " on <!date" not in text


@pytest.mark.parametrize("name", MANAGED)
def test_no_code_stands_inside_bold(name: str) -> None:
    """Slack shows the asterisks then."""
    assert not any("`" in text for message in DRAWN[name].values() for text in bold(message))


def test_disabling_and_deleting_ask_first_but_for_ones_own_leaked_key() -> None:
    asks = {
        (one["action_id"], kind.partition(":")[0], "confirm" in one)
        for shown in DRAWN.values()
        for kind, message in shown.items()
        for one in parts(message, "button")
    }
    assert {(action_id, asked) for action_id, kind, asked in asks if kind != "leak_owner"} >= {
        (action_ids.DISABLE_OLD, True),
        (action_ids.LEAKED_DISABLE, True),
        (action_ids.FOUND_DELETE, True),
        (action_ids.FOUND_ENABLE, True),
    }
    assert {action_id for action_id, kind, asked in asks if not asked and kind != "leak_owner"} == {
        action_ids.ROTATE,
        action_ids.EXTEND,
        action_ids.ASK,
        action_ids.ENABLE,
        action_ids.CHECK,
        action_ids.NOT_YET,
        action_ids.UNDO,
    }


@pytest.mark.parametrize("name", MANAGED)
def test_a_click_on_a_copy_nobody_knew_makes_it_one_that_may_be_there(name: str) -> None:
    key = MANAGED[name]
    for message in DRAWN[name].values():
        for action_id in buttons(message):
            kind = requester.kind_of_action(key, action_id)
            assert kind in kinds(key), action_id
            check_message(drawn(key, kind).text, drawn(key, kind).blocks)


def test_there_is_no_message_about_a_key_that_nothing_happens_to() -> None:
    assert requester.expected_kinds(KEPT) == () and KEPT.dm == DM
    assert {why for why in InactiveReason} == {key.inactive_reason for key in MANAGED.values()} | {
        InactiveReason.UNCLAIMED,
        InactiveReason.ORPHANED,
    }
    assert {key.desired for key in MANAGED.values()} == set(DesiredState)


def test_every_kind_is_drawn_somewhere() -> None:
    words = {kind.partition(":")[0] for shown in DRAWN.values() for kind in shown}
    own = (
        keys.ORPHANED,
        keys.EXPIRED,
        keys.ROTATION,
        keys.STILL_USED,
        keys.ROTATED_OUT,
        keys.DELETED,
        keys.LEAK,
        keys.LEAK_DETAILS,
        keys.LEAK_OWNER,
        keys.DISABLED,
    )
    assert words == {*own, "expiry", "used"}

"""The messages about a key: which exist in each state, what they show, and their buttons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.keys import DesiredState, InactiveReason, ManagedKey, ObservedState
from bot.slack import action_ids
from bot.slack.messages import keys
from bot.slack.messages import kinds as message_kinds
from bot.slack.messages.blocks import Message, date_token
from bot.slack.messages.key_status import last_used_text, status_text
from sandbox.limits import check_message
from tests.support.example_keys import DAY, DM, EXPIRED, KEPT, MANAGED, REPORTED, WARNED
from tests.support.example_requests import (
    APPROVER,
    KEY,
    KEYS,
    LATER,
    NOW,
    PLACES,
    REASON,
    buttons,
    formatted,
    found_keys,
    parts,
)

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


def rendered(key: ManagedKey, kind: str) -> Message:
    return message_kinds.render(key, kind, PLACES)


RENDERED = {
    name: {kind: rendered(key, kind) for kind in kinds(key)} for name, key in MANAGED.items()
}
"""Every copy in every state, by the state's name and the copy's kind."""

EXPECTED: dict[str, tuple[str, ...]] = {  # in every other state there is none
    "expires in 7 days": (f"expiry:7d:{END}",),
    "expires in an hour": (f"expiry:7d:{END}", f"expiry:1d:{END}", f"expiry:1h:{END}"),
    "expired": (f"expired:{OFF}",),
    "expired, deleted soon": (f"expired:{OFF}", f"deletion:{OFF}"),
    "rotating": ("rotation",),
    "rotating, last use unknown": ("rotation",),
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
    "leaked after it expired": (*LEAK_KINDS, f"deletion:{OFF}"),
    "turned off by an approver": (f"off:{OFF}",),
    "orphaned": ("found",),
    "orphaned and enabled": ("found",),
}

MORE_TIME = {action_ids.ROTATE: KEY, action_ids.EXTEND: KEY}
CHOICE = {action_ids.CHECK: KEY, action_ids.DISABLE_OLD: KEY, action_ids.NOT_YET: KEY}
ENDED_BUTTONS = {action_ids.ASK: KEY, action_ids.ENABLE: KEY}

BUTTONS: dict[
    tuple[str, str], dict[str, str]
] = {  # all that there are; everywhere else there is none
    ("expires in 7 days", f"expiry:7d:{END}"): MORE_TIME,
    **{("expires in an hour", f"expiry:{span}:{END}"): MORE_TIME for span in ("7d", "1d", "1h")},
    ("expired", f"expired:{OFF}"): ENDED_BUTTONS,
    ("expired, deleted soon", f"expired:{OFF}"): ENDED_BUTTONS,
    **{(name, "rotation"): CHOICE for name in MANAGED if name.startswith("rotating")},
    ("rotating, still used for a day", "used:1"): CHOICE,  # an older day's message has none
    ("rotating, still used for three days", "used:3"): CHOICE,
    ("replaced", f"retired:{OFF}"): {action_ids.UNDO: KEY},
    ("replaced, deleted soon", f"retired:{OFF}"): {action_ids.UNDO: KEY},
    ("expired, deleted soon", f"deletion:{OFF}"): {action_ids.ENABLE: KEY},
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
    ("orphaned", "found"): {action_ids.FOUND_DELETE: KEY, action_ids.FOUND_ENABLE: KEY},
}

NEVER_BACK = {
    action_ids.ENABLE,
    action_ids.UNDO,
    action_ids.FOUND_ENABLE,
    action_ids.EXTEND,
    action_ids.ENABLE_UNCLAIMED,
}


@pytest.mark.parametrize("name", MANAGED)
def test_each_state_has_its_messages(name: str) -> None:
    assert message_kinds.expected_kinds(MANAGED[name]) == EXPECTED.get(name, ())


@pytest.mark.parametrize("name", MANAGED)
def test_buttons_stand_only_where_the_state_allows_them(name: str) -> None:
    """Every one carries the key's ID."""
    assert {kind: buttons(message) for kind, message in RENDERED[name].items()} == {
        kind: BUTTONS.get((name, kind), {}) for kind in RENDERED[name]
    }


@pytest.mark.parametrize("name", [name for name, key in MANAGED.items() if key.leaked])
def test_no_message_offers_to_turn_a_leaked_key_on(name: str) -> None:
    assert not any(NEVER_BACK & set(buttons(message)) for message in RENDERED[name].values())


@pytest.mark.parametrize("name", MANAGED)
def test_only_approvers_messages_go_to_their_channel(name: str) -> None:
    for kind in kinds(MANAGED[name]):
        theirs = kind.partition(":")[0] in ("found", "still_used", "leak", "leak_facts")
        assert message_kinds.channel(MANAGED[name], kind, PLACES) == (
            PLACES.approval_channel if theirs else MANAGED[name].dm
        )


@pytest.mark.parametrize("name", MANAGED)
def test_an_unreachable_owner_has_no_messages(name: str) -> None:
    nobody = replace(MANAGED[name], dm="")
    assert {
        message_kinds.channel(nobody, kind, PLACES) for kind in message_kinds.expected_kinds(nobody)
    } <= {PLACES.approval_channel}


def test_only_a_leaks_details_stand_in_a_thread() -> None:
    threads = {kind: message_kinds.thread_kind(kind) for name in MANAGED for kind in RENDERED[name]}
    assert {kind: parent for kind, parent in threads.items() if parent} == {
        f"leak_facts{again}": f"leak{again}" for again in ("", AGAIN, THIRD, EARLIER)
    }
    order = message_kinds.expected_kinds(REPORTED)
    assert order.index("leak") < order.index("leak_facts")


def test_what_breaks_something_asks_first() -> None:
    asks = {
        (one["action_id"], kind.partition(":")[0], "confirm" in one)
        for shown in RENDERED.values()
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
def test_a_click_names_a_message_that_may_be_there(name: str) -> None:
    key = MANAGED[name]
    for message in RENDERED[name].values():
        for action_id in buttons(message):
            kind = message_kinds.kind_of_action(key, action_id)
            assert kind in kinds(key), action_id
            check_message(rendered(key, kind).text, rendered(key, kind).blocks)


def test_a_key_that_nothing_happens_to_has_no_message() -> None:
    assert message_kinds.expected_kinds(KEPT) == () and KEPT.dm == DM
    assert {why for why in InactiveReason} == {key.inactive_reason for key in MANAGED.values()} | {
        InactiveReason.UNCLAIMED,
        InactiveReason.ORPHANED,
    }
    assert {key.desired for key in MANAGED.values()} == set(DesiredState)


def test_every_kind_is_rendered_somewhere() -> None:
    words = {kind.partition(":")[0] for shown in RENDERED.values() for kind in shown}
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


def test_a_reminder_says_when_a_key_expires() -> None:
    texts = [
        rendered(MANAGED["expires in an hour"], f"expiry:{span}:{END}")
        for span in ("7d", "1d", "1h")
    ]
    assert len({message.text for message in texts}) == 3
    assert all(date_token(LATER) in formatted(message)[1] for message in texts)


def test_an_extension_is_said_in_the_old_reminder_and_brings_new_ones() -> None:
    """A changed message notifies nobody."""
    later = replace(WARNED, expires_at=LATER + 7 * DAY, notices=())
    again = replace(later, notices=("expiry:7d",))
    [old], [new] = message_kinds.expected_kinds(WARNED), message_kinds.expected_kinds(again)
    assert old != new
    for key in (later, again):
        message = rendered(key, old)
        assert not buttons(message) and date_token(LATER + 7 * DAY) in message.text
    assert buttons(rendered(again, new)) == MORE_TIME


def test_each_expiry_of_a_key_is_a_message_of_its_own() -> None:
    second = replace(EXPIRED, changed_at=NOW + 14 * DAY)
    [first_kind] = message_kinds.expected_kinds(EXPIRED)
    [second_kind] = message_kinds.expected_kinds(second)
    assert first_kind != second_kind
    assert not buttons(rendered(second, first_kind))
    assert buttons(rendered(second, second_kind)) == ENDED_BUTTONS


def test_an_expired_keys_owner_reads_its_last_use_and_deletion() -> None:
    text = formatted(rendered(EXPIRED, f"expired:{OFF}"))[1]
    assert last_used_text(KEYS[0]) in text and date_token(LATER) in text
    unknown = replace(EXPIRED, snapshot=())
    assert "used" not in formatted(rendered(unknown, f"expired:{OFF}"))[1]


def test_the_deletion_notice_says_when() -> None:
    message = rendered(MANAGED["expired, deleted soon"], f"deletion:{OFF}")
    assert date_token(LATER) in formatted(message)[1]


def test_the_owner_reads_which_approver_disabled_the_key_and_why() -> None:
    message = rendered(MANAGED["turned off by an approver"], f"off:{OFF}")
    assert f"<@{APPROVER}>" in message.text
    assert parts(message, "rich_text_quote")[0]["elements"] == [{"type": "text", "text": REASON}]


@pytest.mark.parametrize("desired", DesiredState)
def test_what_becomes_of_an_orphaned_key_is_done_once_aws_shows_it(desired: DesiredState) -> None:
    shown = dict(found_keys())
    done = rendered(shown[f"{desired}, {desired}"], "found")
    unknown = rendered(shown[f"{desired}, unknown"], "found")
    assert done != unknown and done.text != unknown.text


def test_a_key_that_is_gone_in_aws_is_said_to_be_gone() -> None:
    gone = replace(KEPT, observed=ObservedState.DELETED)
    texts = {status_text(one) for one in (gone, KEPT, replace(gone, desired=DesiredState.DELETED))}
    assert len(texts) == 3 and all(KEY in text for text in texts)

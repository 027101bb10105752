"""The messages about a rotation: the evidence, the advice, and the old key that is off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.keys import DesiredState, InactiveReason, LastUsed, ObservedState
from bot.slack import action_ids
from bot.slack.messages import kinds
from bot.slack.messages.blocks import Message, date_token
from bot.slack.messages.key_status import key_line, status_text
from tests.support.example_keys import (
    DAY,
    MANAGED,
    QUIET,
    ROTATED,
    ROTATING,
    STILL_USED,
    USED,
)
from tests.support.example_requests import (
    KEY,
    KEYS,
    LATER,
    NOW,
    OLDER_KEY,
    PLACES,
    REQUESTER,
    buttons,
    everything,
    formatted,
    parts,
)

OFF = str(int(NOW.timestamp()))


def rotation(new: LastUsed | None, old: LastUsed | None) -> Message:
    """Return the message of a rotation whose new and old key were last used so."""
    snapshot = (replace(KEYS[0], last_used=new), replace(KEYS[1], last_used=old))
    return kinds.render(replace(ROTATING, snapshot=snapshot), "rotation", PLACES)


def style(message: Message) -> str:
    found = {one["action_id"]: one.get("style") for one in parts(message, "button")}
    return str(found[action_ids.DISABLE_OLD])


def test_both_keys_stand_side_by_side_with_their_last_use() -> None:
    shown = "\n".join(formatted(rotation(USED, QUIET)))
    for key, used in ((KEYS[0], USED), (KEYS[1], QUIET)):
        assert key_line(replace(key, last_used=used), NOW) in shown


def test_disabling_the_old_key_is_advised_only_on_evidence() -> None:
    """The new key is used, and the old one was not since the new one was delivered."""
    assert style(rotation(USED, QUIET)) == "primary"


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (USED, USED),
        (replace(USED, at=None), USED),
        (replace(USED, at=None), QUIET),
        (None, QUIET),
        (USED, None),
    ],
)
def test_without_evidence_it_is_not_advised(new: LastUsed | None, old: LastUsed | None) -> None:
    assert style(rotation(new, old)) == "danger"
    assert rotation(new, old).text != rotation(USED, QUIET).text


def test_use_of_the_old_key_outweighs_an_unused_new_one() -> None:
    unused = replace(USED, at=None)
    assert rotation(USED, USED).text == rotation(unused, USED).text
    assert rotation(unused, QUIET).text != rotation(unused, USED).text
    assert rotation(None, QUIET).text == rotation(USED, None).text


def test_the_dialog_names_the_old_key_and_its_last_use() -> None:
    [button] = [
        one
        for one in parts(rotation(USED, QUIET), "button")
        if one["action_id"] == action_ids.DISABLE_OLD
    ]
    text = button["confirm"]["text"]["text"]
    assert OLDER_KEY in text and QUIET.at and date_token(QUIET.at) in text


def test_the_message_says_when_the_old_key_is_checked() -> None:
    for key, kind in ((ROTATING, "rotation"), (STILL_USED, "used:3")):
        assert date_token(LATER) in everything(kinds.render(key, kind, PLACES)).replace(
            "\\u200b", "\u200b"
        )


def test_each_day_of_use_is_a_new_message() -> None:
    """From the third day on the approvers have a message, too."""
    for days in (1, 2, 3, 4):
        expected = kinds.expected_kinds(replace(ROTATING, days_still_used=days))
        assert f"used:{days}" in expected and ("still_used" in expected) is (days >= 3)


def test_the_approvers_read_whose_key_is_still_used_and_since_when() -> None:
    shown = everything(kinds.render(STILL_USED, "still_used", PLACES))
    for fact in (f"<@{REQUESTER}>", f"`{OLDER_KEY}`", f"`{KEY}`", "3 days"):
        assert fact in shown


def test_an_earlier_days_message_names_its_day() -> None:
    shown = [kinds.render(STILL_USED, f"used:{day}", PLACES) for day in (1, 2)]
    assert shown[0] != shown[1] and not buttons(shown[0])


def test_a_rotated_key_can_be_brought_back_until_its_deletion() -> None:
    forever = replace(ROTATED, expires_at=None, delete_at=LATER + DAY)
    shown = kinds.render(forever, f"retired:{OFF}", PLACES)
    assert date_token(LATER + DAY) in shown.blocks[0]["text"]["text"]
    assert buttons(shown) == {action_ids.UNDO: KEY}


def test_it_cannot_be_brought_back_after_it_expires() -> None:
    early = replace(ROTATED, expires_at=LATER, delete_at=LATER + DAY)
    text = kinds.render(early, f"retired:{OFF}", PLACES).blocks[0]["text"]["text"]
    assert text.index(date_token(LATER)) < text.index(date_token(LATER + DAY))


def test_a_reported_key_needs_an_approval_instead_of_undo() -> None:
    reported = MANAGED["replaced and reported"]
    for kind in (f"retired:{OFF}", f"deletion:{OFF}"):
        shown = kinds.render(reported, kind, PLACES)
        assert buttons(shown) == {action_ids.ENABLE: KEY} and "Undo" not in everything(shown)


@pytest.mark.parametrize("observed", ObservedState)
def test_a_key_is_said_to_be_on_once_aws_shows_it(observed: ObservedState) -> None:
    """Between the click and the change in AWS the process may die."""
    undone = replace(
        ROTATED,
        desired=DesiredState.ACTIVE,
        inactive_reason=InactiveReason(""),
        observed=observed,
    )
    done = replace(undone, observed=ObservedState.ACTIVE)
    shown = kinds.render(undone, f"retired:{OFF}", PLACES).text
    assert shown == status_text(undone)
    assert (shown == status_text(done)) is (observed is ObservedState.ACTIVE)


def test_while_the_new_key_is_off_the_old_one_stays() -> None:
    off = replace(ROTATING, desired=DesiredState.INACTIVE)
    for kind in ("rotation", "used:1", "still_used"):
        shown = kinds.render(off, kind, PLACES)
        assert OLDER_KEY in shown.text and not buttons(shown)

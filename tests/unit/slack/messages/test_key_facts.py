"""Messages about a key show the right facts. docs/messages.md pins words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.keys import DesiredState, InactiveReason, LastUsed, ObservedState
from bot.slack import action_ids
from bot.slack.messages import kinds
from bot.slack.messages.blocks import Message, date_token
from bot.slack.messages.key_status import key_line, last_used_text, status_text
from bot.slack.messages.leaks import leak_question
from tests.support import example_keys as examples
from tests.support.example_keys import DAY, EXPIRED, MANAGED, QUIET, ROTATED, ROTATING, USED
from tests.support.example_requests import APPROVER, KEY, KEYS, LATER, NOW, OLDER_KEY, UNKNOWN_USE
from tests.support.message_parts import buttons, formatted, parts
from tests.unit.slack.messages.rendering import dialog, rendered, shown

END, OFF = int(LATER.timestamp()), int(NOW.timestamp())
ENDED, RETIRED = f"expired:{OFF}", f"retired:{OFF}"
UNUSED = LastUsed(None, "s3", "eu-west-1")
MORE_TIME = {action_ids.ROTATE: KEY, action_ids.EXTEND: KEY}

# -- expiry


def test_a_reminder_says_when_a_key_expires() -> None:
    for span in ("7d", "1d", "1h"):
        message = rendered(MANAGED["expires in an hour"], f"expiry:{span}:{END}")
        assert date_token(LATER) in formatted(message)[1]


def test_an_extension_updates_old_reminders_and_brings_new() -> None:
    """An updated message notifies no user."""
    later = replace(examples.WARNED, expires_at=LATER + 7 * DAY, notices=())
    again = replace(later, notices=("expiry:7d",))
    [new], old = kinds.expected_kinds(again), f"expiry:7d:{END}"
    assert new != old and buttons(rendered(again, new)) == MORE_TIME
    for key in (later, again):
        message = rendered(key, old)
        assert not buttons(message) and date_token(LATER + 7 * DAY) in message.text


def test_each_expiry_of_a_key_is_a_message_of_its_own() -> None:
    second = replace(EXPIRED, changed_at=NOW + 14 * DAY)
    [kind] = kinds.expected_kinds(second)
    assert kind != ENDED and not buttons(rendered(second, ENDED))
    assert set(buttons(rendered(second, kind))) == {action_ids.ASK, action_ids.ENABLE}


def test_an_expired_keys_owner_reads_last_use_and_deletion() -> None:
    text = formatted(rendered(EXPIRED, ENDED))[1]
    assert last_used_text(KEYS[0]) in text and date_token(LATER) in text
    assert "used" not in formatted(rendered(replace(EXPIRED, snapshot=()), ENDED))[1]
    soon = rendered(MANAGED["expired, deleted soon"], f"deletion:{OFF}")
    assert date_token(LATER) in formatted(soon)[1]


# -- what AWS shows


@pytest.mark.parametrize("observed", ObservedState)
def test_a_key_is_said_to_be_on_once_aws_shows_it(observed: ObservedState) -> None:
    """Between the click and the change in AWS the process may end."""
    on = {"desired": DesiredState.ACTIVE, "inactive_reason": InactiveReason.NONE}
    undone = replace(ROTATED, **on, observed=observed)
    done = status_text(replace(undone, observed=ObservedState.ACTIVE))
    text = rendered(undone, RETIRED).text
    assert text == status_text(undone)
    assert (text == done) is (observed is ObservedState.ACTIVE)


def test_a_leaked_key_is_said_to_be_off_once_aws_shows_it() -> None:
    unknown = replace(examples.LEAKED, observed=ObservedState.UNKNOWN)
    assert rendered(unknown, "leak") != rendered(examples.LEAKED, "leak")


def test_a_key_that_aws_lost_is_neither_kept_nor_deleted() -> None:
    gone = replace(examples.KEPT, observed=ObservedState.DELETED)
    states = (gone, examples.KEPT, replace(gone, desired=DesiredState.DELETED))
    texts = {status_text(one) for one in states}
    assert len(texts) == 3 and all(KEY in text for text in texts)


# -- rotation


def rotation(new: LastUsed | None, old: LastUsed | None) -> Message:
    """Return the message of a rotation whose new and old key were last used so."""
    snapshot = (replace(KEYS[0], last_used=new), replace(KEYS[1], last_used=old))
    return rendered(replace(ROTATING, snapshot=snapshot), "rotation")


def advice(message: Message) -> str:
    """Return the style of the button that disables the old key."""
    found = {one["action_id"]: one.get("style") for one in parts(message, "button")}
    return str(found[action_ids.DISABLE_OLD])


def test_both_keys_are_shown_with_their_last_use() -> None:
    """The dialog names the old key's."""
    message = rotation(USED, QUIET)
    for key, used in ((KEYS[0], USED), (KEYS[1], QUIET)):
        assert key_line(replace(key, last_used=used), NOW) in "\n".join(formatted(message))
    text, _ = dialog(message, action_ids.DISABLE_OLD)
    assert OLDER_KEY in text and QUIET.at and date_token(QUIET.at) in text


def test_disabling_is_advised_only_on_evidence() -> None:
    """The new key is used, and the old one was not since the new one was delivered."""
    assert advice(rotation(USED, QUIET)) == "primary"


@pytest.mark.parametrize(
    ("new", "old"), [(USED, USED), (UNUSED, USED), (UNUSED, QUIET), (None, QUIET), (USED, None)]
)
def test_without_evidence_it_is_not_advised(new: LastUsed | None, old: LastUsed | None) -> None:
    assert advice(rotation(new, old)) == "danger"
    assert rotation(new, old).text != rotation(USED, QUIET).text


def test_use_of_the_old_key_outweighs_an_unused_new_one() -> None:
    assert rotation(USED, USED).text == rotation(UNUSED, USED).text
    assert rotation(UNUSED, QUIET).text != rotation(UNUSED, USED).text
    assert rotation(None, QUIET).text == rotation(USED, None).text


def test_the_message_says_when_the_old_key_is_checked() -> None:
    for key, kind in ((ROTATING, "rotation"), (examples.STILL_USED, "used:3")):
        assert date_token(LATER) in shown(key, kind)


def test_each_day_of_use_is_a_new_message() -> None:
    """From the third day on, approvers have a message, too."""
    for days in (1, 2, 3, 4):
        expected = kinds.expected_kinds(replace(ROTATING, days_still_used=days))
        assert f"used:{days}" in expected and ("still_used" in expected) is (days >= 3)
    first, second = (rendered(examples.STILL_USED, f"used:{day}") for day in (1, 2))
    assert first.blocks != second.blocks and not buttons(first)


def test_a_rotated_key_can_be_enabled_until_it_is_deleted() -> None:
    """Or until it expires, if that comes first."""
    forever = replace(ROTATED, expires_at=None, delete_at=LATER + DAY)
    assert date_token(LATER + DAY) in shown(forever, RETIRED)
    assert buttons(rendered(forever, RETIRED)) == {action_ids.UNDO: KEY}
    early = shown(replace(ROTATED, expires_at=LATER, delete_at=LATER + DAY), RETIRED)
    assert early.index(date_token(LATER)) < early.index(date_token(LATER + DAY))


@pytest.mark.parametrize("kind", ["rotation", "used:1", "still_used"])
def test_while_the_new_key_is_off_the_old_one_stays(kind: str) -> None:
    off = rendered(replace(ROTATING, desired=DesiredState.INACTIVE), kind)
    assert OLDER_KEY in off.text and not buttons(off)


# -- leaks


def test_the_owner_does_not_read_who_reported_the_key() -> None:
    assert f"<@{examples.REPORTER}>" in shown(examples.REPORTED, "leak")
    assert examples.REPORTER not in shown(examples.REPORTED, "leak_owner")


def test_a_later_report_is_a_new_card() -> None:
    """An updated message notifies no user. The older cards point to the newest."""
    third = MANAGED["reported a third time"]
    reports = (examples.REPORTED, examples.REPORTED_AGAIN, third)
    found = [kinds.expected_kinds(key)[0] for key in reports]
    first, second, newest = (rendered(third, kind) for kind in found)
    assert len(set(found)) == 3 and buttons(newest) == {action_ids.LEAKED_DISABLE: KEY}
    assert not buttons(first) and not buttons(second) and first.blocks[-1] == second.blocks[-1]
    reporters = [f"<@{examples.REPORTER}>" in shown(third, kind) for kind in found]
    assert reporters == [True, False, True], "who reported second is no longer stored"
    assert f"<@{APPROVER}>" not in shown(third, found[1])


def test_every_card_says_what_became_of_the_key() -> None:
    key = MANAGED["leaked, reported again"]
    first, second = (rendered(key, kind) for kind in ("leak", kinds.expected_kinds(key)[0]))
    assert first.blocks[-1] == second.blocks[-1]
    assert f"by <@{APPROVER}>, {date_token(NOW)}" in shown(key, "leak")


def test_disabling_a_leaked_key_asks_with_its_last_use() -> None:
    text, style = dialog(rendered(examples.REPORTED, "leak"), action_ids.LEAKED_DISABLE)
    used = KEYS[0].last_used
    assert KEY in text and used and used.at and date_token(used.at) in text and style == "danger"
    assert leak_question(UNKNOWN_USE, NOW) != leak_question(KEYS[0], NOW)

"""What the messages about a key say: its end, a rotation's evidence, a leak."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    LastUsed,
    ObservedState,
)
from bot.slack import action_ids
from bot.slack.messages import requester
from bot.slack.messages.blocks import Message
from tests.support.example_keys import (
    DAY,
    EXPIRED,
    EXPIRED_SOON,
    LEAKED,
    MANAGED,
    QUIET,
    REPORTED,
    REPORTED_AGAIN,
    REPORTER,
    ROTATED,
    ROTATING,
    STILL_USED,
    TURNED_OFF,
    USED,
    WARNED,
    WARNED_THRICE,
)
from tests.support.example_requests import (
    APPROVER,
    KEY,
    KEYS,
    LATER,
    NOW,
    OLDER_KEY,
    REASON,
    REQUESTER,
    buttons,
    everything,
    parts,
)
from tests.unit.slack.test_key_copies import DRAWN, END, ENDED_BUTTONS, MORE_TIME, OFF, drawn

# -- its end


@pytest.mark.parametrize(("span", "words"), [("7d", "7 days"), ("1d", "a day"), ("1h", "an hour")])
def test_a_reminder_says_when_a_key_ends_and_what_can_be_done(span: str, words: str) -> None:
    message = drawn(WARNED_THRICE, f"expiry:{span}:{END}")
    assert message.text == f"Key {KEY} ends in {words}"
    assert f"ends <!date^{END}^" in everything(message) and "in use or not" in everything(message)


def test_more_time_is_said_in_the_old_reminder_and_brings_new_ones() -> None:
    """An edited message notifies nobody."""
    later = replace(WARNED, expires_at=LATER + 7 * DAY, notices=())
    again = replace(later, notices=("expiry:7d",))
    end = int((LATER + 7 * DAY).timestamp())
    [old], [new] = requester.expected_kinds(WARNED), requester.expected_kinds(again)
    assert old != new
    for key in (later, again):
        message = drawn(key, old)
        assert not buttons(message) and f"is active and ends <!date^{end}^" in everything(message)
    assert buttons(drawn(again, new)) == MORE_TIME


def test_each_end_of_a_key_is_a_message_of_its_own() -> None:
    second = replace(EXPIRED, changed_at=NOW + 14 * DAY)
    [first_kind], [second_kind] = (
        requester.expected_kinds(EXPIRED),
        requester.expected_kinds(second),
    )
    assert first_kind != second_kind
    assert (
        not buttons(drawn(second, first_kind))
        and buttons(drawn(second, second_kind)) == ENDED_BUTTONS
    )


def test_its_owner_is_told_what_used_an_ended_key_last_and_when_it_is_deleted() -> None:
    told = everything(drawn(EXPIRED, f"expired:{OFF}"))
    assert (
        "last used <!date^" in told
        and "in us-gov-northwest-17" in told
        and f"deleted <!date^{END}^" in told
    )


def test_the_day_before_its_deletion_its_owner_is_told_how_to_bring_it_back() -> None:
    told = drawn(EXPIRED_SOON, f"deletion:{OFF}")
    assert f"is deleted <!date^{END}^" in everything(told) and buttons(told) == {
        action_ids.ENABLE: KEY
    }


# -- rotation


def rotation(new: LastUsed | None, old: LastUsed | None) -> Message:
    """The message of a rotation whose new and old key were last used so."""
    facts = (replace(KEYS[0], last_used=new), replace(KEYS[1], last_used=old))
    return drawn(replace(ROTATING, snapshot=facts), "rotation")


def style(message: Message) -> str:
    return str(
        next(
            one["style"]
            for one in parts(message, "button")
            if one["action_id"] == action_ids.DISABLE_OLD
        )
    )


def test_old_and_new_key_stand_side_by_side_with_their_last_use() -> None:
    shown = everything(rotation(USED, QUIET))
    assert f"*New*  `{KEY}`" in shown and f"*Old*  `{OLDER_KEY}`" in shown
    assert shown.count("for s3 in eu-west-1") >= 2


def test_turning_the_old_key_off_is_advised_when_the_new_one_is_used_and_the_old_one_quiet_since() -> (
    None
):
    message = rotation(USED, QUIET)
    assert "it can go" in everything(message) and style(message) == "primary"


@pytest.mark.parametrize(
    ("new", "old", "words"),
    [
        (USED, USED, "something still uses it"),
        (replace(USED, at=None), USED, "something still uses it"),
        (replace(USED, at=None), QUIET, "has not been used yet"),
        (None, QUIET, "AWS did not say"),
        (USED, None, "AWS did not say"),
    ],
)
def test_without_that_evidence_it_is_not_advised(
    new: LastUsed | None, old: LastUsed | None, words: str
) -> None:
    message = rotation(new, old)
    assert (
        words in everything(message)
        and "it can go" not in everything(message)
        and style(message) == "danger"
    )


def test_each_day_of_use_after_the_grace_is_a_new_message_and_from_the_third_the_approvers_hear_of_it() -> (
    None
):
    for days in (1, 2, 3, 4):
        wanted = requester.expected_kinds(replace(ROTATING, days_still_used=days))
        assert f"used:{days}" in wanted and ("still_used" in wanted) is (days >= 3)
    told = everything(drawn(STILL_USED, "still_used"))
    assert f"<@{REQUESTER}>" in told and f"`{OLDER_KEY}`" in told and "after 3 days" in told
    assert f"*The old key {OLDER_KEY} is still in use,*" in everything(drawn(STILL_USED, "used:3"))


def test_a_replaced_key_can_be_brought_back_until_it_is_deleted() -> None:
    told = everything(drawn(ROTATED, f"retired:{OFF}"))
    assert f"bring it back until <!date^{END}^" in told and "Undo" in told


# -- a leak


def test_the_card_says_who_reports_whose_key_and_the_dialog_names_its_last_use() -> None:
    card = drawn(REPORTED, "leak")
    assert f"<@{REPORTER}> reports key {KEY}" in everything(
        card
    ) and f"<@{REQUESTER}>" in everything(card)
    [button] = parts(card, "button")
    assert (
        KEY in button["confirm"]["text"]["text"]
        and "last used <!date^" in button["confirm"]["text"]["text"]
    )
    unknown = everything(drawn(MANAGED["reported, owner unknown"], "leak"))
    assert "Nobody in Slack is known as its owner" in unknown


def test_a_later_report_is_a_new_card_and_the_older_ones_say_so() -> None:
    """An edited message notifies nobody."""
    third = MANAGED["reported a third time"]
    first_kind, second_kind, third_kind = (
        requester.expected_kinds(key)[0] for key in (REPORTED, REPORTED_AGAIN, third)
    )
    assert len({first_kind, second_kind, third_kind}) == 3
    newest = drawn(third, third_kind)
    assert f"<@{REPORTER}> reports key {KEY} as leaked again" in everything(newest)
    assert buttons(newest) == {action_ids.LEAKED_DISABLE: KEY}
    for kind, words in (
        (first_kind, f"<@{REPORTER}> reports key {KEY} as leaked."),
        (second_kind, f"Key {KEY} was reported as leaked again."),
    ):
        older = drawn(third, kind)
        assert words in everything(older) and not buttons(older)
        assert "reported once more since: see the newest card below" in everything(older)


def test_the_older_cards_say_what_became_of_the_key_like_the_newest() -> None:
    key = MANAGED["leaked, reported again"]
    for kind in ("leak", requester.expected_kinds(key)[0]):
        assert f"It was turned off by <@{APPROVER}>" in everything(drawn(key, kind))


@pytest.mark.parametrize(
    ("name", "became"), [("leaked", "turned off"), ("leaked and deleted", "deleted")]
)
def test_the_card_then_says_what_became_of_it_and_by_whom(name: str, became: str) -> None:
    card = everything(DRAWN[name]["leak"])
    assert (
        f"It was {became} by <@{APPROVER}>, <!date^{OFF}^" in card
        and "never be turned on again" in card
    )


def test_of_a_key_out_of_reach_approvers_and_owner_are_told_to_turn_it_off_in_aws() -> None:
    """No button of the desk's could do it."""
    for kind in ("leak", "leak_owner"):
        message = DRAWN["out of reach"][kind]
        told = everything(message)
        assert f"doesn't manage the IAM user `{REPORTED.iam_user}`" in told
        assert "must turn it off in the AWS console now" in told and not parts(message, "button")


def test_the_thread_holds_owner_age_and_last_use() -> None:
    told = everything(drawn(LEAKED, "leak_facts"))
    for fact in (f"<@{REQUESTER}>", "400 days old", "last used <!date^", "in us-gov-northwest-17"):
        assert fact in told


def test_the_owner_is_offered_a_replacement_and_is_not_told_who_reported() -> None:
    told = drawn(REPORTED, "leak_owner")
    assert action_ids.ASK in buttons(told) and REPORTER not in everything(told)


def test_the_owner_reads_the_reason_of_an_approver_who_turned_the_key_off() -> None:
    told = drawn(TURNED_OFF, f"off:{OFF}")
    assert f"turned off by <@{APPROVER}>" in everything(told)
    assert parts(told, "rich_text_quote")[0]["elements"] == [{"type": "text", "text": REASON}]


# -- what is not so yet


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (ObservedState.ACTIVE, f"Key {KEY} is active"),
        (ObservedState.UNKNOWN, f"Key {KEY} is being made active"),
        (ObservedState.INACTIVE, f"Key {KEY} is being made active"),
        (ObservedState.DELETED, f"Key {KEY} is not in AWS any more."),
    ],
)
def test_a_key_that_is_wanted_back_is_said_to_be_active_once_aws_shows_it(
    observed: ObservedState, words: str
) -> None:
    """Between the click and the change in AWS the process may die: the message stands until another goes on."""
    undone = replace(
        ROTATED,
        desired=DesiredState.ACTIVE,
        inactive_reason=InactiveReason.NONE,
        observed=observed,
    )
    said = everything(drawn(undone, f"retired:{OFF}")).replace("`", "")
    assert words in said

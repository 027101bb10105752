"""The lasting messages: what each copy shows in each state, and which buttons it has there."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.domain.keys import DesiredState, ObservedState
from bot.domain.states import Event, Status
from bot.slack import action_ids
from bot.slack.messages import requester
from bot.slack.messages.errors import detail_text
from bot.slack.messages.keys import ORPHANED
from bot.slack.messages.requester import (
    CARD,
    EXPIRED,
    OUTCOME,
    REMINDER,
    REQUESTED,
    REVOKED,
    UNCLAIMED,
)
from bot.slack.messages.text import mentions
from sandbox.limits import check_message
from tests.support.example_requests import (
    APPROVER,
    DETAIL,
    ENDORSED,
    IAM_USER,
    ID,
    KEY,
    KEYS,
    NOW,
    OLDER_KEY,
    PLACES,
    REASON,
    REQUESTER,
    REQUESTS,
    WHY,
    bold,
    buttons,
    everything,
    formatted,
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

DRAWN = {
    name: {kind: requester.render(request, kind, PLACES) for kind in KINDS}
    for name, request in requests()
}
"""Every copy in every state, by the state's name and the copy's kind."""

KEYS_DRAWN = {name: (key, requester.render(key, ORPHANED, PLACES)) for name, key in found_keys()}
ALL = {
    **DRAWN,
    **{f"found, {name}": {ORPHANED: message} for name, (_, message) in KEYS_DRAWN.items()},
}

APPROVER_BUTTONS = {action_ids.APPROVE: ID, action_ids.DENY: ID, action_ids.ON_IT: ID}
ASKED_BUTTONS = {action_ids.NUDGE: ID, action_ids.CANCEL: ID}
REVEAL_BUTTONS = {action_ids.REVEAL: ID, action_ids.CANCEL: ID}
RECEIPTS = {action_ids.HAVE_IT: KEY, action_ids.DID_NOT_GET: KEY}
UNCLAIMED_BUTTONS = {action_ids.ENABLE_UNCLAIMED: KEY, action_ids.REPLACE: KEY}

BUTTONS: dict[
    tuple[str, str], dict[str, str]
] = {  # all that there are; everywhere else there is none
    ("pending", CARD): APPROVER_BUTTONS,
    ("pending", f"{CARD}#1764000000.000100"): APPROVER_BUTTONS,
    ("pending", REQUESTED): ASKED_BUTTONS,
    **{
        (name, kind): {**APPROVER_BUTTONS, action_ids.TAKE_BACK: ID}
        for kind in (CARD, f"{CARD}#1764000000.000100")
        for name in ("approved by one of three", "approved by two of three, one of whom is dropped")
    },
    ("approved by one of three", REQUESTED): ASKED_BUTTONS,
    ("approved by two of three, one of whom is dropped", REQUESTED): ASKED_BUTTONS,
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

WANTED: dict[
    str, tuple[str, ...]
] = {  # which copies ought to be there besides the card and the requester's
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


@pytest.mark.parametrize("name", ALL)
def test_slack_takes_every_copy_in_every_state(name: str) -> None:
    for message in ALL[name].values():
        check_message(message.text, message.blocks)
        check_message(message.text, message.blocks, update=True)


@pytest.mark.parametrize("name", DRAWN)
def test_buttons_stand_only_where_the_state_allows_them(name: str) -> None:
    assert {kind: buttons(message) for kind, message in DRAWN[name].items()} == {
        kind: BUTTONS.get((name, kind), {}) for kind in KINDS
    }


@pytest.mark.parametrize("name", KEYS_DRAWN)
def test_a_found_key_has_its_two_buttons_until_an_approver_has_decided(name: str) -> None:
    key, message = KEYS_DRAWN[name]
    awaits_decision = {action_ids.FOUND_DELETE: KEY, action_ids.FOUND_ENABLE: KEY}
    assert buttons(message) == (awaits_decision if key.desired is DesiredState.INACTIVE else {})


@pytest.mark.parametrize("name", REQUESTS)
def test_each_state_wants_its_copies(name: str) -> None:
    assert requester.expected_kinds(REQUESTS[name]) == (CARD, REQUESTED, *WANTED.get(name, ()))


def test_a_new_key_is_not_reminded_of_by_what_an_earlier_one_left_behind() -> None:
    """Reminder and notice belong to the key they were sent for."""
    again = REQUESTS["issuing again"]
    assert again.reminded_at and again.unclaimed_at and again.access_key_id
    assert requester.expected_kinds(again) == (CARD, REQUESTED, "outcome:1")


def test_a_found_key_has_one_copy_and_an_issued_one_none() -> None:
    found = dict(found_keys())["inactive, inactive"]
    assert requester.expected_kinds(found) == (ORPHANED,)
    assert requester.channel(found, ORPHANED, PLACES) == PLACES.approval_channel


@pytest.mark.parametrize("name", ALL)
def test_a_button_carries_the_id_of_its_request_or_key_and_nothing_else(name: str) -> None:
    assert {value for message in ALL[name].values() for value in buttons(message).values()} <= {
        ID,
        KEY,
    }


@pytest.mark.parametrize("name", ALL)
def test_user_text_can_neither_mention_nor_link(name: str) -> None:
    ours = re.compile(r"@[UW][A-Z0-9]+|!subteam\^S[0-9]+|!date\^\d+\^[^|]+\|[^|<]+")
    for text in (text for message in ALL[name].values() for text in formatted(message)):
        assert all(ours.fullmatch(control) for control in re.findall(r"<([^>]*)>", text)), text


@pytest.mark.parametrize("name", DRAWN)
def test_reasons_stand_only_in_quotations_that_format_nothing(name: str) -> None:
    for message in DRAWN[name].values():
        quoted = [one["elements"] for one in parts(message, "rich_text_quote")]
        assert all(
            elements in ([{"type": "text", "text": text}] for text in (REASON, WHY))
            for elements in quoted
        )
        assert not any("tada" in text or "evil" in text for text in formatted(message))


def test_the_card_and_the_requesters_messages_show_the_reason() -> None:
    for name, kind in (
        ("pending", CARD),
        ("pending", REQUESTED),
        ("denied", "outcome:0"),
        ("not decided", EXPIRED),
    ):
        assert parts(DRAWN[name][kind], "rich_text_quote")


@pytest.mark.parametrize("name", DRAWN)
def test_the_approvers_are_mentioned_once_and_only_while_it_waits_for_them(name: str) -> None:
    for kind, message in DRAWN[name].items():
        wanted = 1 if kind.startswith(CARD) and REQUESTS[name].status is Status.PENDING else 0
        assert everything(message).count(PLACES.mentions) == wanted
        assert wanted or "<!subteam" not in everything(message)


def test_the_card_says_who_asks_for_which_iam_user_with_which_keys_and_until_when() -> None:
    card = everything(DRAWN["pending"][CARD])
    for fact in (
        f"<@{REQUESTER}>",
        f"`{IAM_USER}`",
        "111122223333",
        *(key.id for key in KEYS),
        "400 days old",
        "never used",
        "lapses <!date^",
    ):
        assert fact in card


@pytest.mark.parametrize("name", [name for name, request in REQUESTS.items() if request.decided_by])
def test_the_redrawn_card_says_who_decided_and_when(name: str) -> None:
    card = everything(requester.render(REQUESTS[name], CARD, PLACES))
    decided = REQUESTS[name].status is not Status.CANCELLED
    who = mentions(REQUESTS[name].approvers) or f"<@{APPROVER}>"
    assert f"by {who if decided else f'<@{REQUESTER}>'}, <!date^{int(NOW.timestamp())}^" in card


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cancelled", "No key was made."),
        ("cancelled after approval", "No key is kept."),
        ("not decided", "nobody decided in time; no key was made"),
        ("not revealed", "not revealed in time; none is kept"),
        ("not revealed again", "not revealed in time"),
        ("not claimed", f"nobody claimed key {KEY}"),
        ("closed", "after the last reveal"),
        ("deleted", "its owner deleted the key"),
        ("delivered", f"was shown to <@{REQUESTER}>; not confirmed yet"),
        ("recovered", f"may have been shown to <@{REQUESTER}>; not confirmed yet"),
        ("confirmed", f"`{KEY}` arrived and was confirmed."),
        ("unclaimed", "so it is inactive"),
        ("deleting", "is being withdrawn"),
        ("issued", "is being issued"),
        ("approved by one of three", f"Approved by <@{APPROVER}>; two more are needed."),
        (
            "approved by two of three, one of whom is dropped",
            f"Approved by <@U0ERIN00000>; two more are needed (<@{APPROVER}> may not approve any "
            "more, so that does not ",
        ),
        ("approved by two", f"Approved by <@{APPROVER}> and <@U0ERIN00000>, "),
        ("revoked", "revoked by <@U0ERIN00000>, "),
        ("revoked after a reveal", f"revoked by <@{APPROVER}>, "),
    ],
)
def test_the_card_says_how_the_request_stands(name: str, words: str) -> None:
    assert words in everything(requester.render(REQUESTS[name], CARD, PLACES))


def test_the_requester_sees_who_has_approved_and_how_many_are_missing() -> None:
    asked = everything(DRAWN["approved by one of three"][REQUESTED])
    assert f"Approved by <@{APPROVER}>; two more are needed." in asked
    assert f"*Your request is approved by <@{APPROVER}> and <@U0ERIN00000>.*" in everything(
        DRAWN["approved by two"]["outcome:0"]
    )


def test_an_approval_that_stayed_alone_is_named_when_the_request_lapses() -> None:
    lapsed = ENDORSED.transition(Event.EXPIRE, "keydesk", NOW, deadline=None)
    for kind in (CARD, EXPIRED):
        shown = everything(requester.render(lapsed, kind, PLACES))
        assert f"<@{APPROVER}> approved, and too few others did in time; no key was made" in shown
        assert "nobody decided" not in shown


def test_where_one_approver_is_enough_no_number_is_said() -> None:
    assert "needed" not in everything(DRAWN["pending"][CARD]) + everything(
        DRAWN["pending"][REQUESTED]
    )


def test_a_revoked_approval_is_told_in_a_message_of_its_own_and_nothing_can_be_revealed() -> None:
    told = DRAWN["revoked"][REVOKED]
    assert (
        "*The approval of your request was revoked by <@U0ERIN00000>.* No key is kept."
        in everything(told)
    )
    assert "`/key create` starts a new request." in everything(told) and parts(
        told, "rich_text_quote"
    )
    assert not buttons(DRAWN["revoked"]["outcome:0"]) and "revoked by" in everything(
        DRAWN["revoked"]["outcome:0"]
    )


def test_a_request_that_lapses_after_a_replaced_key_is_not_said_to_be_unclaimed() -> None:
    ended = everything(requester.render(REQUESTS["not revealed again"], EXPIRED, PLACES))
    assert "not revealed in time" in ended and "claimed" not in ended


def test_a_key_whose_hand_over_nobody_saw_is_not_said_to_have_been_shown() -> None:
    asked = everything(requester.render(REQUESTS["recovered"], "outcome:0", PLACES))
    assert "may have been handed over" in asked and "was handed over" not in asked


@pytest.mark.parametrize(
    ("desired", "observed", "words"),
    [
        (DesiredState.INACTIVE, ObservedState.UNKNOWN, "It is being made inactive."),
        (DesiredState.INACTIVE, ObservedState.INACTIVE, "It is inactive."),
        (DesiredState.DELETED, ObservedState.UNKNOWN, "Being deleted"),
        (DesiredState.DELETED, ObservedState.DELETED, '"Deleted'),
        (DesiredState.ACTIVE, ObservedState.UNKNOWN, "Being enabled"),
        (DesiredState.ACTIVE, ObservedState.ACTIVE, '"Enabled'),
    ],
)
def test_what_becomes_of_a_found_key_is_said_to_be_done_when_iam_shows_it(
    desired: DesiredState, observed: ObservedState, words: str
) -> None:
    assert words in everything(KEYS_DRAWN[f"{desired}, {observed}"][1])


def test_an_older_message_says_what_became_of_its_key_and_has_no_buttons() -> None:
    older = DRAWN["approved again"]["outcome:0"]
    assert f"`{KEY}`, `{OLDER_KEY}` are withdrawn. Use the newest message below." in everything(
        older
    )
    assert not buttons(older)


def test_revealing_cancelling_and_withdrawing_ask_first() -> None:
    asks = {
        one["action_id"]: "confirm" in one
        for drawn in ALL.values()
        for message in drawn.values()
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


@pytest.mark.parametrize("name", REQUESTS)
def test_copies_stand_in_the_approval_channel_or_the_requesters_direct_message(name: str) -> None:
    request = REQUESTS[name]
    for kind in requester.expected_kinds(request):
        expected = PLACES.approval_channel if kind == CARD else request.dm
        assert requester.channel(request, kind, PLACES) == expected


@pytest.mark.parametrize("name", ALL)
def test_no_code_stands_inside_bold(name: str) -> None:
    """Slack shows the asterisks then."""
    assert not any("`" in text for message in ALL[name].values() for text in bold(message))


@pytest.mark.parametrize("name", ALL)
def test_no_moment_follows_on(name: str) -> None:
    """Slack may show it as "Today at 2:04 PM"."""
    assert not any(
        " on <!date" in text for message in ALL[name].values() for text in formatted(message)
    )


def test_the_card_says_account_and_absent_keys_in_a_line_each() -> None:
    card = everything(requester.render(replace(REQUESTS["pending"], keys=()), CARD, PLACES))
    assert f'*IAM user*  `{IAM_USER}` in account 111122223333"' in card
    assert "*Present keys*  none" in card and "Reason" not in card


@pytest.mark.parametrize("name", REQUESTS)
def test_once_it_is_decided_the_requesters_first_message_points_to_the_next(name: str) -> None:
    asked, request = DRAWN[name][REQUESTED], REQUESTS[name]
    assert ("Decided: see below." in everything(asked)) is (request.decided_at is not None)
    assert request.decided_at is None or APPROVER not in everything(asked)
    assert parts(asked, "rich_text_quote")


def test_the_next_reveal_is_offered_with_who_approved() -> None:
    again = everything(DRAWN["approved again"]["outcome:1"])
    assert f"*You can reveal another key: approved by <@{APPROVER}>.*" in again


def test_the_last_reveal_warns_that_the_request_closes() -> None:
    def dialog(name: str, kind: str) -> str:
        [button] = [
            one
            for one in parts(DRAWN[name][kind], "button")
            if one["action_id"] == action_ids.DID_NOT_GET
        ]
        return str(button["confirm"]["text"]["text"])

    last = (
        "This was the last of three reveals: the request closes, and you would have to ask again."
    )
    assert dialog("delivered a last time", "outcome:2") == f"This withdraws the key {KEY}. {last}"
    assert (
        dialog("delivered", "outcome:0")
        == f"This withdraws the key {KEY}. You can then reveal another."
    )


def test_what_is_closed_after_the_last_reveal_is_said_once_with_what_to_do() -> None:
    assert requester.expected_kinds(REQUESTS["closed"])[2:] == ("outcome:0",)
    assert detail_text(DETAIL)[:20] in everything(DRAWN["closed"]["outcome:0"])

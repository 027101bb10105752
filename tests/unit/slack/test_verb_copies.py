"""Copies of what is asked for besides a new key: a rotation's plan and dialog, and what ends without a secret."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.requests import KeyRequest
from bot.domain.states import Event
from bot.slack import action_ids
from bot.slack.messages import requester
from bot.slack.messages.requester import (
    CARD,
    EXPIRED,
    OUTCOME,
    REQUESTED,
)
from sandbox.limits import check_message
from tests.support.example_requests import (
    APPROVER,
    ID,
    KEY,
    NOW,
    OLDER_KEY,
    PENDING,
    PLACES,
    REQUESTER,
    VERBS,
    bold,
    buttons,
    decided,
    everything,
    formatted,
    parts,
)

GONE = Detail(Code.KEY_NOT_LISTED, {"key_id": "AKIAIOSFODNN7EXAMPLE"})


def states(request: KeyRequest) -> dict[str, KeyRequest]:
    """The states that a request of any verb may come to without a key of its own."""
    approved = decided(request)
    found = {
        "pending": request,
        "approved": approved,
        "denied": request.transition(
            Event.DENY, APPROVER, NOW, decided_by=APPROVER, decided_at=NOW, deadline=None
        ),
        "cancelled": request.transition(Event.CANCEL, REQUESTER, NOW, deadline=None),
        "cancelled after approval": approved.transition(
            Event.CANCEL, REQUESTER, NOW, deadline=None
        ),
        "not decided": request.transition(Event.EXPIRE, "keydesk", NOW, deadline=None),
    }
    if request.delivers_secret:
        return found | {
            "not revealed": approved.transition(Event.EXPIRE, "keydesk", NOW, deadline=None)
        }
    return found | {
        "done": approved.transition(Event.APPLY, "keydesk", NOW, deadline=None),
        "not done": approved.transition(Event.EXPIRE, "keydesk", NOW, deadline=None, detail=GONE),
    }


STATES = {
    f"{verb}: {state}": request
    for verb, asked in VERBS.items()
    for state, request in states(asked).items()
}
KINDS = (CARD, REQUESTED, f"{OUTCOME}:0", EXPIRED)
DRAWN = {
    name: {kind: requester.render(request, kind, PLACES) for kind in KINDS}
    for name, request in STATES.items()
}


def card(verb: str, state: str = "pending") -> str:
    return everything(DRAWN[f"{verb}: {state}"][CARD])


@pytest.mark.parametrize("name", STATES)
def test_slack_takes_every_copy_in_every_state(name: str) -> None:
    for message in DRAWN[name].values():
        check_message(message.text, message.blocks)
        check_message(message.text, message.blocks, update=True)
        assert not any("`" in text for text in bold(message))
        assert not any(" on <!date" in text for text in formatted(message))


@pytest.mark.parametrize("name", STATES)
def test_a_button_for_a_secret_stands_only_where_there_is_one(name: str) -> None:
    request, shown = STATES[name], DRAWN[name]
    state = name.partition(": ")[2]
    reveals = (
        {action_ids.REVEAL: ID, action_ids.CANCEL: ID}
        if request.delivers_secret and state == "approved"
        else {}
    )
    waiting = state == "pending"
    revoke = {action_ids.REVOKE: ID} if state == "approved" else {}
    assert buttons(shown[CARD]) == (
        {action_ids.APPROVE: ID, action_ids.DENY: ID, action_ids.ON_IT: ID} if waiting else revoke
    )
    assert buttons(shown[REQUESTED]) == (
        {action_ids.NUDGE: ID, action_ids.CANCEL: ID} if waiting else {}
    )
    assert buttons(shown[f"{OUTCOME}:0"]) == reveals and buttons(shown[EXPIRED]) == {}


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("rotate", f"asks to rotate {KEY}"),
        ("enable", f"asks to turn {OLDER_KEY} on again"),
        ("extend", f"asks for 7 more days for {KEY}"),
        ("create for a service user", "asks for an access key"),
    ],
)
def test_the_card_says_what_is_asked_for(verb: str, words: str) -> None:
    assert f"*<@{REQUESTER}> {words}*" in card(verb)
    assert ("Service user" in card(verb)) is VERBS[verb].is_service_user


@pytest.mark.parametrize(
    ("verb", "life"),
    [("rotate", "30 days"), ("create for a service user", "36 hours"), ("for ever", "")],
)
def test_the_card_says_how_long_the_new_key_lives(verb: str, life: str) -> None:
    if life:
        assert f"*New key*  lives for {life}" in card(verb)
    else:
        assert "lives for ever" in everything(requester.render(PENDING, CARD, PLACES))


def test_what_makes_no_key_has_no_plan() -> None:
    assert "New key" not in card("enable") + card("extend")


def test_with_a_free_slot_the_old_key_is_replaced_and_none_is_deleted() -> None:
    shown = card("rotate")
    assert f"*Replaced*  `{KEY}` stays until the new key is in use; last used" in shown
    assert "*Deleted*" not in shown and "deleted when" not in shown


def test_with_both_slots_taken_the_plan_says_which_key_is_replaced_and_which_one_goes() -> None:
    shown = card("rotate, both slots taken, the other goes")
    assert f"*Replaced*  `{KEY}` stays until the new key is in use" in shown
    assert f"*Deleted*  `{OLDER_KEY}` when the new key is revealed; never used" in shown
    assert "*Kept*" not in shown


def test_where_the_replaced_key_itself_goes_the_other_one_is_kept() -> None:
    shown = card("rotate, both slots taken, the same goes")
    assert f"*Replaced*  `{KEY}` is deleted when the new key is revealed; last used" in shown
    assert f"*Kept*  `{OLDER_KEY}`; never used" in shown and "*Deleted*" not in shown


@pytest.mark.parametrize(
    "verb",
    [
        verb
        for verb, request in VERBS.items()
        if (request.delete_first and not request.delete_first_at)
    ],
)
def test_the_dialog_names_the_key_that_dies_and_its_last_use_within_slacks_limit(verb: str) -> None:
    request = VERBS[verb]
    [button] = [
        one
        for one in parts(DRAWN[f"{verb}: approved"][f"{OUTCOME}:0"], "button")
        if one["action_id"] == action_ids.REVEAL
    ]
    text = button["confirm"]["text"]["text"]
    assert f"first deletes {request.delete_first}, " in text and "used" in text and len(text) <= 300
    assert button["confirm"]["style"] == "danger"


def test_once_the_deletion_of_the_key_to_be_let_go_has_begun_nobody_says_that_it_is_still_to_come() -> (
    None
):
    """Not the plan, nor the dialogs; and nobody says that nothing is done, whatever becomes of the request."""
    for verb, key_id in (
        ("rotate, the other is let go", OLDER_KEY),
        ("rotate, the same is let go", KEY),
    ):
        stays = f"{key_id} was let go at the first reveal, and does not come back."
        for state in ("approved", "cancelled after approval", "not revealed"):
            shown = card(verb, state)
            assert (
                "when the new key is revealed" not in shown
                and "began with the first reveal, <!date" in shown
            )
            assert state == "approved" or stays in shown
        outcome = DRAWN[f"{verb}: approved"][f"{OUTCOME}:0"]
        asks = {
            one["action_id"]: one["confirm"]["text"]["text"] for one in parts(outcome, "button")
        }
        assert "deletes" not in asks[action_ids.REVEAL] and len(asks[action_ids.CANCEL]) <= 300
        assert (
            asks[action_ids.CANCEL]
            == f"No new key will be made. {stays} You can ask again at any time."
        )
        assert stays in everything(DRAWN[f"{verb}: not revealed"][EXPIRED])


def test_before_that_cancelling_does_nothing_else() -> None:
    outcome = DRAWN["rotate, both slots taken, the other goes: approved"][f"{OUTCOME}:0"]
    assert "Nothing will be done. You can ask again at any time." in everything(outcome)
    assert "let go" not in card(
        "rotate, both slots taken, the other goes", "cancelled after approval"
    )


def test_without_one_that_dies_the_dialog_names_none() -> None:
    [button] = [
        one
        for one in parts(DRAWN["rotate: approved"][f"{OUTCOME}:0"], "button")
        if one["action_id"] == action_ids.REVEAL
    ]
    assert (
        "delete" not in button["confirm"]["text"]["text"]
        and button["confirm"]["style"] == "primary"
    )


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("enable", f"`{OLDER_KEY}` is active again; it may take a minute to work."),
        ("extend", f"`{KEY}` lives 7 days longer."),
    ],
)
def test_what_was_done_is_said_on_the_card_and_to_its_requester(verb: str, words: str) -> None:
    for kind in (CARD, f"{OUTCOME}:0"):
        assert words in everything(DRAWN[f"{verb}: done"][kind])


@pytest.mark.parametrize("verb", ["enable", "extend"])
def test_what_cannot_be_done_any_more_is_said_once_with_its_reason(verb: str) -> None:
    for kind in (CARD, f"{OUTCOME}:0", EXPIRED):
        assert everything(DRAWN[f"{verb}: not done"][kind]).count("Not done: AWS") >= 1
    formatted_ = formatted(requester.render(STATES[f"{verb}: not done"], f"{OUTCOME}:0", PLACES))[
        1:
    ]
    assert sum("AWS doesn't list" in text for text in formatted_) == 1


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("enable", "Nothing was done."),
        ("extend", "Nothing was done."),
        ("rotate", "No key was made."),
    ],
)
def test_a_request_cancelled_while_it_waits_says_what_that_leaves_behind(
    verb: str, words: str
) -> None:
    assert words in card(verb, "cancelled")


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
def test_who_did_not_get_it_is_told_a_command_that_there_is(
    verb: str, command: str, state: str, kind: str
) -> None:
    assert f"`{command}` starts a new request." in everything(DRAWN[f"{verb}: {state}"][kind])


def test_a_key_that_is_gone_from_the_list_is_still_named() -> None:
    """The facts of the card are those of the moment it was asked."""
    request = replace(VERBS["rotate"], keys=())
    assert f"*Replaced*  `{KEY}`" in everything(requester.render(request, CARD, PLACES))

"""What people see while a request waits, and why it was denied: the card, its thread, the requester's message."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.requests import KeyRequest
from bot.domain.states import Event
from bot.slack import action_ids
from bot.slack.messages import home, requester
from bot.slack.messages.blocks import Message
from bot.slack.messages.home import Home
from bot.slack.messages.request_text import request_line
from bot.slack.messages.requester import CARD, REQUESTED
from sandbox.limits import check_message, check_view
from tests.support.example_requests import (
    APPROVER,
    ID,
    NOW,
    PENDING,
    PLACES,
    REASON,
    REQUESTER,
    REQUESTS,
    WHY,
    bold,
    buttons,
    everything,
    formatted,
    parts,
)

NUDGED = f"nudge:{int(NOW.timestamp())}"
URGENT = replace(PENDING, urgent=True, lifetime=timedelta(hours=4))
LOOKED_AT = PENDING.transition(
    Event.START_REVIEW, APPROVER, NOW, reviewer=APPROVER, review_started_at=NOW
)
REMINDED = PENDING.transition(Event.REMIND, "keydesk", NOW, reminders=("1",))
TWICE = REMINDED.transition(Event.REMIND, "keydesk", NOW, reminders=("1", "2"))
ASKED_AGAIN = TWICE.transition(Event.NUDGE, REQUESTER, NOW, nudged_at=NOW)
ALL = replace(ASKED_AGAIN, reviewer=APPROVER, review_started_at=NOW, urgent=True)
WAITING: dict[str, KeyRequest] = {
    "untouched": PENDING,
    "urgent": URGENT,
    "looked at": LOOKED_AT,
    "reminded": REMINDED,
    "reminded twice": TWICE,
    "nudged": ASKED_AGAIN,
    "all of it": ALL,
}
OVER: dict[str, KeyRequest] = {
    "approved": ALL.transition(Event.APPROVE, APPROVER, NOW, decided_by=APPROVER, decided_at=NOW),
    "denied": ALL.transition(
        Event.DENY, APPROVER, NOW, decided_by=APPROVER, decided_at=NOW, denial_reason=WHY
    ),
    "cancelled": ALL.transition(Event.CANCEL, REQUESTER, NOW, deadline=None),
    "expired": ALL.transition(Event.EXPIRE, "keydesk", NOW, deadline=None),
}
THREAD = ("waiting:1", "waiting:2", NUDGED)
KINDS = (CARD, REQUESTED, *THREAD)


def drawn(request: KeyRequest, kind: str) -> Message:
    return requester.render(request, kind, PLACES)


@pytest.mark.parametrize("name", [*WAITING, *OVER])
def test_slack_takes_every_copy_and_no_code_stands_inside_bold(name: str) -> None:
    for kind in KINDS:
        message = drawn((WAITING | OVER)[name], kind)
        check_message(message.text, message.blocks)
        check_message(message.text, message.blocks, update=True)
        assert not any("`" in text for text in bold(message))
        assert not any(" on <!date" in text for text in formatted(message))


@pytest.mark.parametrize(
    ("name", "live"),
    [
        ("untouched", ()),
        ("looked at", ()),
        ("reminded", ("waiting:1",)),
        ("reminded twice", ("waiting:2",)),
        ("nudged", ("waiting:2", NUDGED)),
    ],
)
def test_the_last_reminder_and_the_last_nudge_are_live_while_it_waits(
    name: str, live: tuple[str, ...]
) -> None:
    assert requester.expected_kinds(WAITING[name]) == (CARD, REQUESTED, *live)
    for kind in THREAD:
        assert requester.is_final(WAITING[name], kind) is (kind not in live)


@pytest.mark.parametrize("name", OVER)
def test_none_is_posted_late_for_what_does_not_wait_any_more(name: str) -> None:
    assert not set(THREAD) & set(requester.expected_kinds(OVER[name]))
    assert all(requester.is_final(OVER[name], kind) for kind in THREAD)


@pytest.mark.parametrize("request_", [*REQUESTS.values(), *WAITING.values(), *OVER.values()])
def test_no_copy_that_ought_to_be_there_has_said_its_last_word(request_: KeyRequest) -> None:
    assert not any(
        requester.is_final(request_, kind) for kind in requester.expected_kinds(request_)
    )


def test_they_stand_in_the_cards_thread() -> None:
    for kind in THREAD:
        assert requester.thread_kind(kind) == CARD
        assert requester.channel(ALL, kind, PLACES) == PLACES.approval_channel


def test_a_reminder_says_since_when_it_waits_and_mentions_the_approvers_once() -> None:
    for request, kind in ((REMINDED, "waiting:1"), (TWICE, "waiting:2"), (ALL, "waiting:2")):
        said = everything(drawn(request, kind))
        assert (
            "Still waiting" in said and "waiting since <!date^" in said and "lapses <!date^" in said
        )
        assert said.count(PLACES.mentions) == 1


def test_a_nudge_mentions_whoever_is_on_it_else_the_approvers() -> None:
    assert everything(drawn(ASKED_AGAIN, NUDGED)).count(PLACES.mentions) == 1
    looked_at = everything(drawn(ALL, NUDGED))
    assert f"<@{REQUESTER}> asks again." in looked_at
    assert looked_at.count(f"<@{APPROVER}>") == 1 and "<!subteam" not in looked_at


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("approved", "Decided; the card says how."),
        ("denied", "Decided; the card says how."),
        ("cancelled", "Not waiting any more; the card says why."),
        ("expired", "Not waiting any more; the card says why."),
    ],
)
def test_after_it_is_over_they_say_so_and_mention_nobody(name: str, words: str) -> None:
    for kind in THREAD:
        assert formatted(drawn(OVER[name], kind)) == [words, words]


def test_an_older_one_points_to_the_newer() -> None:
    for kind in ("waiting:1", "nudge:1"):
        assert formatted(drawn(ALL, kind)) == ["Asked again below."] * 2


def test_the_card_says_who_is_looking_since_when_and_only_while_it_waits() -> None:
    words = f":eyes: <@{APPROVER}> is looking at this since <!date^{int(NOW.timestamp())}^{{time}}|10:02 UTC>."
    for kind in (CARD, REQUESTED):
        assert words in everything(drawn(LOOKED_AT, kind))
        assert "looking" not in everything(drawn(PENDING, kind))
        assert not any("looking" in everything(drawn(request, kind)) for request in OVER.values())
    assert buttons(drawn(LOOKED_AT, CARD)) == {
        action_ids.APPROVE: ID,
        action_ids.DENY: ID,
        action_ids.ON_IT: ID,
    }


def test_the_requesters_message_says_since_when_it_waits_and_when_they_nudged() -> None:
    assert "It has been waiting since <!date^" in everything(drawn(PENDING, REQUESTED))
    assert "You nudged the approvers <!date^" in everything(drawn(ASKED_AGAIN, REQUESTED))
    for request in WAITING.values():
        assert buttons(drawn(request, REQUESTED)) == {action_ids.NUDGE: ID, action_ids.CANCEL: ID}


def test_an_urgent_card_is_marked_first_and_says_what_that_means() -> None:
    card = drawn(URGENT, CARD)
    assert (
        formatted(card)[1]
        == ":rotating_light: *Urgent.* One approval is enough. The key lives 4 hours at most."
    )
    assert (
        card.text.startswith("Urgent: access key for")
        and everything(card).count(PLACES.mentions) == 1
    )
    assert ":rotating_light:" not in everything(drawn(PENDING, CARD))
    assert ":rotating_light: *Urgent.*" in everything(drawn(OVER["approved"], CARD))
    assert "One approval is enough" not in everything(drawn(OVER["approved"], CARD))


def test_why_it_was_denied_is_quoted_on_the_card_and_to_its_requester_with_what_comes_next() -> (
    None
):
    denied = OVER["denied"]
    quotes = [
        [one["elements"][0]["text"] for one in parts(drawn(denied, kind), "rich_text_quote")]
        for kind in (CARD, "outcome:0")
    ]
    assert quotes == [[REASON, WHY], [WHY]]
    told = everything(drawn(denied, "outcome:0"))
    assert (
        f"Your request was denied by <@{APPROVER}>:" in told
        and "`/key create` starts a new request." in told
    )


def test_a_denial_that_an_older_desk_stored_without_a_reason_says_whom_to_ask() -> None:
    told = drawn(replace(OVER["denied"], denial_reason=""), "outcome:0")
    assert "Ask them why; `/key create` starts a new request." in everything(told)
    assert parts(told, "rich_text_quote")


def test_approvers_see_on_their_home_tab_who_is_looking_and_what_is_urgent() -> None:
    shown = home.view(Home((), {}, (), NOW, approver=True, waiting=[ALL], waiting_in_all=1))
    check_view(shown, allowed="home")
    text = "\n".join(formatted(shown))
    assert (
        f":eyes: <@{APPROVER}> is looking at this since" in text
        and ":rotating_light: *create*" in text
    )
    assert {action_ids.APPROVE, action_ids.DENY, action_ids.ON_IT} <= set(buttons(shown))


def test_what_happens_while_it_waits_is_not_said_to_be_its_end() -> None:
    assert request_line(LOOKED_AT) == request_line(PENDING)

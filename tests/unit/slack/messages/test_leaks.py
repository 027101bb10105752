"""The messages about a leaked key: the approvers' card, its details, the owner's message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.slack import action_ids
from bot.slack.messages import kinds
from bot.slack.messages.blocks import Message, date_token
from bot.slack.messages.key_status import snapshot_text
from bot.slack.messages.leaks import leak_question
from tests.support.example_keys import LEAKED, MANAGED, REPORTED, REPORTED_AGAIN, REPORTER
from tests.support.example_requests import (
    APPROVER,
    IAM_USER,
    KEY,
    KEYS,
    NOW,
    PLACES,
    REQUESTER,
    UNKNOWN_USE,
    buttons,
    formatted,
    parts,
)


def rendered(name: str, kind: str) -> Message:
    return kinds.render(MANAGED[name], kind, PLACES)


def shown(message: Message) -> str:
    return "\n".join(formatted(message))


def test_the_card_says_who_reported_whose_key() -> None:
    card = kinds.render(REPORTED, "leak", PLACES)
    assert f"<@{REPORTER}>" in shown(card) and f"<@{REQUESTER}>" in shown(card)
    unknown = shown(rendered("reported, owner unknown", "leak"))
    assert f"<@{REPORTER}>" in unknown and f"<@{REQUESTER}>" not in unknown


def test_disabling_asks_with_the_last_use() -> None:
    [button] = parts(kinds.render(REPORTED, "leak", PLACES), "button")
    used = KEYS[0].last_used
    text = button["confirm"]["text"]["text"]
    assert KEY in text and used and used.at and date_token(used.at) in text
    assert button["confirm"]["style"] == "danger"


def test_a_later_report_is_a_new_card() -> None:
    """A changed message notifies nobody. The older cards point to the newest."""
    third = MANAGED["reported a third time"]
    found = [kinds.expected_kinds(key)[0] for key in (REPORTED, REPORTED_AGAIN, third)]
    assert len(set(found)) == 3
    first, second, newest = (kinds.render(third, kind, PLACES) for kind in found)
    assert buttons(newest) == {action_ids.LEAKED_DISABLE: KEY}
    assert f"<@{REPORTER}>" in shown(newest) and f"<@{REPORTER}>" in shown(first)
    assert f"<@{APPROVER}>" not in shown(second), "who reported second is not stored any more"
    assert not buttons(first) and not buttons(second)
    assert first.blocks[-1] == second.blocks[-1]


@pytest.mark.parametrize("name", ["leaked", "leaked and deleted"])
def test_the_card_then_says_who_stopped_the_key_and_when(name: str) -> None:
    card = shown(rendered(name, "leak"))
    assert f"by <@{APPROVER}>, {date_token(NOW)}" in card
    assert rendered("leaked", "leak") != rendered("leaked and deleted", "leak")


def test_every_card_says_what_became_of_the_key() -> None:
    key = MANAGED["leaked, reported again"]
    cards = [kinds.render(key, kind, PLACES) for kind in ("leak", kinds.expected_kinds(key)[0])]
    assert cards[0].blocks[-1] == cards[1].blocks[-1]
    assert f"by <@{APPROVER}>" in shown(cards[0])


def test_a_card_says_done_only_once_aws_shows_it() -> None:
    unknown = replace(LEAKED, observed=KEYS and type(LEAKED.observed)("unknown"))
    assert kinds.render(unknown, "leak", PLACES) != kinds.render(LEAKED, "leak", PLACES)


def test_a_key_out_of_reach_has_no_buttons() -> None:
    """An AWS admin must disable it: Keydesk may not."""
    for kind in ("leak", "leak_owner"):
        message = rendered("out of reach", kind)
        assert f"`{IAM_USER}`" in shown(message) and KEY in shown(message)
        assert not parts(message, "button")


def test_the_details_hold_owner_age_and_last_use() -> None:
    details = shown(kinds.render(LEAKED, "leak_facts", PLACES))
    assert snapshot_text(LEAKED) in details and f"<@{REQUESTER}>" in details
    assert "400 days" in details and "us-gov-northwest-17" in details


def test_the_owner_can_request_a_key_and_reads_no_reporter() -> None:
    message = kinds.render(REPORTED, "leak_owner", PLACES)
    assert action_ids.ASK in buttons(message) and REPORTER not in shown(message)


def test_an_approver_who_reports_is_asked_with_the_last_use() -> None:
    question = leak_question(KEYS[0], NOW)
    assert buttons(question) == {action_ids.LEAKED_DISABLE: KEY}
    assert f"`{IAM_USER}`" in shown(question)
    assert leak_question(UNKNOWN_USE, NOW) != question

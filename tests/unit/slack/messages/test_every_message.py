"""Rules that hold for every message, view and answer that Keydesk can show."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.slack.messages.blocks import DATE_FORMAT, Message
from sandbox.limits import check_message, check_view
from tests.support import example_messages
from tests.support.example_messages import INSTEAD
from tests.support.example_requests import (
    ID,
    KEY,
    OLDER_KEY,
    OLDEST_KEY,
    PLACES,
    REASON,
    WHY,
    bold,
    buttons,
    formatted,
    parts,
)

LASTING: dict[str, dict[str, Message]] = {}
for _state, _kind, _message in example_messages.lasting():
    LASTING.setdefault(_state, {})[_kind] = _message
ANSWERS = example_messages.answers()
VIEWS = example_messages.views()

CONTROL = re.compile(r"@[UW][A-Z0-9]+|!subteam\^S[0-9]+|!date\^\d+\^([^|]+)\|[^|<]+")
"""What may stand in angle brackets."""

PLAIN_DATE = re.compile(r"\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}")
UTC_ONLY = {"form: rotate", "form: rotate, two keys", "form: enable"}
"""Forms whose options are plain text, which holds no date token ("Option object", Slack)."""


def messages(state: str) -> list[Message]:
    return [*LASTING[state].values()]


@pytest.mark.parametrize("state", LASTING)
def test_slack_takes_every_lasting_message(state: str) -> None:
    for message in messages(state):
        check_message(message.text, message.blocks)
        check_message(message.text, message.blocks, update=True)


@pytest.mark.parametrize("name", ANSWERS)
def test_slack_takes_every_answer(name: str) -> None:
    check_message(ANSWERS[name].text, ANSWERS[name].blocks)
    check_message(ANSWERS[name].text, ANSWERS[name].blocks, ephemeral=True)


@pytest.mark.parametrize("name", VIEWS)
def test_slack_takes_every_view(name: str) -> None:
    check_view(VIEWS[name], allowed=VIEWS[name]["type"])


def everything_shown() -> list[tuple[str, Any]]:
    """Return every message and view with its name."""
    lasting = [
        (f"{state}, {kind}", one) for state, shown in LASTING.items() for kind, one in shown.items()
    ]
    return [*lasting, *ANSWERS.items(), *VIEWS.items()]


def test_every_message_has_a_fallback_text() -> None:
    shown = (one for _, one in everything_shown() if isinstance(one, Message))
    assert all(message.text.strip() for message in shown)


def test_typed_text_can_neither_mention_nor_link() -> None:
    for name, one in everything_shown():
        for text in (text.replace(INSTEAD, "") for text in formatted(one)):
            found = [control for control in re.findall(r"<([^>]*)>", text)]
            assert all(CONTROL.fullmatch(control) for control in found), (name, text)


def test_typed_text_stands_only_in_quotations() -> None:
    for name, one in everything_shown():
        for quoted in parts(one, "rich_text_quote"):
            [element] = quoted["elements"]
            assert element["text"] in (REASON, WHY), name
        assert not any("tada" in text for text in formatted(one) if "Earlier" not in text), name


def test_plain_names_and_addresses_become_no_links() -> None:
    """Only what the operator wrote is read for links."""
    for name, one in everything_shown():
        texts = parts(one, "mrkdwn")
        linked = [text["text"] for text in texts if text.get("verbatim") is not True]
        assert all(text == INSTEAD for text in linked), name


def test_no_code_stands_inside_bold() -> None:
    """Slack shows the asterisks then."""
    for name, one in everything_shown():
        found = bold(one) if isinstance(one, Message) else []
        assert not any("`" in text for text in found), name


def test_every_date_is_a_token_in_the_readers_time_zone() -> None:
    for name, one in everything_shown():
        if name in UTC_ONLY:
            continue
        shown = formatted(one) + [
            part["text"]
            for kind in ("raw_text", "text", "plain_text")
            for part in parts(one, kind)
            if isinstance(part.get("text"), str)
        ]
        for text in shown:
            assert not PLAIN_DATE.search(re.sub(r"<!date[^>]*>", "", text)), (name, text)


def test_no_date_token_begins_with_a_capital_letter() -> None:
    """Slack capitalises the first letter of a format: "since Today"."""
    assert DATE_FORMAT.startswith("\u200b")
    for name, one in everything_shown():
        tokens = [found for text in formatted(one) for found in CONTROL.finditer(text)]
        formats = [found[1] for found in tokens if found[1]]
        formats += [part["format"] for part in parts(one, "date")]
        assert set(formats) <= {DATE_FORMAT, "{time}"}, name
        assert not any(" on <!date" in text for text in formatted(one)), name


def test_a_button_carries_one_id_and_nothing_else() -> None:
    ids = {ID, KEY, OLDER_KEY, OLDEST_KEY, "new"}
    for name, one in everything_shown():
        assert set(buttons(one).values()) <= ids, name


def test_no_dialog_is_longer_than_slack_allows() -> None:
    for _, one in everything_shown():
        for button in parts(one, "button"):
            assert len(button.get("confirm", {"text": {"text": ""}})["text"]["text"]) <= 300


def test_only_a_waiting_card_or_its_thread_mentions_approvers() -> None:
    for state, shown in LASTING.items():
        request = example_messages.ALL_REQUESTS.get(state)
        for kind, message in shown.items():
            count = sum(text.count(PLACES.mentions) for text in formatted(message))
            waits = request is not None and request.status.value == "pending"
            expected = waits and kind.partition(":")[0] in ("card", "waiting", "nudge")
            assert count <= (1 if expected else 0), (state, kind)
            assert count == 1 or kind != "card" or not waits, (state, kind)


def test_the_secret_is_in_one_message_only() -> None:
    secret = example_messages.SECRET
    holders = [name for name, one in everything_shown() if secret in str(one)]
    assert holders == ["secret"]

"""Rules that hold for every message, form and answer that Keydesk can show."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.slack.messages.blocks import DATE_FORMAT, Message
from sandbox.limits import check_message, check_view
from tests.support import example_messages
from tests.support.example_messages import INSTEAD
from tests.support.example_request_variants import ALL_REQUESTS
from tests.support.example_requests import ID, KEY, OLDER_KEY, OLDEST_KEY, PLACES, REASON, WHY
from tests.support.message_parts import bold, buttons, formatted, parts
from tests.unit.slack.messages.rendering import quotes

LASTING: dict[str, dict[str, Message]] = {}
for _state, _kind, _message in example_messages.lasting():
    LASTING.setdefault(_state, {})[_kind] = _message
ANSWERS = example_messages.answers()
VIEWS = example_messages.views()
EVERYTHING: list[tuple[str, Any]] = [
    *((f"{state}, {kind}", one) for state, found in LASTING.items() for kind, one in found.items()),
    *ANSWERS.items(),
    *VIEWS.items(),
]

CONTROL = re.compile(r"@[UW][A-Z0-9]+|!subteam\^S[0-9]+|!date\^\d+\^([^|]+)\|[^|<]+")
"""What may stand in angle brackets."""

PLAIN_DATE = re.compile(r"\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}")
UTC_ONLY = {"form: rotate", "form: rotate, two keys", "form: enable"}
"""Forms whose options are plain text, which has no date tokens ("Option object", Slack)."""


# -- Slack's limits


@pytest.mark.parametrize("state", LASTING)
def test_slack_takes_every_lasting_message(state: str) -> None:
    for message in LASTING[state].values():
        check_message(message.text, message.blocks)
        check_message(message.text, message.blocks, update=True)


@pytest.mark.parametrize("name", [*ANSWERS, *VIEWS])
def test_slack_takes_every_answer_form_and_home_tab(name: str) -> None:
    if name in VIEWS:
        check_view(VIEWS[name], allowed=VIEWS[name]["type"])
        return
    check_message(ANSWERS[name].text, ANSWERS[name].blocks)
    check_message(ANSWERS[name].text, ANSWERS[name].blocks, ephemeral=True)


def test_no_dialog_is_longer_than_slack_allows() -> None:
    dialogs = [
        one["confirm"]
        for _, shown in EVERYTHING
        for one in parts(shown, "button")
        if "confirm" in one
    ]
    assert dialogs and all(len(one["text"]["text"]) <= 300 for one in dialogs)


def test_every_message_has_a_fallback_text() -> None:
    assert all(one.text.strip() for _, one in EVERYTHING if isinstance(one, Message))


# -- formatting


def test_typed_text_can_neither_mention_nor_link() -> None:
    for name, one in EVERYTHING:
        for text in (text.replace(INSTEAD, "") for text in formatted(one)):
            found = re.findall(r"<([^>]*)>", text)
            assert all(CONTROL.fullmatch(control) for control in found), (name, text)


def test_typed_text_is_only_in_quotations() -> None:
    for name, one in EVERYTHING:
        assert set(quotes(one)) <= {REASON, WHY}, name
        assert not any("tada" in text for text in formatted(one) if "Earlier" not in text), name


def test_plain_names_and_addresses_become_no_links() -> None:
    """Only what the operator wrote is read for links."""
    for name, one in EVERYTHING:
        linked = [text["text"] for text in parts(one, "mrkdwn") if text.get("verbatim") is not True]
        assert set(linked) <= {INSTEAD}, name


def test_no_code_is_inside_bold() -> None:
    """Slack shows the asterisks then."""
    for name, one in EVERYTHING:
        assert not isinstance(one, Message) or not any("`" in text for text in bold(one)), name


def test_every_date_is_a_token_in_the_readers_time_zone() -> None:
    for name, one in EVERYTHING:
        plain = [part for kind in ("raw_text", "text", "plain_text") for part in parts(one, kind)]
        texts = [part["text"] for part in plain if isinstance(part.get("text"), str)]
        for text in formatted(one) + texts if name not in UTC_ONLY else ():
            assert not PLAIN_DATE.search(re.sub(r"<!date[^>]*>", "", text)), (name, text)


def test_no_date_token_begins_with_a_capital_letter() -> None:
    """Slack capitalises the first letter of a format: "since Today"."""
    assert DATE_FORMAT.startswith("\u200b")
    for name, one in EVERYTHING:
        tokens = [found for text in formatted(one) for found in CONTROL.finditer(text)]
        formats = {found[1] for found in tokens if found[1]}
        formats |= {part["format"] for part in parts(one, "date")}
        assert formats <= {DATE_FORMAT, "{time}"}, name
        assert not any(" on <!date" in text for text in formatted(one)), name


# -- what is shown to whom


def test_a_button_has_one_id_and_nothing_else() -> None:
    for name, one in EVERYTHING:
        assert set(buttons(one).values()) <= {ID, KEY, OLDER_KEY, OLDEST_KEY, "new"}, name


def test_only_a_waiting_card_or_its_thread_mentions_approvers() -> None:
    for state, shown in LASTING.items():
        request = ALL_REQUESTS.get(state)
        waits = request is not None and request.status.value == "pending"
        for kind, message in shown.items():
            count = sum(text.count(PLACES.mentions) for text in formatted(message))
            may = waits and kind.partition(":")[0] in ("card", "waiting", "nudge")
            assert count in ((1,) if waits and kind == "card" else (0, 1) if may else (0,)), kind


def test_the_secret_is_in_one_message_only() -> None:
    secret = example_messages.SECRET
    assert [name for name, one in EVERYTHING if secret in str(one)] == ["secret"]

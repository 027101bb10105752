"""The pieces of messages: escaping, dates, cells, and what is over Slack's limits."""

from __future__ import annotations

import re

import pytest

from bot.domain import errors
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.slack.messages import blocks, modals
from bot.slack.messages.errors import error_text
from sandbox.limits import check_message, check_view
from tests.support.example_requests import ERRORS, HOSTILE, ID, KEY, NOW


@pytest.mark.parametrize(
    "error",
    [*ERRORS, errors.Refused(Code.SLACK_REFUSED, error=HOSTILE * 100)],
    ids=lambda error: type(error).__name__,
)
def test_slack_takes_every_refusal(error: KeydeskError) -> None:
    words = error_text(error)
    message = blocks.sentence(words)
    check_message(message.text[:3000], message.blocks)
    check_view(modals.message_view(words), allowed="modal")


def test_typed_text_is_escaped_once() -> None:
    assert blocks.escape("<!channel> & &lt;") == "&lt;!channel&gt; &amp; &amp;lt;"


def test_a_date_falls_back_to_utc() -> None:
    assert blocks.date_token(NOW) == (
        f"<!date^{int(NOW.timestamp())}^{blocks.DATE_FORMAT}|24 Nov 2026, 10:02 UTC>"
    )
    assert blocks.time_token(NOW) == f"<!date^{int(NOW.timestamp())}^{{time}}|10:02 UTC>"


def test_a_tables_cell_holds_text_or_dates_or_both() -> None:
    [[text, date, both]] = blocks.table([["x", NOW, ("before ", NOW)]])["rows"]
    assert text == {"type": "raw_text", "text": "x"}
    token = {
        "type": "date",
        "timestamp": int(NOW.timestamp()),
        "format": blocks.DATE_FORMAT,
        "fallback": "24 Nov 2026, 10:02 UTC",
    }
    assert date["elements"][0]["elements"] == [token]
    assert both["elements"][0]["elements"] == [{"type": "text", "text": "before "}, token]


def test_a_text_that_is_too_long_is_cut_and_shown() -> None:
    for long in (blocks.section("x" * 5000), blocks.operator_section("x" * 5000)):
        check_message("x", [long.to_dict()])


def test_what_is_none_is_no_block() -> None:
    assert blocks.message("x", [None, blocks.section("y"), None]).blocks == [
        blocks.section("y").to_dict()
    ]


def test_a_key_id_is_no_request_id() -> None:
    """Buttons carry one or the other, which are told apart by their shape."""
    assert re.fullmatch(r"[0-9a-f]{30}", ID) and not re.fullmatch(r"[0-9a-f]{30}", KEY)

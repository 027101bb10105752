"""The pieces of messages: escaping, dates, cells, durations, ages, limits."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.keys import LastUsed
from bot.slack.messages import blocks, text
from sandbox.limits import check_message
from tests.support.example_requests import ID, KEY, KEYS, NOW, UNKNOWN_USE

AT, UTC = int(NOW.timestamp()), "24 Nov 2026, 10:02 UTC"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def test_typed_text_is_escaped_once() -> None:
    assert blocks.escape("<!channel> & &lt;") == "&lt;!channel&gt; &amp; &amp;lt;"


def test_a_date_falls_back_to_utc() -> None:
    assert blocks.date_token(NOW) == f"<!date^{AT}^{blocks.DATE_FORMAT}|{UTC}>"
    assert blocks.time_token(NOW) == f"<!date^{AT}^{{time}}|10:02 UTC>"


def test_a_tables_cell_has_text_or_dates_or_both() -> None:
    [[plain, date, both]] = blocks.table([["x", NOW, ("before ", NOW)]])["rows"]
    token = {"type": "date", "timestamp": AT, "format": blocks.DATE_FORMAT, "fallback": UTC}
    assert plain == {"type": "raw_text", "text": "x"}
    assert date["elements"][0]["elements"] == [token]
    assert both["elements"][0]["elements"] == [{"type": "text", "text": "before "}, token]


def test_a_text_that_is_too_long_is_cut() -> None:
    for long in (blocks.section("x" * 5000), blocks.operator_section("x" * 5000)):
        check_message("x", [long.to_dict()])
    assert text.one_line("a\n b", 9) == "a b" and text.one_line("abcdef", 3) == "abc…"


def test_none_is_no_block() -> None:
    section = blocks.section("y")
    assert blocks.message("x", [None, section, None]).blocks == [section.to_dict()]


def test_a_key_id_is_no_request_id() -> None:
    """Buttons have one or the other, which are told apart by their shape."""
    assert re.fullmatch(r"[0-9a-f]{30}", ID) and not re.fullmatch(r"[0-9a-f]{30}", KEY)


# -- small texts


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (30 * DAY, "30 days"),
        (DAY, "1 day"),
        (36 * HOUR, "36 hours"),
        (90 * MINUTE, "90 minutes"),
        (timedelta(seconds=1), "1 second"),
    ],
)
def test_a_duration_is_in_the_longest_whole_unit(span: timedelta, words: str) -> None:
    assert text.duration_text(span) == words


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (MINUTE, "1 minute"),
        (59 * MINUTE, "59 minutes"),
        (HOUR, "1 hour"),
        (47 * HOUR, "1 day"),
        (95 * DAY, "95 days"),
    ],
)
def test_how_long_ago_is_in_one_unit(before: timedelta, words: str) -> None:
    assert text.ago_text(before).startswith(words)
    assert "0" not in text.ago_text(timedelta(seconds=59))


def test_a_key_of_today_has_no_number_of_days() -> None:
    assert not any(letter.isdigit() for letter in text.age_text(KEYS[1], NOW))
    assert text.age_text(KEYS[0], NOW).startswith("400 days")


def test_unknown_use_is_not_the_same_as_no_use() -> None:
    used, unused, unknown = map(text.last_used_plain, (*KEYS, UNKNOWN_USE))
    assert len({used, unused, unknown}) == 3 and text.utc_text(NOW - 3 * DAY) in used
    plain = text.last_used_plain(replace(KEYS[0], last_used=LastUsed(NOW, "s3", "eu-west-1")))
    assert "s3" in plain and "eu-west-1" in plain


def test_mentions_are_joined_as_in_a_sentence() -> None:
    assert text.mentions(["U1"]) == "<@U1>"
    assert text.mentions(["U1", "U2", "U3"]) == "<@U1>, <@U2> and <@U3>"

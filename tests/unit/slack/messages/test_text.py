"""Small texts: durations, ages, mentions, last uses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.keys import LastUsed
from bot.slack.messages import text
from tests.support.example_requests import KEYS, NOW, UNKNOWN_USE


@pytest.mark.parametrize(
    ("span", "count", "unit"),
    [
        (timedelta(days=30), 30, "day"),
        (timedelta(days=1), 1, "day"),
        (timedelta(hours=36), 36, "hour"),
        (timedelta(minutes=90), 90, "minute"),
        (timedelta(seconds=1), 1, "second"),
    ],
)
def test_a_duration_is_in_the_longest_whole_unit(span: timedelta, count: int, unit: str) -> None:
    assert text.duration_text(span) == text.plural(count, unit)


def test_one_is_singular() -> None:
    assert [text.plural(n, "key") for n in (0, 1, 2)] == ["0 keys", "1 key", "2 keys"]


@pytest.mark.parametrize(
    ("before", "count", "unit"),
    [
        (timedelta(minutes=1), 1, "minute"),
        (timedelta(minutes=59), 59, "minute"),
        (timedelta(hours=1), 1, "hour"),
        (timedelta(hours=47), 1, "day"),
        (timedelta(days=95), 95, "day"),
    ],
)
def test_how_long_ago_is_in_one_unit(before: timedelta, count: int, unit: str) -> None:
    assert text.ago_text(before).startswith(text.plural(count, unit))
    assert "0" not in text.ago_text(timedelta(seconds=59))


def test_a_key_of_today_has_no_number_of_days() -> None:
    assert not any(letter.isdigit() for letter in text.age_text(KEYS[1], NOW))
    assert text.age_text(KEYS[0], NOW).startswith("400 days")


def test_unknown_use_is_not_the_same_as_no_use() -> None:
    used, unused, unknown = map(text.last_used_plain, (*KEYS, UNKNOWN_USE))
    assert len({used, unused, unknown}) == 3
    assert text.utc_text(NOW - timedelta(days=3)) in used
    key = replace(KEYS[0], last_used=LastUsed(NOW, "s3", "eu-west-1"))
    assert "s3" in text.last_used_plain(key) and "eu-west-1" in text.last_used_plain(key)


def test_mentions_are_joined_as_in_a_sentence() -> None:
    assert text.mentions(["U1"]) == "<@U1>"
    assert text.mentions(["U1", "U2", "U3"]) == "<@U1>, <@U2> and <@U3>"


def test_a_line_that_is_too_long_is_cut() -> None:
    assert text.one_line("a\n b", 9) == "a b" and text.one_line("abcdef", 3) == "abc…"

"""The text over which seals are made, and the numbers of their entries as text."""

from __future__ import annotations

import pytest

from bot.domain.audit.seals import canonical, number_ranges


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([3], "3"), ([3, 4], "3-4"), ([9, 5, 6, 7, 3], "3, 5-7, 9"), ([2, 2], "2"), ([], "")],
)
def test_numbers_are_shown_as_ranges(numbers: list[int], text: str) -> None:
    assert number_ranges(numbers) == text


def test_canonical_text_is_json() -> None:
    assert canonical({"b": "é", "a": '"\n'}) == r'{"a":"\"\n","b":"\u00e9"}'

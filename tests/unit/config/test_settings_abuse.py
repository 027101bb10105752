"""How much may be done in an hour, as settings: what is allowed, and what is said of the rest, by name."""

from __future__ import annotations

import pytest

from tests.unit.config.test_settings import problem, with_

NAMES = ("REQUESTS_AN_HOUR", "REVEALS_AN_HOUR", "NUDGES_AN_HOUR", "LEAK_REPORTS_AN_HOUR")


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_is_one_persons_and_that_of_all_together(name: str) -> None:
    assert getattr(with_(), name.lower()) == (10, 200)
    assert getattr(with_(**{name: "3/3"}), name.lower()) == (3, 3)
    for text in (
        "10",
        "0/5",
        "5/0",
        "6/5",
        "-1/5",
        "a/b",
        "1/2/3",
        "1.5/2",
        "1 / 2",
        "1234567/1234567",
    ):
        assert problem(**{name: text}).startswith(f"{name} is not two whole numbers")

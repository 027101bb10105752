"""Settings of breaking glass: who may, and how long such a key lives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot import app
from tests.unit.config.test_settings import problem, with_


def test_by_itself_nobody_may_break_glass() -> None:
    assert (with_().break_glass, with_().break_glass_ttl) == (frozenset(), timedelta(hours=4))


def test_people_and_groups_may_be_named() -> None:
    settings = with_(BREAK_GLASS="U0ALICE, S0ONCALL,W0WILMA", BREAK_GLASS_TTL="90m")
    assert settings.break_glass == {"U0ALICE", "S0ONCALL", "W0WILMA"}
    assert settings.break_glass_ttl == timedelta(minutes=90)


@pytest.mark.parametrize("text", ["#oncall", "alice", "C0ONCALL"])
def test_what_names_neither_is_wrong_by_name(text: str) -> None:
    assert problem(BREAK_GLASS=text).startswith(f"BREAK_GLASS holds {text}, not the ID of a person")


def test_an_urgent_key_lives_no_longer_than_any_may() -> None:
    assert problem(
        BREAK_GLASS_TTL="2d", BREAK_GLASS="U0ALICE", KEY_TTL="1d", KEY_TTL_MAX="1d"
    ).startswith("BREAK_GLASS_TTL is longer than KEY_TTL_MAX.")
    assert with_(BREAK_GLASS_TTL="2d", BREAK_GLASS="U0ALICE", KEY_TTL="never", KEY_TTL_MAX="never")
    assert with_(KEY_TTL="1h", KEY_TTL_MAX="1h"), "where nobody may, it does not matter"


def test_they_become_rules() -> None:
    rules = app._rules(with_(BREAK_GLASS="U0ALICE,S0ONCALL", BREAK_GLASS_TTL="2h"), "T0DESK")
    assert (rules.break_glass, rules.break_glass_ttl) == (
        {"U0ALICE", "S0ONCALL"},
        timedelta(hours=2),
    )

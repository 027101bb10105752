"""The texts of delivery: every code has one, and its facts cannot format anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.codes import Code
from bot.slack.messages.delivery_errors import DELIVERY
from bot.slack.messages.errors import text
from tests.support.example_requests import HOSTILE, KEYS

STARTED = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
FACTS = {
    "key_id": HOSTILE,
    "key_ids": HOSTILE,
    "key": replace(KEYS[0], id="AKIAIOSFODNN7EXAMPLE"),
    "aws_code": HOSTILE,
    "iam_user": HOSTILE,
    "iam_path": HOSTILE,
    "service_user": HOSTILE,
    "verb": "rotate",
    "by": "U0CAROL",
    "wait": 900.0,
    "seconds": -9.0,
    "free_slots": "0",
    "started_at": STARTED.isoformat(),
}
CAUSES = [code for code in DELIVERY if not isinstance(DELIVERY[code], str)]


@pytest.mark.parametrize("code", DELIVERY)
def test_facts_are_escaped(code: Code) -> None:
    worded = text(code, FACTS)
    assert worded == worded.strip() and "{" not in worded.replace("{date_", "").replace("{time", "")
    assert "<!channel>" not in worded and "<https:" not in worded and "<@U0BOB" not in worded


@pytest.mark.parametrize("code", CAUSES)
def test_an_unknown_cause_is_left_out(code: Code) -> None:
    assert text(code, {**FACTS, "cause": "some_other_code"}) == text(code, FACTS)


@pytest.mark.parametrize("free_slots", ["0", "1"])
@pytest.mark.parametrize("code", [Code.ORPHAN_FOUND, Code.ROLLBACK_ORPHAN_FOUND])
def test_an_orphan_without_a_free_slot_is_worded_otherwise(code: Code, free_slots: str) -> None:
    other = {"0": "1", "1": "0"}[free_slots]
    worded = {slots: text(code, {**FACTS, "free_slots": slots}) for slots in (free_slots, other)}
    assert len(set(worded.values())) == 2


def test_the_cause_comes_first() -> None:
    cause = text(Code.SLACK_DID_NOT_CONFIRM, {})
    facts = {**FACTS, "cause": Code.SLACK_DID_NOT_CONFIRM}
    assert text(Code.KEY_DELETED_REVEAL_AGAIN, facts).startswith(cause)

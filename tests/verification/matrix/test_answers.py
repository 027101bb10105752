"""Check the check: an answer that is true passes, and one that is not is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.slack import action_ids
from tests.support.answers import Answer
from tests.verification.matrix.answers import (
    ALL_CODES,
    CHECKS,
    NO_CLAIM,
    Standing,
    unknown_codes,
    untrue,
)

KEY = "AKIAEXAMPLEEXAMPLE01"
BEFORE = Standing("r1", "approved", 3, 1, {})
MADE = replace(BEFORE, version=5, keys={KEY: "Active"})
OFF = replace(BEFORE, version=6, keys={KEY: "Inactive"})


def refused(code: str) -> Answer:
    """Return a refusal with this code about the key."""
    return Answer("reveal", "U0ALICE", "not done", code, facts={"key_id": KEY})


def done(verb: str) -> Answer:
    """Return a success of this verb about the key."""
    return Answer(verb, "U0ALICE", "done", key=KEY)


TRUE = [
    (refused("key_deleted_reveal_again"), BEFORE),
    (refused("shown_key_inactive"), OFF),
    (refused("reveal_took_too_long"), BEFORE),
    (refused("slack_unavailable"), replace(BEFORE, version=4)),
    (refused("store_unavailable"), MADE),
    (done(action_ids.APPROVE), BEFORE),
    (done(action_ids.DISABLE), OFF),
]
UNTRUE = [
    (refused("key_deleted_reveal_again"), OFF),
    (refused("shown_key_inactive"), MADE),
    (refused("reveal_took_too_long"), OFF),
    (refused("aws_throttled"), MADE),
    (refused("slack_unavailable"), replace(BEFORE, status="denied")),
    (refused("unexpected"), BEFORE),
    (refused("a_code_that_nobody_knows"), BEFORE),
    (Answer("reveal", "U0ALICE", "failed"), BEFORE),
    (done(action_ids.APPROVE), replace(BEFORE, status="pending")),
    (done(action_ids.DISABLE), MADE),
]


@pytest.mark.parametrize(("answer", "now"), TRUE)
def test_a_true_answer_passes(answer: Answer, now: Standing) -> None:
    assert untrue([answer], BEFORE, now) == []


@pytest.mark.parametrize(("answer", "now"), UNTRUE)
def test_an_untrue_answer_is_named(answer: Answer, now: Standing) -> None:
    [problem] = untrue([answer], BEFORE, now)
    assert str(answer) in problem


def test_every_code_is_in_one_table() -> None:
    """A new code needs a check here, or a place among the codes without a claim."""
    assert unknown_codes(ALL_CODES) == set()
    assert not set(CHECKS) & NO_CLAIM

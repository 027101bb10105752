"""Wherever the bot is killed, in every journey: no promise is broken, time and people go on, and nobody is misled.

Each journey is walked once unharmed, which gives the list of its calls to Redis, Slack and IAM; then it is run once
for each kill, from an empty store on. A run prints its counts at the end.

One kill alone: KILL="approve: after redis commit approve #1" \\
    python -m pytest tests/verification/matrix -m matrix -k one_kill
"""

from __future__ import annotations

import os
import traceback
from collections import Counter

import pytest

from tests.verification.matrix.conftest import Count
from tests.verification.matrix.crash import Kill, killed, kills_of, points_of
from tests.verification.matrix.harness import Workshop
from tests.verification.matrix.journeys import JOURNEYS

SHARES = 3
"""Tests for each journey, so that workers come to an end at about the same time."""
SAMPLED = 57
"""Of so many kills, one is in the sample."""
TRIES = 3
"""How often a kill is tried whose call did not come: threads do not take turns the same way each time."""
MISSED = 0.05
"""Which part of the kills may not come to pass though."""


def run(
    shop: Workshop,
    count: Count,
    matrix: str,
    name: str,
    share: int,
    user_concurrency: int,
    *,
    all_of_it: bool,
) -> None:
    """Runs one share of a journey's kills; fails with all that broke a promise, and where too many were missed."""
    journey = JOURNEYS[name]
    points = points_of(shop, name, journey)
    kills = [
        one
        for one in kills_of(name, points, all_of_it=all_of_it)
        if one.number % user_concurrency == share
    ]
    broken, missed = [], []
    for kill in kills:
        try:
            if not any(killed(shop, journey, kill) for _ in range(TRIES)):
                missed.append(kill)
        except Exception as failure:
            broken.append((kill, failure))
    by = Counter(kill.point.service for kill in kills)
    count(
        matrix,
        name,
        **({"calls": len(points)} if share == 0 else {}),
        kills=len(kills) - len(missed),
        missed=len(missed),
        broken=len(broken),
        **by,
    )
    assert not broken, "\n\n".join(f"{kill}\n{told_of(failure)}" for kill, failure in broken)
    assert len(missed) <= max(2, MISSED * len(kills)), f"not reached: {', '.join(map(str, missed))}"


def told_of(failure: Exception) -> str:
    """Where it failed and why, without all that a cell can tell: a kill that is run alone tells the rest."""
    return f"{''.join(traceback.format_tb(failure.__traceback__))[-2000:]}{str(failure)[:3000]}"


@pytest.mark.matrix
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", JOURNEYS)
def test_killed_at_any_call_of_any_journey_every_promise_holds(
    shop: Workshop, count: Count, name: str, share: int
) -> None:
    run(shop, count, "crash", name, share, SHARES, all_of_it=bool(os.environ.get("EVERY_SIDE")))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "ask",
        "approve",
        "reveal",
        "I did not get it",
        "disable the old",
        "a key ends",
        "an approver turns a reported key off",
    ],
)
def test_a_sample_of_kills_keeps_every_promise(shop: Workshop, count: Count, name: str) -> None:
    run(shop, count, "crash (a sample)", name, 0, SAMPLED // 3, all_of_it=False)


@pytest.mark.matrix
@pytest.mark.skipif("KILL" not in os.environ, reason="KILL says which, as a failure does")
def test_one_kill(shop: Workshop) -> None:
    kill = Kill.named(os.environ["KILL"])
    assert killed(shop, JOURNEYS[kill.journey], kill), "the call did not come"

r"""Kill the bot at every call of every journey: every promise holds.

Each journey is walked unharmed, which gives its calls to Redis, Slack and IAM. Then it is run once
for each kill, from an empty database on. A run prints its counts at the end.

One kill alone: KILL="approve: after redis commit approve #1" \
    python -m pytest tests/verification/matrix -m matrix -k one_kill
"""

from __future__ import annotations

import os
import traceback
from collections import Counter

import pytest

from tests.verification.matrix.conftest import Count
from tests.verification.matrix.crash import MISSED, TRIES, Kill, killed, kills_of, points_of
from tests.verification.matrix.harness import Workshop
from tests.verification.matrix.journeys import JOURNEYS

SHARES = 3
"""Tests for each journey, so that workers end at about the same time."""
SAMPLE_SHARES = 19
"""The sample of an ordinary run is one of so many shares."""
SAMPLE = (
    "create",
    "approve",
    "reveal",
    "I did not get it",
    "disable the old key",
    "a key expires",
    "an approver disables a reported key",
)


def run(shop: Workshop, count: Count, matrix: str, name: str, share: int, shares: int) -> None:
    """Run one share of a journey's kills; fail with all that broke a promise."""
    points = points_of(shop, JOURNEYS[name])
    every_side = matrix == "crash" and bool(os.environ.get("EVERY_SIDE"))
    kills = [
        one for one in kills_of(name, points, every_side=every_side) if one.number % shares == share
    ]
    broken, missed = [], []
    for kill in kills:
        try:
            if not any(killed(shop, JOURNEYS[name], kill) for _ in range(TRIES)):
                missed.append(kill)
        except Exception as failure:
            where = "".join(traceback.format_tb(failure.__traceback__))[-2000:]
            broken.append(f"{kill}\n{where}{str(failure)[:3000]}")
    counts = Counter(kill.point.service for kill in kills)
    counts.update(kills=len(kills) - len(missed), missed=len(missed), broken=len(broken))
    count(matrix, name, **counts, **({"calls": len(points)} if share == 0 else {}))
    assert not broken, "\n\n".join(broken)
    assert len(missed) <= max(2, MISSED * len(kills)), f"not reached: {', '.join(map(str, missed))}"


@pytest.mark.matrix
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", JOURNEYS)
def test_killed_at_any_call_every_promise_holds(
    shop: Workshop, count: Count, name: str, share: int
) -> None:
    run(shop, count, "crash", name, share, SHARES)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_kills_keeps_every_promise(shop: Workshop, count: Count, name: str) -> None:
    run(shop, count, "crash (a sample)", name, 0, SAMPLE_SHARES)


@pytest.mark.matrix
@pytest.mark.skipif("KILL" not in os.environ, reason="KILL says which, as a failure does")
def test_one_kill(shop: Workshop) -> None:
    kill = Kill.named(os.environ["KILL"])
    assert killed(shop, JOURNEYS[kill.journey], kill), "the call did not come"

r"""Let every call meet its faults: promises hold, and answers are true.

Each journey is walked unharmed, which gives its calls to Redis, Slack and IAM. Then it is run with
the faults that fit the call's service (`fault_cells.chosen`). A run prints its counts at the end.

One cell alone: CELL="reveal | iam CreateAccessKey #1 | iam: 503" \
    python -m pytest tests/verification/matrix -m matrix -k one_cell
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.verification.matrix.conftest import Count
from tests.verification.matrix.crash import MISSED, TRIES
from tests.verification.matrix.fault_cells import (
    Result,
    Spot,
    chosen,
    points_of,
    run_all,
    spot_named,
    spots_of,
)
from tests.verification.matrix.harness import Workshop
from tests.verification.matrix.journeys import FAULT_JOURNEYS

SHARES = 2
"""Tests for each journey, so that workers end at about the same time."""
SAMPLE = {
    "approve": 25,
    "reveal": 40,
    "I did not get it": 60,
    "disable": 25,
    "a key expires": 60,
    "enable": 60,
}
"""Journeys of the ordinary run: one cell in so many."""


def run(shop: Workshop, count: Count, matrix: str, name: str, spots: Sequence[Spot]) -> None:
    """Run these cells of a journey; fail with all that was wrong."""
    results, missed = tried(shop, name, spots)
    broken = [result for result in results if result.problems]
    services = Counter(spot.point.service for spot in spots)
    count(matrix, name, cells=len(results), missed=len(missed), broken=len(broken), **services)
    for spot in spots:
        count(f"{matrix}, by fault", str(spot.fault), cells=1)
    assert not broken, "\n\n".join(map(str, broken))
    assert len(missed) <= max(2, MISSED * len(spots)), f"not reached: {', '.join(map(str, missed))}"


def tried(shop: Workshop, name: str, spots: Sequence[Spot]) -> tuple[list[Result], list[Spot]]:
    """Run the cells. Return the results, and the cells whose call never came in TRIES."""
    results, left = [], list(spots)
    for _ in range(TRIES):
        ran = list(run_all(shop, name, left))
        results += [one for one in ran if one.met or one.problems]
        left = [one.spot for one in ran if not one.met and not one.problems]
    return results, left


@pytest.mark.matrix
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", FAULT_JOURNEYS)
def test_every_fault_keeps_promises_and_true_answers(
    shop: Workshop, count: Count, name: str, share: int
) -> None:
    points = points_of(shop, name)
    spots = spots_of(name, points)
    if not os.environ.get("EVERY_FAULT"):
        spots = chosen(spots)
    if share == 0:
        count("fault", name, calls=len(points))
    run(shop, count, "fault", name, [spot for spot in spots if spot.number % SHARES == share])


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_faults_keeps_every_promise(shop: Workshop, count: Count, name: str) -> None:
    spots = spots_of(name, points_of(shop, name))
    run(shop, count, "fault (a sample)", name, [s for s in spots if s.number % SAMPLE[name] == 0])


@pytest.mark.matrix
@pytest.mark.skipif("CELL" not in os.environ, reason="CELL says which, as a failure does")
def test_one_cell(shop: Workshop) -> None:
    spot = spot_named(shop, os.environ["CELL"])
    [result] = run_all(shop, spot.journey, [spot])
    assert result.met, "the call did not come"
    assert not result.problems, str(result)

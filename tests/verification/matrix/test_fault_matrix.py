"""Whatever fault a call meets, in every journey: no promise is broken, and whoever clicked gets a true sentence.

Each journey is walked once unharmed, which gives the list of its calls to Redis, Slack and IAM; then it is run with
faults that fit the call's service: `spread` says which. A run prints its counts at the end.

One cell alone: CELL="reveal | iam CreateAccessKey #1 | iam: 503" \\
    python -m pytest tests/verification/matrix -m matrix -k one_cell
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.verification.matrix.conftest import Count
from tests.verification.matrix.fault_cells import (
    Found,
    Spot,
    points_of,
    run_all,
    spot_of,
    spots_of,
    spread,
)
from tests.verification.matrix.fault_journeys import FAULT_JOURNEYS
from tests.verification.matrix.harness import Workshop

SHARES = 2
"""Tests for each journey, so that workers come to an end at about the same time."""
TRIES = 3
"""How often a cell is tried whose call did not come: threads do not take turns the same way each time."""
MISSED = 0.05
"""Which part of the faults may meet no call though."""
SAMPLE = {
    "approve": 25,
    "reveal": 40,
    "I did not get it": 60,
    "disable": 25,
    "a key ends": 60,
    "enable": 60,
}
"""Journeys of the ordinary run: of so many cells, one."""


def run(shop: Workshop, count: Count, matrix: str, name: str, spots: Sequence[Spot]) -> None:
    """Runs these cells of a journey; fails with all that was wrong, and where too many faults met no call."""
    founds, missed = tried(shop, name, spots)
    broken = [found for found in founds if found.problems]
    by = Counter(f"{spot.point.service}" for spot in spots)
    count(matrix, name, cells=len(founds), missed=len(missed), broken=len(broken), **by)
    for spot in spots:
        count(f"{matrix}, by fault", str(spot.fault), cells=1)
    assert not broken, "\n\n".join(map(str, broken))
    assert len(missed) <= max(2, MISSED * len(spots)), f"not reached: {', '.join(map(str, missed))}"


def tried(shop: Workshop, name: str, spots: Sequence[Spot]) -> tuple[list[Found], list[Spot]]:
    """Runs the cells; one whose call did not come, up to TRIES times. Returns what came of them, and which did not."""
    founds, left = [], list(spots)
    for _ in range(TRIES):
        ran = list(run_all(shop, name, left))
        founds += [found for found in ran if found.met or found.problems]
        left = [
            spot
            for spot, found in zip(left, ran, strict=True)
            if not found.met and not found.problems
        ]
    return founds, left


@pytest.mark.matrix
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", FAULT_JOURNEYS)
def test_every_fault_keeps_promises_and_true_answers(
    shop: Workshop, count: Count, name: str, share: int
) -> None:
    points = points_of(shop, name)
    chosen = (
        spots_of(name, points) if os.environ.get("EVERY_FAULT") else spread(spots_of(name, points))
    )
    if share == 0:
        count("fault", name, calls=len(points))
    run(shop, count, "fault", name, [spot for spot in chosen if spot.number % SHARES == share])


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_faults_keeps_every_promise(shop: Workshop, count: Count, name: str) -> None:
    spots = [
        spot for spot in spots_of(name, points_of(shop, name)) if spot.number % SAMPLE[name] == 0
    ]
    run(shop, count, "fault (a sample)", name, spots)


@pytest.mark.matrix
@pytest.mark.skipif("CELL" not in os.environ, reason="CELL says which, as a failure does")
def test_one_cell(shop: Workshop) -> None:
    spot = spot_of(shop, os.environ["CELL"])
    [found] = run_all(shop, spot.journey, [spot])
    assert found.met, "the call did not come"
    assert not found.problems, f"{found.problems}\n{found.story}"

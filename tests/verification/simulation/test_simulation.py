"""Run schedules of many seeds: every promise holds.

A failing seed is replayed exactly by `python -m tests.verification.simulation --seed N --verbose`.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bot.domain.states import TRANSITIONS
from tests.verification.simulation.campaign import Outcome, campaign, simulate
from tests.verification.simulation.faults import KINDS, REWIND
from tests.verification.simulation.test_simulation_finds import FAULTY

A_FEW = 300
MANY, SLICES = 100_000, 25

OUTAGES = (
    "death",
    "stall",
    "iam lost",
    "iam refused",
    "store lost",
    "store down",
    "stale list",
    "twice",
)
"""What a few hundred schedules surely meet."""

DIES_AT = ("store.commit", "store.commit answered", "issuer.create_key")


def kept(outcome: Outcome) -> None:
    """Check that no seed broke a promise. Else show the first."""
    assert not outcome.failures, outcome.failures[min(outcome.failures)]


def test_a_few_hundred_schedules_keep_every_promise() -> None:
    outcome = campaign(range(A_FEW))
    kept(outcome)
    assert [kind for kind in OUTAGES if not outcome.counts[f"fault {kind}"]] == []
    assert outcome.counts["steps"] > 50 * A_FEW and outcome.counts["keys made"] > A_FEW / 4


@pytest.mark.matrix
@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLICES))
def test_a_hundred_thousand_schedules_keep_every_promise(part: int) -> None:
    """Each slice reaches all transitions but rare ones, and every kind of fault."""
    size = MANY // SLICES
    outcome = campaign(range(part * size, (part + 1) * size))
    kept(outcome)
    assert [
        f"{was} {action}"
        for was, action in TRANSITIONS
        if not outcome.counts[f"transition {was} {action}"] and (was, action) not in RARE
    ] == []
    assert [kind for kind in (*KINDS, REWIND) if not outcome.counts[f"fault {kind}"]] == []
    assert [call for call in DIES_AT if not outcome.counts[f"died at {call}"]] == []


RARE = {
    ("issuing", "confirm"),
    ("deleting", "close"),
    ("delivered", "owner_deleted"),
    ("delivered", "key_gone"),
    ("unclaimed", "owner_deleted"),
    ("unclaimed", "stop"),
}
"""Transitions that a slice may miss: each takes a rare pair of events."""


@pytest.mark.parametrize("seed", [7, 884, 1088])
def test_a_seed_replays_byte_for_byte_in_another_process_too(seed: int) -> None:
    here = "\n".join(simulate(seed)[0].lines())
    for hashes in ("1", "2"):
        told = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.verification.simulation",
                "--seed",
                str(seed),
                "--verbose",
            ],
            check=True,
            text=True,
            capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": hashes},
        )
        assert told.stdout == f"{here}\nkept\n"
    assert simulate(seed + 1)[0].lines() != simulate(seed)[0].lines()


def test_a_failing_seed_says_how_to_run_it_again() -> None:
    outcome = campaign(
        range(100), FAULTY["an audit trail that names another request"][0], stop_after=1
    )
    seed, words = next(iter(outcome.failures.items()))
    assert (
        f"seed {seed}: " in words
        and f"python -m tests.verification.simulation --seed {seed} --verbose" in words
    )
    assert "  world  " in words and "U0ALICE" in words and "does not name it" in words

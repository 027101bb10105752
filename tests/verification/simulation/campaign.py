"""Run many schedules: count what they met, and name the seeds that failed."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.verification.simulation.simulation import Simulation
from tests.verification.simulation.world import REAL, Variant, World

TAIL = 60
"""Lines of a failing seed's trace that are shown."""

SLICE = 500


@dataclass
class Outcome:
    """The result of many schedules: counts, and each failed seed with its message."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, other: Outcome) -> None:
        self.counts.update(other.counts)
        self.failures.update(other.failures)


def simulate(seed: int, variant: Variant = REAL) -> tuple[World, str]:
    """Run the schedule of a seed. Return its world and what is wrong ("": nothing)."""
    simulation = Simulation(seed, variant)
    world = simulation.world
    try:
        simulation.run()
    except Exception as failure:
        where = traceback.format_exc(limit=-4)
        tail = "\n".join(world.lines()[-TAIL:])
        return world, (
            f"seed {seed}: {failure}\n{where}\n{tail}\n\n"
            f"seed {seed}: {failure}\n"
            f"Again: python -m tests.verification.simulation --seed {seed} --verbose"
        )
    return world, ""


def campaign(seeds: Iterable[int], variant: Variant = REAL, stop_after: int = 0) -> Outcome:
    """Run a schedule for each seed, until `stop_after` have failed (0: all)."""
    outcome = Outcome()
    for seed in seeds:
        world, wrong = simulate(seed, variant)
        outcome.counts.update(world.counts)
        outcome.counts["schedules"] += 1
        if wrong:
            outcome.failures[seed] = wrong
            if stop_after and len(outcome.failures) >= stop_after:
                break
    return outcome


def _slice(bounds: tuple[int, int]) -> Outcome:
    gc.disable()
    outcome = campaign(range(*bounds))
    gc.enable()
    gc.collect()
    return outcome


def main() -> int:
    """Run the seeds of the command line. Return 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.verification.simulation")
    parser.add_argument("--seeds", default="0:1000", help="first and last (not included)")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="the whole trace")
    options = parser.parse_args()
    if options.seed is not None:
        world, wrong = simulate(options.seed)
        if options.verbose:
            print("\n".join(world.lines()))
        print(
            wrong.splitlines()[0] + "\n" + wrong[wrong.find("Traceback") : wrong.find("\n\n")]
            if wrong
            else "kept"
        )
        return bool(wrong)
    first, last = map(int, options.seeds.split(":"))
    began = time.monotonic()
    outcome = _in_parallel(first, last, options.workers)
    report(outcome, time.monotonic() - began)
    return bool(outcome.failures)


def _in_parallel(first: int, last: int, workers: int) -> Outcome:
    slices = [(start, min(start + SLICE, last)) for start in range(first, last, SLICE)]
    outcome = Outcome()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for part in pool.imap_unordered(_slice, slices):
            outcome.add(part)
    return outcome


def report(outcome: Outcome, seconds: float) -> None:
    """Print the counts, then the first failures."""
    for name, number in sorted(outcome.counts.items()):
        print(f"{number:10}  {name}")
    for seed in sorted(outcome.failures)[:3]:
        print("\n" + outcome.failures[seed])
    schedules = max(1, outcome.counts["schedules"])
    print(
        f"\n{schedules} schedules in {seconds:.1f} s ({1000 * seconds / schedules:.1f} ms each), "
        f"{len(outcome.failures)} failed: {sorted(outcome.failures)[:20]}"
    )

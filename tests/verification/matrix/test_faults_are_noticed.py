"""Would the fault matrix notice a desk that breaks under a fault? Bots that are broken on purpose meet them, too."""

from __future__ import annotations

import pytest

from tests.verification.matrix import fault_broken
from tests.verification.matrix.fault_cells import run_all, spot_of
from tests.verification.matrix.forked import Build
from tests.verification.matrix.harness import Workshop

NOTICED = {
    "CreateAccessKey is sent again": (
        fault_broken.makes_again,
        "reveal | iam CreateAccessKey #1 | iam: timeout after execution",
        "two living keys",
    ),
    "a deletion that never was": (
        fault_broken.deletes_nothing,
        "reveal | redis commit record_key #1 | redis: down",
        "is not true",
    ),
    "an error that nobody knows": (
        fault_broken.lets_errors_out,
        "approve | redis commit approve #1 | redis: read-only",
        "outcome='failed'",
    ),
}


@pytest.mark.parametrize(("build", "where", "words"), NOTICED.values(), ids=NOTICED)
def test_what_a_broken_desk_does_and_says_is_noticed(
    shop: Workshop, build: Build, where: str, words: str
) -> None:
    spot = spot_of(shop, where)
    [found] = run_all(shop, spot.journey, [spot], build)
    assert found.met
    with pytest.raises(AssertionError, match=words):
        assert not found.problems, " ".join(found.problems)


@pytest.mark.parametrize("where", sorted({where for _, where, _ in NOTICED.values()}))
def test_and_the_desk_as_it_is_keeps_its_promises_there(shop: Workshop, where: str) -> None:
    spot = spot_of(shop, where)
    [found] = run_all(shop, spot.journey, [spot])
    assert found.met and not found.problems, found.problems

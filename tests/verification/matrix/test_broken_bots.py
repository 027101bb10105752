"""Show that both matrices notice a broken bot, and pass the real one."""

from __future__ import annotations

import pytest

from tests.verification.matrix import broken
from tests.verification.matrix.crash import Kill, killed
from tests.verification.matrix.fault_cells import run_all, spot_named
from tests.verification.matrix.forked import Build
from tests.verification.matrix.harness import Workshop
from tests.verification.matrix.journeys import JOURNEYS

CREATED = "reveal: after iam CreateAccessKey #1"
BY_KILLS = {
    # whichever shows first: the key, or its card
    "an unrecorded key, its requester away": (
        broken.lease_after_the_key,
        CREATED,
        True,
        "was not confirmed|The key is being created",
    ),
    "an unrecorded key, its requester back": (
        broken.lease_after_the_key,
        CREATED,
        False,
        "two living keys|The key is being created",
    ),
    "a message that is not rendered": (
        broken.mark_removed_first,
        "approve: before slack chat.update #1",
        False,
        "stale",
    ),
    "a decision that was answered and not made": (
        broken.answers_first,
        "approve: before redis commit approve #1",
        False,
        "it did not happen",
    ),
}
BY_FAULTS = {
    "CreateAccessKey is sent again": (
        broken.creates_again,
        "reveal | iam CreateAccessKey #1 | iam: timeout after execution",
        "two living keys",
    ),
    "a deletion that never was": (
        broken.deletes_nothing,
        "reveal | redis commit record_key #1 | redis: down",
        "is not true",
    ),
    "an unknown error": (
        broken.lets_errors_out,
        "approve | redis commit approve #1 | redis: read-only",
        "outcome='failed'",
    ),
}


@pytest.mark.parametrize(("build", "where", "away", "words"), BY_KILLS.values(), ids=BY_KILLS)
def test_a_kill_finds_a_broken_bot(
    shop: Workshop, build: Build, where: str, away: bool, words: str
) -> None:
    kill = Kill.named(where)
    with pytest.raises(AssertionError, match=words):
        killed(shop, JOURNEYS[kill.journey], kill, build, away=away)


@pytest.mark.parametrize("where", sorted({where for _, where, _, _ in BY_KILLS.values()}))
@pytest.mark.parametrize("away", [True, False], ids=["away", "back"])
def test_the_real_bot_passes_these_kills(shop: Workshop, where: str, away: bool) -> None:
    kill = Kill.named(where)
    assert killed(shop, JOURNEYS[kill.journey], kill, away=away)


@pytest.mark.parametrize(("build", "where", "words"), BY_FAULTS.values(), ids=BY_FAULTS)
def test_a_fault_finds_a_broken_bot(shop: Workshop, build: Build, where: str, words: str) -> None:
    spot = spot_named(shop, where)
    [result] = run_all(shop, spot.journey, [spot], build)
    assert result.met
    with pytest.raises(AssertionError, match=words):
        assert not result.problems, " ".join(result.problems)


@pytest.mark.parametrize("where", sorted({where for _, where, _ in BY_FAULTS.values()}))
def test_the_real_bot_passes_these_faults(shop: Workshop, where: str) -> None:
    spot = spot_named(shop, where)
    [result] = run_all(shop, spot.journey, [spot])
    assert result.met and not result.problems, result.problems

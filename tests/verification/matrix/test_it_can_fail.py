"""Would the crash matrix notice a desk that breaks a promise? Bots that are broken on purpose are killed, too."""

from __future__ import annotations

import pytest

from tests.verification.matrix import broken
from tests.verification.matrix.crash import Kill, killed
from tests.verification.matrix.forked import Build
from tests.verification.matrix.harness import Workshop
from tests.verification.matrix.journeys import JOURNEYS

NOTICED = {
    "a key that nobody wrote down, its person away": (
        broken.lease_after_the_key,
        "reveal: after iam CreateAccessKey #1",
        True,
        "nobody said that they have it|The key is being created",
    ),  # whichever shows first: the key, or the card of it
    "a key that nobody wrote down, its person back": (
        broken.lease_after_the_key,
        "reveal: after iam CreateAccessKey #1",
        False,
        "two living keys|The key is being created",
    ),
    "a message that is not drawn any more": (
        broken.mark_taken_first,
        "approve: before slack chat.update #1",
        False,
        "is so",
    ),
    "a decision that was told and not made": (
        broken.told_before_it_is_so,
        "approve: before redis commit approve #1",
        False,
        "it did not happen",
    ),
}


@pytest.mark.parametrize(("build", "where", "away", "words"), NOTICED.values(), ids=NOTICED)
def test_what_a_broken_desk_does_is_noticed(
    shop: Workshop, build: Build, where: str, away: bool, words: str
) -> None:
    kill = Kill.named(where)
    with pytest.raises(AssertionError, match=words):
        killed(shop, JOURNEYS[kill.journey], kill, build, away=away)


@pytest.mark.parametrize("where", sorted({where for _, where, _, _ in NOTICED.values()}))
@pytest.mark.parametrize("away", [True, False], ids=["away", "back"])
def test_and_the_desk_as_it_is_keeps_its_promises_there(
    shop: Workshop, where: str, away: bool
) -> None:
    kill = Kill.named(where)
    assert killed(shop, JOURNEYS[kill.journey], kill, away=away)

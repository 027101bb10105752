"""Interrupt journeys between two calls: one key at most is left for a request.

Each journey runs again and again. Just before or just after each of its calls, a rival acts:
another process, the scheduler, another click, or the owner of the key.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.keys import DesiredState
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, disable_key
from tests.support.crash_journeys import JOURNEYS, Steps, calls
from tests.support.world import ALICE, World, make_desk, reveal

Rival = Callable[[World, KeyRequest], object]
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
GONE = {
    Code.KEY_DELETED_REVEAL_AGAIN,
    Code.KEY_DELETED_LAST_REVEAL,
    Code.UNRECORDED_KEY_DELETED,
    Code.SHOWN_KEY_INACTIVE,
    Code.KEY_GONE,
    Code.STALE_KEY,
}
"""Codes that tell the requester that the key is off or deleted."""


def after(*spans: timedelta) -> Rival:
    return lambda world, request: [world.pass_time(span) for span in spans]


def clicking(*clicks: Callable[..., object]) -> Rival:
    """Return a rival that clicks for the key that IAM created last, if there is one."""

    def click_all(world: World, request: KeyRequest) -> None:
        for key_id in [*world.iam.made][-1:]:
            for click in clicks:
                click(world.services, ALICE, key_id)

    return click_all


orphan_check = after(61 * SECOND, 15 * MINUTE)
RIVALS: dict[str, Rival] = {
    "a minute passes": after(61 * SECOND),
    "the orphan check comes": orphan_check,
    "a day passes": after(16 * MINUTE, 12 * HOUR, 12 * HOUR),
    "another process reveals": reveal,
    "the orphan check comes, then a reveal": lambda world, request: [
        orphan_check(world, request),
        reveal(world, request),
    ],
    "I have it": clicking(confirm_receipt.confirm),
    "I did not get it": clicking(confirm_receipt.did_not_get),
    "Replace it": clicking(confirm_receipt.replace_key),
    "its owner disables it": clicking(disable_key.disable),
    "its owner deletes it": clicking(disable_key.disable, disable_key.delete),
    "Cancel request": lambda world, request: create_request.cancel(
        world.services, ALICE, request.id
    ),
}


def interrupted(
    steps: Steps, call: str, nth: int, side: str, rival: Rival
) -> tuple[World, KeyRequest, KeydeskError | None]:
    """Return the world after an interrupted journey, and the journey's error."""
    world = make_desk()
    request = steps[0](world)

    def act() -> None:
        with suppress(KeydeskError):
            rival(world, request)

    world.taps.on(call, nth=nth, **{side: act})
    error = None
    try:
        # the rival may prevent a failure that the journey expects
        with suppress(pytest.fail.Exception):
            steps[1](world, request)
    except KeydeskError as failure:
        error = failure
    world.taps.calm()
    return world, request, error


def is_impossible(journey: str, rival: str, call: str, side: str) -> bool:
    """Return True for an unanswered CreateAccessKey after the orphan check."""
    late = rival == "a day passes" or rival.startswith("the orphan check")
    return late and (call, side) == ("issuer.create_key", "before") and "Key's answer" in journey


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.parametrize("journey", JOURNEYS)
def test_one_key_at_most_is_left_whatever_comes_between(journey: str, rival: str) -> None:
    steps, names = JOURNEYS[journey], calls(JOURNEYS[journey])
    for number, call in enumerate(names, start=1):
        for side in ("before", "after"):
            if is_impossible(journey, rival, call, side):
                continue
            nth = names[:number].count(call)
            world, request, error = interrupted(steps, call, nth, side, RIVALS[rival])
            assert len(world.desired()) <= 1
            if error and error.code in GONE:
                assert error.facts["key_id"] not in world.iam.active
            world.rest()
            assert_at_rest(world, request)


def assert_at_rest(world: World, request: KeyRequest) -> None:
    """Assert that the request has ended and that IAM has what is desired."""
    now, desired = world.now(request), world.desired()
    assert now.status.final
    assert not any(world.store.lock_holder(lock) for lock in request.locks)
    assert set(world.iam.active) == set(desired)
    if now.status is Status.CONFIRMED:
        assert desired in ([], [now.access_key_id])
        if not desired:
            assert world.record(now.access_key_id).changed_by == ALICE.id, "she disabled it"
    else:
        assert desired == []
    for record in world.records():
        assert record.desired is not DesiredState.ACTIVE or record.check_at is None

"""Walk random journeys, and let time pass until nothing is due any more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.errors import KeydeskError
from bot.domain.keys import DesiredState, KeyStatus
from bot.domain.requests import KeyRequest
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    finish_rotation,
    report_leak,
)
from tests.support.world import ALICE, CAROL, World, make_desk, reveal

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Click = Callable[[World, KeyRequest], object]


def passing(by: timedelta) -> Click:
    return lambda world, request: world.pass_time(by)


def old(act: Callable[..., object], *more: object) -> Click:
    """Return a click of Alice's about the key that is rotated."""
    return lambda world, request: act(world.services, ALICE, request.target, *more)


def new(act: Callable[..., object], *more: object) -> Click:
    """Return a click of Alice's about the key that replaces it."""
    return lambda world, request: act(world.services, ALICE, request.access_key_id, *more)


def in_the_console(which: str, status: KeyStatus | None) -> Click:
    """Return a change by an AWS admin. None deletes the key."""

    def change(world: World, request: KeyRequest) -> None:
        key_id = getattr(request, which)
        if world.iam.observed(key_id) and status:
            world.iam.set_status(ALICE.email, key_id, status)
        elif world.iam.observed(key_id):
            world.iam.delete_key(ALICE.email, key_id)

    return change


def approve_all(world: World, request: KeyRequest) -> None:
    for waiting in world.store.pending():
        decide_request.approve(world.services, CAROL, waiting.id)


CLICKS: dict[str, Click] = {
    "the scheduler runs": passing(timedelta(0)),
    "an hour": passing(HOUR),
    "a day": passing(DAY),
    "a week": passing(7 * DAY),
    "use old": lambda world, request: world.iam.use(request.target),
    "use new": lambda world, request: world.iam.use(request.access_key_id),
    "not yet": new(finish_rotation.not_yet),
    "disable old": new(finish_rotation.disable_old),
    "undo": old(finish_rotation.undo),
    "leak old": old(report_leak.report),
    "leak new": new(report_leak.report),
    "disable new": new(disable_key.disable),
    "enable new": new(create_request.enable, "again"),
    "extend new": new(create_request.extend),
    "I have it": new(confirm_receipt.confirm),
    "I did not get it": new(confirm_receipt.did_not_get),
    "approve all": approve_all,
    "reveal": reveal,
} | {
    f"{status or 'gone'} {which} in the console": in_the_console(which, status)
    for which in ("target", "access_key_id")
    for status in (None, KeyStatus.INACTIVE, KeyStatus.ACTIVE)
}


def active_of(world: World, request: KeyRequest) -> list[str]:
    """Return the keys of this request that Keydesk wants active."""
    desired = set(world.desired())
    return [key.id for key in world.records() if key.request_id == request.id and key.id in desired]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(CLICKS)), max_size=12),
    st.sampled_from([2 * HOUR, 3 * DAY, 90 * DAY]),
)
def test_after_any_journey_nothing_stays_due(clicks: list[str], lifetime: timedelta) -> None:
    world = make_desk()
    request = reveal(world, world.rotating(lifetime=lifetime))
    for click in clicks:
        with contextlib.suppress(KeydeskError):
            CLICKS[click](world, world.now(request))
        assert len(active_of(world, request)) <= 1
    world.rest()
    world.outlive(130)
    assert not world.still_due()
    for record in world.records():
        assert not (record.leaked and record.desired is DesiredState.ACTIVE)
    assert world.now(request).status.final

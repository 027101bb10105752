"""After any journey and enough time: nothing is due for ever, no leaked key is on, one new key at most."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.errors import KeydeskError
from bot.domain.keys import DesiredState
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
from tests.unit.operations.test_life_crashes import in_the_console, new_keys

DAY = timedelta(days=1)


CLICKS = (
    "sweep",
    "hour",
    "day",
    "week",
    "use old",
    "use new",
    "gone old",
    "gone new",
    "off old",
    "off new",
    "on old",
    "on new",
    "not yet",
    "disable old",
    "undo",
    "leak old",
    "leak new",
    "disable new",
    "enable new",
    "extend",
    "have it",
    "did not get it",
    "approve all",
    "reveal",
)


def does(world: World, request: KeyRequest, click: str) -> object:
    old, new = request.target, world.now(request).access_key_id
    if click in ("hour", "day", "week", "sweep"):
        return world.pass_time(
            {"hour": DAY / 24, "day": DAY, "week": 7 * DAY}.get(click, timedelta(0))
        )
    verb, _, which = click.rpartition(" ")
    key_id = {"old": old, "new": new}.get(which, new)
    match verb if which in ("old", "new") else click:
        case "use":
            return world.iam.use(key_id)
        case "gone" | "off" | "on":
            return in_the_console(
                world, key_id, {"gone": "gone", "off": "Inactive", "on": "Active"}[verb]
            )
        case "not yet":
            return finish_rotation.not_yet(world.services, ALICE, new)
        case "disable":
            return (
                finish_rotation.disable_old(world.services, ALICE, new)
                if which == "old"
                else disable_key.disable(world.services, ALICE, new)
            )
        case "undo":
            return finish_rotation.undo(world.services, ALICE, old)
        case "leak":
            return report_leak.report(world.services, ALICE, key_id)
        case "enable":
            return create_request.enable(world.services, ALICE, new, "again")
        case "extend":
            return create_request.extend(world.services, ALICE, new)
        case "have it":
            return confirm_receipt.confirm(world.services, ALICE, new)
        case "did not get it":
            return confirm_receipt.did_not_get(world.services, ALICE, new)
        case "reveal":
            return reveal(world, world.now(request))
        case _:
            return [
                decide_request.approve(world.services, CAROL, waiting.id)
                for waiting in world.store.pending()
            ]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(CLICKS), max_size=12),
    st.sampled_from([timedelta(hours=2), 3 * DAY, 90 * DAY]),
)
def test_after_any_journey_nothing_stays_due(clicks: list[str], lifetime: timedelta) -> None:
    world = make_desk()
    request = reveal(world, world.rotating(lifetime=lifetime))
    for click in clicks:
        with contextlib.suppress(KeydeskError):
            does(world, request, click)
        assert len(new_keys(world, request)) <= 1
    world.rest()
    world.outlive(130)
    assert not world.still_due()
    for record in world.records():
        assert not (record.leaked and record.desired is DesiredState.ACTIVE)
    assert world.now(request).status.final

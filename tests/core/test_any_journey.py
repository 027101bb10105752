"""After any journey and enough time: nothing is due for ever, no leaked key is on, one new key at most."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.access_key import Wanted
from bot.core.errors import KeydeskError
from bot.core.request import KeyRequest
from bot.core.workflow import ageing, ask, decide, leak, receipt, retire
from tests.core.fakes import ALICE, CAROL, World, make_desk, reveal
from tests.core.test_life_crashes import in_the_console, new_keys

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
            return ageing.not_yet(world.desk, ALICE, new)
        case "disable":
            return (
                ageing.disable_old(world.desk, ALICE, new)
                if which == "old"
                else retire.disable(world.desk, ALICE, new)
            )
        case "undo":
            return ageing.undo(world.desk, ALICE, old)
        case "leak":
            return leak.report(world.desk, ALICE, key_id)
        case "enable":
            return ask.enable(world.desk, ALICE, new, "again")
        case "extend":
            return ask.extend(world.desk, ALICE, new)
        case "have it":
            return receipt.confirm(world.desk, ALICE, new)
        case "did not get it":
            return receipt.did_not_get(world.desk, ALICE, new)
        case "reveal":
            return reveal(world, world.now(request))
        case _:
            return [
                decide.approve(world.desk, CAROL, waiting.id) for waiting in world.store.pending()
            ]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(CLICKS), max_size=12),
    st.sampled_from([timedelta(hours=2), 3 * DAY, 90 * DAY]),
)
def test_after_any_journey_and_enough_time_nothing_is_due_for_ever_and_no_leaked_key_is_on(
    clicks: list[str], lifetime: timedelta
) -> None:
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
        assert not (record.leaked and record.wanted is Wanted.ACTIVE)
    assert world.now(request).status.final

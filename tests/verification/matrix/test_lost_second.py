"""What if the store loses its last second? It is noticed, no two keys live for a request, and no message stays untrue.

The decisions of that second are lost; docs/how-it-works.md says so. Each journey is walked to its end, then the store
is as it was before the click. Keydesk's own server (`appendfsync always`) does not lose them:
`tests/verification/crashes`.
"""

from __future__ import annotations

import pytest

from bot.slack import action_ids
from sandbox.people import BOT_USER
from tests.verification.matrix import promises
from tests.verification.matrix.crash import go_on
from tests.verification.matrix.fault_journeys import FAULT_JOURNEYS
from tests.verification.matrix.harness import Cell, Workshop
from tests.verification.matrix.journeys import CARDS, Cast
from tests.verification.matrix.lost_second import Moment

ORDINARY = {"reveal", "I have it", "disable"}
NO_REQUEST_LEFT = {"ask", "ask for a rotation"}
"""The request itself is forgotten: what stands in Slack of it is known to nobody."""
WRITE_NOTHING = {"deny, the form opens", "delete, asked once more", "an approver reports a leak"}
NOT_LOOKED_AT = {"an approver turns a reported key off"}
"""Time has nothing to do with a key that was only reported, so its card is not updated (docs/how-it-works.md)."""
LEFT_OUT = NO_REQUEST_LEFT | WRITE_NOTHING | NOT_LOOKED_AT
JOURNEYS = [
    name if name in ORDINARY else pytest.param(name, marks=pytest.mark.matrix)
    for name, journey in FAULT_JOURNEYS.items()
    if not journey.by_time and name not in LEFT_OUT
]


def lose(shop: Workshop, cell: Cell, name: str) -> Cast:
    """The journey is walked, and the store forgets it; then the sweeper comes round."""
    journey = FAULT_JOURNEYS[name]
    cell.start()
    cast = journey.arrange(cell)
    cell.rest()
    cell.sweep()  # it has seen the newest entry
    before = Moment(shop)
    cell.click(lambda: journey.act(cell, cast))
    cell.rest(lambda: journey.done(cell, cast))
    cell.sweep()
    written = cell.world.store.trail().last_number()
    before.back()
    assert cell.world.store.trail().last_number() < written, "nothing was forgotten"
    cell.unlock()
    cell.pass_time(minutes=1)
    return cast


@pytest.mark.parametrize("name", JOURNEYS)
def test_a_rolled_back_store_leaves_one_key_at_most(shop: Workshop, name: str) -> None:
    with shop.cell(**FAULT_JOURNEYS[name].settings) as cell:
        cast = lose(shop, cell, name)
        promises.one_living_key(cell, cast)
        every_known_copy_is_true(cell, cast)
        for minutes in (1, 20, 75):
            cell.pass_time(minutes=minutes)
            promises.one_living_key(cell, cast)
        every_known_copy_is_true(cell, cast)
        go_on(cell, cast)
        promises.one_living_key(cell, cast)
        promises.secrets(cell)


def every_known_copy_is_true(cell: Cell, cast: Cast) -> None:
    """What the store knows of is drawn as it is stored. What was posted in that second is known to nobody."""
    seen = [*cast.person.messages("dm"), *cell.world.carol.messages(CARDS)]
    cell.drawings_lost = len([one for one in seen if one.user == BOT_USER])
    promises.messages(cell, cast)


def test_a_key_delivered_in_the_lost_second_is_disabled(
    shop: Workshop,
) -> None:
    with shop.cell() as cell:
        cast = lose(shop, cell, "reveal")
        [key] = cell.world.keys(cast.person)
        assert cell.world.keys(cast.person) == {key: "Inactive"}
        assert cast.person.wait_for("dm", button=action_ids.REVEAL)
        assert cell.world.carol.wait_for("key-approvals", key, button=action_ids.FOUND_DELETE)
        assert '"outcome": "lost writes"' in cell.log


def test_a_key_that_was_turned_off_in_that_second_stays_off(shop: Workshop) -> None:
    with shop.cell() as cell:
        cast = lose(shop, cell, "disable")
        cell.pass_time(minutes=20)
        assert cell.world.keys(cast.person) == {cast.key_id: "Inactive"}


def test_a_store_that_forgot_nothing_is_left_alone(shop: Workshop) -> None:
    with shop.cell() as cell:
        cell.start()
        world = cell.world
        person = world.engineer()
        world.approved(person)
        cell.sweep()
        shop.server.stop()
        shop.server.start()
        cell.sweep()
        cell.pass_time(minutes=1)
        assert "lost writes" not in cell.log
        assert world.reveals(person)

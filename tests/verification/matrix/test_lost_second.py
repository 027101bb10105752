"""Roll the database back by a second: at most one key lives for a request.

Redis with `appendfsync everysec`, or a promoted replica, acknowledges writes and may forget them.
Keydesk's own server (`appendfsync always`) does not: `tests/verification/crashes`. Each journey is
walked to its end, then the database is as it was before the click. Its decisions are lost
(`docs/how-it-works.md`).
"""

from __future__ import annotations

import shutil

import pytest

from bot.slack import action_ids
from sandbox.people import BOT_USER
from tests.verification.matrix import promises
from tests.verification.matrix.cell import Cell
from tests.verification.matrix.crash import go_on
from tests.verification.matrix.harness import Workshop
from tests.verification.matrix.journeys import FAULT_JOURNEYS
from tests.verification.matrix.steps import CARDS, Cast

ORDINARY = {"reveal", "I have it", "disable"}
NO_REQUEST_LEFT = {"create", "rotate"}
"""The request itself is forgotten, so Keydesk knows nothing of its messages."""
WRITE_NOTHING = {"deny, the form opens", "delete, the question", "an approver reports a leak"}
NOT_RENDERED = {"an approver disables a reported key"}
"""Nothing is ever due for a key that was only reported, so its card is not updated."""
LEFT_OUT = NO_REQUEST_LEFT | WRITE_NOTHING | NOT_RENDERED
JOURNEYS = [
    name if name in ORDINARY else pytest.param(name, marks=pytest.mark.matrix)
    for name, journey in FAULT_JOURNEYS.items()
    if not journey.by_time and name not in LEFT_OUT
]


def lose(shop: Workshop, cell: Cell, name: str) -> Cast:
    """Walk a journey, let the database forget it, and let the scheduler run."""
    journey = FAULT_JOURNEYS[name]
    cell.start()
    cast = journey.arrange(cell)
    cell.rest()
    cell.sweep()  # it has seen the newest entry
    data, copy = shop.folder / "data" / "appendonlydir", shop.folder / "older"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(data, copy)
    cell.click(lambda: journey.act(cell, cast))
    cell.rest(lambda: journey.done(cell, cast))
    cell.sweep()
    written = cell.world.store.trail().last_number()
    shop.server.stop()
    shutil.rmtree(data)
    shutil.copytree(copy, data)
    shop.server.start()
    assert cell.world.store.trail().last_number() < written, "nothing was forgotten"
    cell.unlock()
    cell.pass_time(minutes=1)
    return cast


def check_known_messages(cell: Cell, cast: Cast) -> None:
    """Check the messages that the database knows. It forgot those of that second."""
    seen = [*cast.person.messages("dm"), *cell.world.carol.messages(CARDS)]
    cell.messages_lost = len([one for one in seen if one.user == BOT_USER])
    promises.check_messages(cell, cast)


@pytest.mark.parametrize("name", JOURNEYS)
def test_a_rolled_back_database_leaves_one_key_at_most(shop: Workshop, name: str) -> None:
    with shop.cell(**FAULT_JOURNEYS[name].settings) as cell:
        cast = lose(shop, cell, name)
        promises.check_one_living_key(cell, cast)
        check_known_messages(cell, cast)
        for minutes in (1, 20, 75):
            cell.pass_time(minutes=minutes)
            promises.check_one_living_key(cell, cast)
        check_known_messages(cell, cast)
        go_on(cell, cast)
        promises.check_one_living_key(cell, cast)
        promises.check_secrets(cell)


def test_a_key_delivered_in_the_lost_second_is_disabled(shop: Workshop) -> None:
    with shop.cell() as cell:
        cast = lose(shop, cell, "reveal")
        [key] = cell.world.keys(cast.person)
        assert cell.world.keys(cast.person) == {key: "Inactive"}
        assert cast.person.wait_for("dm", button=action_ids.REVEAL)
        assert cell.world.carol.wait_for(CARDS, key, button=action_ids.FOUND_DELETE)
        assert '"outcome": "lost writes"' in cell.log


def test_a_key_disabled_in_the_lost_second_stays_off(shop: Workshop) -> None:
    with shop.cell() as cell:
        cast = lose(shop, cell, "disable")
        cell.pass_time(minutes=20)
        assert cell.world.keys(cast.person) == {cast.key_id: "Inactive"}


def test_a_restarted_database_counts_as_unchanged(shop: Workshop) -> None:
    with shop.cell() as cell:
        cell.start()
        person = cell.world.engineer()
        cell.world.approved(person)
        cell.sweep()
        shop.server.stop()
        shop.server.start()
        cell.sweep()
        cell.pass_time(minutes=1)
        assert "lost writes" not in cell.log
        assert cell.world.reveals(person)

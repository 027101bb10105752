"""Run a process whose clock is an hour off: it changes nothing, and recovers."""

from __future__ import annotations

import pytest

from bot.domain.errors import ClockSkewed
from bot.slack import action_ids
from tests.verification.matrix.faults import AN_HOUR, is_time, time_moved
from tests.verification.matrix.harness import Workshop


@pytest.mark.parametrize("store_ahead", [AN_HOUR, -AN_HOUR], ids=["an hour behind", "ahead"])
def test_a_skewed_clock_stops_sweeps_and_reveals(shop: Workshop, store_ahead: int) -> None:
    with shop.cell() as cell:
        bot, world = cell.start(), cell.world
        person, waiting = world.engineer(), world.engineer()
        world.approved(person)
        world.asks(waiting)
        cell.rest()
        bot.gates.always(is_time, "before", time_moved(store_ahead))

        person.click(world.revealable(person), action_ids.REVEAL)
        world.answered(person, ClockSkewed)
        cell.clock.move(hours=25)  # a reminder of the approvers is due
        bot.forked.ask("sweep")
        cell.rest()
        assert world.request(person).status == "approved" and not world.changes(person)
        assert world.request(waiting).reminders == ()
        assert '"outcome": "clock skewed"' in cell.log

        bot.gates.clear()
        cell.sweep()
        assert world.request(waiting).reminders == ("1",)
        key = world.reveals(person)
        assert world.keys(person) == {key.key_id: "Active"}


def test_a_skewed_clock_expires_no_request(shop: Workshop) -> None:
    with shop.cell() as cell:
        bot, world = cell.start(), cell.world
        person = world.engineer()
        card = world.asks(person)
        cell.rest()
        cell.clock.move(hours=73)  # its own clock runs ahead
        bot.gates.always(is_time, "before", time_moved(-AN_HOUR))

        world.carol.click(card, action_ids.APPROVE)
        world.answered(world.carol, ClockSkewed)
        assert world.request(person).status == "pending"


def test_another_process_with_a_right_clock_sweeps(shop: Workshop) -> None:
    with shop.cell() as cell:
        wrong, world = cell.start(), cell.world
        person = world.engineer()
        world.asks(person)
        cell.rest()
        wrong.gates.always(is_time, "before", time_moved(AN_HOUR))
        right = cell.start()
        cell.clock.move(hours=25)
        wrong.forked.ask("sweep")
        assert world.request(person).reminders == ()
        right.forked.ask("sweep")
        assert world.request(person).reminders == ("1",)

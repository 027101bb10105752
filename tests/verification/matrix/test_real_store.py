"""Run with a Valkey that takes no writes: out of memory, or read-only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.errors import DeliveryFailed
from bot.domain.outside_errors import StoreUnavailable
from bot.slack import action_ids
from tests.support.seen_by_user import shown_keys
from tests.verification.matrix.cell import Cell
from tests.verification.matrix.gates import PASS, Call, Point
from tests.verification.matrix.harness import Workshop


@contextmanager
def out_of_memory(cell: Cell) -> Iterator[None]:
    """Make `maxmemory` as small as can be. The server evicts nothing."""
    redis: Any = cell.world.redis
    redis.config_set("maxmemory", "1mb")
    try:
        yield
    finally:
        redis.config_set("maxmemory", "0")


@contextmanager
def read_only(cell: Cell) -> Iterator[None]:
    """Make the server a replica whose primary is missing, as after a failover."""
    redis: Any = cell.world.redis
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        redis.execute_command("REPLICAOF", "NO", "ONE")


OUTAGES: dict[str, Callable[[Cell], Any]] = {"out of memory": out_of_memory, "read-only": read_only}


@pytest.mark.parametrize("outage", OUTAGES)
def test_a_database_without_writes_loses_no_approval(shop: Workshop, outage: str) -> None:
    with shop.cell() as cell:
        cell.start()
        world = cell.world
        person, waiting = world.engineer(), world.engineer()
        world.approved(person)
        card = world.asks(waiting)
        cell.rest()
        before = (world.request(person), world.request(waiting))
        with OUTAGES[outage](cell):
            person.command("/key create another")
            world.answered(person, StoreUnavailable)
            person.click(world.revealable(person), action_ids.REVEAL)
            world.answered(person, StoreUnavailable)
            world.carol.click(card, action_ids.APPROVE)
            world.answered(world.carol, StoreUnavailable)
            cell.bot.forked.ask("sweep")
        assert (world.request(person), world.request(waiting)) == before
        assert not world.changes(person) and not world.changes(waiting)
        world.carol.click(card, action_ids.APPROVE)
        world.revealable(waiting)
        key = world.reveals(person)
        assert world.keys(person) == {key.key_id: "Active"}


@pytest.mark.parametrize("outage", OUTAGES)
def test_a_key_that_cannot_be_recorded_is_deleted(shop: Workshop, outage: str) -> None:
    with shop.cell() as cell:
        bot = cell.start()
        world = cell.world
        person = world.engineer()
        message = world.approved(person)
        cell.rest()
        cell.begin()
        without_writes = OUTAGES[outage](cell)

        def stop_writing(call: Call) -> str:
            without_writes.__enter__()
            return PASS

        bot.gates.at(Point("iam", "CreateAccessKey", 1), "after", stop_writing)
        person.click(message, action_ids.REVEAL)
        answer = world.answered(person, DeliveryFailed, Code.UNRECORDED_KEY_DELETED)
        assert answer.facts["cause"] == Code.KEY_NOT_RECORDED
        assert world.keys(person) == {} and shown_keys(person) == []
        without_writes.__exit__(None, None, None)
        cell.unlock()
        for minutes in (2, 30):
            cell.pass_time(minutes=minutes)
        key = world.reveals(person)
        assert world.keys(person) == {key.key_id: "Active"}

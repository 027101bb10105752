"""A Valkey that really takes no writes: out of memory, read-only, or gone. What do people read, and what is left?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from bot.slack.messages.errors import text
from tests.support.running_world import handed_over
from tests.verification.matrix.gates import PASS, Call, Point
from tests.verification.matrix.harness import Cell, Workshop

NO_MEMORY = text(Code.STORE_UNAVAILABLE, {})


@contextmanager
def out_of_memory(cell: Cell) -> Iterator[None]:
    """The server's `maxmemory` is as small as can be, and it evicts nothing."""
    redis: Any = cell.world.redis
    redis.config_set("maxmemory", "1mb")
    try:
        yield
    finally:
        redis.config_set("maxmemory", "0")


@contextmanager
def read_only(cell: Cell) -> Iterator[None]:
    """The server has become a replica, as after a failover; its new primary is not there."""
    redis: Any = cell.world.redis
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        redis.execute_command("REPLICAOF", "NO", "ONE")


AWAY: dict[str, Callable[[Cell], Any]] = {"out of memory": out_of_memory, "read-only": read_only}


@pytest.mark.parametrize("away", AWAY)
def test_a_read_only_server_loses_no_approval(shop: Workshop, away: str) -> None:
    with shop.cell() as cell:
        cell.start()
        world = cell.world
        person, waiting = world.engineer(), world.engineer()
        world.approved(person)
        card = world.asks(waiting)
        cell.rest()
        before = (world.request(person), world.request(waiting))
        with AWAY[away](cell):
            person.command("/key create another")
            person.wait_for("general", NO_MEMORY)
            person.click(world.revealable(person), action_ids.REVEAL)
            person.wait_for("dm", NO_MEMORY)
            world.carol.click(card, action_ids.APPROVE)
            world.carol.wait_for("key-approvals", NO_MEMORY)
            cell.bot.forked.ask("sweep")
        assert (world.request(person), world.request(waiting)) == before
        assert not world.changes(person) and not world.changes(waiting)
        world.carol.click(card, action_ids.APPROVE)
        world.revealable(waiting)
        key = world.reveals(person)
        assert world.keys(person) == {key.key_id: "Active"}


@pytest.mark.parametrize("away", AWAY)
def test_a_key_that_cannot_be_written_is_deleted_unseen(shop: Workshop, away: str) -> None:
    with shop.cell() as cell:
        bot = cell.start()
        world = cell.world
        person = world.engineer()
        message = world.approved(person)
        cell.rest()
        cell.begin()
        gone = AWAY[away](cell)

        def stop_writing(call: Call) -> str:
            gone.__enter__()
            return PASS

        bot.gates.at(Point("iam", "CreateAccessKey", 1), "after", stop_writing)
        person.click(message, action_ids.REVEAL)
        told = person.wait_for("dm", "Keydesk couldn't record the new key")
        assert "was deleted again: don't use it" in told.words
        assert world.keys(person) == {} and handed_over(person) == []
        gone.__exit__(None, None, None)
        cell.unlock()
        for minutes in (2, 30):
            cell.pass_time(minutes=minutes)
        key = world.reveals(person)
        assert world.keys(person) == {key.key_id: "Active"}

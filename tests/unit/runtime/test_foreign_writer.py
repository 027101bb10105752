"""A foreign program that writes to the database without the key hides no line unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from bot.domain.store_ports import AuditTrail
from bot.runtime.audit_publisher import FOREIGN_WRITER, LEADERSHIP_SECONDS
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from tests.support.logged import Log
from tests.support.memory_store import FakeClock
from tests.support.memory_trail import KEY
from tests.support.publisher_rounds import Board, audit_publisher, note, numbers, written


def passed_over(log: Log) -> list[str]:
    return [
        line["reader"]
        for line in log.lines("audit trail")
        if line["outcome"] == "cursor moved ahead"
    ]


def test_foreign_cursor_move_hides_no_line(
    redis_store: RedisStore, clock: FakeClock, log: Log
) -> None:
    board = Board()
    leads = audit_publisher(redis_store.trail(), clock, channel=board)
    note(redis_store, 2)
    leads.run_once()
    for reader in ("log", "channel"):
        redis_store._client.hset("{keydesk}:audit:cursors", reader, "9999999999999-0")
    note(redis_store, 3)
    for _ in range(2):
        clock.advance(timedelta(seconds=3))
        leads.run_once()
    assert written(log) == [1, 2, "seal", 3, 4, 5, "seal"] == numbers(board.posted)
    assert passed_over(log) == ["log", "channel"]


@pytest.mark.parametrize("stream_id", ["9999999999999-0", "9999999999999", "no place at all", "+"])
def test_new_leader_rereads_if_a_cursor_is_beyond_the_end(
    redis_store: RedisStore, clock: FakeClock, log: Log, stream_id: str
) -> None:
    note(redis_store, 2)
    redis_store._client.hset("{keydesk}:audit:cursors", "log", stream_id)
    audit_publisher(redis_store.trail(), clock).run_once()
    assert [n for n in written(log) if n != "seal"] == [1, 2] and passed_over(log) == ["log"]


def test_rollback_or_another_leader_is_not_reported(
    redis_store: RedisStore, clock: FakeClock, log: Log
) -> None:
    one, other = (
        audit_publisher(redis_store.trail(), clock, "a"),
        audit_publisher(redis_store.trail(), clock, "b"),
    )
    note(redis_store, 2)
    one.run_once()
    begun = redis_store.trail().cursor("log")
    redis_store._client.delete("{keydesk}:audit:leader")
    note(redis_store, 2)
    other.run_once()
    assert not one.run_once()
    redis_store._client.delete("{keydesk}:audit:leader")
    one.run_once()
    redis_store._client.hset("{keydesk}:audit:cursors", "log", begun)
    one.run_once()
    assert passed_over(log) == [] and {*written(log)} == {1, 2, 3, 4, "seal"}


def test_paused_leader_does_not_report_tampering(
    redis_store: RedisStore, clock: FakeClock, log: Log
) -> None:
    class StandsStill:
        """A trail at whose next question for the seal a process stands still, once `meanwhile` is set."""

        meanwhile: Callable[[], object] | None = None

        def last_seal(self) -> tuple[str, str]:
            work, self.meanwhile = self.meanwhile, None
            if work:
                work()
            return redis_store.trail().last_seal()

        def __getattr__(self, name: str) -> Any:
            return getattr(redis_store.trail(), name)

    trail, board = StandsStill(), Board()
    one = audit_publisher(cast(AuditTrail, trail), clock, "a", channel=board)
    other = audit_publisher(redis_store.trail(), clock, "b", channel=board)
    note(redis_store, 2)
    one.run_once()

    def another_leads() -> None:
        redis_store._client.delete("{keydesk}:audit:leader")  # as its time ends in the store
        clock.advance(timedelta(seconds=LEADERSHIP_SECONDS))
        note(redis_store, 2)
        other.run_once()

    trail.meanwhile = another_leads
    one.run_once()
    assert trail.meanwhile is None and passed_over(log) == []
    assert {*written(log)} == {1, 2, 3, 4, "seal"} == {*numbers(board.posted)}


def test_forged_entry_is_logged_when_sealed(
    valkey: EmbeddedServer, redis_store: RedisStore, clock: FakeClock, log: Log
) -> None:
    signs = RedisStore(connect(valkey.url), audit_key=KEY)
    note(signs, 1)
    forged = {
        "number": "2",
        "at": "2026-11-24T10:02:00+00:00",
        "by": "U0CAROL",
        "action": "approve",
        "reason": "",
    }
    redis_store._client.xadd("{keydesk}:audit", forged)
    audit_publisher(redis_store.trail(), clock).run_once()
    [said] = log.lines("audit trail")
    assert (said["level"], said["number"]) == ("error", 2) and said["reason"] == FOREIGN_WRITER
    signs.close()

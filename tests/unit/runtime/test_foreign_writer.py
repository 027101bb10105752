"""A program that writes to the database without the key hides no line unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from bot.domain.store_ports import AuditTrail
from bot.runtime.audit_publisher import FOREIGN_WRITER, LEADERSHIP_SECONDS
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from tests.support.memory_trail import KEY
from tests.support.publisher_rounds import note
from tests.unit.runtime.publishing import LEADER, Publishing

CURSORS = "{keydesk}:audit:cursors"


def skipped_readers(publishing: Publishing) -> list[str]:
    """Return the readers whose cursor was moved ahead, as logged."""
    lines = publishing.log.lines("audit trail")
    return [line["reader"] for line in lines if line["outcome"] == "cursor moved ahead"]


def test_foreign_cursor_move_hides_no_line(publishing: Publishing) -> None:
    leader = publishing.publisher()
    publishing.note(2)
    leader.run_once()
    for reader in ("log", "channel"):
        publishing.redis.hset(CURSORS, reader, "9999999999999-0")
    publishing.note(3)
    for _ in range(2):
        publishing.later()
        leader.run_once()
    assert publishing.logged() == [1, 2, "seal", 3, 4, 5, "seal"] == publishing.posted()
    assert skipped_readers(publishing) == ["log", "channel"]


@pytest.mark.parametrize("stream_id", ["9999999999999-0", "9999999999999", "no place at all", "+"])
def test_new_leader_rereads_if_a_cursor_is_beyond_the_end(
    publishing: Publishing, stream_id: str
) -> None:
    publishing.note(2)
    publishing.redis.hset(CURSORS, "log", stream_id)
    publishing.publisher(channel=None).run_once()
    assert publishing.logged() == [1, 2, "seal"] and skipped_readers(publishing) == ["log"]


def test_rollback_or_another_leader_is_not_reported(publishing: Publishing) -> None:
    one, other = (publishing.publisher(token, channel=None) for token in "ab")
    publishing.note(2)
    one.run_once()
    before = publishing.store.trail().cursor("log")
    publishing.redis.delete(LEADER)
    publishing.note(2)
    other.run_once()
    assert not one.run_once()
    publishing.redis.delete(LEADER)
    one.run_once()
    publishing.redis.hset(CURSORS, "log", before)
    one.run_once()
    assert skipped_readers(publishing) == [] and {*publishing.logged()} == {1, 2, 3, 4, "seal"}


class PausingTrail:
    """A trail whose process pauses at its next read of the seal for `meanwhile`."""

    def __init__(self, trail: AuditTrail) -> None:
        self.meanwhile: Callable[[], object] | None = None
        self._trail = trail

    def last_seal(self) -> tuple[str, str]:
        work, self.meanwhile = self.meanwhile, None
        if work:
            work()
        return self._trail.last_seal()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trail, name)


def test_paused_leader_does_not_report_tampering(publishing: Publishing) -> None:
    trail = PausingTrail(publishing.store.trail())
    one = publishing.publisher("a", cast(AuditTrail, trail))
    publishing.note(2)
    one.run_once()

    def another_leads() -> None:
        publishing.redis.delete(LEADER)  # as its time ends in the database
        publishing.later(LEADERSHIP_SECONDS)
        publishing.note(2)
        publishing.publisher("b").run_once()

    trail.meanwhile = another_leads
    one.run_once()
    assert trail.meanwhile is None and skipped_readers(publishing) == []
    assert {*publishing.logged()} == {1, 2, 3, 4, "seal"} == {*publishing.posted()}


def test_forged_entry_is_logged_when_sealed(valkey: EmbeddedServer, publishing: Publishing) -> None:
    signing = RedisStore(connect(valkey.url), audit_key=KEY)
    note(signing, 1)
    signing.close()
    publishing.redis.xadd("{keydesk}:audit", {"number": "2", "by": "U0CAROL", "action": "deny"})
    publishing.publisher().run_once()
    [line] = publishing.log.lines("audit trail")
    assert (line["level"], line["number"], line["reason"]) == ("error", 2, FOREIGN_WRITER)

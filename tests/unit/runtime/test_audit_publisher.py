"""Publish the audit trail to the log and to Slack, and seal it. No kill loses a line."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, cast

import pytest

from bot.domain.audit.seals import Seal, is_seal_valid
from bot.domain.ports import AuditChannel
from bot.domain.store_ports import AuditTrail
from bot.runtime.audit_publisher import BATCH_SIZE, LEADERSHIP_SECONDS
from bot.store.connection import connect
from bot.store.redis_store import RedisStore
from bot.store.redis_trail import RedisTrail
from tests.support.logged import Log, logged
from tests.support.memory_store import FakeClock
from tests.support.memory_trail import KEY
from tests.support.publisher_rounds import Board, audit_publisher, note, numbers, whole, written
from tests.support.running_bot import wait_for
from tests.support.taps import ProcessDied, Tapped, Taps

STEPS_OF_A_ROUND = 16
"""Calls that one round makes of the trail and of Slack, at the most."""


def test_run_logs_seals_and_posts_new_entries(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log
) -> None:
    board = Board()
    note(redis_store, 3)
    assert not audit_publisher(trail, clock, channel=board).run_once()
    assert numbers(trail.lines()) == [1, 2, 3, "seal"] == written(log) == numbers(board.posted)
    [line] = [line for line in log.lines("audit") if line["number"] == 2]
    assert (
        line["logger"],
        line["level"],
        line["by"],
        line["action"],
        line["request_id"],
        line["reason"],
    ) == ("keydesk.audit", "info", "U1", "approve", "r1", "deploy")
    assert len(line["digest"]) == 64 and line["when"] == trail.lines()[1].fields["at"]


def test_run_without_new_entries_does_nothing(
    trail: RedisTrail, clock: FakeClock, redis_store: RedisStore, log: Log
) -> None:
    one = audit_publisher(trail, clock, channel=(board := Board()))
    one.run_once()
    note(redis_store, 1)
    for _ in range(5):
        clock.advance(timedelta(seconds=3))
        one.run_once()
    assert numbers(trail.lines()) == [1, "seal"] == written(log) == numbers(board.posted)


def test_seal_covers_the_previous_seal_and_new_entries(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log
) -> None:
    for count in (2, 1, 3):
        note(redis_store, count)
        audit_publisher(trail, clock).run_once()
    lines = [line for line in trail.lines() if line.is_seal]
    seals = [Seal.read(line) for line in lines]
    assert [seal.numbers for seal in seals] == [[1, 2], [3], [4, 5, 6]]
    assert [seal.previous for seal in seals] == ["", seals[0].value, seals[1].value]
    assert all(is_seal_valid(line, KEY) and not is_seal_valid(line, KEY + "x") for line in lines)


def test_nothing_is_sealed_without_a_key(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log
) -> None:
    note(redis_store, 2)
    audit_publisher(trail, clock, key="").run_once()
    assert numbers(trail.lines()) == [1, 2] == written(log)


def test_channel_set_later_gets_only_later_entries(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log
) -> None:
    note(redis_store, 3)
    audit_publisher(trail, clock, key="").run_once()
    note(redis_store, 1)
    board = Board()
    audit_publisher(trail, clock, key="", channel=board).run_once()
    assert numbers(board.posted) == [4]


def test_long_backlog_is_published_at_once(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log
) -> None:
    note(redis_store, BATCH_SIZE + 5)
    board, rounds = Board(size=100), 0
    one = audit_publisher(trail, clock, channel=board)
    while one.run_once():
        rounds += 1
        clock.advance(timedelta(seconds=1))
    assert whole(trail, log) and rounds < 9
    assert set(numbers(board.posted)) == {*range(1, BATCH_SIZE + 6), "seal"}


# -- several, and killed ones


def test_another_process_leads_when_the_leader_ends(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log
) -> None:
    first, second = audit_publisher(trail, clock, "a"), audit_publisher(trail, clock, "b")
    first.run_once()
    note(redis_store, 1)
    second.run_once()
    assert written(log) == []
    first.start()
    first.stop()
    second.run_once()
    assert written(log) == [1, "seal"]
    assert 0 < redis_store._client.ttl("{keydesk}:audit:leader") <= LEADERSHIP_SECONDS


def test_stop_logs_and_seals_the_last_entries(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log
) -> None:
    one = audit_publisher(trail, clock)
    one.start()
    wait_for(
        lambda: redis_store._client.exists("{keydesk}:audit:leader"), 10, lambda: "the first round"
    )
    note(redis_store, 2)
    one.stop()
    assert [n for n in written(log) if n != "seal"] == [1, 2] and whole(trail, log)


class EverybodyLeads:
    """A trail whose lock excludes no process, as after a pause of the leader."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail

    def acquire_leadership(self, token: str, seconds: int) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trail, name)


def test_two_publishers_seal_each_entry_once(
    redis_store: RedisStore, clock: FakeClock, log: Log
) -> None:
    """Even where both take themselves for the leader: the slower one of two seals is not written."""
    done = threading.Event()

    def audit(token: str) -> None:
        one = audit_publisher(cast(AuditTrail, EverybodyLeads(redis_store.trail())), clock, token)
        while not done.is_set():
            one.run_once()
        one.run_once()

    with ThreadPoolExecutor(5) as pool:
        audits = [pool.submit(audit, str(n)) for n in range(4)]
        note(redis_store, 150)
        done.set()
        for one in audits:
            one.result(30)
    # The moved cursor is logged. Here the lock failed, and no foreign program moved it.
    assert {line["outcome"] for line in log.lines("audit trail")} <= {"cursor moved ahead"}
    assert whole(redis_store.trail(), log)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("step", range(1, STEPS_OF_A_ROUND + 1))
def test_killed_publisher_repeats_lines_at_most(
    redis_store: RedisStore, clock: FakeClock, log: Log, step: int, side: str
) -> None:
    board, taps = Board(), Taps()
    first = audit_publisher(redis_store.trail(), clock, channel=board)
    note(redis_store, 2)
    first.run_once()
    clock.advance(timedelta(seconds=3))
    note(redis_store, 3)
    taps.break_at(step, side)
    dying = audit_publisher(
        cast(AuditTrail, Tapped("trail", redis_store.trail(), taps)),
        clock,
        channel=cast(AuditChannel, Tapped("slack", board, taps)),
    )
    try:
        dying.run_once()
        died = False
    except ProcessDied:
        died = True
    assert died == (step <= len(taps.calls))
    clock.advance(timedelta(seconds=3))
    audit_publisher(redis_store.trail(), clock, channel=board).run_once()
    assert whole(redis_store.trail(), log)
    assert {*numbers(board.posted)} == {1, 2, 3, 4, 5, "seal"} and len(board.posted) <= 2 * 7
    times = Counter(written(log))
    assert (
        times[1] == times[2] == 1 and max(times[3], times[4], times[5]) <= 2 and times["seal"] <= 3
    )


def test_every_step_of_a_run_is_tried(redis_store: RedisStore, clock: FakeClock, log: Log) -> None:
    taps, board = Taps(), Board()
    note(redis_store, 1)
    audit_publisher(
        cast(AuditTrail, Tapped("trail", redis_store.trail(), taps)),
        clock,
        channel=cast(AuditChannel, Tapped("slack", board, taps)),
    ).run_once()
    assert len(taps.calls) == STEPS_OF_A_ROUND, taps.calls


def test_unavailable_database_is_logged_and_tried_again(clock: FakeClock, log: Log) -> None:
    away = RedisStore(connect("unix:///there/is/none"))
    assert not audit_publisher(away.trail(), clock).run_once()
    [line] = log.lines("audit trail")
    assert (line["level"], line["outcome"]) == ("warning", "database unavailable")


def test_unexpected_error_is_logged(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log
) -> None:
    redis_store._client.set("{keydesk}:audit", "no stream at all")
    assert not audit_publisher(trail, clock).run_once()
    assert [line["outcome"] for line in log.lines("audit trail")] == ["failed"]


def test_trail_is_logged_at_every_level(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock
) -> None:
    note(redis_store, 1)
    with logged("error") as log:
        audit_publisher(trail, clock).run_once()
        assert [line["action"] for line in log.lines()] == ["approve", "seal"]

"""The audit trail is published and sealed, and no kill loses a line."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from bot.domain.audit.seals import Seal, is_seal_valid, to_record
from bot.domain.ports import AuditChannel
from bot.domain.store_ports import AuditTrail
from bot.runtime.audit_publisher import BATCH_SIZE, LEADERSHIP_SECONDS, AuditPublisher
from bot.store.connection import connect
from bot.store.redis_store import RedisStore
from tests.support.logged import logged
from tests.support.memory_trail import KEY
from tests.support.publisher_rounds import Board, numbers
from tests.support.running_bot import wait_for
from tests.support.taps import ProcessDied, Tapped, Taps
from tests.unit.runtime.publishing import LEADER, Publishing

STEPS_OF_A_ROUND = 16
"""Calls that one round makes of the trail and of Slack, at the most."""


def test_run_logs_seals_and_posts_new_entries(publishing: Publishing) -> None:
    publishing.note(3)
    assert not publishing.publisher().run_once()
    published = [1, 2, 3, "seal"]
    assert numbers(publishing.lines) == published == publishing.logged() == publishing.posted()
    [line] = [line for line in publishing.log.lines("audit") if line["number"] == 2]
    about = {"logger": "keydesk.audit", "level": "info", "event": "audit", "at": line["at"]}
    assert line == about | to_record(publishing.lines[1]) and len(line["digest"]) == 64
    assert (line["by"], line["action"], line["reason"]) == ("U1", "approve", "deploy")


def test_run_without_new_entries_does_nothing(publishing: Publishing) -> None:
    one = publishing.publisher()
    one.run_once()
    publishing.note(1)
    for _ in range(5):
        publishing.later()
        one.run_once()
    published = [1, "seal"]
    assert numbers(publishing.lines) == published == publishing.logged() == publishing.posted()


def test_seal_covers_the_previous_seal_and_new_entries(publishing: Publishing) -> None:
    for count in (2, 1, 3):
        publishing.note(count)
        publishing.publisher().run_once()
    lines = [line for line in publishing.lines if line.is_seal]
    seals = [Seal.read(line) for line in lines]
    assert [seal.numbers for seal in seals] == [[1, 2], [3], [4, 5, 6]]
    assert [seal.previous for seal in seals] == ["", seals[0].value, seals[1].value]
    assert all(is_seal_valid(line, KEY) and not is_seal_valid(line, KEY + "x") for line in lines)


def test_nothing_is_sealed_without_a_key(publishing: Publishing) -> None:
    publishing.note(2)
    publishing.publisher(key="").run_once()
    assert numbers(publishing.lines) == [1, 2] == publishing.logged()


def test_channel_set_later_gets_only_later_entries(publishing: Publishing) -> None:
    publishing.note(3)
    publishing.publisher(key="", channel=None).run_once()
    publishing.note(1)
    publishing.publisher(key="").run_once()
    assert publishing.posted() == [4]


def test_long_backlog_is_published_at_once(publishing: Publishing) -> None:
    publishing.board, rounds = Board(size=100), 0
    publishing.note(BATCH_SIZE + 5)
    one = publishing.publisher()
    while one.run_once():
        rounds += 1
        publishing.later(1)
    assert publishing.is_whole() and rounds < 9
    assert set(publishing.posted()) == {*range(1, BATCH_SIZE + 6), "seal"}


# -- several processes, and killed ones


def test_another_process_leads_when_the_leader_ends(publishing: Publishing) -> None:
    first, second = (publishing.publisher(token) for token in "ab")
    first.run_once()
    publishing.note(1)
    second.run_once()
    assert publishing.logged() == []
    first.start()
    first.stop()
    second.run_once()
    assert publishing.logged() == [1, "seal"]
    assert 0 < publishing.redis.ttl(LEADER) <= LEADERSHIP_SECONDS


def test_stop_logs_and_seals_the_last_entries(publishing: Publishing) -> None:
    one = publishing.publisher()
    one.start()
    wait_for(lambda: publishing.redis.exists(LEADER), 10, lambda: "the first round")
    publishing.note(2)
    one.stop()
    assert [n for n in publishing.logged() if n != "seal"] == [1, 2] and publishing.is_whole()


class EachProcessLeads:
    """A trail whose lock excludes no process, as after a pause of the leader."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail

    def acquire_leadership(self, token: str, seconds: int) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trail, name)


def test_two_publishers_seal_each_entry_once(publishing: Publishing) -> None:
    """The slower one of two seals is not written, even if both processes lead."""
    done = threading.Event()

    def publish(token: str) -> None:
        trail = cast(AuditTrail, EachProcessLeads(publishing.store.trail()))
        one = publishing.publisher(token, trail, channel=None)
        while not done.is_set():
            one.run_once()
        one.run_once()

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(publish, str(n)) for n in range(4)]
        publishing.note(100)
        done.set()
        for one in running:
            one.result(30)
    # The moved cursor is logged. Here the lock failed, and no foreign program moved it.
    outcomes = {line["outcome"] for line in publishing.log.lines("audit trail")}
    assert outcomes <= {"cursor moved ahead"} and publishing.is_whole()


def tapped_publisher(publishing: Publishing, taps: Taps) -> AuditPublisher:
    """Return a publisher whose every call of the trail and of Slack is under `taps`."""
    trail = cast(AuditTrail, Tapped("trail", publishing.store.trail(), taps))
    channel = cast(AuditChannel, Tapped("slack", publishing.board, taps))
    return publishing.publisher(trail=trail, channel=channel)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("step", range(1, STEPS_OF_A_ROUND + 1))
def test_killed_publisher_repeats_lines_at_most(
    publishing: Publishing, step: int, side: str
) -> None:
    taps = Taps()
    publishing.note(2)
    publishing.publisher().run_once()
    publishing.later()
    publishing.note(3)
    taps.break_at(step, side)
    with pytest.raises(ProcessDied):
        tapped_publisher(publishing, taps).run_once()
    publishing.later()
    publishing.publisher().run_once()
    assert publishing.is_whole()
    assert {*publishing.posted()} == {1, 2, 3, 4, 5, "seal"} and len(publishing.posted()) <= 2 * 7
    times = Counter(publishing.logged())
    assert times[1] == times[2] == 1 and times["seal"] <= 3
    assert max(times[3], times[4], times[5]) <= 2


def test_every_step_of_a_run_is_tried(publishing: Publishing) -> None:
    taps = Taps()
    publishing.note(1)
    tapped_publisher(publishing, taps).run_once()
    assert len(taps.calls) == STEPS_OF_A_ROUND, taps.calls


# -- what goes wrong


def test_unavailable_database_is_logged_and_tried_again(publishing: Publishing) -> None:
    away = RedisStore(connect("unix:///there/is/none"))
    assert not publishing.publisher(trail=away.trail()).run_once()
    [line] = publishing.log.lines("audit trail")
    assert (line["level"], line["outcome"]) == ("warning", "database unavailable")


def test_unexpected_error_is_logged(publishing: Publishing) -> None:
    publishing.redis.set("{keydesk}:audit", "no stream at all")
    assert not publishing.publisher().run_once()
    assert [line["outcome"] for line in publishing.log.lines("audit trail")] == ["failed"]


def test_trail_is_logged_at_every_level(publishing: Publishing) -> None:
    publishing.note(1)
    with logged("error") as log:
        publishing.publisher().run_once()
        assert [line["action"] for line in log.lines()] == ["approve", "seal"]

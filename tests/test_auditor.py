"""The auditor carries each line of the trail to the log and to Slack and seals it: killed anywhere, none is lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, cast

import pytest
from slack_sdk import WebClient

from bot.auditor import LEAD_SECONDS, SLICE, Auditor
from bot.core.audit import Seal, is_authentic
from bot.core.ports import AuditChannel, AuditTrail, Entry, Line
from bot.core.verify import Kept, Trail, verify
from bot.slack.audit_channel import LATER, MUCH_LATER, PACE, SlackAuditChannel
from bot.store.redis_store import RedisStore, connect
from bot.store.redis_trail import RedisTrail
from sandbox.local import LocalSlack
from tests.core.taps import ProcessDied, Tapped, Taps
from tests.fakes import FakeClock
from tests.logged import Log, logged
from tests.running import MANIFEST, wait_for
from tests.trail import KEY

STEPS_OF_A_ROUND = 14
"""Calls that one round makes of the trail and of Slack, at the most."""


class Board:
    """An AuditChannel that holds `size` lines in a message; `posted` is what stands there."""

    def __init__(self, size: int = 10) -> None:
        self.posted: list[Line] = []
        self.away = False
        self._size = size

    def post(self, lines: Sequence[Line]) -> tuple[int, float]:
        if self.away:
            return 0, 30.0
        self.posted += lines[:self._size]
        return min(self._size, len(lines)), 1.0


@pytest.fixture
def log() -> Iterator[Log]:
    with logged() as written:
        yield written


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def trail(redis_store: RedisStore) -> RedisTrail:
    return redis_store.trail()


def note(store: RedisStore, count: int, action: str = "approve") -> None:
    for _ in range(count):
        store.commit(entry=Entry(store.time(), "U1", action, "r1", why="deploy"))


def auditor(trail: AuditTrail, clock: FakeClock, token: str = "a", key: str = KEY,
            channel: AuditChannel | None = None) -> Auditor:
    return Auditor(trail, clock, token, key=key, channel=channel)


def numbers(lines: Sequence[Line]) -> list[int | str]:
    """The numbers of entries, and "seal" for each seal, in their order."""
    return ["seal" if line.is_seal else line.number for line in lines]


def written(log: Log) -> list[int | str]:
    return [line["number"] or "seal" for line in log.lines("audit")]


def whole(trail: RedisTrail, log: Log) -> bool:
    """Is every entry in the log, and is every seal right, over each entry once?"""
    lines, sealed = trail.lines(limit=9999), trail.sealed()[0]
    verdict = verify(Trail(lines, trail.numbered(), trail.numbered(), sealed), KEY, Kept())
    under = [number for line in lines if line.is_seal for number in Seal.read(line).numbers]
    entries = [line.number for line in lines if not line.is_seal]
    return (not verdict.problems and not verdict.unsealed and under == entries
            and set(written(log)) == {*entries, "seal"})


def test_a_round_writes_down_seals_and_posts_what_is_new(redis_store: RedisStore, trail: RedisTrail, clock: FakeClock,
                                                        log: Log) -> None:
    board = Board()
    note(redis_store, 3)
    assert not auditor(trail, clock, channel=board).round()
    assert numbers(trail.lines()) == [1, 2, 3, "seal"] == written(log) == numbers(board.posted)
    [line] = [line for line in log.lines("audit") if line["number"] == 2]
    assert (line["logger"], line["level"], line["by"], line["action"], line["request_id"], line["why"]) == (
        "keydesk.audit", "info", "U1", "approve", "r1", "deploy")
    assert len(line["digest"]) == 64 and line["when"] == trail.lines()[1].fields["at"]


def test_a_round_without_anything_new_says_nothing(trail: RedisTrail, clock: FakeClock, redis_store: RedisStore,
                                                   log: Log) -> None:
    one = auditor(trail, clock, channel=(board := Board()))
    one.round()
    note(redis_store, 1)
    for _ in range(5):
        clock.advance(timedelta(seconds=3))
        one.round()
    assert numbers(trail.lines()) == [1, "seal"] == written(log) == numbers(board.posted)


def test_each_seal_is_over_the_one_before_it_and_the_entries_since(redis_store: RedisStore, trail: RedisTrail,
                                                                   clock: FakeClock, log: Log) -> None:
    for count in (2, 1, 3):
        note(redis_store, count)
        auditor(trail, clock).round()
    lines = [line for line in trail.lines() if line.is_seal]
    seals = [Seal.read(line) for line in lines]
    assert [seal.numbers for seal in seals] == [[1, 2], [3], [4, 5, 6]]
    assert [seal.previous for seal in seals] == ["", seals[0].value, seals[1].value]
    assert all(is_authentic(line, KEY) and not is_authentic(line, KEY + "x") for line in lines)


def test_without_a_key_nothing_is_sealed(redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log) -> None:
    note(redis_store, 2)
    auditor(trail, clock, key="").round()
    assert numbers(trail.lines()) == [1, 2] == written(log)


def test_a_channel_that_is_set_later_begins_with_what_comes_then(redis_store: RedisStore, trail: RedisTrail,
                                                                 clock: FakeClock, log: Log) -> None:
    note(redis_store, 3)
    auditor(trail, clock, key="").round()
    note(redis_store, 1)
    board = Board()
    auditor(trail, clock, key="", channel=board).round()
    assert numbers(board.posted) == [4]


def test_more_than_one_round_holds_is_carried_on_with_at_once(redis_store: RedisStore, trail: RedisTrail,
                                                              clock: FakeClock, log: Log) -> None:
    note(redis_store, SLICE + 5)
    board, rounds = Board(size=100), 0
    one = auditor(trail, clock, channel=board)
    while one.round():
        rounds += 1
        clock.advance(timedelta(seconds=1))
    assert whole(trail, log) and rounds < 9
    assert set(numbers(board.posted)) == {*range(1, SLICE + 6), "seal"}


# -- several, and killed ones


def test_one_leads_and_another_follows_when_it_stops_or_dies(redis_store: RedisStore, trail: RedisTrail,
                                                             clock: FakeClock, log: Log) -> None:
    first, second = auditor(trail, clock, "a"), auditor(trail, clock, "b")
    first.round()
    note(redis_store, 1)
    second.round()
    assert written(log) == []
    first.start()
    first.stop()
    second.round()
    assert written(log) == [1, "seal"]
    assert 0 < redis_store._client.ttl("{keydesk}:audit:leader") <= LEAD_SECONDS


def test_stopping_writes_down_and_seals_what_was_done_last(redis_store: RedisStore, trail: RedisTrail,
                                                           clock: FakeClock, log: Log) -> None:
    one = auditor(trail, clock)
    one.start()
    wait_for(lambda: redis_store._client.exists("{keydesk}:audit:leader"), 10, lambda: "the first round")
    note(redis_store, 2)
    one.stop()
    assert [n for n in written(log) if n != "seal"] == [1, 2] and whole(trail, log)


class EverybodyLeads:
    """A trail whose lock keeps nobody away, as after a pause of the leader."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail

    def lead(self, token: str, seconds: int) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trail, name)


def test_two_auditors_at_once_never_seal_an_entry_twice_and_lose_none(redis_store: RedisStore, clock: FakeClock,
                                                                      log: Log) -> None:
    """Even where both take themselves for the leader: the slower one of two seals is not written."""
    done = threading.Event()

    def audit(token: str) -> None:
        one = auditor(cast(AuditTrail, EverybodyLeads(redis_store.trail())), clock, token)
        while not done.is_set():
            one.round()
        one.round()

    with ThreadPoolExecutor(5) as pool:
        audits = [pool.submit(audit, str(n)) for n in range(4)]
        note(redis_store, 150)
        done.set()
        for one in audits:
            one.result(30)
    assert log.lines("audit trail") == [] and whole(redis_store.trail(), log)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("step", range(1, STEPS_OF_A_ROUND + 1))
def test_killed_at_any_step_it_repeats_lines_at_most(redis_store: RedisStore, clock: FakeClock, log: Log, step: int,
                                                     side: str) -> None:
    board, taps = Board(), Taps()
    first = auditor(redis_store.trail(), clock, channel=board)
    note(redis_store, 2)
    first.round()
    clock.advance(timedelta(seconds=3))
    note(redis_store, 3)
    taps.break_at(step, side)
    dying = auditor(cast(AuditTrail, Tapped("trail", redis_store.trail(), taps)), clock,
                    channel=cast(AuditChannel, Tapped("slack", board, taps)))
    try:
        dying.round()
        died = False
    except ProcessDied:
        died = True
    assert died == (step <= len(taps.calls))
    clock.advance(timedelta(seconds=3))
    auditor(redis_store.trail(), clock, channel=board).round()
    assert whole(redis_store.trail(), log)
    assert {*numbers(board.posted)} == {1, 2, 3, 4, 5, "seal"} and len(board.posted) <= 2 * 7
    times = Counter(written(log))
    assert times[1] == times[2] == 1 and max(times[3], times[4], times[5]) <= 2 and times["seal"] <= 3


def test_the_steps_of_a_round_are_all_tried(redis_store: RedisStore, clock: FakeClock, log: Log) -> None:
    taps, board = Taps(), Board()
    note(redis_store, 1)
    auditor(cast(AuditTrail, Tapped("trail", redis_store.trail(), taps)), clock,
            channel=cast(AuditChannel, Tapped("slack", board, taps))).round()
    assert len(taps.calls) == STEPS_OF_A_ROUND, taps.calls


def test_a_store_that_is_away_is_said_and_waited_for(clock: FakeClock, log: Log) -> None:
    away = RedisStore(connect("unix:///there/is/none"))
    assert not auditor(away.trail(), clock).round()
    [line] = log.lines("audit trail")
    assert (line["level"], line["outcome"]) == ("warning", "store unavailable")


def test_what_nobody_expected_ends_no_thread(redis_store: RedisStore, trail: RedisTrail, clock: FakeClock,
                                             log: Log) -> None:
    redis_store._client.hset("{keydesk}:audit:cursors", "log", "no place at all")
    assert not auditor(trail, clock).round()
    assert [line["outcome"] for line in log.lines("audit trail")] == ["failed"]


# -- Slack


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    with LocalSlack(MANIFEST) as local:
        yield local


@pytest.fixture
def channel(slack: LocalSlack) -> SlackAuditChannel:
    web = WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)
    return SlackAuditChannel(web, "C0AUDIT")


def seen(slack: LocalSlack) -> str:
    return "\n".join(one.words for one in slack.person("carol").messages("key-audit"))


def test_log_and_seals_do_not_wait_for_slack(redis_store: RedisStore, trail: RedisTrail, clock: FakeClock,
                                             log: Log) -> None:
    board = Board()
    board.away = True
    one = auditor(trail, clock, channel=board)
    for _ in range(3):
        note(redis_store, 1)
        one.round()
        clock.advance(timedelta(seconds=3))
    assert whole(trail, log) and board.posted == []
    board.away = False
    one.round()
    assert board.posted == [], "Slack said when to come again"
    clock.advance(timedelta(seconds=30))
    one.round()
    assert numbers(board.posted) == [1, "seal", 2, "seal", 3, "seal"]


@pytest.mark.parametrize("fault, waits", [
    (lambda slack: slack.faults.status("chat.postMessage", 429, retry_after=7), 7),
    (lambda slack: slack.faults.status("chat.postMessage", 500), LATER),
    (lambda slack: slack.faults.drop("chat.postMessage", "before"), LATER),
    (lambda slack: slack.faults.fail("chat.postMessage", "is_archived"), MUCH_LATER),
], ids=["429", "500", "no answer", "archived"])
def test_an_outage_of_slack_is_caught_up_with_by_itself(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log, slack: LocalSlack,
    channel: SlackAuditChannel, fault: Any, waits: float,
) -> None:
    one = auditor(trail, clock, channel=channel)
    note(redis_store, 2)
    fault(slack)
    one.round()
    assert seen(slack) == "" and [line["seconds"] for line in log.lines("audit channel")] == [waits]
    clock.advance(timedelta(seconds=waits - 0.5))
    one.round()
    assert seen(slack) == ""
    note(redis_store, 1)
    clock.advance(timedelta(seconds=0.5))
    one.round()
    said = seen(slack)
    assert [f"{n} " in said for n in (1, 2, 3)] == [True] * 3 and "seal over entries 1 and 2" in said


def test_no_more_than_a_message_a_second_is_posted(redis_store: RedisStore, trail: RedisTrail, clock: FakeClock,
                                                   log: Log, slack: LocalSlack, channel: SlackAuditChannel) -> None:
    note(redis_store, 100)
    one, messages = auditor(trail, clock, channel=channel), 0
    while one.round():
        posted = len(slack.calls("chat.postMessage"))
        one.round()
        assert len(slack.calls("chat.postMessage")) == posted
        messages += 1
        clock.advance(timedelta(seconds=PACE + 0.01))
    assert 2 < messages < 20 and whole(trail, log)
    assert all(f"{n} " in seen(slack) for n in range(1, 101))

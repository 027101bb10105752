"""The audit channel gets every line in its time: slowly enough for Slack, late after an outage, never missing one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.slack.delivery.audit_channel import (
    INTERVAL_SECONDS,
    RETRY_AFTER_REFUSAL_SECONDS,
    RETRY_SECONDS,
    SlackAuditChannel,
)
from bot.slack.delivery.rate_limiter import (
    POST,
    Budget,
    Priority,
    RateLimiter,
)
from bot.store.redis_store import RedisStore
from bot.store.redis_trail import RedisTrail
from sandbox.local import LocalSlack
from tests.support.logged import Log
from tests.support.memory_store import FakeClock
from tests.support.publisher_rounds import Board, audit_publisher, note, numbers, whole
from tests.support.running_bot import MANIFEST


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    with LocalSlack(MANIFEST) as local:
        yield local


@pytest.fixture
def rate_limiter(clock: FakeClock) -> RateLimiter:
    return RateLimiter(clock.monotonic, {POST: Budget(240, 60)}, Budget(10, 10))


@pytest.fixture
def channel(slack: LocalSlack, rate_limiter: RateLimiter) -> SlackAuditChannel:
    web = WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)
    return SlackAuditChannel(web, "C0AUDIT", rate_limiter=rate_limiter)


def seen(slack: LocalSlack) -> str:
    return "\n".join(one.words for one in slack.person("carol").messages("key-audit"))


def test_log_and_seals_do_not_wait_for_slack(
    redis_store: RedisStore, trail: RedisTrail, clock: FakeClock, log: Log
) -> None:
    board = Board()
    board.away = True
    one = audit_publisher(trail, clock, channel=board)
    for _ in range(3):
        note(redis_store, 1)
        one.run_once()
        clock.advance(timedelta(seconds=3))
    assert whole(trail, log) and board.posted == []
    board.away = False
    one.run_once()
    assert board.posted == [], "Slack said when to come again"
    clock.advance(timedelta(seconds=30))
    one.run_once()
    assert numbers(board.posted) == [1, "seal", 2, "seal", 3, "seal"]


@pytest.mark.parametrize(
    "fault, waits",
    [
        (lambda slack: slack.faults.status("chat.postMessage", 429, retry_after=7), 7),
        (lambda slack: slack.faults.status("chat.postMessage", 500), RETRY_SECONDS),
        (lambda slack: slack.faults.drop("chat.postMessage", "before"), RETRY_SECONDS),
        (
            lambda slack: slack.faults.fail("chat.postMessage", "is_archived"),
            RETRY_AFTER_REFUSAL_SECONDS,
        ),
    ],
    ids=["429", "500", "no answer", "archived"],
)
def test_channel_catches_up_after_an_outage_of_slack(
    redis_store: RedisStore,
    trail: RedisTrail,
    clock: FakeClock,
    log: Log,
    slack: LocalSlack,
    channel: SlackAuditChannel,
    fault: Any,
    waits: float,
) -> None:
    one = audit_publisher(trail, clock, channel=channel)
    note(redis_store, 2)
    fault(slack)
    one.run_once()
    assert seen(slack) == "" and [line["seconds"] for line in log.lines("audit channel")] == [waits]
    clock.advance(timedelta(seconds=waits - 0.5))
    one.run_once()
    assert seen(slack) == ""
    note(redis_store, 1)
    clock.advance(timedelta(seconds=0.5))
    one.run_once()
    said = seen(slack)
    assert [f"{n} " in said for n in (1, 2, 3)] == [True] * 3 and "seal over entries 1-2" in said


def test_rate_limited_line_is_posted_later(
    redis_store: RedisStore,
    trail: RedisTrail,
    clock: FakeClock,
    log: Log,
    slack: LocalSlack,
    rate_limiter: RateLimiter,
    channel: SlackAuditChannel,
) -> None:
    for number in range(10):
        rate_limiter.ask(POST, "C0AUDIT", f"decision {number}", Priority.DECISION)
    one = audit_publisher(trail, clock, channel=channel)
    note(redis_store, 1)
    one.run_once()
    assert seen(slack) == "" and whole(trail, log)
    clock.advance(timedelta(seconds=10))
    one.run_once()
    assert "1 " in seen(slack) and len(slack.calls("chat.postMessage")) == 1


def test_one_message_a_second_is_posted(
    redis_store: RedisStore,
    trail: RedisTrail,
    clock: FakeClock,
    log: Log,
    slack: LocalSlack,
    channel: SlackAuditChannel,
) -> None:
    note(redis_store, 100)
    one, messages = audit_publisher(trail, clock, channel=channel), 0
    while one.run_once():
        posted = len(slack.calls("chat.postMessage"))
        one.run_once()
        assert len(slack.calls("chat.postMessage")) == posted
        messages += 1
        clock.advance(timedelta(seconds=INTERVAL_SECONDS + 0.01))
    assert 2 < messages < 20 and whole(trail, log)
    assert all(f"{n} " in seen(slack) for n in range(1, 101))

"""The audit channel gets every line, slowly, and after an outage of Slack."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from slack_sdk import WebClient

from bot.runtime.audit_publisher import AuditPublisher
from bot.slack.delivery.audit_channel import (
    INTERVAL_SECONDS,
    RETRY_AFTER_REFUSAL_SECONDS,
    RETRY_SECONDS,
    SlackAuditChannel,
)
from bot.slack.delivery.rate_limiter import POST, Budget, Priority, RateLimiter
from sandbox.local import LocalSlack
from tests.support.memory_store import FakeClock
from tests.support.running_bot import MANIFEST
from tests.unit.runtime.publishing import Publishing

METHOD = "chat.postMessage"


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    with LocalSlack(MANIFEST) as local:
        yield local


@pytest.fixture
def rate_limiter(clock: FakeClock) -> RateLimiter:
    return RateLimiter(clock.monotonic, {POST: Budget(240, 60)}, Budget(10, 10))


@pytest.fixture
def publisher(
    slack: LocalSlack, rate_limiter: RateLimiter, publishing: Publishing
) -> AuditPublisher:
    """The publisher of the trail, which posts to #key-audit."""
    web = WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)
    return publishing.publisher(
        channel=SlackAuditChannel(web, "C0AUDIT", rate_limiter=rate_limiter)
    )


def seen(slack: LocalSlack) -> str:
    return "\n".join(one.words for one in slack.person("carol").messages("key-audit"))


def posts(slack: LocalSlack) -> int:
    return len(slack.calls(METHOD))


def test_log_and_seals_do_not_wait_for_slack(publishing: Publishing) -> None:
    publishing.board.away = True
    one = publishing.publisher()
    for _ in range(3):
        publishing.note(1)
        one.run_once()
        publishing.later(3)
    assert publishing.is_whole() and publishing.posted() == []
    publishing.board.away = False
    one.run_once()
    assert publishing.posted() == [], "Slack said when to come again"
    publishing.later(30)
    one.run_once()
    assert publishing.posted() == [1, "seal", 2, "seal", 3, "seal"]


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        (lambda faults: faults.status(METHOD, 429, retry_after=7), 7),
        (lambda faults: faults.status(METHOD, 500), RETRY_SECONDS),
        (lambda faults: faults.drop(METHOD, "before"), RETRY_SECONDS),
        (lambda faults: faults.fail(METHOD, "is_archived"), RETRY_AFTER_REFUSAL_SECONDS),
    ],
    ids=["429", "500", "no answer", "archived"],
)
def test_channel_catches_up_after_an_outage_of_slack(
    publishing: Publishing,
    slack: LocalSlack,
    publisher: AuditPublisher,
    fault: Callable[[object], object],
    waits: float,
) -> None:
    publishing.note(2)
    fault(slack.faults)
    publisher.run_once()
    assert [line["seconds"] for line in publishing.log.lines("audit channel")] == [waits]
    assert seen(slack) == ""
    publishing.later(waits - 0.5)
    publisher.run_once()
    assert seen(slack) == ""
    publishing.note(1)
    publishing.later(0.5)
    publisher.run_once()
    said = seen(slack)
    assert all(f"{n} " in said for n in (1, 2, 3)) and "seal over entries 1-2" in said


def test_rate_limited_line_is_posted_later(
    publishing: Publishing,
    slack: LocalSlack,
    rate_limiter: RateLimiter,
    publisher: AuditPublisher,
) -> None:
    for number in range(10):
        rate_limiter.ask(POST, "C0AUDIT", f"decision {number}", Priority.DECISION)
    publishing.note(1)
    publisher.run_once()
    assert seen(slack) == "" and publishing.is_whole()
    publishing.later(10)
    publisher.run_once()
    assert "1 " in seen(slack) and posts(slack) == 1


def test_one_message_a_second_is_posted(
    publishing: Publishing, slack: LocalSlack, publisher: AuditPublisher
) -> None:
    publishing.note(100)
    messages = 0
    while publisher.run_once():
        posted = posts(slack)
        publisher.run_once()
        assert posts(slack) == posted
        messages += 1
        publishing.later(INTERVAL_SECONDS + 0.01)
    assert 2 < messages < 20 and publishing.is_whole()
    said = seen(slack)
    assert [n for n in range(1, 101) if f"{n} " not in said] == []

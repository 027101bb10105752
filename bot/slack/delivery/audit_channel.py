"""How does the audit trail reach its channel? One message for many lines, no faster than Slack takes them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from slack_sdk import WebClient

from bot.domain.errors import SlackUnavailable
from bot.domain.ports import StreamEntry
from bot.slack.delivery.rate_limiter import POST, Priority, RateLimiter
from bot.slack.errors import MustWait, rate_limited
from bot.slack.messages import audit

INTERVAL_SECONDS = 1.1
"""Seconds between two messages: "no more than one message per second per channel" ("Rate limits", Slack)."""

RETRY_SECONDS, RETRY_AFTER_REFUSAL_SECONDS = 5.0, 30.0
"""Seconds until the next try: where Slack does not answer, and where it said no (the channel is archived, say)."""


class SlackAuditChannel:
    """The AuditChannel port (`core.ports`). `web` has no retry handlers; lines wait behind all else that is sent."""

    def __init__(self, web: WebClient, channel: str, *, rate_limiter: RateLimiter) -> None:
        self._web, self._channel, self._pacer = web, channel, rate_limiter
        self._log = structlog.get_logger("keydesk.audit_channel")

    def post(self, lines: Sequence[StreamEntry]) -> tuple[int, float]:
        text, count = audit.message(lines)
        try:
            with rate_limited(self._pacer, POST, self._channel, "audit", Priority.AUDIT):
                self._web.chat_postMessage(
                    channel=self._channel, text=text, unfurl_links=False, unfurl_media=False
                )
        except MustWait as full:
            return 0, full.seconds
        except SlackUnavailable as failure:
            wait = failure.retry_after or (
                RETRY_AFTER_REFUSAL_SECONDS if failure.refused else RETRY_SECONDS
            )
            report = self._log.error if failure.refused else self._log.warning
            report("audit channel", outcome="rescheduled", error=failure.error, seconds=wait)
            return 0, wait
        return count, INTERVAL_SECONDS

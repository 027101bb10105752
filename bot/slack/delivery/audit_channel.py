"""Post the audit trail to its Slack channel, within Slack's rate limits."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from slack_sdk import WebClient

from bot.domain.outside_errors import SlackUnavailable
from bot.domain.records import StreamEntry
from bot.slack.delivery.rate_limiter import POST, Priority, RateLimiter
from bot.slack.errors import MustWait, rate_limited
from bot.slack.messages import audit

INTERVAL_SECONDS = 1.1
"""Seconds between two messages.

"No more than one message per second per channel" ("Rate limits", Slack documentation).
"""

RETRY_SECONDS, RETRY_AFTER_REFUSAL_SECONDS = 5.0, 30.0
"""Seconds before the next try: after no answer, and after a refusal.

Slack refuses a message in an archived channel, for example.
"""


class SlackAuditChannel:
    """AuditChannel (`domain/ports.py`) over chat.postMessage.

    Its messages have the lowest priority of all.

    Args:
        web: A client without retry handlers.
        channel: The channel's ID.
        rate_limiter: Allows calls to Slack.
    """

    def __init__(self, web: WebClient, channel: str, *, rate_limiter: RateLimiter) -> None:
        self._web, self._channel, self._rate_limiter = web, channel, rate_limiter
        self._log = structlog.get_logger("keydesk.audit_channel")

    def post(self, lines: Sequence[StreamEntry]) -> tuple[int, float]:
        """Post one message with as many of the stream entries as fit.

        Raises nothing for a failure of Slack: it is logged.

        Returns:
            How many entries were posted, and the seconds until the next call may be made.
        """
        text, count = audit.message(lines)
        try:
            with rate_limited(self._rate_limiter, POST, self._channel, "audit", Priority.AUDIT):
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

"""How does the audit trail reach its channel? One message for many lines, no faster than Slack takes them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from slack_sdk import WebClient

from bot.core.errors import SlackUnavailable
from bot.core.ports import Line
from bot.slack import audit_lines
from bot.slack.calls import NotYet, paced
from bot.slack.pacing import POST, Pacer, Rank

PACE = 1.1
"""Seconds between two messages: "no more than one message per second per channel" ("Rate limits", Slack)."""

LATER, MUCH_LATER = 5.0, 30.0
"""Seconds until the next try: where Slack does not answer, and where it said no (the channel is archived, say)."""


class SlackAuditChannel:
    """The AuditChannel port (`core.ports`). `web` has no retry handlers; lines wait behind all else that is sent."""

    def __init__(self, web: WebClient, channel: str, *, pacer: Pacer) -> None:
        self._web, self._channel, self._pacer = web, channel, pacer
        self._log = structlog.get_logger("keydesk.audit_channel")

    def post(self, lines: Sequence[Line]) -> tuple[int, float]:
        text, count = audit_lines.message(lines)
        try:
            with paced(self._pacer, POST, self._channel, "audit", Rank.AUDIT):
                self._web.chat_postMessage(
                    channel=self._channel, text=text, unfurl_links=False, unfurl_media=False
                )
        except NotYet as full:
            return 0, full.seconds
        except SlackUnavailable as failure:
            wait = failure.retry_after or (MUCH_LATER if failure.refused else LATER)
            report = self._log.error if failure.refused else self._log.warning
            report("audit channel", outcome="put off", error=failure.error, seconds=wait)
            return 0, wait
        return count, PACE

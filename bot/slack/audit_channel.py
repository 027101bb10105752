"""How does the audit trail reach its channel? One message for many lines, no faster than Slack takes them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from slack_sdk import WebClient

from bot.core.errors import SlackUnavailable
from bot.core.ports import Line
from bot.slack import audit_lines
from bot.slack.calls import asked, is_refusal, retry_after

PACE = 1.1
"""Seconds between two messages: "no more than one message per second per channel" ("Rate limits", Slack)."""

LATER, MUCH_LATER = 5.0, 30.0
"""Seconds until the next try: where Slack does not answer, and where it said no (the channel is archived, say)."""


class SlackAuditChannel:
    """The AuditChannel port (`core.ports`). `web` has no retry handlers."""

    def __init__(self, web: WebClient, channel: str) -> None:
        self._web, self._channel = web, channel
        self._log = structlog.get_logger("keydesk.audit_channel")

    def post(self, lines: Sequence[Line]) -> tuple[int, float]:
        text, count = audit_lines.message(lines)
        try:
            with asked("chat.postMessage"):
                self._web.chat_postMessage(channel=self._channel, text=text, unfurl_links=False, unfurl_media=False)
        except SlackUnavailable as failure:
            refused = is_refusal(failure.__cause__)
            wait = retry_after(failure.__cause__) or (MUCH_LATER if refused else LATER)
            report = self._log.error if refused else self._log.warning
            report("audit channel", outcome="put off", error=failure.error, seconds=wait)
            return 0, wait
        return count, PACE

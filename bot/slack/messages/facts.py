"""Fill the texts of codes with their facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from string import Formatter
from typing import Any

from bot.slack.messages.blocks import date_token, escape
from bot.slack.messages.text import duration_text

Facts = Mapping[str, Any]
Text = str | Callable[[Facts], str]
"""A template, or a function of the facts where a template is not enough."""


def fill(text: Text, facts: Facts) -> str:
    """Return `text` with its facts as mrkdwn. Raises KeyError where a fact is missing."""
    if not isinstance(text, str):
        return text(facts)
    return _FACTS.vformat(text, (), facts)


class _FactsFormatter(Formatter):
    """Formats facts for mrkdwn. It escapes all but mentions, dates and durations."""

    def format_field(self, value: Any, spec: str) -> str:
        if spec == "user":
            return f"<@{escape(str(value))}>"
        if spec == "date":
            return date_token(
                value if isinstance(value, datetime) else datetime.fromisoformat(value)
            )
        if spec == "duration":
            span = value if isinstance(value, timedelta) else timedelta(seconds=float(value))
            return duration_text(span)
        return escape(str(super().format_field(value, spec)))


_FACTS = _FactsFormatter()

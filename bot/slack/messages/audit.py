"""Render the audit trail for its Slack channel. Pure functions.

A message has as many lines of mrkdwn as fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from bot.domain.audit.seals import REFUSED, Seal, number_ranges
from bot.domain.records import BREAK_GLASS, StreamEntry
from bot.slack.messages.blocks import date_token, escape

MAX_MESSAGE = 3800
"""Maximum characters: Slack recommends at most 4,000 ("chat.postMessage", Slack documentation)."""

MAX_REASON, MAX_FIELD = 300, 80
"""Maximum characters of a reason and of any other field. `python -m bot audit` shows all of it."""


_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that change the writing direction ("Unicode Bidirectional Algorithm", UAX 9)."""


def message(lines: Sequence[StreamEntry]) -> tuple[str, int]:
    """Return one message's text, and how many entries it shows (at least one)."""
    shown: list[str] = []
    for line in lines:
        text = _seal(line) if line.is_seal else _entry(line)
        if shown and len("\n".join([*shown, text])) > MAX_MESSAGE:
            break
        shown.append(text)
    return "\n".join(shown), len(shown)


def _entry(line: StreamEntry) -> str:
    who, request, key, was, becomes = (
        _field(line, name) for name in ("by", "request_id", "key_id", "from_status", "to_status")
    )
    who = f"<@{who}>" if re.fullmatch(r"[UW][A-Z0-9]{2,}", who) else who
    state = (
        f"*{becomes}*"
        if becomes == REFUSED
        else f"{was} → {becomes}"
        if was and was != becomes
        else becomes
    )
    facts = (
        f"request `{request}`" if request else "",
        f"`{key}`" if key else "",
        state,
        escape(_one_line(line.fields.get("reason", ""), MAX_REASON)),
        escape(_one_line(line.detail, MAX_REASON)),
    )
    loud = ":rotating_light: <!channel> " if line.fields.get("action") == BREAK_GLASS else ""
    return " · ".join(
        [
            f"{loud}*{line.number}* {_time_text(line)} {who} *{_field(line, 'action')}*",
            *filter(None, facts),
        ]
    )


def _seal(line: StreamEntry) -> str:
    seal = Seal.read(line)
    entries = "entry" if len(seal.numbers) == 1 else "entries"
    value = escape(_one_line(seal.value, MAX_FIELD))
    return f":lock: {_time_text(line)} seal over {entries} {number_ranges(seal.numbers)}: `{value}`"


def _time_text(line: StreamEntry) -> str:
    try:
        return date_token(datetime.fromisoformat(line.fields.get("at", "")))
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"


def _field(line: StreamEntry, name: str) -> str:
    return escape(_one_line(line.fields.get(name, ""), MAX_FIELD))


def _one_line(text: str, limit: int) -> str:
    """Return text in one line that can't change the lines around it.

    No code block begins in it, and the writing direction stays. It is cut before it is escaped, so
    that no escape sequence is cut.
    """
    text = _DIRECTIONS.sub("", " ".join(text.split())).replace("```", "'''")
    return text if len(text) <= limit else text[:limit] + "…"

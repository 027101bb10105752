"""Render small texts that messages share.

They are mentions, durations, moments, ages and last uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.commands import VERBS
from bot.domain.keys import AccessKey
from bot.slack.action_ids import COMMAND

_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
    (timedelta(seconds=1), "second"),
)


def mentions(user_ids: Sequence[str]) -> str:
    """Return Slack user IDs as mentions: "<@U1>, <@U2> and <@U3>"."""
    names = [f"<@{user_id}>" for user_id in user_ids]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def usage(verb: str) -> str:
    """Return the usage line of a verb, as plain text: "/key disable <access key ID>"."""
    return f"{COMMAND} {verb} {VERBS[verb].arguments}".rstrip()


def example(verb: str) -> str:
    """Return an example of a verb, as plain text: "/key used AKIAIOSFODNN7EXAMPLE"."""
    return f"{COMMAND} {verb} {VERBS[verb].example}".rstrip()


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 approval", "2 approvals"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def duration_text(span: timedelta) -> str:
    """Return a span in its longest whole unit: "30 days", "36 hours", "90 minutes"."""
    unit, name = next((one for one in _UNITS if span >= one[0] and not span % one[0]), _UNITS[-1])
    return plural(round(span / unit), name)


def utc_text(at: datetime) -> str:
    """Return a moment where no date token can stand: "24 Nov 2026, 10:02 UTC"."""
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def one_line(text: str, limit: int) -> str:
    """Return text in one line of at most `limit` characters, "…" where cut."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit]}…"


def age_text(key: AccessKey, now: datetime) -> str:
    """Return how old a key is: "created today", "95 days old"."""
    days = max(0, (now - key.created_at).days)
    return f"{plural(days, 'day')} old" if days else "created today"


def ago_text(span: timedelta) -> str:
    """Return how long ago something was: "3 days ago", "just now"."""
    unit, name = next((one for one in _UNITS[:-1] if span >= one[0]), _UNITS[-1])
    return "just now" if name == "second" else f"{plural(span // unit, name)} ago"


def last_used_plain(key: AccessKey) -> str:
    """Return when and for what a key was last used, as plain text."""
    if key.last_used is None:
        return "last use unknown"
    if key.last_used.at is None:
        return "never used"
    service, region = key.last_used.service, key.last_used.region
    where = f" ({service}, {region})" if service else ""
    return f"last used {utc_text(key.last_used.at)}{where}"

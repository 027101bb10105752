"""Which refusals are on record? A person's first ones of each hour; the log has a line for every one of them."""

from __future__ import annotations

import re
from dataclasses import replace

import structlog

from bot.domain.errors import (
    BadCommand,
    KeydeskError,
    Refused,
    StoreUnavailable,
)
from bot.domain.ports import AuditEntry, RequestStore
from bot.domain.rate_limits import (
    Limit,
    LimitedAction,
    RateLimited,
    Usage,
)

LIMIT = Limit(60)
"""How many refusals of one person get an audit entry in an hour. There is no limit for all together: the refusals of
one must not hide those of another."""


def record_refusal(store: RequestStore, error: KeydeskError, entry: AuditEntry) -> None:
    """Notes a refusal, unless text was only mistyped; the first one beyond `NOTED` says that no more follow.

    A store that is down, or fails in whatever way, changes nothing of the answer: the log says so.
    """
    if not isinstance(error, Refused) or isinstance(error, BadCommand):
        return
    person = entry.by if re.fullmatch(r"[A-Z0-9]{1,32}", entry.by) else "nobody"
    try:
        try:
            store.commit(entry=entry, usage=Usage(LimitedAction.REFUSAL, person, entry.at, LIMIT))
        except RateLimited as more:
            if more.first:
                until = f"{more.until:%H:%M} UTC"
                store.commit(
                    entry=replace(
                        entry,
                        reason=f"{entry.reason} Further refusals of this person before {until} stand in the log alone.",
                    )
                )
    except StoreUnavailable as lost:
        structlog.get_logger("keydesk").error(
            "refusal", outcome="not noted", why=type(error).__name__, error=lost.why
        )
    except Exception:  # the person has yet to be told, by who called this
        structlog.get_logger("keydesk").exception(
            "refusal", outcome="not noted", why=type(error).__name__
        )

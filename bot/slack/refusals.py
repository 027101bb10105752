"""Which refusals are on record? A person's first ones of each hour; the log has a line for every one of them."""

from __future__ import annotations

import re
from dataclasses import replace

import structlog

from bot.core.counting import Count, Deed, Limit, OverLimit
from bot.core.errors import BadCommand, KeydeskError, Refused, StoreUnavailable
from bot.core.ports import Entry, RequestStore

NOTED = Limit(60)
"""How many refusals of one person get an audit entry in an hour. There is no limit for all together: the refusals of
one must not hide those of another."""


def note(store: RequestStore, error: KeydeskError, entry: Entry) -> None:
    """Notes a refusal, unless text was only mistyped; the first one beyond `NOTED` says that no more follow.

    A store that is down, or fails in whatever way, changes nothing of the answer: the log says so.
    """
    if not isinstance(error, Refused) or isinstance(error, BadCommand):
        return
    person = entry.by if re.fullmatch(r"[A-Z0-9]{1,32}", entry.by) else "nobody"
    try:
        try:
            store.commit(entry=entry, count=Count(Deed.REFUSAL, person, entry.at, NOTED))
        except OverLimit as more:
            if more.first:
                until = f"{more.until:%H:%M} UTC"
                store.commit(
                    entry=replace(
                        entry,
                        why=f"{entry.why} Further refusals of this person before {until} stand in the log alone.",
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

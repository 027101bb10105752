"""Record refusals in the audit trail: a user's first ones of each hour."""

from __future__ import annotations

import re
from dataclasses import replace

import structlog

from bot.domain.codes import Detail
from bot.domain.errors import BadCommand, KeydeskError, Refused, UnknownControl
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.rate_limits import Limit, LimitedAction, RateLimited, Usage
from bot.domain.records import AuditEntry
from bot.domain.store_ports import RequestStore

LIMIT = Limit(60)
"""How many refusals of one user get an audit entry in an hour.

There is no limit for all users together: the refusals of one must not hide those of another.
"""

LOG_ONLY_UNTIL = "log_only_until"
"""The fact that marks a user's last entry of the hour.

Until that time (UTC), further refusals are only in the log.
"""

_NOT_RECORDED = (BadCommand, UnknownControl)
_USER_ID = re.compile(r"[A-Z0-9]{1,32}")


def record_refusal(store: RequestStore, error: KeydeskError, entry: AuditEntry) -> None:
    """Record a refusal, except for mistyped commands. The log has all of them.

    The first refusal beyond `LIMIT` is recorded too, with the fact `log_only_until`. Raises
    nothing: a failure of the store is logged and does not change the answer.
    """
    if not isinstance(error, Refused) or isinstance(error, _NOT_RECORDED):
        return
    user = entry.by if _USER_ID.fullmatch(entry.by) else "unknown"
    try:
        try:
            store.commit(entry=entry, usage=Usage(LimitedAction.REFUSAL, user, entry.at, LIMIT))
        except RateLimited as over:
            if over.first:
                store.commit(entry=_last_of_the_hour(entry, over))
    except StoreUnavailable as failure:
        _log().error("refusal", outcome="not recorded", code=error.code, error=failure.error)
    except Exception:  # the caller has yet to answer the user
        _log().exception("refusal", outcome="not recorded", code=error.code)


def _last_of_the_hour(entry: AuditEntry, over: RateLimited) -> AuditEntry:
    detail = entry.detail or Detail("")
    facts = {**detail.facts, LOG_ONLY_UNTIL: over.until.isoformat()}
    return replace(entry, detail=Detail(detail.code, facts))


def _log() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.get_logger("keydesk")
    return log

"""Rate limits for each user and for all users together, in fixed hours (UTC)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.codes import Code
from bot.domain.errors import Refused

HOUR = timedelta(hours=1)


class LimitedAction(StrEnum):
    """What is counted."""

    REQUEST = "request"
    REVEAL = "reveal"
    NUDGE = "nudge"
    LEAK_REPORT = "leak_report"
    REFUSAL = "refusal"


class RateLimited(Refused):
    """A limit of `limit` actions an hour is reached.

    The next one is possible at `until` (UTC). `whose` limit it is: "person" or "all". `first` marks
    the user's first such refusal in the hour, which is answered and recorded. The others are only
    counted.
    """

    code = Code.RATE_LIMITED

    def __init__(
        self, limited_action: LimitedAction, limit: int, whose: str, until: datetime, *, first: bool
    ) -> None:
        self.limited_action, self.limit, self.whose = limited_action, limit, whose
        self.until, self.first = until, first
        super().__init__(
            Code.RATE_LIMITED,
            limited_action=str(limited_action),
            limit=limit,
            whose=whose,
            until=until,
        )


@dataclass(frozen=True)
class Limit:
    """Actions an hour for one user, and for all users together (None: no such limit)."""

    person: int
    overall: int | None = None


@dataclass(frozen=True)
class Usage:
    """One action of a user (their Slack user ID), counted in the commit that does it.

    Beyond `limit` the commit is refused. A `free` action is counted, but never refused. Each user
    adds at most their own limit to the shared counter, so one user cannot exhaust it.
    """

    limited_action: LimitedAction
    person: str
    at: datetime
    limit: Limit
    free: bool = False

    @property
    def hour(self) -> str:
        """The hour of `at` (UTC), in which it is counted: "2026-11-24T10"."""
        return f"{self.at:%Y-%m-%dT%H}"

    def over(self, whose: str, refused: int) -> RateLimited:
        """Return the user's refusal number `refused` in this hour.

        `whose` limit is reached: "person" or "all".
        """
        until = self.at.replace(minute=0, second=0, microsecond=0) + HOUR
        limit = self.limit.person if whose == "person" else self.limit.overall or 0
        return RateLimited(self.limited_action, limit, whose, until, first=refused == 1)

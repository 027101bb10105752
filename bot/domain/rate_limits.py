"""How much may one person do in an hour, and all together? Fixed hours, UTC, by the clock of whoever counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

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
    """More of a `deed` in an hour than `limit`, `whose` it is ("person" or "all"); possible again at `until` (UTC).

    `first` is this person's first such refusal in the hour: the one that is told and noted. The rest are counted.
    """

    def __init__(
        self,
        limited_action: str,
        limit: int,
        whose: str,
        until: datetime,
        words: str,
        *,
        first: bool,
    ) -> None:
        self.limited_action, self.limit, self.whose, self.until, self.first = (
            limited_action,
            limit,
            whose,
            until,
            first,
        )
        super().__init__(words)


@dataclass(frozen=True)
class Limit:
    """How often one person may do something in an hour, and all together (None: no such limit)."""

    person: int
    overall: int | None = None


DEFAULT_LIMITS: Mapping[LimitedAction, Limit] = dict.fromkeys(
    (LimitedAction.REQUEST, LimitedAction.REVEAL, LimitedAction.NUDGE, LimitedAction.LEAK_REPORT),
    Limit(10, 200),
)
"""What may be done in an hour unless the settings say otherwise."""


@dataclass(frozen=True)
class Usage:
    """One deed of a person's (their Slack user ID), to be counted in the step that does it, in the hour of `at` (UTC).

    Beyond `limit` the step is refused; one that is `free` is counted all the same and never refused. Nobody adds
    more to the count of all than their own limit, so one person alone cannot use up what all share.
    """

    limited_action: LimitedAction
    person: str
    at: datetime
    limit: Limit
    free: bool = False

    @property
    def hour(self) -> str:
        """The hour that it is counted in: "2026-11-24T10"."""
        return f"{self.at:%Y-%m-%dT%H}"

    def over(self, whose: str, refused: int) -> RateLimited:
        """The refusal, the `refused`th of this person's in the hour; `whose` limit: "person" or "all"."""
        until = self.at.replace(minute=0, second=0, microsecond=0) + HOUR
        most = self.limit.person if whose == "person" else self.limit.overall or 0
        times = f"{most} times" if most > 1 else "once"
        begun = f"you have {_DONE[self.limited_action]} {times} in this hour, which is all that the desk takes from one person"
        if whose == "all":
            begun = f"the desk has had all the {_MANY[self.limited_action]} that it takes in one hour ({most} from all together)"
        words = (
            f"I have done nothing: {begun}. It is possible again from {until:%H:%M} UTC on; until then I do not "
            f"answer this any more. {_INSTEAD[self.limited_action]}"
        )
        return RateLimited(
            self.limited_action, most, whose, until, words.rstrip(), first=refused == 1
        )


_DONE = {
    LimitedAction.REQUEST: "asked",
    LimitedAction.REVEAL: "revealed a key",
    LimitedAction.NUDGE: "nudged",
    LimitedAction.LEAK_REPORT: "reported keys",
    LimitedAction.REFUSAL: "been refused",
}
_MANY = {
    LimitedAction.REQUEST: "requests",
    LimitedAction.REVEAL: "reveals",
    LimitedAction.NUDGE: "nudges",
    LimitedAction.LEAK_REPORT: "reports",
    LimitedAction.REFUSAL: "refusals",
}
_INSTEAD = {
    LimitedAction.REQUEST: "If it cannot wait, talk to an approver.",
    LimitedAction.REVEAL: "Your approval still stands.",
    LimitedAction.NUDGE: "If it cannot wait, talk to an approver.",
    LimitedAction.LEAK_REPORT: "If it cannot wait, tell an approver in person, or whoever looks after AWS: they can turn the "
    "key off at once, here or in the AWS console.",
    LimitedAction.REFUSAL: "",
}

"""How much may one person do in an hour, and all together? Fixed hours, UTC, by the clock of whoever counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.errors import Refused

HOUR = timedelta(hours=1)


class Deed(StrEnum):
    """What is counted."""

    REQUEST = "request"
    REVEAL = "reveal"
    NUDGE = "nudge"
    LEAK_REPORT = "leak_report"
    REFUSAL = "refusal"


class OverLimit(Refused):
    """More of a `deed` in an hour than `limit`, `whose` it is ("person" or "all"); possible again at `until` (UTC).

    `first` is this person's first such refusal in the hour: the one that is told and noted. The rest are counted.
    """

    def __init__(
        self, deed: str, limit: int, whose: str, until: datetime, words: str, *, first: bool
    ) -> None:
        self.deed, self.limit, self.whose, self.until, self.first = deed, limit, whose, until, first
        super().__init__(words)


@dataclass(frozen=True)
class Limit:
    """How often one person may do something in an hour, and all together (None: no such limit)."""

    person: int
    in_all: int | None = None


USUAL: Mapping[Deed, Limit] = dict.fromkeys(
    (Deed.REQUEST, Deed.REVEAL, Deed.NUDGE, Deed.LEAK_REPORT), Limit(10, 200)
)
"""What may be done in an hour unless the settings say otherwise."""


@dataclass(frozen=True)
class Count:
    """One deed of a person's (their Slack user ID), to be counted in the step that does it, in the hour of `at` (UTC).

    Beyond `limit` the step is refused; one that is `free` is counted all the same and never refused. Nobody adds
    more to the count of all than their own limit, so one person alone cannot use up what all share.
    """

    deed: Deed
    person: str
    at: datetime
    limit: Limit
    free: bool = False

    @property
    def hour(self) -> str:
        """The hour that it is counted in: "2026-11-24T10"."""
        return f"{self.at:%Y-%m-%dT%H}"

    def over(self, whose: str, refused: int) -> OverLimit:
        """The refusal, the `refused`th of this person's in the hour; `whose` limit: "person" or "all"."""
        until = self.at.replace(minute=0, second=0, microsecond=0) + HOUR
        most = self.limit.person if whose == "person" else self.limit.in_all or 0
        times = f"{most} times" if most > 1 else "once"
        begun = f"you have {_DONE[self.deed]} {times} in this hour, which is all that the desk takes from one person"
        if whose == "all":
            begun = f"the desk has had all the {_MANY[self.deed]} that it takes in one hour ({most} from all together)"
        words = (
            f"I have done nothing: {begun}. It is possible again from {until:%H:%M} UTC on; until then I do not "
            f"answer this any more. {_INSTEAD[self.deed]}"
        )
        return OverLimit(self.deed, most, whose, until, words.rstrip(), first=refused == 1)


_DONE = {
    Deed.REQUEST: "asked",
    Deed.REVEAL: "revealed a key",
    Deed.NUDGE: "nudged",
    Deed.LEAK_REPORT: "reported keys",
    Deed.REFUSAL: "been refused",
}
_MANY = {
    Deed.REQUEST: "requests",
    Deed.REVEAL: "reveals",
    Deed.NUDGE: "nudges",
    Deed.LEAK_REPORT: "reports",
    Deed.REFUSAL: "refusals",
}
_INSTEAD = {
    Deed.REQUEST: "If it cannot wait, talk to an approver.",
    Deed.REVEAL: "Your approval still stands.",
    Deed.NUDGE: "If it cannot wait, talk to an approver.",
    Deed.LEAK_REPORT: "If it cannot wait, tell an approver in person, or whoever looks after AWS: they can turn the "
    "key off at once, here or in the AWS console.",
    Deed.REFUSAL: "",
}

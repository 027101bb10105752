"""Run a cell of the fault matrix: a fault at a call of a journey, and its end.

One bot serves many cells: each has new users, an empty database and an empty workspace. During the
fault the user who clicked is answered, and truly (`answers.py`), and at most one key lives. After
it, and after some time, every promise of `promises.py` holds, and users come back or stay away as
in the crash matrix.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.aws_keys import ListedKey, list_answer
from tests.support.answers import Answer, AnswerLog
from tests.support.watched_person import iam_name
from tests.verification.matrix import promises
from tests.verification.matrix.answers import Visible, untrue
from tests.verification.matrix.cell import POLLING, Cell
from tests.verification.matrix.crash import RENDERING, WALKS, comes_back, stays_away
from tests.verification.matrix.faults import FAULTS, OLD_LIST, Armed, Fault, http
from tests.verification.matrix.forked import Build
from tests.verification.matrix.gates import Point
from tests.verification.matrix.harness import Workshop, load_scripts
from tests.verification.matrix.journeys import FAULT_JOURNEYS
from tests.verification.matrix.standing import standing_of
from tests.verification.matrix.steps import Cast

LEASE = {"LEASE_TTL": "30s"}
"""Keydesk waits a sixth of it for Slack and IAM: five seconds, so long does a silence last."""
CELLS_PER_BOT = 40
SAMPLED = 12
"""Where a call decides nothing, one cell in so many is run."""
POSTED_TWICE = 2
"""Messages that may be posted again because a fault lost the answer, or the record of it."""


@dataclass(frozen=True)
class Spot:
    """A cell of the matrix: a fault at a call of a journey."""

    journey: str
    point: Point
    fault: Fault

    def __str__(self) -> str:
        return f"{self.journey} | {self.point} | {self.fault}"

    @property
    def number(self) -> int:
        """A number that is the same in every run and process."""
        return zlib.crc32(str(self).encode())

    @property
    def decides(self) -> bool:
        """The result of the journey depends on the call."""
        rendering = RENDERING.search(self.point.name) or self.point.name == "chat.postMessage"
        return self.point.service == "iam" or (self.point.changes and not rendering)

    @property
    def may_post_twice(self) -> bool:
        """The answer to a posted message, or the record of it, may be lost."""
        return self.fault.service == "redis" or (
            self.fault.side == "after" and self.point.name == "chat.postMessage"
        )

    @property
    def keeps_forms(self) -> bool:
        """Slack refuses each update of a form, so that the answer comes as a message."""
        return self.fault.lasting and (self.point.name == "views.update" or self.revokes_token)

    @property
    def revokes_token(self) -> bool:
        """Slack refuses every call, so that a form has no answer at all."""
        return self.fault.service == "slack" and self.fault.alike is not None


@dataclass
class Result:
    """The result of a cell: whether the fault met its call, and what was wrong."""

    spot: Spot
    met: bool = False
    problems: list[str] = field(default_factory=list)
    story: str = ""

    def __str__(self) -> str:
        problems = "\n".join(self.problems)[:2000]
        return f"{self.spot}\n{problems}\n== story\n{self.story[-6000:]}"


def points_of(shop: Workshop, name: str) -> list[Point]:
    """Return every call that comes each time the journey is walked unharmed, sorted."""
    journey, walks = FAULT_JOURNEYS[name], list[set[Point]]()
    with serving(shop, name) as cell:
        for _ in range(WALKS):
            reset(cell)
            cast = journey.arrange(cell)
            cell.rest()
            cell.begin()
            cell.click(lambda cast=cast: journey.act(cell, cast))
            cell.rest(lambda cast=cast: journey.done(cell, cast))
            walks.append({point for point in cell.bot.gates.points() if point.name not in POLLING})
    return sorted(set.intersection(*walks))


def spots_of(name: str, points: Sequence[Point]) -> list[Spot]:
    """Return every fault that fits, at every call."""
    return [Spot(name, point, one) for point in points for one in FAULTS if one.may_meet(point)]


def spot_named(shop: Workshop, text: str) -> Spot:
    """Return the cell of this name."""
    name = text.partition(" | ")[0]
    return next(spot for spot in spots_of(name, points_of(shop, name)) if str(spot) == text)


def chosen(spots: Sequence[Spot]) -> list[Spot]:
    """Return the cells of an ordinary run of the matrix.

    - For IAM's calls, commits, and Slack's calls except renderings and reads: every fault.
    - For the other calls, of which a journey has many alike: one cell in `SAMPLED`.
    """
    return [spot for spot in spots if spot.decides or spot.number % SAMPLED == 0]


@contextmanager
def serving(shop: Workshop, name: str, build: Build | None = None) -> Iterator[Cell]:
    """Run a bot with the settings of a journey. `build` builds another bot."""
    with shop.cell(**LEASE, **FAULT_JOURNEYS[name].settings) as cell:
        cell.build = build
        cell.start()
        yield cell


def run_all(
    shop: Workshop, name: str, spots: Sequence[Spot], build: Build | None = None
) -> Iterator[Result]:
    """Run cells of a journey on one bot, and look for secrets at its end."""
    for first in range(0, len(spots), CELLS_PER_BOT):
        left = list(spots[first : first + CELLS_PER_BOT])
        while left:
            with serving(shop, name, build) as cell:
                while left:
                    result = run(cell, left.pop(0))
                    yield result
                    if result.problems:
                        break  # the next ones begin with a new bot
                else:
                    promises.check_secrets(cell)


def run(cell: Cell, spot: Spot) -> Result:
    """Run one cell. All that goes wrong in it is in the result."""
    result = Result(spot)
    try:
        reset(cell)
        _Run(cell, spot, result).walk()
    except Exception as error:
        result.problems.append(f"{type(error).__name__}: {error}"[:6000])
    if result.problems:
        result.story = cell.describe()[-9000:]
    return result


def reset(cell: Cell) -> None:
    """Empty the database and the workspace of a running bot."""
    cell.bot.gates.clear()
    cell.world.redis.flushall()
    load_scripts(cell.world.redis)
    cell.messages_lost = 0
    cell.answers_before = len(AnswerLog(cell.world.folder).all())
    cell.bot.forked.ask("sweep")  # it notices that the database has forgotten everything

    def clear(box: Any) -> None:
        box.workspace._messages.clear()
        box.calls.clear()

    cell.world.slack.look(clear)
    while cell.world.carol.modal:
        cell.world.carol.close_modal()


@dataclass
class _Run:
    cell: Cell
    spot: Spot
    result: Result
    cast: Cast = field(init=False)

    def walk(self) -> None:
        cell, journey = self.cell, FAULT_JOURNEYS[self.spot.journey]
        self.cast = cast = journey.arrange(cell)
        cell.rest()
        assert not journey.done(cell, cast), "the journey is over before it begins"
        self.before, seen, log = standing_of(cell, cast), self._visible(), len(cell.log)
        cell.begin()
        armed = self._fault().arm(cell.bot.gates, self.spot.point)
        cell.click(lambda: journey.act(cell, cast))
        cell.wait_until_idle()
        self.result.met = armed.met.is_set()
        promises.check_one_living_key(cell, cast)
        self._check_answers(seen, log)
        self._end_fault(armed)
        if journey.by_time:
            assert journey.done(cell, cast) or self._ended(), "what time was to do is not done"
        if self.spot.number % 4 == 0:
            stays_away(cell, cast)
        elif not self._ended():
            comes_back(cell, cast, journey)
        promises.check_trail(cell)

    def _fault(self) -> Fault:
        """Return the fault. An old list is the one of this moment, just before the click."""
        fault = self.spot.fault
        if fault.verdict != OLD_LIST:
            return fault
        user = iam_name(self.cast.person)
        keys = tuple(
            ListedKey(key["AccessKeyId"], key["Status"], key["CreateDate"])
            for key in self.cell.world.aws.keys(user)
        )
        answer = http("200 OK", list_answer(user, keys, None, None), "text/xml")
        return replace(fault, verdict=answer)

    def _end_fault(self, armed: Armed) -> None:
        """End the fault, and let leases expire, orphan checks run and retries come."""
        cell = self.cell
        armed.lift()
        cell.unlock()
        cell.messages_lost = POSTED_TWICE if self.spot.may_post_twice else 0
        cell.pass_time(minutes=1)
        promises.check_now(cell, self.cast)
        cell.pass_time(minutes=20)
        cell.pass_time(minutes=75)  # what failed is rescheduled, by an hour at most
        promises.check_at_rest(cell, self.cast)

    def _ended(self) -> bool:
        """Say whether the request ended in another way, which its message explains."""
        now = standing_of(self.cell, self.cast)
        ended = now.status in ("expired", "denied", "cancelled")
        return ended and now.request == self.before.request

    # -- answers

    def _visible(self) -> dict[str, Visible]:
        cast = self.cast
        people = (cast.person, cast.approver, cast.other, self.cell.world.carol)
        return {one.id: Visible.to(one) for one in people if one}

    def _check_answers(self, before: Mapping[str, Visible], log: int) -> None:
        """Note each answer that is untrue, each gesture without an answer, and each error."""
        lines = [
            json.loads(line) for line in self.cell.log[log:].splitlines() if line.startswith("{")
        ]
        answers = [Answer.of(line) for line in lines if "ms" in line and "outcome" in line]
        now, after, problems = standing_of(self.cell, self.cast), self._visible(), []
        problems += untrue(answers, self.before, now)
        if not self.spot.keeps_forms:
            problems += [f"{name}: a form is open" for name, seen in after.items() if seen.checking]
        problems += [
            f"{answer.user} was not answered: {answer}"
            for answer in answers
            if answer.user in after
            and self._is_silent(answer, before[answer.user], after[answer.user])
        ]
        problems += [
            f"the log has an error: {json.dumps(line)[:1500]}"
            for line in lines
            if line.get("level") in ("error", "critical") and not _is_expected(line)
        ]
        self.result.problems += problems

    def _is_silent(self, answer: Answer, before: Visible, after: Visible) -> bool:
        """Say whether an answer of the log was not shown to its user, who could see it."""
        shown = after.since(before) or after.removed(before) or answer.verb == "home"
        impossible = after.checking and self.spot.revokes_token
        return not shown and not impossible


def _is_expected(line: Mapping[str, object]) -> bool:
    """Say whether an error reports the fault itself, such as a late retry."""
    told = (line.get("event"), line.get("outcome")) in {
        ("run_due", "rescheduled"),
        ("refusal", "not recorded"),
    }
    told = told or line.get("outcome") == "not set up"
    return told or str(line.get("logger", "")).startswith("slack_sdk.")

"""How is one cell of the fault matrix run? A journey meets a fault at one of its calls; then the fault is over.

One bot serves many cells: each has new people, an empty store and an empty workspace. While the fault lasts, whoever
clicked is answered, and truly (`answers.py`), and there is one living key at most. Once it is over and time has
passed, every promise of `promises.py` holds, and people come back or stay away as in the crash matrix.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bot.slack import action_ids
from bot.store import scripts
from sandbox.aws_keys import ListedKey, list_answer
from sandbox.local_person import LocalPerson
from tests.support.answers import Answer, AnswerLog
from tests.support.running_bot import wait_for
from tests.support.running_world import iam_name
from tests.verification.matrix import promises
from tests.verification.matrix.answers import Told, standing_of, untrue
from tests.verification.matrix.crash import DRAWING, comes_back, stays_away
from tests.verification.matrix.fault_journeys import FAULT_JOURNEYS
from tests.verification.matrix.faults import FAULTS, OLD_LIST, Armed, Fault, http
from tests.verification.matrix.forked import Build
from tests.verification.matrix.gates import Point
from tests.verification.matrix.harness import POLLING, Cell, Workshop
from tests.verification.matrix.journeys import CARDS, Cast

LEASE = {"LEASE_TTL": "30s"}
"""Slack and IAM are waited for a sixth of it: five seconds, which an answer takes on no machine, however busy; and a
fault that is silence is no longer than that."""

PATIENCE = 90.0  # seconds; as in the harness

STAGE = 40
"""Cells that one bot serves."""

WALKS = 3
"""Times that a journey is walked unharmed, to know its calls."""

ELSEWHERE = 12
"""Of so many cells at calls by which nothing is decided, one is run."""

POSTED_TWICE = 2
"""Copies whose answer a fault may lose, or the note of it: they are posted again, and the first is unknown."""


@dataclass(frozen=True)
class Spot:
    """A cell: a fault at a call of a journey."""

    journey: str
    point: Point
    fault: Fault

    def __str__(self) -> str:
        return f"{self.journey} | {self.point} | {self.fault}"

    @property
    def number(self) -> int:
        """The same for the same cell in every run and process."""
        return zlib.crc32(str(self).encode())

    @property
    def decides(self) -> bool:
        """Whether what comes of the journey hangs on the call."""
        drawing = DRAWING.search(self.point.name) or self.point.name == "chat.postMessage"
        return self.point.service == "iam" or (self.point.changes and not drawing)

    @property
    def may_post_twice(self) -> bool:
        """Whether a copy's answer, or the note of it, may be lost."""
        return self.fault.service == "redis" or (
            self.fault.side == "after" and self.point.name == "chat.postMessage"
        )

    @property
    def keeps_forms(self) -> bool:
        """Whether Slack refuses each update of a form, so that the answer comes as a message."""
        return self.fault.lasting and (self.point.name == "views.update" or self.revokes_token)

    @property
    def revokes_token(self) -> bool:
        """Whether Slack refuses every call, so that a form has no answer at all."""
        return self.fault.service == "slack" and self.fault.alike is not None


@dataclass
class Found:
    """What came of a cell."""

    spot: str
    fault: str
    met: bool = False
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    story: str = ""

    def __str__(self) -> str:
        """What a failure prints: what is wrong, and how it came, of which the end (the log's) says most."""
        return f"{self.spot}\n{chr(10).join(self.problems)[:2000]}\n== how it came\n{self.story[-6000:]}"


def points_of(shop: Workshop, name: str) -> list[Point]:
    """Every call of a journey that nothing harms, sorted; what the auditor does all the time is left out.

    A drawing that has begun shows what is committed meanwhile, too, so there are more or fewer of them: those calls
    count that come each time.
    """
    journey, walks = FAULT_JOURNEYS[name], list[set[Point]]()
    with stage(shop, name) as cell:
        for _ in range(WALKS):
            forget_others(cell)
            cast = journey.arrange(cell)
            cell.rest()
            cell.begin()
            cell.click(lambda cast=cast: journey.act(cell, cast))
            cell.rest(lambda cast=cast: journey.done(cell, cast))
            walks.append({point for point in cell.bot.gates.points() if point.name not in POLLING})
    return sorted(set.intersection(*walks))


def spots_of(name: str, points: Sequence[Point]) -> list[Spot]:
    """Every fault that fits, at every call."""
    return [
        Spot(name, point, fault) for point in points for fault in FAULTS if fault.may_meet(point)
    ]


def spot_of(shop: Workshop, text: str) -> Spot:
    """The cell that is called so."""
    name = text.partition(" | ")[0]
    return next(spot for spot in spots_of(name, points_of(shop, name)) if str(spot) == text)


def spread(spots: Sequence[Spot]) -> list[Spot]:
    """The cells of a run of a few minutes: where something is decided all of them, elsewhere one in so many.

    - IAM's calls, commits, and Slack's calls other than drawings and questions who somebody is: every fault;
    - the other calls, of which a journey has many alike (reads, and each drawing's lock, copies and mark): one cell
      in `ELSEWHERE`, by a checksum of its name, so always the same ones.
    """
    return [spot for spot in spots if spot.decides or spot.number % ELSEWHERE == 0]


@contextmanager
def stage(shop: Workshop, name: str, build: Build | None = None) -> Iterator[Cell]:
    """A bot that serves, with the settings of a journey; one that is built otherwise where that is given."""
    with shop.cell(**LEASE, **FAULT_JOURNEYS[name].settings) as cell:
        cell.build = build
        cell.start()
        yield cell


def run_all(
    shop: Workshop, name: str, spots: Sequence[Spot], build: Build | None = None
) -> Iterator[Found]:
    """The cells of one journey, one after another on one bot; when it ends no secret is anywhere."""
    for first in range(0, len(spots), STAGE):
        left = list(spots[first : first + STAGE])
        while left:
            with stage(shop, name, build) as cell:
                while left:
                    found = run(cell, left.pop(0))
                    yield found
                    if found.problems:
                        break  # the next ones begin with a new bot
                else:
                    promises.secrets(cell)


def run(cell: Cell, spot: Spot) -> Found:
    """One cell. Whatever goes wrong in it is in what it returns."""
    found, began = Found(str(spot), str(spot.fault)), time.monotonic()
    try:
        forget_others(cell)
        _Run(cell, spot, found).walk()
    except Exception as error:
        found.problems.append(f"{type(error).__name__}: {error}"[:6000])
    found.seconds = time.monotonic() - began
    if found.problems:
        found.story = cell.describe()[-9000:]
    return found


def forget_others(cell: Cell) -> None:
    """An empty store and an empty workspace, for the same bot."""
    redis = cell.world.redis
    cell.bot.gates.clear()
    redis.flushall()
    for name, text in vars(scripts).items():
        if name.isupper():
            redis.script_load(text)
    cell.drawings_lost = 0
    cell.earlier = len(AnswerLog(cell.world.folder).all())
    cell.bot.forked.ask("sweep")  # it notices that the store has forgotten everything

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
    found: Found
    cast: Cast = field(init=False)

    def walk(self) -> None:
        cell, journey = self.cell, FAULT_JOURNEYS[self.spot.journey]
        self.cast = cast = journey.arrange(cell)
        cell.rest()
        assert not journey.done(cell, cast), "the journey is over before it begins"
        self.before, told, log = standing_of(cell, cast), self._told(), len(cell.log)
        cell.begin()
        armed = self._fault().arm(cell.bot.gates, self.spot.point)
        cell.click(lambda: journey.act(cell, cast))
        self._quiet()
        self.found.met = armed.met.is_set()
        promises.one_living_key(cell, cast)
        self._answered(told, log)
        self._over(armed)
        if journey.by_time:
            assert journey.done(cell, cast) or self._ended(), "what time was to do is not done"
        if self.spot.number % 4 == 0:
            stays_away(cell, cast)
        elif not self._ended():
            self._make_room()
            comes_back(cell, cast, journey)
        promises.trail(cell)

    def _fault(self) -> Fault:
        """The fault; an old list is the one of this moment, just before the click."""
        fault = self.spot.fault
        if fault.verdict != OLD_LIST:
            return fault
        user = iam_name(self.cast.person)
        keys = tuple(
            ListedKey(key["AccessKeyId"], key["Status"], key["CreateDate"])
            for key in self.cell.world.aws.keys(user)
        )
        return replace(
            fault, verdict=http("200 OK", list_answer(user, keys, None, None), "text/xml")
        )

    def _over(self, armed: Armed) -> None:
        """The fault is over; the sweeper comes round, and leases and the looks after them run out."""
        cell = self.cell
        armed.lift()
        cell.unlock()
        cell.drawings_lost = POSTED_TWICE if self.spot.may_post_twice else 0
        cell.pass_time(minutes=1)
        cell.all_drawn()
        promises.look(cell, self.cast)
        cell.pass_time(minutes=20)
        cell.pass_time(minutes=75)  # what failed is put off, for an hour at most
        cell.all_drawn()
        promises.look_at_rest(cell, self.cast)

    def _make_room(self) -> None:
        """A key that was found after a lost answer goes first, where it takes the last of IAM's two slots."""
        carol, keys = self.cell.world.carol, self.cell.world.keys(self.cast.person)
        card = carol.last(CARDS, button=action_ids.FOUND_DELETE)
        if card and len(keys) > 1 and any(button.value in keys for button in card.buttons):
            carol.click(card, action_ids.FOUND_DELETE)
            self.cell.rest(lambda: len(self.cell.world.keys(self.cast.person)) < len(keys))

    def _quiet(self) -> None:
        """Waits until the click is over and no work is under way: the fault is still there."""
        cell = self.cell

        def quiet() -> bool:
            if cell.failed:
                raise cell.failed.pop()
            return not (cell.clicked and cell.clicked.is_alive()) and bool(
                cell.bot.forked.ask("idle")
            )

        wait_for(quiet, PATIENCE, cell.describe)

    # -- what was said

    def _people(self) -> list[LocalPerson]:
        cast = self.cast
        return [
            one for one in (cast.person, cast.approver, cast.other, self.cell.world.carol) if one
        ]

    def _told(self) -> dict[str, Told]:
        return {one.id: Told.so_far(one) for one in self._people()}

    def _answered(self, before: dict[str, Told], log: int) -> None:
        """Whoever clicked has been told something, and nothing that anybody was told is untrue."""
        now, after = standing_of(self.cell, self.cast), self._told()
        answers = [Answer.of(line) for line in self._payloads(log)]
        self.found.problems += untrue(answers, self.before, now)
        if not self.spot.keeps_forms:
            self.found.problems += [
                f"a form of {name} was left open" for name, told in after.items() if told.checking
            ]
        for answer in answers:
            told, was = after.get(answer.user), before.get(answer.user)
            silent = told and was and not told.since(was) and not told.removed(was)
            speechless = told and told.checking and self.spot.revokes_token
            if silent and not speechless and answer.verb != "home":
                self.found.problems.append(f"{answer.user} was told nothing: {answer}")
        for line in self._lines(log):
            if line.get("level") in ("error", "critical") and not _expected(line):
                self.found.problems.append(f"the log has an error: {json.dumps(line)[:1500]}")

    def _lines(self, since: int) -> list[dict[str, object]]:
        return [
            json.loads(line) for line in self.cell.log[since:].splitlines() if line.startswith("{")
        ]

    def _payloads(self, since: int) -> list[dict[str, str]]:
        """The boundary's lines: one for each command, click and form that was worked on."""
        return [line for line in self._lines(since) if "ms" in line and "outcome" in line]

    def _ended(self) -> bool:
        """The request ended otherwise, which its message says with the reason."""
        now = standing_of(self.cell, self.cast)
        return (
            now.status in ("expired", "denied", "cancelled") and now.request == self.before.request
        )


def _expected(line: dict[str, object]) -> bool:
    """Errors that tell the operator of the fault: what is put off for the fifth time, a refusal that is not noted."""
    told = (line.get("event"), line.get("outcome")) in {
        ("run_due", "rescheduled"),
        ("refusal", "not recorded"),
    }
    return told or str(line.get("logger", "")).startswith("slack_sdk.")

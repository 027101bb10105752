"""What does a cell of a matrix run on? The real program, forked, with every call that leaves it seen from outside.

A `Workshop` is made once for each process that runs tests: one Valkey, one IAM, and the server that bots are forked
from. A `Cell` is one run in it: its own Slack workspace, an empty store, new people and IAM users, a clock.

    with Workshop(folder) as shop, shop.cell() as cell:
        bot = cell.start()                      # serves; its first sweep is over
        person = cell.world.engineer()          # a World of tests/integration: people, steps, facts
        cell.begin()                            # count calls from here
        cell.click(lambda: person.command("/key create nightly backup"))
        cell.rest()                             # no work is under way, everything is drawn
        bot.gates.points()                      # every call since, in order, as Point(service, name, nth)

To harm a call: `bot.gates.at(point, side, do)` or `.always(match, side, do)` before the click (matrix/gates.py
says what `do` returns); `cell.kill_at(point, side)` for a kill -9. Afterwards `cell.restart()` starts another process
on the same store, `cell.pass_time(minutes=…)` moves the desk's time (TRIAL_CLOCK) and sweeps, `cell.sweep()` sweeps.
A second bot beside the first: `cell.start()` once more; each has gates of its own (response URLs lead through those
of the bot that was started last). Settings: `shop.cell(APPROVALS_REQUIRED="2")`. A bot that is built otherwise:
`cell.build = tests.some_module.build`, a function of a module. `cell.acks = True`: acknowledgements are calls, too.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from bot.domain.outside_errors import StoreUnavailable
from bot.store import scripts
from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.support.memory_trail import KEY
from tests.support.running_bot import MANIFEST, NO_AWS_FILES, settings_for, wait_for
from tests.support.running_world import StoreServer, World
from tests.verification.matrix.forked import Build, ForkedBot
from tests.verification.matrix.gates import CUT, Call, Gates, Point, Side

T = TypeVar("T")

PATIENCE = 90  # seconds: more than the 60 for which a stopped process may have locked a drawing
SWEEPS = 8
"""Sweeps after each move of the clock, at most: a key does one thing in each, and may have several to do."""
USUAL = {"LOG_LEVEL": "debug", "AUDIT_KEY": KEY, "SWEEP_EVERY": "15s"}
"""The defaults otherwise. A cell sweeps when it says so, mostly before its bot does so by itself."""
LOCKS = {"{keydesk}:render-lock:*": 60, "{keydesk}:audit:leader": 30}
"""The locks that a dead process may leave behind, and the seconds after which each has run out."""
LET_GO = -2
"""What TTL answers where the key is gone (Valkey documentation, "TTL"): who held it lives, and was done just now."""
POLLING = frozenset(
    {
        "acquire_leadership",
        "move_cursor",
        "seal",
        "HGET audit:cursors",
        "HMGET audit:sealed",
        "XRANGE audit",
        "release_lock audit:leader",
    }
)
"""What the auditor does every few seconds, whatever anybody clicks."""


class Killed(Exception):
    """What somebody waited for does not come: the bot was killed."""


class DeskClock:
    """The desk's time: the machine's, moved by what stands in the TRIAL_CLOCK file."""

    def __init__(self, file: Path) -> None:
        self.file, self.last_event = file, timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.last_event

    def move(self, **by: float) -> None:
        self.last_event += timedelta(**by)
        new = self.file.with_suffix(".new")
        new.write_text(str(int(self.last_event.total_seconds())))
        new.replace(self.file)


class Workshop:
    """One Valkey and one IAM for all cells of a process. A context manager, used in the main thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count(1)
        self._cells = itertools.count(1)
        self._clock: DeskClock | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Workshop:
        self.server = StoreServer(self.folder / "data")
        self._stack.callback(self.server.stop)
        self.redis = self._stack.enter_context(self.server.client())
        self.aws = self._stack.enter_context(
            LocalAws(ahead=lambda: self._clock.last_event if self._clock else timedelta())
        )
        self.aws.client("iam").list_users()  # moto loads much at its first call
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @contextmanager
    def cell(self, **settings: str) -> Iterator[Cell]:
        """A new cell, with these settings besides the usual ones."""
        folder = self.folder / f"cell-{next(self._cells):04}"
        folder.mkdir()
        self.redis.flushall()
        for name, text in vars(scripts).items():
            if name.isupper():
                self.redis.script_load(
                    text
                )  # else the first cell would make calls that no other makes
        self.aws.faults.clear()
        self._clock = DeskClock(folder / "clock")
        with LocalSlack(MANIFEST) as slack:
            world = World(slack, self.aws, self.redis, folder, self.numbers, clock=self._clock)
            cell = Cell(self, world, self._clock, settings, slack.url, frozenset(self.aws.secrets))
            try:
                yield cell
            finally:
                cell.close()


@dataclass
class Bot:
    """One process of the desk and its ways out."""

    forked: ForkedBot
    gates: Gates
    killed: threading.Event = field(default_factory=threading.Event)


@dataclass
class Cell:
    """One run: a workspace, an empty store, a clock, and the bots that are started in it."""

    shop: Workshop
    world: World
    clock: DeskClock
    settings: dict[str, str]
    slack_url: str
    older: frozenset[str] = frozenset()
    build: Build | None = None
    acks: bool = False
    bots: list[Bot] = field(default_factory=list)
    clicked: threading.Thread | None = None
    failed: list[BaseException] = field(default_factory=list)
    drawings_lost: int = 0
    earlier: int = 0
    _here: threading.local = field(default_factory=threading.local)

    @property
    def bot(self) -> Bot:
        """The bot that was started last."""
        return self.bots[-1]

    @property
    def log(self) -> str:
        """What all bots of the cell wrote."""
        return self.world.log

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets that IAM made in this cell, by key ID."""
        return {
            key_id: secret
            for key_id, secret in self.world.aws.secrets.items()
            if key_id not in self.older
        }

    # -- processes

    def start(self) -> Bot:
        """Starts a bot, and returns when Slack reaches it and its first sweep is over."""
        slack, aws = self.world.slack, self.world.aws
        here = slack.connections
        gates = Gates(self.shop.server.url, self.slack_url, aws.url, acks=self.acks)
        slack.look(
            lambda box: setattr(box, "url", gates.slack_url)
        )  # response URLs, too, go by the gates
        environ = settings_for(
            slack, aws, **{**USUAL, "TRIAL_CLOCK": str(self.clock.file), **self.settings}
        ) | {
            "REDIS_URL": gates.redis_url,
            "AWS_ENDPOINT_URL": gates.iam_url,
            "PATH": os.environ["PATH"],
            **NO_AWS_FILES,
        }
        folder = self.world.folder
        bot = Bot(
            ForkedBot(environ, folder, folder / f"bot-{len(self.bots) + 1:02}.log", self.build),
            gates,
        )
        self.bots.append(bot)
        bot.forked.start()
        wait_for(
            lambda: slack.connections > here or not bot.forked.alive,
            PATIENCE,
            lambda: f"a bot: {bot.forked.log}",
        )
        assert bot.forked.alive, f"the bot has ended\n{bot.forked.log}"
        self.sweep()
        return bot

    def kill(self, bot: Bot | None = None) -> None:
        """kill -9, and nothing that is under way from it gets through any more."""
        bot = bot or self.bot
        bot.gates.shut()
        bot.forked.kill()
        bot.killed.set()

    def kill_at(self, point: Point, side: Side) -> None:
        """Has the bot killed at this side of this call, when it comes."""
        bot = self.bot

        def kill(call: Call) -> str:
            self.kill(bot)
            return CUT

        bot.gates.at(point, side, kill)

    def restart(self) -> Bot:
        """Another process starts on the same store, a minute later as far as a dead one's locks are concerned."""
        for bot in self.bots:
            bot.gates.close()
        self.clicked = None
        wait_for(
            lambda: not self.world.slack.connections,
            PATIENCE,
            lambda: "the dead bot's connection to end",
        )
        self.unlock()
        return self.start()

    def unlock(self) -> None:
        """What a minute does by itself: a dead process's locks run out. None of them is without an end."""
        for pattern, lasts in LOCKS.items():
            for lock in self.world.redis.scan_iter(pattern):
                left: Any = self.world.redis.ttl(lock)
                assert left == LET_GO or 0 <= left <= lasts, f"{lock} lasts longer than it may"
                self.world.redis.delete(lock)
                self.drawings_lost += "render-lock" in str(lock)

    def close(self) -> None:
        for bot in self.bots:
            self.kill(bot)
            bot.gates.close()

    # -- what happens

    def begin(self) -> None:
        """From here on the bot's calls are counted."""
        self.bot.gates.begin()

    def click(self, gesture: Callable[[], Any]) -> None:
        """Somebody does something, in a thread: where the bot is killed meanwhile, they wait for their answer alone."""

        bot = self.bot

        def do() -> None:
            self._here.bot = bot
            try:
                gesture()
            except BaseException as error:
                if not bot.gates.is_shut:  # else it is dying
                    self.failed.append(error)

        self.clicked = threading.Thread(target=do, daemon=True)
        self.clicked.start()

    def until(self, condition: Callable[[], T], why: str) -> T:
        """Waits, within a click, until `condition` is true, and returns it. Raises Killed where the bot dies first."""

        killed = getattr(self._here, "bot", self.bot).killed

        def met() -> Any:
            return killed.is_set() or ((found,) if (found := condition()) else None)

        met_or_killed = wait_for(met, PATIENCE, lambda: f"{why}\n{self.describe()}")
        if met_or_killed is True:
            raise Killed(why)
        found: T = met_or_killed[0]
        return found

    def rest(self, done: Callable[[], bool] = lambda: True) -> bool:
        """Waits until the last click is over, no work is under way, all is drawn and it is `done`.

        Returns False as soon as the bot is killed instead.
        """

        def over() -> bool | str:
            if self.bot.killed.is_set():
                return "killed"
            if self.failed:
                raise self.failed.pop()
            over = not (self.clicked and self.clicked.is_alive()) and done()
            return over and self._idle()  # in this order: what is done last is drawn, too

        return wait_for(over, PATIENCE, self.describe) is True

    def _idle(self) -> bool:
        try:
            return bool(self.bot.forked.ask("idle")) and not self.unrendered()
        except EOFError:
            return False

    def unrendered(self) -> list[str]:
        """The names of which a copy in Slack is older than what is stored, as far as they are due."""
        try:
            return list(self.world.store.unrendered(self.clock.now()))
        except StoreUnavailable:
            return ["the store does not answer"]

    def all_drawn(self) -> None:
        """Waits until no copy is to be drawn, now or after a pause that a failure brought. Home tabs come when due."""

        def waiting() -> list[str]:
            marked: list[Any] = self.world.redis.zrange("{keydesk}:render", 0, -1)
            return [name for name in marked if not name.startswith("home:")] or self.unrendered()

        wait_for(
            lambda: not waiting(),
            PATIENCE,
            lambda: f"all to be drawn: {waiting()}\n{self.describe()}",
        )

    # -- time

    def sweep(self) -> None:
        """The bot that was started last sweeps until nothing is due; then all is drawn. Nothing where it dies."""
        try:
            for _ in range(SWEEPS):
                self.bot.forked.ask("sweep")
                if not self.rest() or not self.world.store.due(self.clock.now()):
                    break
        except EOFError:
            assert self.bot.killed.is_set(), f"the bot has ended\n{self.bot.forked.log[-3000:]}"

    def pass_time(self, **by: float) -> None:
        """The desk's time moves on by so much, for every process of it and for IAM; then the bot sweeps."""
        self.clock.move(**by)
        self.sweep()

    def describe(self) -> str:
        """Everything that may say why, for a person."""
        calls = "\n".join(str(point) for point in self.bot.gates.points()[-25:])
        return f"{self.world.slack.describe()}\n== last calls\n{calls}\n== log\n{self.log[-4000:]}"

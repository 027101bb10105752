"""Run bots in one cell: their calls, kills, clicks and time (see `harness.py`)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from bot.domain.outside_errors import StoreUnavailable
from tests.support.memory_trail import KEY
from tests.support.running_bot import NO_AWS_FILES, settings_for, wait_for
from tests.support.running_world import World
from tests.verification.matrix.forked import Build, ForkedBot
from tests.verification.matrix.gates import CUT, Call, Gates, Point, Side

T = TypeVar("T")

PATIENCE = 90  # seconds: more than the 60 for which a stopped process may lock a rendering
SWEEPS = 8
"""Sweeps at most after each move of the clock: a key does one thing in each."""
USUAL = {"LOG_LEVEL": "debug", "AUDIT_KEY": KEY, "SWEEP_EVERY": "15s"}
"""Settings besides the defaults. A cell mostly sweeps before its bot does so by itself."""
LOCKS = {"{keydesk}:render-lock:*": 60, "{keydesk}:audit:leader": 30}
"""The locks that a dead process may leave, and the seconds after which each expires."""
NO_SUCH_KEY = -2
"""The answer of TTL for no key (Valkey documentation, "TTL"): its holder lives and freed it."""
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
"""What the audit publisher does every few seconds."""


class Killed(Exception):
    """A condition cannot become true: the bot was killed."""


class CellClock:
    """Keydesk's time: the machine's, moved by the number in the TRIAL_CLOCK file."""

    def __init__(self, file: Path) -> None:
        self.file, self.last_event = file, timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.last_event

    def move(self, **by: float) -> None:
        self.last_event += timedelta(**by)
        new = self.file.with_suffix(".new")
        new.write_text(str(int(self.last_event.total_seconds())))
        new.replace(self.file)


@dataclass
class Bot:
    """One process of Keydesk and the gates of its calls."""

    forked: ForkedBot
    gates: Gates
    killed: threading.Event = field(default_factory=threading.Event)


@dataclass
class Cell:
    """One run: a workspace, an empty database, a clock, and its bots.

    Attributes:
        older: The keys that IAM made in earlier cells.
        messages_lost: Renderings that died, of which each may have posted an unknown message.
        answers_before: The answers in the log that belong to earlier cells of the same bot.
    """

    server_url: str
    world: World
    clock: CellClock
    settings: dict[str, str]
    slack_url: str
    older: frozenset[str] = frozenset()
    build: Build | None = None
    acks: bool = False
    bots: list[Bot] = field(default_factory=list)
    clicked: threading.Thread | None = None
    failed: list[BaseException] = field(default_factory=list)
    messages_lost: int = 0
    answers_before: int = 0
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
        """Start a bot, and return when Slack reaches it and its first sweep is over."""
        slack, aws = self.world.slack, self.world.aws
        here = slack.connections
        gates = Gates(self.server_url, self.slack_url, aws.url, acks=self.acks)
        slack.look(lambda box: setattr(box, "url", gates.slack_url))  # for response URLs
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
        """Kill a bot with SIGKILL. Nothing of it gets through any more."""
        bot = bot or self.bot
        bot.gates.shut()
        bot.forked.kill()
        bot.killed.set()

    def kill_at(self, point: Point, side: Side) -> None:
        """Kill the bot at this side of this call, when it comes."""
        bot = self.bot

        def kill(call: Call) -> str:
            self.kill(bot)
            return CUT

        bot.gates.at(point, side, kill)

    def restart(self) -> Bot:
        """Start another process on the same database, after the locks of the dead one."""
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
        """End a dead process's locks, as a minute does. None of them may last for ever."""
        for pattern, lasts in LOCKS.items():
            for lock in self.world.redis.scan_iter(pattern):
                left: Any = self.world.redis.ttl(lock)
                assert left == NO_SUCH_KEY or 0 <= left <= lasts, f"{lock} lasts longer than it may"
                self.world.redis.delete(lock)
                self.messages_lost += "render-lock" in str(lock)

    def close(self) -> None:
        for bot in self.bots:
            self.kill(bot)
            bot.gates.close()

    # -- what happens

    def begin(self) -> None:
        """Count the bot's calls from here."""
        self.bot.gates.begin()

    def click(self, gesture: Callable[[], Any]) -> None:
        """Make a gesture in a thread, since a killed bot does not answer it."""
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
        """Wait, within a click, until `condition` is true, and return it.

        Raises Killed where the bot dies first.
        """
        killed = getattr(self._here, "bot", self.bot).killed

        def met() -> Any:
            return killed.is_set() or ((found,) if (found := condition()) else None)

        met_or_killed = wait_for(met, PATIENCE, lambda: f"{why}\n{self.describe()}")
        if met_or_killed is True:
            raise Killed(why)
        found: T = met_or_killed[0]
        return found

    def rest(self, done: Callable[[], bool] = lambda: True) -> bool:
        """Wait until the last click is over, nothing is in progress, and it is `done`.

        Return False as soon as the bot is killed instead.
        """

        def over() -> bool | str:
            if self.bot.killed.is_set():
                return "killed"
            if self.failed:
                raise self.failed.pop()
            over = not (self.clicked and self.clicked.is_alive()) and done()
            return over and self._idle()  # in this order: what is done last is rendered, too

        return wait_for(over, PATIENCE, self.describe) is True

    def _idle(self) -> bool:
        try:
            return bool(self.bot.forked.ask("idle")) and not self.unrendered()
        except EOFError:
            return False

    def unrendered(self) -> list[str]:
        """Return the names that are due to be rendered."""
        try:
            return list(self.world.store.unrendered(self.clock.now()))
        except StoreUnavailable:
            return ["the database does not answer"]

    def wait_until_rendered(self) -> None:
        """Wait until all messages are rendered. Home tabs may wait."""

        def waiting() -> list[str]:
            marked: list[Any] = self.world.redis.zrange("{keydesk}:render", 0, -1)
            return [name for name in marked if not name.startswith("home:")] or self.unrendered()

        wait_for(
            lambda: not waiting(),
            PATIENCE,
            lambda: f"all to be rendered: {waiting()}\n{self.describe()}",
        )

    def wait_until_idle(self) -> None:
        """Wait until the last click is over and no bot has work in progress."""

        def idle() -> bool:
            if self.failed:
                raise self.failed.pop()
            clicking = self.clicked and self.clicked.is_alive()
            return not clicking and all(bot.forked.ask("idle") for bot in self.bots)

        wait_for(idle, PATIENCE, self.describe)

    # -- time

    def sweep(self) -> None:
        """Let the newest bot sweep until nothing is due, unless it dies."""
        try:
            for _ in range(SWEEPS):
                self.bot.forked.ask("sweep")
                if not self.rest() or not self.world.store.due(self.clock.now()):
                    break
        except EOFError:
            assert self.bot.killed.is_set(), f"the bot has ended\n{self.bot.forked.log[-3000:]}"

    def pass_time(self, **by: float) -> None:
        """Move the time of all processes and of IAM, and let the bot sweep."""
        self.clock.move(**by)
        self.sweep()

    def describe(self) -> str:
        """Return everything that may explain a failure."""
        calls = "\n".join(str(point) for point in self.bot.gates.points()[-25:])
        return f"{self.world.slack.describe()}\n== last calls\n{calls}\n== log\n{self.log[-4000:]}"

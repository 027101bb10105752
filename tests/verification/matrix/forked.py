"""Start the real bot quickly: fork it from a server that has imported everything."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

PATIENCE = 90  # seconds
Build = Callable[..., Any]

_context = get_context("forkserver")
_context.set_forkserver_preload(
    ["tests.verification.matrix.ready", "tests.verification.matrix.forked", "pytest"]
)
"""All that a child would have to import."""


@dataclass
class ForkedBot:
    """`bot.__main__.run` in its own process, with its output in a file.

    `build` is a module's function that takes settings and returns the bot (None: the product's).
    """

    environ: Mapping[str, str]
    folder: Path
    log_file: Path
    build: Build | None = None
    process: ForkServerProcess | None = None
    _pipe: Connection | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def start(self) -> None:
        """Start the process. The bot serves once Slack has its connection."""
        self._pipe, theirs = _context.Pipe()
        self.process = _context.Process(
            target=serve,
            args=(dict(self.environ), self.folder, self.log_file, self.build, theirs),
            daemon=True,
        )
        self.process.start()
        theirs.close()

    @property
    def log(self) -> str:
        """What it has written to its log."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def alive(self) -> bool:
        return self.process is not None and not wait([self.process.sentinel], 0)

    def kill(self) -> None:
        """Kill the process with SIGKILL, from any thread, and return when it is gone."""
        if self.process is None or self.process.pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        assert wait([self.process.sentinel], PATIENCE), "a killed process does not end"

    def ask(self, what: str) -> Any:
        """Let the running bot do one thing, and return its answer.

        Args:
            what: "sweep" for a sweep, "publish" to publish the whole audit trail, or "idle" to say
                whether no work is in progress.

        Raises:
            EOFError: The bot died meanwhile.
        """
        assert self._pipe is not None
        with self._lock:
            try:
                self._pipe.send(what)
                if not self._pipe.poll(PATIENCE * 2):
                    raise AssertionError(f"the bot does not end its {what}")
                return self._pipe.recv()
            except OSError as error:
                raise EOFError from error


def serve(
    environ: Mapping[str, str], folder: Path, log_file: Path, build: Build | None, pipe: Connection
) -> None:
    """Run the bot's process: what `python -m bot` does, and a thread for `ask`."""
    out = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    from bot.__main__ import run
    from bot.app import build as usual

    def build_and_listen(settings: Any) -> Any:
        bot = (build or usual)(settings)
        sweeping = _in_turn(bot.scheduler, "run_once")
        _in_turn(bot.audit_publisher, "run_once")
        threading.Thread(target=_do_as_asked, args=(bot, sweeping, pipe), daemon=True).start()
        return bot

    sys.exit(run(os.environ, folder / ".env", build_and_listen))


def _in_turn(part: Any, name: str) -> threading.Lock:
    """Let a part's own thread and a test use it one after the other. Return the lock.

    Scheduler and audit publisher are made for one thread each. Of two at once, one would take what
    the other has just read or moved for another process's work.
    """
    turn, work = threading.Lock(), getattr(part, name)

    def alone(*given: Any, **named: Any) -> Any:
        with turn:
            return work(*given, **named)

    setattr(part, name, alone)
    return turn


def _do_as_asked(bot: Any, sweeping: threading.Lock, pipe: Connection) -> None:
    with suppress(EOFError, OSError):
        while True:
            what = pipe.recv()
            if what == "sweep":
                bot.scheduler.run_once()
            elif what == "publish":
                while bot.audit_publisher.run_once():
                    continue
            pipe.send(_idle(bot, sweeping) if what == "idle" else True)


def _idle(bot: Any, sweeping: threading.Lock) -> bool:
    """Say whether the bot neither sweeps nor has work in any pool, at one moment."""
    pools = (bot.pool, bot.pools.busy, bot.pools.background, bot.pools.permissions)
    with ExitStack() as held:
        for pool in pools:
            held.enter_context(pool._lock)
        return not any(pool._taken for pool in pools) and not sweeping.locked()

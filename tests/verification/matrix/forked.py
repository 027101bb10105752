"""How is the real bot there in a moment? Forked from a server that has imported everything, then run as ever."""

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
    """`bot.__main__.run` in a process of its own, its output in a file.

    `build` is a function of a module that takes settings and returns the bot (None: the product's own).
    """

    environ: Mapping[str, str]
    folder: Path
    log_file: Path
    build: Build | None = None
    process: ForkServerProcess | None = None
    _pipe: Connection | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def start(self) -> None:
        """Begins; the bot is not there yet: wait until Slack has its connection."""
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
        """What it has written."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def alive(self) -> bool:
        return self.process is not None and not wait([self.process.sentinel], 0)

    def kill(self) -> None:
        """kill -9; returns when the process is gone. From any thread."""
        if self.process is None or self.process.pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        assert wait([self.process.sentinel], PATIENCE), "a killed process does not end"

    def ask(self, what: str) -> Any:
        """Has the running bot sweep ("sweep") or carry the audit trail on ("round"), and waits for its end.

        "idle" says whether no work is under way in it. Raises EOFError where it dies meanwhile.
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
    """The bot's process, from the fork to its end: what `python -m bot` does, and a thread that may poke it."""
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
    """Has what a part does in its own thread, and when a test asks for it, come one after the other; returns what is
    held meanwhile.

    Sweeper and auditor are made for one thread each: of two at once, one takes lines of the trail that the other has
    just read for forgotten and has all drawn anew, or a cursor that the other has just moved for somebody else's move.
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
            elif what == "round":
                while bot.audit_publisher.run_once():
                    continue
            pipe.send(_idle(bot, sweeping) if what == "idle" else True)


def _idle(bot: Any, sweeping: threading.Lock) -> bool:
    """Whether the bot neither sweeps nor has anything in its pools, at one moment: a work may go on in another pool."""
    pools = (bot.pool, bot.pools.busy, bot.pools.background, bot.pools.permissions)
    with ExitStack() as held:
        for pool in pools:
            held.enter_context(pool._lock)
        return not any(pool._taken for pool in pools) and not sweeping.locked()

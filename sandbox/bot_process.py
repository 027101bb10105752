"""Run the real bot as a process, in a folder that holds all its files."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
_DRAIN = 40  # seconds: the bot takes 25 to finish its work and a few to close
_STORE = 10  # seconds


class BotProcess:
    """`python -m bot` from `with` to its end.

    Its log, its store and its home are in `folder`. `settings` are added to this process's
    environment. The bot reads no `.env` but one in `folder`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.log = folder / "bot.log"
        self._folder = folder
        self._settings = dict(settings)
        self._shown = 0

    def __enter__(self) -> BotProcess:
        environ = {
            **os.environ,
            **self._settings,
            "HOME": str(self._folder),
            "PYTHONPATH": str(ROOT),
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot"],
                cwd=self._folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the sandbox, which then asks the bot to end
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """Return how the bot ended, or None while it runs."""
        return self._process.poll()

    def last_lines(self, count: int = 20) -> list[str]:
        """Return the end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]

    def new_lines(self) -> list[str]:
        """Return the whole lines of its log that this method has not returned yet."""
        with self.log.open("rb") as log:
            log.seek(self._shown)
            whole = log.read().rpartition(b"\n")[0]
        self._shown += len(whole) + 1 if whole else 0
        return whole.decode(errors="replace").splitlines()

    def stop(self) -> None:
        """Let the bot finish its work and end.

        After 40 seconds it is killed. Its store is gone afterwards.
        """
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_DRAIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _end_store(self._folder / "data")


def _end_store(data: Path) -> None:
    """End the store of a bot that could not do it any more, and wait for that.

    Else there is none to be found.
    """
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as store:
        store.settimeout(_STORE)
        store.connect((data / "socket").read_text(encoding="utf-8"))
        store.sendall(b"SHUTDOWN NOSAVE\r\n")
        while store.recv(1024):
            pass

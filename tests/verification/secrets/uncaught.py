"""Run a bot that fails unexpectedly, and print what crash reporters could show.

`python -m tests.verification.secrets.uncaught WHERE`: "build", "start" or "connect".
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from bot.__main__ import run
from bot.config.settings import Settings
from tests.support.serving_bot import SmallBot
from tests.verification.secrets.tracebacks import Reporter, shown


class Bug(Exception):
    """An unexpected error."""


class Printer(Reporter):
    """Prints what it sees at once."""

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        while self.seen:
            print(self.seen.pop(), flush=True)


class Failing(SmallBot):
    """A bot that cannot be built, started, connected or stopped."""

    def __init__(self, settings: Settings, where: str) -> None:
        logging.root.addHandler(Printer(but=__file__))
        if where == "build":
            raise Bug(where)
        super().__init__(settings, Path.cwd())
        self._where = where
        if where == "connect":
            self.app = None

    def start(self) -> None:
        if self._where == "start":
            raise Bug(self._where)

    def stop(self) -> None:
        if self._where == "connect":
            raise Bug(self._where)


if __name__ == "__main__":
    where = sys.argv[1]
    try:
        sys.exit(run(os.environ, Path(".env"), lambda settings: Failing(settings, where)))
    except Bug as error:
        print(shown(error, but=__file__))
        sys.exit(3)

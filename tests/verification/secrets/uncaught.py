"""A program for tests: a bot that fails as nobody expects, and prints all that a crash reporter could show of it.

`python -m tests.verification.secrets.uncaught PLACE`: where it fails.
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
    """What nobody expects."""


class Printer(Reporter):
    """Prints what it sees at once."""

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        while self.seen:
            print(self.seen.pop(), flush=True)


class Failing(SmallBot):
    """A bot that cannot be started, or whose App is none, or that cannot be stopped."""

    def __init__(self, settings: Settings, stream_id: str) -> None:
        logging.root.addHandler(Printer(but=__file__))
        if stream_id == "build":
            raise Bug(stream_id)
        super().__init__(settings, Path.cwd())
        self._place = stream_id
        if stream_id == "connect":
            self.app = None

    def start(self) -> None:
        if self._place == "start":
            raise Bug(self._place)

    def stop(self) -> None:
        if self._place == "connect":
            raise Bug(self._place)


if __name__ == "__main__":
    where = sys.argv[1]
    try:
        sys.exit(run(os.environ, Path(".env"), lambda settings: Failing(settings, where)))
    except Bug as error:
        print(shown(error, but=__file__))
        sys.exit(3)

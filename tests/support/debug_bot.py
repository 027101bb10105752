"""A program for tests: the real bot, with every logger at DEBUG.

Run it as `python -m tests.support.debug_bot`, in the place of `python -m bot`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from bot import app
from bot.__main__ import run
from bot.config.settings import Settings


def everything_at_debug() -> Callable[[], None]:
    """Set every logger, and those to come, to DEBUG. Return a function that undoes it."""
    loggers = [
        one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)
    ]
    levels = {one: one.level for one in (logging.root, *loggers)}
    for logger in levels:
        logger.setLevel(logging.DEBUG)

    def take_back() -> None:
        for logger, level in levels.items():
            logger.setLevel(level)

    return take_back


def build(settings: Settings) -> app.Bot:
    """Build the bot, and then set its loggers."""
    bot = app.build(settings)
    everything_at_debug()
    return bot


if __name__ == "__main__":
    sys.exit(run(os.environ, Path(".env"), build))

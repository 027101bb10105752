"""Read the log while it is written."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from bot.runtime import log_config


class Log:
    """Everything that was logged so far, at every level."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return the lines (of an event), oldest first."""
        found = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in found if event in (None, line["event"])]


@contextmanager
def logged(level: str = "debug") -> Iterator[Log]:
    """Log into memory, as JSON lines, from this level of LOG_LEVEL up."""
    stream = io.StringIO()
    log_config.configure(level, "json", stream)
    try:
        yield Log(stream)
    finally:
        structlog.contextvars.clear_contextvars()
        structlog.reset_defaults()
        for handler in [
            one for one in logging.root.handlers if getattr(one, "stream", None) is stream
        ]:
            logging.root.removeHandler(handler)

"""The system clock, and its drift from the database's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path


class SystemClock:
    """Clock (`domain/ports.py`) on this machine's clock.

    `store_time` returns the database's time, for comparison. `ahead` is how far Keydesk's time runs
    ahead, which is only for trying out.
    """

    def __init__(
        self, store_time: Callable[[], datetime], ahead: Callable[[], timedelta] = timedelta
    ) -> None:
        self._store_time, self._ahead = store_time, ahead

    def now(self) -> datetime:
        """Return the time (UTC)."""
        return datetime.now(UTC) + self._ahead()

    def monotonic(self) -> float:
        """Return seconds that never jump, to measure durations."""
        return time.monotonic()

    def drift(self) -> timedelta:
        """Return how far this process's clock is ahead of the store's."""
        before = datetime.now(UTC)
        theirs = self._store_time()
        return before + (datetime.now(UTC) - before) / 2 - theirs


def trial_offset(file: Path) -> timedelta:
    """Return the whole seconds in a file, zero if it holds no number."""
    try:
        text = file.read_text().strip()
    except OSError:
        return timedelta()
    return timedelta(seconds=int(text)) if text.isdigit() else timedelta()

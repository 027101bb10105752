"""Calls functions later, in one thread of its own."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

from bot.runtime.log_config import get_logger


class Timer:
    """Has things done later, in a thread of its own that begins with the first of them; what is done must be short.

    Nothing is lost with it: whatever waits here is marked in the store, too.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        """Has `do` called once, so many seconds from now."""
        with self._changed:
            if self._stopped:
                return
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._numbers), do))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        """Calls nothing any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while (do := self._next()) is not None:
            try:
                do()
            except Exception:
                get_logger("keydesk.timer").exception("alarm", outcome="failed")

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while not self._stopped:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)
            return None

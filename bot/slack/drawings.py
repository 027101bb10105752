"""Who draws next? A queue of the names to be drawn: few at once, each name once, what has just moved first."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

import structlog

WORKERS = 8
"""Works of the desk's pool that draw at once, at most: the others are for clicks and commands."""

Submit = Callable[[Callable[[], None]], bool]


class Drawings:
    """Has `draw` called for each name that is asked for, in works of the pool that `submit` puts there.

    A name that is asked for again before its turn is drawn once: what is drawn is the newest state.
    """

    def __init__(self, submit: Submit, draw: Callable[[str], None]) -> None:
        self._submit, self._draw = submit, draw
        self._lock = threading.Lock()
        self._queue: dict[str, bool] = {}  # name -> does it come after the others?
        self._workers = 0

    def ask(self, name: str, *, last: bool = False) -> bool:
        """Puts a name in the queue, behind the others with `last`; False where the pool has no room for the work."""
        with self._lock:
            self._queue[name] = last and self._queue.get(name, True)
            if self._workers >= WORKERS:
                return True
            self._workers += 1
        if self._submit(self._work):
            return True
        with self._lock:
            self._workers -= 1
        return False

    def _work(self) -> None:
        while (name := self._next()) is not None:
            try:
                self._draw(name)
            except Exception:
                structlog.get_logger("keydesk.drawings").exception(
                    "draw", name=name, outcome="failed"
                )

    def _next(self) -> str | None:
        with self._lock:
            name = next(
                (one for one, last in self._queue.items() if not last),
                next(iter(self._queue), None),
            )
            if name is None:
                self._workers -= 1
            else:
                del self._queue[name]
            return name


class Alarm:
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
                structlog.get_logger("keydesk.drawings").exception("alarm", outcome="failed")

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while not self._stopped:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)
            return None

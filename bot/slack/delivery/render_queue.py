"""Who draws next? A queue of the names to be drawn: few at once, each name once, what has just moved first."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

MAX_WORKERS = 8
"""Works of the desk's pool that draw at once, at most: the others are for clicks and commands."""

Submit = Callable[[Callable[[], None]], bool]


class RenderQueue:
    """Has `draw` called for each name that is asked for, in works of the pool that `submit` puts there.

    A name that is asked for again before its turn is drawn once: what is drawn is the newest state.
    """

    def __init__(self, submit: Submit, render: Callable[[str], None]) -> None:
        self._submit, self._draw = submit, render
        self._lock = threading.Lock()
        self._queue: dict[str, bool] = {}  # name -> does it come after the others?
        self._workers = 0

    def ask(self, name: str, *, last: bool = False) -> bool:
        """Puts a name in the queue, behind the others with `last`; False where the pool has no room for the work."""
        with self._lock:
            self._queue[name] = last and self._queue.get(name, True)
            if self._workers >= MAX_WORKERS:
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

"""Queue the names of requests, keys and Home tabs to render."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

MAX_WORKERS = 8
"""Workers of the pool that render at the same time, at most.

The other workers serve clicks and commands.
"""

Submit = Callable[[Callable[[], None]], bool]
"""Queues work in the worker pool. Returns False where there is no room."""


class RenderQueue:
    """Calls `render` for each queued name, in workers of the pool.

    A name that is queued twice before its turn is rendered once, with the newest state.

    Args:
        submit: Queues work in the worker pool. Returns False where there is no room.
        render: Renders a name.
    """

    def __init__(self, submit: Submit, render: Callable[[str], None]) -> None:
        self._submit, self._render = submit, render
        self._lock = threading.Lock()
        self._queue: dict[str, bool] = {}  # name: True if it comes after the others
        self._workers = 0

    def ask(self, name: str, *, last: bool = False) -> bool:
        """Queue a name, behind the others where `last` is True.

        Returns:
            False if the worker pool has no room. The name stays queued for the next worker.
        """
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
                self._render(name)
            except Exception:
                structlog.get_logger("keydesk.render_queue").exception(
                    "render", name=name, outcome="failed"
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

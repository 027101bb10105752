"""Run the work behind clicks and commands in a bounded pool of threads."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable

from bot.runtime.log_config import get_logger

Work = Callable[[], object]


class WorkPool:
    """Runs at most `threads` works, while at most `queue` more wait.

    Threads start when needed.
    The threads are daemons, so work that is not done when `drain` gives up does not block the exit.
    """

    def __init__(self, threads: int = 32, queue: int = 256) -> None:
        self._max_threads = threads
        self._max_taken = threads + queue
        self._lock = threading.Lock()
        self._work_there = threading.Condition(self._lock)
        self._all_done = threading.Condition(self._lock)
        self._waiting: deque[tuple[contextvars.Context, Work]] = deque()
        self._threads: set[threading.Thread] = set()
        self._taken = 0  # waiting or running
        self._closed = False

    def submit(self, work: Work) -> bool:
        """Run `work` soon, with the caller's context variables.

        Returns False when the pool is full or closed.

        While the pool drains, work submitted by running work runs at once in the same thread.
        """
        context = contextvars.copy_context()
        with self._lock:
            if self._closed:
                inline = threading.current_thread() in self._threads
                if not inline:
                    return False
            else:
                if self._taken >= self._max_taken:
                    return False
                if (
                    self._taken >= len(self._threads) < self._max_threads
                    and not self._start_thread()
                ):
                    return False
                self._taken += 1
                self._waiting.append((context, work))
                self._work_there.notify()
                return True
        _run(context, work)
        return True

    def drain(self, seconds: float) -> bool:
        """Accept no more work and wait at most `seconds`.

        Returns True if all of it is done.
        """
        until = time.monotonic() + seconds
        with self._lock:
            self._closed = True
            self._work_there.notify_all()
            while self._taken:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._all_done.wait(left)
            return True

    def _start_thread(self) -> bool:
        """Start one more thread.

        Returns False if there is none at all, because the system refuses.
        """
        thread = threading.Thread(
            target=self._work, name=f"keydesk-work-{len(self._threads) + 1}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            get_logger().error("no thread", threads=len(self._threads), error=str(error))
            return bool(self._threads)
        self._threads.add(thread)
        return True

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            _run(*taken)
            del taken  # the work's references end with it, not with the next work
            with self._lock:
                self._taken -= 1
                if not self._taken:
                    self._all_done.notify_all()

    def _next(self) -> tuple[contextvars.Context, Work] | None:
        """Wait for the next work. Returns None once the pool is closed."""
        with self._lock:
            while not self._waiting:
                if self._closed:
                    return None
                self._work_there.wait()
            return self._waiting.popleft()


def _run(context: contextvars.Context, work: Work) -> None:
    """Run `work`, and log whatever it raises, even SystemExit."""
    try:
        context.run(work)
    except BaseException:
        context.run(get_logger().exception, "work failed")

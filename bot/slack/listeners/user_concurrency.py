"""Limit how much one user does at the same time in this process."""

from __future__ import annotations

import threading
from collections import Counter

MAX_CONCURRENT = 6
"""Actions of one user that may wait or run at the same time, more than anyone does by hand."""


class UserConcurrency:
    """Count each user's actions that wait or run.

    It keeps the counts in memory and calls nothing, so an acknowledgement never waits for it. It
    protects this process's threads. The hourly limits are counted in the store.
    """

    def __init__(self, limit: int = MAX_CONCURRENT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()

    def acquire(self, user: str) -> int:
        """Reserve a place for one more action of a user.

        Returns 0 if there is one. Else returns how many were rejected since the user last had no
        action, this one included.
        """
        with self._lock:
            if self._running[user] < self._limit:
                self._running[user] += 1
                return 0
            self._rejected[user] += 1
            return self._rejected[user]

    def release(self, user: str) -> None:
        """Free the place of an action that is over, or that was not run after all."""
        with self._lock:
            self._running[user] -= 1
            if not self._running[user]:
                del self._running[user], self._rejected[user]

"""How much of this process's work may be one person's? A few works at once, so that nobody takes the room of all."""

from __future__ import annotations

import threading
from collections import Counter

MAX_CONCURRENT = 6
"""Works of one person that may wait or run in this process at the same time: more than anybody does by hand."""


class UserConcurrency:
    """Counts each person's works that wait or run. It asks nobody anything, so an ack never waits for it.

    It guards this process's threads and is nothing that another process must know: what a person may do in an hour
    is counted in the store.
    """

    def __init__(self, most: int = MAX_CONCURRENT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._turned_away: Counter[str] = Counter()

    def take(self, person: str) -> int:
        """0: there is room for one more work of theirs. Else how many were turned away since they last had none."""
        with self._lock:
            if self._taken[person] < self._most:
                self._taken[person] += 1
                return 0
            self._turned_away[person] += 1
            return self._turned_away[person]

    def give_back(self, person: str) -> None:
        """One work of theirs is over, or was not taken after all."""
        with self._lock:
            self._taken[person] -= 1
            if not self._taken[person]:
                del self._taken[person], self._turned_away[person]

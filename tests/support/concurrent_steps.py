"""Take steps at the same time, each in its own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def at_once(*steps: Callable[[], T]) -> list[T]:
    """Take all steps at the same time, each in its own thread. Return their results."""
    barrier = threading.Barrier(len(steps))
    results: list[T] = []

    def take(step: Callable[[], T]) -> None:
        barrier.wait(10)
        results.append(step())

    threads = [threading.Thread(target=take, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == len(steps), "not every step came to its end"
    return results

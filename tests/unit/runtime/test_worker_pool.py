"""The worker pool is bounded, survives errors, and finishes what it accepted."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from functools import partial

import pytest
import structlog

from bot.runtime.worker_pool import WorkPool

LONG = 10.0  # seconds; no test waits that long unless it fails


def blocked(pool: WorkPool) -> threading.Event:
    """Fill a thread with work that ends when the event is set. Return when it runs."""
    release, running = threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        assert release.wait(LONG)

    assert pool.submit(work) and running.wait(LONG)
    return release


def in_thread(work: Callable[[], bool]) -> Callable[[], bool]:
    """Run `work` beside the test. The function that is returned waits for its answer."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()

    def answer() -> bool:
        thread.join(LONG)
        return answers[0]

    return answer


def draining(pool: WorkPool) -> Callable[[], bool]:
    """Drain beside the test. Return once the pool accepts nothing more."""
    drained = in_thread(lambda: pool.drain(LONG))
    while pool.submit(lambda: None):
        threading.Event().wait(0.001)
    return drained


def test_work_runs_in_named_threads_beside_the_caller() -> None:
    pool, names = WorkPool(threads=2), list[str]()
    assert pool.submit(lambda: names.append(threading.current_thread().name))
    assert pool.drain(LONG)
    assert names == ["keydesk-work-1"]


def test_each_thread_runs_one_work_at_once() -> None:
    pool, together = WorkPool(threads=3, queue=0), threading.Barrier(4)
    for _ in range(3):
        assert pool.submit(lambda: together.wait(LONG))
    together.wait(LONG)
    assert pool.drain(LONG)


def test_full_pool_refuses_work_until_there_is_room() -> None:
    pool, ran = WorkPool(threads=1, queue=2), list[int]()
    release = blocked(pool)
    accepted = [pool.submit(partial(ran.append, number)) for number in range(3)]
    assert accepted == [True, True, False]
    release.set()
    assert pool.drain(LONG)
    assert ran == [0, 1], "refused work was run"


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_failed_work_is_logged_and_harms_no_other(error: type[BaseException]) -> None:
    pool, done = WorkPool(threads=1), threading.Event()

    def fails() -> None:
        raise error("told")

    with structlog.testing.capture_logs() as events:
        assert pool.submit(fails)
        assert pool.submit(done.set)
        assert done.wait(LONG)
    assert [(event["event"], event["log_level"]) for event in events] == [("work failed", "error")]


def test_work_runs_in_a_copy_of_the_submitters_context() -> None:
    pool, seen = WorkPool(threads=1), list[str]()
    person = contextvars.ContextVar[str]("person", default="none")

    def work() -> None:
        seen.append(person.get())
        person.set("left behind")

    for name in ("alice", "bob"):
        token = person.set(name)
        assert pool.submit(work)
        person.reset(token)
    assert pool.submit(work)
    assert pool.drain(LONG)
    assert seen == ["alice", "bob", "none"]


def test_drain_waits_for_all_work_and_takes_no_more() -> None:
    pool, ran = WorkPool(threads=1), list[int]()
    release = blocked(pool)
    for number in range(5):
        assert pool.submit(partial(ran.append, number))
    drained = draining(pool)
    assert not pool.submit(lambda: ran.append(99))
    release.set()
    assert drained()
    assert not pool.submit(lambda: ran.append(99)) and ran == [0, 1, 2, 3, 4]


def test_draining_gives_up_after_its_time() -> None:
    pool = WorkPool(threads=1)
    release = blocked(pool)
    assert pool.drain(0.01) is False
    release.set()
    assert pool.drain(LONG) is True


def test_work_submitted_while_draining_is_run() -> None:
    pool, ran, go_on = WorkPool(threads=1), list[str](), threading.Event()

    def outer() -> None:
        assert go_on.wait(LONG)
        assert pool.submit(lambda: ran.append(threading.current_thread().name))
        ran.append("outer")

    assert pool.submit(outer)
    drained = draining(pool)
    go_on.set()
    assert drained()
    assert ran == ["keydesk-work-1", "outer"]


def test_unused_pool_drains_at_once_and_again() -> None:
    pool = WorkPool()
    assert pool.drain(0) and pool.drain(0)


def test_work_of_many_submitters_is_all_run() -> None:
    pool, ran = WorkPool(threads=8, queue=10_000), list[int]()

    def submits() -> bool:
        return all(pool.submit(lambda: ran.append(1)) for _ in range(500))

    submitters = [in_thread(submits) for _ in range(8)]
    assert all(submitted() for submitted in submitters)
    assert pool.drain(LONG) and len(ran) == 4000

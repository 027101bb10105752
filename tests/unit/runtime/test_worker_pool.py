"""The work pool: bounded, unbreakable, and it finishes what it has taken."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable

import pytest
import structlog

from bot.runtime.worker_pool import WorkPool

LONG = 10.0  # seconds; no test waits that long unless it fails


def blocked(pool: WorkPool, works: int = 1) -> threading.Event:
    """Fill `works` threads with work that ends when the event is set; returns when all of it runs."""
    release, running = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        running.release()
        assert release.wait(LONG)

    for _ in range(works):
        assert pool.submit(work)
    for _ in range(works):
        assert running.acquire(timeout=LONG)
    return release


def test_work_runs_in_named_threads_beside_the_caller() -> None:
    pool, names, done = WorkPool(threads=2), list[str](), threading.Event()

    def work() -> None:
        names.append(threading.current_thread().name)
        done.set()

    assert pool.submit(work)
    assert done.wait(LONG)
    assert names == ["keydesk-work-1"]


def test_each_thread_runs_one_work_at_once() -> None:
    pool = WorkPool(threads=3, queue=0)
    together = threading.Barrier(4)

    for _ in range(3):
        assert pool.submit(lambda: together.wait(LONG))

    together.wait(LONG)
    assert pool.drain(LONG)


def test_full_pool_refuses_work_until_there_is_room() -> None:
    pool, ran = WorkPool(threads=1, queue=2), threading.Semaphore(0)
    release = blocked(pool)

    assert [pool.submit(ran.release) for _ in range(3)] == [True, True, False]

    release.set()
    assert ran.acquire(timeout=LONG) and ran.acquire(timeout=LONG)
    assert pool.drain(LONG)
    assert not ran.acquire(blocking=False), "refused work was run"


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
    person = contextvars.ContextVar[str]("person", default="nobody")

    def work() -> None:
        seen.append(person.get())
        person.set("left behind")

    for name in ("alice", "bob"):
        token = person.set(name)
        assert pool.submit(work)
        person.reset(token)
    assert pool.submit(work)

    assert pool.drain(LONG)
    assert seen == ["alice", "bob", "nobody"]


def test_drain_waits_for_all_work_and_takes_no_more() -> None:
    pool, ran = WorkPool(threads=1), list[int]()
    release = blocked(pool)
    for number in range(5):
        assert pool.submit(lambda number=number: ran.append(number))  # type: ignore[misc]  # a default binds it

    drained = in_thread(lambda: pool.drain(LONG))
    until_closed(pool)
    assert not pool.submit(lambda: ran.append(99))
    release.set()

    assert drained() is True
    assert ran == [0, 1, 2, 3, 4]
    assert not pool.submit(lambda: ran.append(99))


def test_draining_gives_up_after_its_time() -> None:
    pool = WorkPool(threads=1)
    release = blocked(pool)

    assert pool.drain(0.01) is False

    release.set()
    assert pool.drain(LONG) is True


def test_work_submitted_while_draining_is_run() -> None:
    pool, ran, go, running = WorkPool(threads=1), list[str](), threading.Event(), threading.Event()

    def outer() -> None:
        running.set()
        assert go.wait(LONG)
        assert pool.submit(lambda: ran.append(threading.current_thread().name))
        ran.append("outer")

    assert pool.submit(outer)
    assert running.wait(LONG)
    drained = in_thread(lambda: pool.drain(LONG))
    until_closed(pool)
    go.set()

    assert drained() is True
    assert ran == ["keydesk-work-1", "outer"]


def test_unused_pool_drains_at_once_and_again() -> None:
    pool = WorkPool()
    assert pool.drain(0)
    assert pool.drain(0)


def test_work_of_many_submitters_is_all_run() -> None:
    pool, ran = WorkPool(threads=8, queue=10_000), list[int]()

    def submits() -> bool:
        return all(pool.submit(lambda: ran.append(1)) for _ in range(500))

    submitters = [in_thread(submits) for _ in range(8)]

    assert all(submitted() for submitted in submitters)
    assert pool.drain(LONG)
    assert len(ran) == 4000


def in_thread(work: Callable[[], bool]) -> Callable[[], bool]:
    """Run `work` beside the test; the function returned waits for its answer."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()

    def answer() -> bool:
        thread.join(LONG)
        return answers[0]

    return answer


def until_closed(pool: WorkPool) -> None:
    """Returns once the pool takes nothing more (what is offered meanwhile does nothing)."""
    while pool.submit(lambda: None):
        threading.Event().wait(0.001)

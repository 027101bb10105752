"""The render queue renders each name once. The timer runs work in order."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bot.runtime.timer import Timer
from bot.runtime.worker_pool import WorkPool
from bot.slack.delivery.render_queue import MAX_WORKERS, RenderQueue
from tests.support.render_world import PATIENCE


def at_once(work: Callable[[], None]) -> bool:
    work()
    return True


def test_rendering_leaves_workers_free_for_clicks() -> None:
    pool, go, running = WorkPool(), threading.Event(), threading.Semaphore(0)
    rendered: list[str] = []

    def render(name: str) -> None:
        rendered.append(name)
        running.release()
        assert go.wait(PATIENCE)

    queue = RenderQueue(pool.submit, render)
    assert all(queue.ask(f"request:{number}") for number in range(100))
    for _ in range(MAX_WORKERS):
        assert running.acquire(timeout=PATIENCE)
    clicked = threading.Event()
    assert pool.submit(clicked.set) and clicked.wait(PATIENCE)
    assert len(rendered) == MAX_WORKERS
    go.set()
    assert pool.drain(PATIENCE) and len(rendered) == 100


def test_a_name_is_rendered_once_and_home_tabs_last() -> None:
    waiting: list[Callable[[], None]] = []
    rendered: list[str] = []
    queue = RenderQueue(lambda work: not waiting.append(work), rendered.append)
    for name in ("home:U1", "request:a", "home:U1", "request:b", "request:a"):
        queue.ask(name, last=name.startswith("home:"))
    for work in waiting:
        work()
    assert rendered == ["request:a", "request:b", "home:U1"]


def test_what_met_a_full_pool_is_rendered_with_the_next() -> None:
    rendered: list[str] = []
    room: list[bool] = []
    queue = RenderQueue(lambda work: bool(room) and at_once(work), rendered.append)
    assert not any(queue.ask(f"request:{number}") for number in range(3 * MAX_WORKERS))
    room.append(True)
    assert queue.ask("request:last") and len(rendered) == 3 * MAX_WORKERS + 1


def test_a_rendering_that_fails_stops_no_other() -> None:
    rendered: list[str] = []

    def render(name: str) -> None:
        if name == "bad":
            raise ValueError(name)
        rendered.append(name)

    queue = RenderQueue(at_once, render)
    assert all(queue.ask(name) for name in (*["bad"] * (MAX_WORKERS + 1), "good"))
    assert rendered == ["good"]


def test_the_timer_runs_work_in_order_until_it_is_stopped() -> None:
    timer, rang, order = Timer(), threading.Event(), list[str]()
    timer.after(60, lambda: order.append("late"))
    timer.after(0.02, rang.set)
    timer.after(0.01, lambda: order.append("soon"))
    timer.after(0, lambda: 1 / 0)
    assert rang.wait(PATIENCE) and order == ["soon"]
    timer.stop()
    timer.after(0, lambda: order.append("never"))
    assert order == ["soon"]


def test_an_unused_timer_has_no_thread() -> None:
    before = threading.active_count()
    Timer().stop()
    assert threading.active_count() == before

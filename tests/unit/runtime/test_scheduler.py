"""The scheduler runs what is due, and tries failures again with growing waits."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from bot.domain.outside_errors import Conflict, IamUnavailable, SlackUnavailable, StoreUnavailable
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.domain.store_ports import RequestStore
from bot.operations import approvers
from bot.runtime.scheduler import (
    BATCH_SIZE,
    CHECK_APPROVERS_EVERY,
    ERROR_AFTER_TRIES,
    MAX_BATCHES,
    MAX_WAIT,
    Scheduler,
)
from tests.support.logged import Log
from tests.support.world import ALICE, CAROL, ERIN, World, make_desk

EVERY = timedelta(seconds=15)
DAY = timedelta(days=1)
PATIENCE = 45


@pytest.fixture
def world() -> World:
    return make_desk()


@pytest.fixture
def scheduler(world: World, log: Log) -> Scheduler:
    return Scheduler(world.services, EVERY)


def overdue(world: World, count: int) -> list[KeyRequest]:
    """Return so many requests of as many users, which no approver decided in time."""
    first = world.pending()
    others = [replace(first, id=f"other{n}", iam_user=f"user{n}") for n in range(count - 1)]
    entry = AuditEntry(at=first.requested_at, by=ALICE.id, action="create")
    for request in others:
        world.store.commit(Change(None, request), entry=entry)
    world.clock.advance(world.services.settings.request_ttl)
    return [first, *others]


def statuses(world: World, requests: list[KeyRequest]) -> list[Status]:
    return [world.now(request).status for request in requests]


def test_only_what_is_due_is_run(world: World, scheduler: Scheduler) -> None:
    request = world.pending()
    scheduler.run_once()
    assert world.now(request) == request
    world.clock.advance(world.services.settings.request_ttl)
    scheduler.run_once()
    assert world.now(request).status is Status.EXPIRED


def test_names_are_read_in_batches(world: World, scheduler: Scheduler) -> None:
    requests = overdue(world, 2 * BATCH_SIZE + 1)
    before = world.taps.calls.count("store.due")
    scheduler.run_once()
    assert {*statuses(world, requests)} == {Status.EXPIRED}
    assert world.taps.calls.count("store.due") - before == 3


class Backlog:
    """A store in which so many names are due, about which nothing is stored."""

    def __init__(self, store: RequestStore, names: int) -> None:
        self._store, self.names = store, names

    def due(self, now: datetime, limit: int) -> list[str]:
        batch = min(limit, self.names)
        self.names -= batch
        return ["request:gone"] * batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_run_ends_after_the_maximum_of_batches(world: World, log: Log) -> None:
    backlog = Backlog(world.services.store, MAX_BATCHES * BATCH_SIZE + 1)
    services = replace(world.services, store=cast(RequestStore, backlog))
    scheduler = Scheduler(services, EVERY)
    scheduler.run_once()
    assert backlog.names == 1
    scheduler.run_once()
    assert backlog.names == 0 and log.lines() == []


def fail_again_and_again(
    world: World, scheduler: Scheduler, log: Log, times: int
) -> list[dict[str, Any]]:
    """Run a request so often while IAM is away. Return what is logged about it."""
    world.delivered()
    world.clock.advance(world.services.settings.receipt_ttl / 2)
    world.taps.away_from(1, "issuer", lambda call: IamUnavailable(call))
    for _ in range(times):
        scheduler.run_once()
        world.clock.advance(timedelta(seconds=float(log.lines("run_due")[-1]["seconds"])))
    return log.lines("run_due")


def test_failures_are_rescheduled_with_growing_waits(
    world: World, scheduler: Scheduler, log: Log
) -> None:
    lines = fail_again_and_again(world, scheduler, log, times=12)
    waits = [line["seconds"] for line in lines]
    assert waits[:4] == [15, 30, 60, 120]
    assert waits[-1] == MAX_WAIT.total_seconds() and waits == sorted(waits)
    assert ERROR_AFTER_TRIES == 5
    levels = ["warning"] * 4 + ["error"] * 8
    assert [(line["tries"], line["level"]) for line in lines] == [*enumerate(levels, 1)]
    assert {line["error"] for line in lines} == {"IamUnavailable"}
    assert all(line["name"].startswith("request:") for line in lines)


def test_failed_name_is_run_again_after_its_wait(
    world: World, scheduler: Scheduler, log: Log
) -> None:
    fail_again_and_again(world, scheduler, log, times=3)
    world.clock.advance(timedelta(seconds=-1))
    scheduler.run_once()
    assert len(log.lines("run_due")) == 3
    world.clock.advance(timedelta(seconds=1))
    world.taps.calm()
    scheduler.run_once()
    [request] = world.store.requests_of(ALICE.id)
    assert request.reminded_at and world.store.reschedule_count(request.name) == 0


def test_failure_does_not_delay_the_others(world: World, scheduler: Scheduler, log: Log) -> None:
    requests = overdue(world, 3)
    world.taps.on("store.commit", before=ZeroDivisionError())
    scheduler.run_once()
    assert statuses(world, requests) == [Status.PENDING, Status.EXPIRED, Status.EXPIRED]
    assert [line["error"] for line in log.lines("run_due")] == ["ZeroDivisionError"]


def test_conflict_is_not_a_failure(world: World, scheduler: Scheduler, log: Log) -> None:
    [request] = overdue(world, 1)
    world.taps.on("store.commit", before=Conflict(request.name))
    scheduler.run_once()
    assert log.lines() == [] and world.store.reschedule_count(request.name) == 0


def test_skewed_clock_stops_the_run_and_is_logged(
    world: World, scheduler: Scheduler, log: Log
) -> None:
    overdue(world, 1)
    world.clock.ahead = timedelta(seconds=-5.1)
    with world.nothing_happens():
        scheduler.run_once()
    [line] = log.lines("scheduler")
    assert (line["level"], line["outcome"], line["seconds"]) == ("error", "clock skewed", -5.1)


@pytest.mark.parametrize("call", range(1, 6))
def test_database_outage_at_any_call_is_logged(
    world: World, scheduler: Scheduler, log: Log, call: int
) -> None:
    [request] = overdue(world, 1)
    world.taps.away_from(call, "store", lambda name: StoreUnavailable())
    scheduler.run_once()
    assert [line["outcome"] for line in log.lines("scheduler")] == ["database unavailable"]
    world.taps.calm()
    scheduler.run_once()
    assert world.now(request).status is Status.EXPIRED


def test_unexpected_error_does_not_stop_the_scheduler(
    world: World, scheduler: Scheduler, log: Log
) -> None:
    world.taps.on("store.unrendered", before=ZeroDivisionError())
    scheduler.run_once()
    [line] = log.lines("scheduler")
    assert line["outcome"] == "failed" and "ZeroDivisionError" in line["exception"]


def test_missing_renderings_are_requested(world: World, scheduler: Scheduler) -> None:
    first, second = overdue(world, 2)
    scheduler.run_once()
    world.slack.rendered.clear()
    world.store.schedule_render(second.name, world.clock.now() + DAY)
    scheduler.run_once()
    assert world.slack.rendered == [first.name]


# -- threads and processes


def test_it_runs_at_once_and_stop_waits_for_the_run(world: World, log: Log) -> None:
    [request] = overdue(world, 1)
    running, may_go_on = threading.Event(), threading.Event()

    def hold() -> None:
        running.set()
        assert may_go_on.wait(PATIENCE)

    world.taps.on("store.unrendered", before=hold)
    scheduler = Scheduler(world.services, DAY)
    scheduler.start()
    assert running.wait(PATIENCE)
    stopping = threading.Thread(target=scheduler.stop)
    stopping.start()
    assert stopping.is_alive()
    may_go_on.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive() and world.now(request).status is Status.EXPIRED


def test_stop_leaves_the_rest_to_another_process(world: World, scheduler: Scheduler) -> None:
    requests = overdue(world, 3)
    world.taps.on("store.commit", after=scheduler.stop)
    scheduler.run_once()
    assert statuses(world, requests).count(Status.PENDING) == 2


def test_several_processes_may_run_at_once(world: World, log: Log) -> None:
    requests = overdue(world, 50)
    runs = [threading.Thread(target=Scheduler(world.services, EVERY).run_once) for _ in range(4)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join(PATIENCE)
    assert [world.now(request).version for request in requests] == [2] * 50
    assert [entry.action for entry in world.store.entries].count("expire") == 50
    assert log.lines("run_due") == []


def test_scheduler_that_never_started_can_stop(scheduler: Scheduler) -> None:
    scheduler.stop()


# -- who may approve


def test_approvers_are_checked_every_two_minutes(world: World, scheduler: Scheduler) -> None:
    scheduler.run_once()
    checks = world.taps.calls.count("directory.approvers")
    world.people.may_approve = frozenset({ERIN.id})
    world.clock.advance(timedelta(seconds=CHECK_APPROVERS_EVERY - 1))
    scheduler.run_once()
    assert world.taps.calls.count("directory.approvers") == checks and world.slack.announced == []
    world.clock.advance(timedelta(seconds=1))
    scheduler.run_once()
    change = approvers.change_detail(added=(), removed=[CAROL.id])
    assert world.slack.announced == [(world.services.settings.approval_channel, change)]


def test_slack_outage_during_the_check_is_logged(
    world: World, scheduler: Scheduler, log: Log
) -> None:
    [request] = overdue(world, 1)
    outage = SlackUnavailable("usergroups.users.list", "fatal_error")
    world.taps.on("directory.approvers", before=outage)
    scheduler.run_once()
    assert world.now(request).status is Status.EXPIRED
    [line] = log.lines("approvers")
    assert (line["outcome"], line["error"]) == ("unknown", "fatal_error")

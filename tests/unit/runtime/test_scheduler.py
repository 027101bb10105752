"""Run what is due. Failures are tried again with growing waits, and nothing stops the scheduler."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.outside_errors import Conflict, IamUnavailable, SlackUnavailable, StoreUnavailable
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import approvers
from bot.runtime.scheduler import (
    BATCH_SIZE,
    CHECK_APPROVERS_EVERY,
    ERROR_AFTER_TRIES,
    MAX_BATCHES,
    MAX_WAIT,
    Scheduler,
)
from tests.support.logged import Log, logged
from tests.support.world import ALICE, CAROL, ERIN, World, make_desk

EVERY = timedelta(seconds=15)
DAY = timedelta(days=1)
PATIENCE = 45


@pytest.fixture
def log() -> Iterator[Log]:
    with logged() as written:
        yield written


@pytest.fixture
def world() -> World:
    return make_desk()


@pytest.fixture
def scheduler(world: World, log: Log) -> Scheduler:
    return Scheduler(world.services, EVERY)


def overdue(world: World, count: int) -> list[KeyRequest]:
    """So many requests of as many people, whose time for a decision is over."""
    first = world.pending()
    others = [replace(first, id=f"other{n}", iam_user=f"user{n}") for n in range(count - 1)]
    entry = AuditEntry(at=first.requested_at, by=ALICE.id, action="create")
    for request in others:
        world.store.commit(Change(None, request), entry=entry)
    world.clock.advance(world.services.settings.request_ttl)
    return [first, *others]


def waiting(world: World) -> int:
    return len(world.store.pending(10 * BATCH_SIZE * MAX_BATCHES))


def test_only_what_is_due_is_run(world: World, scheduler: Scheduler) -> None:
    request = world.pending()
    scheduler.run_once()
    assert world.now(request) == request
    world.clock.advance(world.services.settings.request_ttl)
    scheduler.run_once()
    assert world.now(request).status is Status.EXPIRED


def test_names_are_read_in_batches(world: World, scheduler: Scheduler) -> None:
    overdue(world, 2 * BATCH_SIZE + 1)
    before = world.taps.calls.count("store.due")
    scheduler.run_once()
    assert waiting(world) == 0
    assert world.taps.calls.count("store.due") - before == 3


def test_run_ends_after_the_maximum_of_batches(world: World, scheduler: Scheduler) -> None:
    overdue(world, MAX_BATCHES * BATCH_SIZE + 1)
    scheduler.run_once()
    assert waiting(world) == 1
    scheduler.run_once()
    assert waiting(world) == 0


def fail_again_and_again(
    world: World, scheduler: Scheduler, log: Log, times: int
) -> list[dict[str, object]]:
    """IAM does not answer while a key waits for its receipt; returns what was logged about it."""
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


def test_nothing_is_called_between_two_tries(world: World, scheduler: Scheduler, log: Log) -> None:
    fail_again_and_again(world, scheduler, log, times=3)
    world.clock.advance(timedelta(seconds=-1))
    scheduler.run_once()
    assert len(log.lines("run_due")) == 3


def test_fifth_failure_is_logged_as_an_error(world: World, scheduler: Scheduler, log: Log) -> None:
    lines = fail_again_and_again(world, scheduler, log, times=ERROR_AFTER_TRIES + 1)
    assert [(line["level"], line["tries"]) for line in lines] == [
        ("warning", 1),
        ("warning", 2),
        ("warning", 3),
        ("warning", 4),
        ("error", 5),
        ("error", 6),
    ]
    assert {line["error"] for line in lines} == {"IamUnavailable"}
    assert all(str(line["name"]).startswith("request:") for line in lines)


def test_failed_name_is_run_again(world: World, scheduler: Scheduler, log: Log) -> None:
    fail_again_and_again(world, scheduler, log, times=2)
    world.taps.calm()
    scheduler.run_once()
    [request] = world.store.requests_of(ALICE.id)
    assert request.reminded_at and world.store.reschedule_count(request.name) == 0


def test_failure_does_not_delay_the_others(world: World, scheduler: Scheduler, log: Log) -> None:
    first, *others = overdue(world, 3)
    world.taps.on("store.commit", before=ZeroDivisionError())
    scheduler.run_once()
    assert [world.now(request).status for request in others] == [Status.EXPIRED, Status.EXPIRED]
    assert world.now(first).status is Status.PENDING
    assert [line["error"] for line in log.lines("run_due")] == ["ZeroDivisionError"]


def test_conflict_is_not_a_failure(world: World, scheduler: Scheduler, log: Log) -> None:
    [request] = overdue(world, 1)
    world.taps.on("store.commit", before=Conflict(request.name))
    scheduler.run_once()
    assert log.lines() == [] and world.store.reschedule_count(request.name) == 0


def test_skewed_clock_stops_the_run_and_is_logged(
    world: World, scheduler: Scheduler, log: Log
) -> None:
    [request] = overdue(world, 1)
    world.clock.ahead = timedelta(seconds=-5.1)
    rendered = list(world.slack.rendered)
    scheduler.run_once()
    assert world.now(request) == request and world.slack.rendered == rendered
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
    first, second, *_ = overdue(world, 2)
    scheduler.run_once()
    world.slack.rendered.clear()
    world.store.schedule_render(second.name, world.clock.now() + DAY)
    scheduler.run_once()
    assert world.slack.rendered == [first.name]


def test_it_runs_at_once_and_stop_waits_for_the_run(world: World, log: Log) -> None:
    [request] = overdue(world, 1)
    swept, may_go_on = threading.Event(), threading.Event()

    def hold() -> None:
        swept.set()
        assert may_go_on.wait(PATIENCE)

    world.taps.on("store.unrendered", before=hold)
    scheduler = Scheduler(world.services, DAY)
    scheduler.start()
    assert swept.wait(PATIENCE)
    stopping = threading.Thread(target=scheduler.stop)
    stopping.start()
    assert stopping.is_alive()
    may_go_on.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive() and world.now(request).status is Status.EXPIRED


def test_stop_leaves_the_rest_to_another_process(world: World, scheduler: Scheduler) -> None:
    overdue(world, 3)
    world.taps.on("store.commit", after=scheduler.stop)
    scheduler.run_once()
    assert waiting(world) == 2


def test_several_processes_may_run_at_once(world: World, log: Log) -> None:
    requests = overdue(world, 50)
    sweepers = [
        threading.Thread(target=Scheduler(world.services, EVERY).run_once) for _ in range(4)
    ]
    for thread in sweepers:
        thread.start()
    for thread in sweepers:
        thread.join(PATIENCE)
    assert [world.now(request).version for request in requests] == [2] * 50
    assert (
        log.lines("run_due") == []
        and len([one for one in world.store.entries if one.action == "expire"]) == 50
    )


def test_scheduler_that_never_started_can_stop(scheduler: Scheduler) -> None:
    scheduler.stop()


# -- who may approve


def test_approvers_are_checked_every_two_minutes(world: World, scheduler: Scheduler) -> None:
    def looks() -> int:
        return world.taps.calls.count("directory.approvers")

    scheduler.run_once()
    begun = looks()
    world.people.may_approve = frozenset({ERIN.id})
    world.clock.advance(timedelta(seconds=CHECK_APPROVERS_EVERY - 1))
    scheduler.run_once()
    assert looks() == begun and world.slack.announced == []
    world.clock.advance(timedelta(seconds=1))
    scheduler.run_once()
    assert world.slack.announced == [
        (
            world.services.settings.approval_channel,
            approvers.change_detail(added=(), removed=[CAROL.id]),
        )
    ]


def test_slack_outage_during_the_check_is_logged(
    world: World, scheduler: Scheduler, log: Log
) -> None:
    request = overdue(world, 1)[0]
    world.taps.on(
        "directory.approvers", before=SlackUnavailable("usergroups.users.list", "fatal_error")
    )
    scheduler.run_once()
    assert world.now(request).status is Status.EXPIRED
    assert [(line["outcome"], line["error"]) for line in log.lines("approvers")] == [
        ("unknown", "fatal_error")
    ]

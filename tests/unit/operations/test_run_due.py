"""Requests expire, receipts are asked for, unclaimed keys are deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError
from bot.domain.keys import DesiredState, KeyStatus, ObservedState
from bot.domain.outside_errors import IamDenied, IamUnavailable, StoreUnavailable
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import create_request, disable_key, run_due
from tests.support.errors import refuses
from tests.support.world import ALICE, World, make_desk, no_key_is_left, reveal
from tests.unit.operations.key_checks import assert_fields, iam_status
from tests.unit.operations.key_steps import UNKNOWN_KEY, approve, confirmed, living, request_enable
from tests.unit.operations.key_times import DAY, HOUR, MINUTE, ORPHAN_CHECK, SECOND, SOON

HALF_TIME = 12 * HOUR
DENIED = IamDenied("AccessDenied", "GetAccessKeyLastUsed")


@pytest.fixture
def world() -> World:
    return make_desk()


@pytest.mark.parametrize("state", ["pending", "approved"])
def test_a_request_expires_at_its_deadline_and_not_before(world: World, state: str) -> None:
    request = getattr(world, state)()
    world.pass_time(48 * HOUR)  # The permissions are loaded,
    world.sweep()  # and the reminders are sent.
    with world.nothing_happens():
        world.pass_time(24 * HOUR - SECOND)
    world.pass_time(SECOND)
    now = world.now(request)
    assert_fields(
        now, status=Status.EXPIRED, last_event_by="keydesk", deadline=None, locks=frozenset()
    )
    assert world.slack.rendered[-1] == request.name
    with world.nothing_happens():
        world.rest(days=1)


def test_one_reminder_asks_for_the_receipt_at_half_time(world: World) -> None:
    request = world.delivered()
    with world.nothing_happens():
        world.pass_time(HALF_TIME - SECOND)
    world.pass_time(SECOND)
    now = world.now(request)
    assert_fields(
        now, status=Status.DELIVERED, last_event=Event.REMIND, reminded_at=world.clock.now()
    )
    with world.nothing_happens():
        world.pass_time(HALF_TIME - SECOND)


@pytest.mark.parametrize("click", ["approve", "reveal", "cancel"])
def test_a_process_with_a_wrong_clock_expires_no_request(world: World, click: str) -> None:
    """By its clock the request has expired. By the database's clock it may not."""
    request = world.pending() if click == "approve" else world.approved()
    world.clock.advance(73 * HOUR)
    world.clock.ahead = HOUR
    clicks = {
        "approve": lambda: approve(world, request),
        "reveal": lambda: reveal(world, request),
        "cancel": lambda: create_request.cancel(world.services, ALICE, request.id),
    }
    with world.nothing_happens(), refuses(Code.CLOCK_SKEWED, seconds=3600):
        clicks[click]()
    world.clock.ahead = timedelta(0)
    world.sweep()
    assert world.now(request).status is Status.EXPIRED


@pytest.mark.parametrize("half_times", [1, 2])
def test_a_used_key_counts_as_received(world: World, half_times: int) -> None:
    request = world.delivered()
    for _ in range(half_times - 1):
        world.pass_time(HALF_TIME)
    world.iam.use(request.access_key_id)
    world.pass_time(HALF_TIME)
    assert world.now(request).status is Status.CONFIRMED
    assert world.store.entries[-1].detail == Detail(Code.KEY_USED)
    assert world.iam.active == [request.access_key_id]
    world.sweep()
    assert world.now(request).next_run is None


def test_an_unclaimed_key_is_disabled_and_deleted_a_week_later(world: World) -> None:
    request = world.unclaimed()
    assert (request.status, request.unclaimed_at) == (Status.UNCLAIMED, world.clock.now())
    assert world.record(request.access_key_id).desired is DesiredState.INACTIVE
    no_key_is_left(world)
    world.pass_time(7 * DAY - SECOND)
    assert iam_status(world, request.access_key_id) == "Inactive"
    world.pass_time(SECOND)
    assert world.now(request).status is Status.EXPIRED
    assert iam_status(world, request.access_key_id) == "gone"


def test_an_unclaimed_key_in_use_is_not_deleted(world: World) -> None:
    request = world.unclaimed()
    world.pass_time(ORPHAN_CHECK + MINUTE)  # No call by Keydesk runs as late as this.
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.ACTIVE)
    world.iam.use(request.access_key_id)
    world.pass_time(8 * DAY)
    assert world.now(request).status is Status.CONFIRMED
    assert world.iam.active == world.desired() == [request.access_key_id]


def test_a_key_deleted_before_its_receipt_ends_the_request(world: World) -> None:
    request = world.approved()

    def delete_it() -> None:
        disable_key.disable(world.services, ALICE, *world.iam.made)
        disable_key.delete(world.services, ALICE, *world.iam.made)

    world.taps.on("store.commit", nth=3, before=delete_it)
    reveal(world, request)
    world.rest()
    assert world.now(request).status is Status.EXPIRED
    no_key_is_left(world)


def test_a_key_gone_from_iam_counts_as_unused(world: World) -> None:
    request = world.delivered()
    world.iam.delete_key(ALICE.email, request.access_key_id)
    for _ in range(2):
        world.taps.on("issuer.last_used", before=DENIED)
        world.pass_time(HALF_TIME)
    assert world.now(request).status is Status.UNCLAIMED


@pytest.mark.parametrize("problem", [DENIED, IamUnavailable("GetAccessKeyLastUsed")])
def test_without_a_known_last_use_a_key_is_not_disabled(
    world: World, problem: KeydeskError
) -> None:
    request = world.delivered()
    world.pass_time(HALF_TIME)
    world.taps.on("issuer.last_used", before=problem)
    with world.nothing_happens():
        world.pass_time(HALF_TIME)
    world.pass_time(SOON)
    assert world.now(request).status is Status.UNCLAIMED


def test_after_a_long_downtime_the_receipt_is_overdue(world: World) -> None:
    request = world.delivered()
    world.pass_time(2 * DAY)
    assert world.now(request).status is Status.UNCLAIMED


@pytest.mark.parametrize("state", ["pending", "approved", "delivered", "unclaimed"])
def test_of_two_schedulers_only_one_runs_what_is_due(world: World, state: str) -> None:
    request = getattr(world, state)()
    world.clock.advance(8 * DAY)
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, request.name))
    with refuses(Code.CONFLICT):
        run_due.run(world.services, request.name)
    with world.nothing_happens():
        run_due.run(world.services, request.name)


def test_nothing_runs_early_or_for_unknown_names(world: World) -> None:
    request = world.delivered()
    disable_key.disable(world.services, ALICE, request.access_key_id)
    key_name = f"key:{request.access_key_id}"
    with world.nothing_happens():
        for name in (request.name, key_name, "request:id9", f"key:{UNKNOWN_KEY}", "other"):
            run_due.run(world.services, name)


def test_a_confirmed_request_is_left_alone(world: World) -> None:
    confirmed(world)
    with world.nothing_happens():
        world.rest(days=30)


# Schedules that the simulation found (tests/verification/simulation), as short as can be.


def before_reminder(world: World) -> KeyRequest:
    """Return a confirmed request whose key has a reminder due in a minute."""
    request = living(world, 30 * DAY)
    world.pass_time(23 * DAY - MINUTE)
    return request


def to_enable(world: World, key_id: str) -> KeyRequest:
    """Return Alice's request to enable a key that she has just disabled."""
    disable_key.disable(world.services, ALICE, key_id)
    return request_enable(world, key_id)


@pytest.mark.parametrize("then", [KeyStatus.ACTIVE, KeyStatus.INACTIVE])
def test_a_stale_list_is_not_taken_for_a_console_change(world: World, then: KeyStatus) -> None:
    """A reminder is due just after the key was enabled. IAM's list is old."""
    key_id = before_reminder(world).access_key_id
    approve(world, to_enable(world, key_id))
    world.clock.advance(MINUTE)
    world.taps.on(
        "issuer.listed",
        before=lambda: world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE),
        after=lambda: world.iam.set_status(ALICE.email, key_id, then),
    )
    world.sweep()
    record = world.record(key_id)
    assert (record.desired, record.notices[-1:]) == (DesiredState.ACTIVE, ("expiry:7d",))
    world.pass_time(ORPHAN_CHECK)
    record = world.record(key_id)
    assert (record.desired, record.observed) == (DesiredState.ACTIVE, ObservedState.ACTIVE)
    assert world.iam.active == [key_id], "a change made so soon is undone once"


def test_a_clock_that_goes_back_loses_no_reminder(world: World) -> None:
    key_id = before_reminder(world).access_key_id
    world.clock.advance(MINUTE)
    world.taps.on("issuer.listed", after=lambda: world.clock.advance(-HOUR))
    world.sweep()
    assert world.store.entries[-1].action == "remind"
    assert world.record(key_id).notices == ("expiry:7d",)


def test_a_key_deleted_while_it_is_enabled_expires_its_request(world: World) -> None:
    """IAM enabled the key, and that is on record. Then the database is away."""
    request = to_enable(world, world.console_key())
    world.taps.on(
        "issuer.set_status", after=lambda: world.taps.on("store.key", before=StoreUnavailable())
    )
    with refuses(Code.APPROVED_NOT_APPLIED):
        approve(world, request)
    assert world.record(request.target).observed is ObservedState.ACTIVE
    world.iam.delete_key(ALICE.email, request.target)
    world.pass_time(timedelta(seconds=30))
    assert world.now(request).status is Status.EXPIRED

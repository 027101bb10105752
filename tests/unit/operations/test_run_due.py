"""Time passes: requests expire, receipts are asked for, unclaimed keys are disabled and deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import ChangePending
from bot.domain.keys import DesiredState, KeyStatus, ObservedState
from bot.domain.outside_errors import Conflict, IamDenied, IamUnavailable, StoreUnavailable
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    run_due,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, World, make_desk, no_key_is_left, reveal

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
HOURS_12, SECOND = timedelta(hours=12), timedelta(seconds=1)
LOOK_AFTER = timedelta(minutes=15)


@pytest.mark.parametrize("state", ["pending", "approved"])
def test_a_request_expires_at_its_deadline_and_not_before(state: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    world.pass_time(timedelta(hours=48))  # The permissions are loaded,
    world.sweep()  # and the reminders are sent.
    with world.nothing_happens():
        world.pass_time(timedelta(hours=24) - SECOND)
    world.pass_time(SECOND)
    now = world.now(request)
    assert (now.status, now.last_event_by, now.deadline, now.locks) == (
        Status.EXPIRED,
        "keydesk",
        None,
        frozenset(),
    )
    assert world.slack.rendered[-1] == request.name
    with world.nothing_happens():
        world.rest(days=1)


def test_one_reminder_asks_for_the_receipt_at_half_time() -> None:
    world = make_desk()
    request = world.delivered()
    with world.nothing_happens():
        world.pass_time(HOURS_12 - SECOND)
    world.pass_time(SECOND)
    now = world.now(request)
    assert (now.status, now.last_event, now.reminded_at) == (
        Status.DELIVERED,
        Event.REMIND,
        world.clock.now(),
    )
    with world.nothing_happens():
        world.pass_time(HOURS_12 - SECOND)


@pytest.mark.parametrize("click", ["approve", "reveal", "cancel"])
def test_a_process_with_a_wrong_clock_expires_no_request(click: str) -> None:
    """By its clock the request is over. By the database's clock there may be time left."""
    world = make_desk()
    request = world.pending() if click == "approve" else world.approved()
    world.clock.advance(timedelta(hours=73))
    world.clock.ahead = timedelta(hours=1)
    clicks = {
        "approve": lambda: decide_request.approve(world.services, CAROL, request.id),
        "reveal": lambda: reveal(world, request),
        "cancel": lambda: create_request.cancel(world.services, ALICE, request.id),
    }
    with world.nothing_happens(), refuses(Code.CLOCK_SKEWED, seconds=3600):
        clicks[click]()
    world.clock.ahead = timedelta(0)
    world.sweep()
    assert world.now(request).status is Status.EXPIRED


@pytest.mark.parametrize("half_times", [1, 2])
def test_a_used_key_counts_as_received(half_times: int) -> None:
    world = make_desk()
    request = world.delivered()
    for _ in range(half_times - 1):
        world.pass_time(HOURS_12)
    world.iam.use(request.access_key_id)
    world.pass_time(HOURS_12)
    assert world.now(request).status is Status.CONFIRMED
    assert world.store.entries[-1].detail == Detail(Code.KEY_USED)
    assert world.iam.active == [request.access_key_id]


def test_an_unclaimed_key_is_disabled_and_deleted_a_week_later() -> None:
    world = make_desk()
    request = world.unclaimed()
    assert (request.status, request.unclaimed_at) == (Status.UNCLAIMED, world.clock.now())
    assert world.record(request.access_key_id).desired is DesiredState.INACTIVE
    no_key_is_left(world)
    world.pass_time(timedelta(days=7) - SECOND)
    assert world.iam.observed(request.access_key_id) is not None
    world.pass_time(SECOND)
    assert (
        world.now(request).status is Status.EXPIRED
        and world.iam.observed(request.access_key_id) is None
    )


def test_an_unclaimed_key_in_use_is_not_deleted() -> None:
    world = make_desk()
    request = world.unclaimed()
    world.pass_time(timedelta(minutes=16))  # No call by Keydesk runs as late as this.
    world.iam.set_status(ALICE.email, request.access_key_id, KeyStatus.ACTIVE)
    world.iam.use(request.access_key_id)
    world.pass_time(timedelta(days=8))
    assert world.now(request).status is Status.CONFIRMED
    assert world.iam.active == [request.access_key_id] and world.desired() == [
        request.access_key_id
    ]


def test_a_key_deleted_before_its_receipt_ends_the_request() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit",
        nth=3,
        before=lambda: [
            disable_key.disable(world.services, ALICE, *world.iam.made),
            disable_key.delete(world.services, ALICE, *world.iam.made),
        ],
    )
    reveal(world, request)
    world.rest()
    assert world.now(request).status is Status.EXPIRED
    no_key_is_left(world)


def test_a_key_gone_from_iam_counts_as_unused() -> None:
    world = make_desk()
    request = world.delivered()
    world.iam.delete_key(ALICE.email, request.access_key_id)
    for _ in range(2):
        world.taps.on("issuer.last_used", before=IamDenied("AccessDenied", "GetAccessKeyLastUsed"))
        world.pass_time(HOURS_12)
    assert world.now(request).status is Status.UNCLAIMED


@pytest.mark.parametrize(
    "problem",
    [IamDenied("AccessDenied", "GetAccessKeyLastUsed"), IamUnavailable("GetAccessKeyLastUsed")],
)
def test_without_a_known_last_use_a_key_is_not_disabled(
    problem: Exception,
) -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(HOURS_12)
    world.taps.on("issuer.last_used", before=problem)
    with world.nothing_happens():
        world.pass_time(HOURS_12)
    world.pass_time(timedelta(seconds=15))
    assert world.now(request).status is Status.UNCLAIMED


def test_after_a_long_downtime_the_receipt_is_overdue() -> None:
    world = make_desk()
    request = world.delivered()
    world.pass_time(timedelta(days=2))
    assert world.now(request).status is Status.UNCLAIMED


@pytest.mark.parametrize("state", ["pending", "approved", "delivered", "unclaimed"])
def test_of_two_schedulers_only_one_runs_what_is_due(state: str) -> None:
    world = make_desk()
    request = getattr(world, state)()
    world.clock.advance(timedelta(days=8))
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, request.name))
    with pytest.raises(Conflict):
        run_due.run(world.services, request.name)
    with world.nothing_happens():
        run_due.run(world.services, request.name)


def test_nothing_runs_early_or_for_unknown_names() -> None:
    world = make_desk()
    request = world.delivered()
    disable_key.disable(world.services, ALICE, request.access_key_id)
    with world.nothing_happens():
        for name in (
            request.name,
            f"key:{request.access_key_id}",
            "request:id9",
            "key:AKIAIOSFODNN7EXAMPLE",
            "other",
        ):
            run_due.run(world.services, name)


def test_a_confirmed_request_is_left_alone() -> None:
    world = make_desk()
    confirm_receipt.confirm(world.services, ALICE, world.delivered().access_key_id)
    with world.nothing_happens():
        world.rest(days=30)


# Schedules that the simulation came upon (tests/verification/simulation), as short as can be.


def before_expiry(world: World, span: timedelta) -> KeyRequest:
    """Return a confirmed request of which the key expires after `span`."""
    options = create_request.RequestOptions(lifetime=30 * DAY)
    pending = create_request.create(world.services, ALICE, "deploy", options)
    request = reveal(world, decide_request.approve(world.services, CAROL, pending.id))
    confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    world.pass_time(30 * DAY - span)
    return request


def to_enable(world: World, key_id: str) -> KeyRequest:
    """Return Alice's request to enable a key that she has just disabled."""
    disable_key.disable(world.services, ALICE, key_id)
    request = create_request.enable(world.services, ALICE, key_id, "the nightly job")
    assert request is not None
    return request


@pytest.mark.parametrize("then", [KeyStatus.ACTIVE, KeyStatus.INACTIVE])
def test_a_stale_list_is_not_taken_for_a_console_change(then: KeyStatus) -> None:
    """A reminder is due just after the key was enabled, and IAM still lists it as it was."""
    world = make_desk()
    request = before_expiry(world, 7 * DAY + MINUTE)
    key_id = request.access_key_id
    decide_request.approve(world.services, CAROL, to_enable(world, key_id).id)
    world.clock.advance(MINUTE)

    world.taps.on(
        "issuer.listed",
        before=lambda: world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE),
        after=lambda: world.iam.set_status(ALICE.email, key_id, then),
    )
    world.sweep()
    assert (
        world.record(request.access_key_id).desired,
        world.record(request.access_key_id).notices[-1:],
    ) == (
        DesiredState.ACTIVE,
        ("expiry:7d",),
    )
    world.pass_time(LOOK_AFTER)
    record = world.record(request.access_key_id)
    assert (record.desired, record.observed) == (DesiredState.ACTIVE, ObservedState.ACTIVE)
    assert world.iam.active == [key_id], "a change that soon is undone once"


def test_a_clock_that_goes_back_loses_no_reminder() -> None:
    world = make_desk()
    request = before_expiry(world, 7 * DAY + MINUTE)
    world.clock.advance(MINUTE)
    world.taps.on("issuer.listed", after=lambda: world.clock.advance(-HOUR))
    world.sweep()
    assert world.store.entries[-1].action == "remind" and world.record(
        request.access_key_id
    ).notices == ("expiry:7d",)


def test_a_key_deleted_while_it_is_enabled_expires_its_request() -> None:
    """IAM enabled the key, and that is on record. Then the database is away, and the key goes."""
    world = make_desk()
    request = to_enable(world, world.console_key())
    world.taps.on(
        "issuer.set_status", after=lambda: world.taps.on("store.key", before=StoreUnavailable())
    )
    with pytest.raises(ChangePending):
        decide_request.approve(world.services, CAROL, request.id)
    assert world.record(request.target).observed is ObservedState.ACTIVE
    world.iam.delete_key(ALICE.email, request.target)
    world.pass_time(timedelta(seconds=30))
    assert world.now(request).status is Status.EXPIRED

"""Keys expire in time: reminders, expiry, deletion."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.keys import (
    DELETION_NOTICE,
    EXPIRY_NOTICES,
    DesiredState,
    InactiveReason,
    ManagedKey,
)
from bot.domain.outside_errors import IamUnavailable, OutcomeUnknown
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    expire_keys,
    run_due,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, CAROL, World, make_desk, reveal

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)

ORPHAN_CHECK = timedelta(minutes=15)


def key_of(world: World, request: KeyRequest) -> ManagedKey:
    return world.record(request.access_key_id)


def living(world: World, lifetime: timedelta = 30 * DAY, *, confirmed: bool = True) -> KeyRequest:
    """A request whose key lives so long from now on, and has arrived."""
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.create(
            world.services, ALICE, "x", create_request.RequestOptions(lifetime=lifetime)
        ).id,
    )
    request = reveal(world, request)
    return (
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
        if confirmed
        else request
    )


def until(world: World, request: KeyRequest, before: timedelta) -> None:
    """Time goes on until so long before the key's end, and the sweeper comes by."""
    ends = key_of(world, request).expires_at
    assert ends is not None
    world.pass_time(ends - before - world.clock.now())


def extended(world: World, request: KeyRequest) -> KeyRequest:
    return decide_request.approve(
        world.services,
        CAROL,
        create_request.extend(world.services, ALICE, request.access_key_id).id,
    )


def living_key(world: World, lifetime: timedelta = 30 * DAY, *, confirmed: bool = True) -> str:
    """A key of Alice's that lives so long."""
    asked = create_request.create(
        world.services, ALICE, "deploy script", create_request.RequestOptions(lifetime=lifetime)
    )
    key_id = reveal(world, decide_request.approve(world.services, CAROL, asked.id)).access_key_id
    if confirmed:
        confirm_receipt.confirm(world.services, ALICE, key_id)
    return key_id


@pytest.mark.parametrize(
    ("options", "lives"),
    [
        (create_request.RequestOptions(), 90 * DAY),
        (create_request.RequestOptions(lifetime=12 * HOUR), 12 * HOUR),
        (create_request.RequestOptions(lifetime=365 * DAY), 365 * DAY),
    ],
)
def test_a_key_lives_as_long_as_asked_for_or_the_default(
    options: create_request.RequestOptions, lives: timedelta
) -> None:
    world = make_desk()
    request = create_request.create(world.services, ALICE, "deploy", options)
    assert request.lifetime == lives
    world.clock.advance(DAY)
    request = reveal(world, decide_request.approve(world.services, CAROL, request.id))
    assert key_of(world, request).expires_at == world.clock.now() + lives


@pytest.mark.parametrize("verb", ["create", "rotate"])
@pytest.mark.parametrize(
    "options",
    [
        create_request.RequestOptions(lifetime=366 * DAY),
        create_request.RequestOptions(forever=True),
    ],
)
def test_no_key_may_live_longer_than_the_maximum(
    verb: str, options: create_request.RequestOptions
) -> None:
    world = make_desk()
    key_id = world.console_key()
    with (
        world.nothing_happens(),
        refuses(Code.LIFETIME_TOO_LONG, longest=365 * DAY),
    ):
        if verb == "create":
            create_request.create(world.services, ALICE, "deploy", options)
        else:
            create_request.rotate(world.services, ALICE, key_id, options=options)


def test_without_a_maximum_a_key_may_live_for_ever() -> None:
    world = make_desk(key_ttl_max=None)
    request = decide_request.approve(
        world.services,
        CAROL,
        create_request.create(
            world.services, ALICE, "x", create_request.RequestOptions(forever=True)
        ).id,
    )
    request = confirm_receipt.confirm(world.services, ALICE, reveal(world, request).access_key_id)
    assert key_of(world, request).expires_at is None
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


def test_each_reminder_comes_once_at_its_time() -> None:
    world = make_desk()
    request = living(world)
    told: tuple[str, ...] = ()
    for name, before in EXPIRY_NOTICES.items():
        with world.nothing_happens():
            until(world, request, before + SECOND)
        until(world, request, before)
        told = (*told, name)
        assert (
            key_of(world, request).notices == told
            and world.slack.rendered[-1] == key_of(world, request).name
        )
        with world.nothing_happens():
            world.sweep()
    assert world.iam.active == [request.access_key_id]


def test_a_reminder_is_recorded_before_it_is_sent() -> None:
    world = make_desk()
    request = living(world)
    seen: list[tuple[str, ...]] = []
    world.taps.on("messenger.render", before=lambda: seen.append(key_of(world, request).notices))
    until(world, request, 7 * DAY)
    assert seen == [("expiry:7d",)]


def test_a_late_run_sends_only_the_newest_reminder() -> None:
    world = make_desk()
    request = living(world)
    drawn = len(world.slack.rendered)
    until(world, request, 2 * HOUR)
    assert (
        key_of(world, request).notices == ("expiry:7d", "expiry:1d")
        and len(world.slack.rendered) == drawn + 1
    )
    assert world.store.entries[-1].detail == Detail(Code.EXPIRY_REMINDER, {"notice": "expiry:1d"})
    world.sweep()
    assert len(world.slack.rendered) == drawn + 1


@pytest.mark.parametrize(
    ("lifetime", "told"),
    [
        (12 * HOUR, ("expiry:1h",)),
        (30 * timedelta(minutes=1), ()),
        (HOUR, ()),
        (2 * DAY, ("expiry:1d", "expiry:1h")),
        (DAY, ("expiry:1h",)),
        (7 * DAY, ("expiry:1d", "expiry:1h")),
    ],
)
def test_a_short_life_has_only_the_reminders_within_it(
    lifetime: timedelta, told: tuple[str, ...]
) -> None:
    world = make_desk()
    world.clock.advance(timedelta(milliseconds=700))  # IAM's times are whole seconds
    request = living(world, lifetime)
    told_by_then: tuple[str, ...] = ()
    while key_of(world, request).desired is DesiredState.ACTIVE:
        told_by_then = key_of(world, request).notices
        world.pass_time(timedelta(minutes=10))
    assert told_by_then == told


def test_an_expired_key_in_use_is_disabled_with_its_last_use() -> None:
    world = make_desk()
    request = living(world)
    until(world, request, SECOND)
    world.iam.use(request.access_key_id)
    assert world.iam.active == [request.access_key_id]
    until(world, request, 0 * SECOND)
    record = key_of(world, request)
    assert world.iam.active == [] and world.iam.observed(record.id) is not None
    assert (record.desired, record.inactive_reason, record.delete_at) == (
        DesiredState.INACTIVE,
        InactiveReason.EXPIRED,
        world.clock.now() + 7 * DAY,
    )
    assert record.snapshot[0].last_used is not None and record.snapshot[0].last_used.service == "s3"


def test_an_expired_key_is_deleted_after_one_notice() -> None:
    world = make_desk()
    request = living(world)
    until(world, request, 0 * DAY)
    world.pass_time(ORPHAN_CHECK)
    with world.nothing_happens():
        world.pass_time(6 * DAY - ORPHAN_CHECK - SECOND)
    world.pass_time(SECOND)
    assert key_of(world, request).notices == ("expired", DELETION_NOTICE)
    with world.nothing_happens():
        world.pass_time(DAY - SECOND)
    world.pass_time(SECOND)
    assert world.iam.observed(request.access_key_id) is None
    world.rest(days=2)
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


def test_after_a_long_outage_a_key_expires_before_deletion() -> None:
    world = make_desk()
    request = living(world)
    world.pass_time(60 * DAY)
    assert key_of(world, request).inactive_reason is InactiveReason.EXPIRED
    assert key_of(world, request).delete_at == world.clock.now() + 7 * DAY


@pytest.mark.parametrize(
    "problem", [IamUnavailable("UpdateAccessKey"), OutcomeUnknown("UpdateAccessKey")]
)
def test_an_unconfirmed_expiry_is_retried(problem: Exception) -> None:
    world = make_desk()
    request = living(world)
    world.taps.on("issuer.set_status", before=problem)
    until(world, request, 0 * DAY)
    assert world.iam.active and key_of(world, request).desired is DesiredState.INACTIVE
    for _ in range(3):
        world.pass_time(15 * SECOND)
    assert world.iam.active == []


def test_of_two_schedulers_one_expires_a_key() -> None:
    world = make_desk()
    request = living(world)
    world.clock.advance(30 * DAY)
    name = key_of(world, request).name
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, name))
    run_due.run(world.services, name)
    assert [entry.action for entry in world.store.entries].count(
        "expire"
    ) == 1 and world.iam.active == []


def test_an_extension_moves_the_expiry_and_its_reminders() -> None:
    world = make_desk()
    request = living(world)
    until(world, request, DAY)
    ended = key_of(world, request).expires_at
    assert ended is not None
    assert extended(world, request).status is Status.CONFIRMED
    record = key_of(world, request)
    assert (record.expires_at, record.notices) == (ended + 7 * DAY, ())
    until(world, request, 7 * DAY)
    assert key_of(world, request).notices == ("expiry:7d",)
    until(world, request, HOUR)
    assert key_of(world, request).notices == ("expiry:7d", "expiry:1d", "expiry:1h")
    until(world, request, 0 * DAY)
    assert key_of(world, request).inactive_reason is InactiveReason.EXPIRED


def test_an_extension_that_loses_against_the_expiry_is_closed() -> None:
    world = make_desk()
    key_id = living_key(world)
    world.clock.advance(30 * DAY - HOUR)
    world.sweep()
    asked = create_request.extend(world.services, ALICE, key_id)

    def ends() -> None:
        world.clock.advance(HOUR)
        expire_keys.run(world.services, world.record(key_id))

    world.taps.on("store.commit", nth=2, before=ends)
    assert decide_request.approve(world.services, CAROL, asked.id).status is Status.EXPIRED
    assert world.record(key_id).inactive_reason is InactiveReason.EXPIRED


def test_a_key_enabled_without_approval_keeps_its_expiry() -> None:
    world = make_desk(approval_free=frozenset({"disable", "delete", "enable"}))
    request = living(world)
    until(world, request, 7 * DAY)
    ended = key_of(world, request).expires_at
    disable_key.disable(world.services, ALICE, request.access_key_id)
    assert (
        create_request.enable(world.services, ALICE, request.access_key_id, "still needed") is None
    )
    assert (key_of(world, request).notices, key_of(world, request).expires_at) == ((), ended)
    world.sweep()
    assert key_of(world, request).notices == ("expiry:7d",)


def test_a_key_enabled_after_its_expiry_has_seven_days() -> None:
    world = make_desk()
    request = living(world)
    until(world, request, 0 * DAY)
    world.pass_time(DAY)
    ask_back = create_request.enable(world.services, ALICE, request.access_key_id, "still needed")
    assert ask_back is not None
    decide_request.approve(world.services, CAROL, ask_back.id)
    record = key_of(world, request)
    assert (record.expires_at, record.delete_at, record.inactive_reason) == (
        world.clock.now() + 7 * DAY,
        None,
        InactiveReason.NONE,
    )
    assert world.iam.active == [record.id]
    world.outlive(10)
    assert (
        key_of(world, request).inactive_reason is InactiveReason.EXPIRED and world.iam.active == []
    )
    world.outlive(10)
    assert world.iam.observed(record.id) is None


@pytest.mark.parametrize("clicks", ["nothing", "I have it", "late: I have it", "late: Replace it"])
def test_a_life_shorter_than_the_receipt_time_expires(clicks: str) -> None:
    world = make_desk()
    request = living(world, HOUR, confirmed=False)
    world.pass_time(HOUR)
    assert (
        key_of(world, request).inactive_reason is InactiveReason.EXPIRED and world.iam.active == []
    )
    if clicks == "I have it":
        confirm_receipt.confirm(world.services, ALICE, request.access_key_id)
    for _ in range(2):
        world.pass_time(12 * HOUR)
    assert (
        key_of(world, request).inactive_reason is InactiveReason.EXPIRED
        and key_of(world, request).delete_at is not None
    )
    if clicks == "late: I have it":
        assert (
            confirm_receipt.confirm(world.services, ALICE, request.access_key_id).status
            is Status.CONFIRMED
        )
    elif clicks == "late: Replace it":
        confirm_receipt.replace_key(world.services, ALICE, request.access_key_id)
    assert world.iam.active == []
    world.rest()
    assert world.iam.observed(request.access_key_id) is None and world.now(request).status.final
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


def test_a_late_receipt_does_not_enable_an_expired_key() -> None:
    world = make_desk()
    key_id = living_key(world, 2 * DAY, confirmed=False)
    world.pass_time(12 * HOUR)
    world.pass_time(12 * HOUR)
    assert world.record(key_id).inactive_reason is InactiveReason.UNCLAIMED
    world.clock.advance(DAY + HOUR)
    assert confirm_receipt.confirm(world.services, ALICE, key_id).status is Status.CONFIRMED
    assert world.iam.active == []
    world.sweep()
    assert world.record(key_id).inactive_reason is InactiveReason.EXPIRED and world.iam.active == []


def test_a_stale_reader_changes_nothing() -> None:
    world = make_desk()
    request = living(world)
    world.clock.advance(23 * DAY)
    record = key_of(world, request)
    moved = replace(record, version=record.version + 1)

    def somebody_else() -> None:
        world.store.commit(Change(record, moved), entry=world.store.entries[-1])

    world.taps.on("store.commit", before=somebody_else)
    run_due.run(world.services, record.name)
    assert key_of(world, request) == moved

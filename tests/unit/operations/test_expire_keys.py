"""Keys expire in time: reminders, expiry, deletion."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.keys import DELETION_NOTICE, EXPIRY_NOTICES, DesiredState, InactiveReason
from bot.domain.outside_errors import IamUnavailable, OutcomeUnknown
from bot.domain.records import Change
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, disable_key, expire_keys, run_due
from bot.operations.create_request import RequestOptions
from tests.support.errors import refuses
from tests.support.world import ALICE, World, make_desk, reveal
from tests.unit.operations.key_checks import actions, assert_fields, assert_nothing_due, iam_status
from tests.unit.operations.key_steps import (
    APPROVAL_FREE,
    approve,
    confirm,
    living,
    request_enable,
    request_key,
    until_expiry,
)
from tests.unit.operations.key_times import DAY, HOUR, MINUTE, ORPHAN_CHECK, SECOND, SOON


@pytest.fixture
def world() -> World:
    return make_desk()


def assert_expired(world: World, key_id: str) -> None:
    """Assert that the key is recorded as expired, and inactive in IAM."""
    assert world.record(key_id).inactive_reason is InactiveReason.EXPIRED
    assert world.iam.active == []


@pytest.mark.parametrize("lifetime", [None, 12 * HOUR, 365 * DAY])
def test_a_key_lives_as_long_as_requested_or_the_default(
    world: World, lifetime: timedelta | None
) -> None:
    options, lives = RequestOptions(lifetime=lifetime), lifetime or 90 * DAY
    request = create_request.create(world.services, ALICE, "deploy", options)
    assert request.lifetime == lives
    world.clock.advance(DAY)
    key_id = reveal(world, approve(world, request)).access_key_id
    assert world.record(key_id).expires_at == world.clock.now() + lives


@pytest.mark.parametrize("verb", ["create", "rotate"])
@pytest.mark.parametrize(
    "options", [RequestOptions(lifetime=366 * DAY), RequestOptions(forever=True)]
)
def test_no_key_may_live_longer_than_the_maximum(
    world: World, verb: str, options: RequestOptions
) -> None:
    key_id = world.console_key()
    with world.nothing_happens(), refuses(Code.LIFETIME_TOO_LONG, longest=365 * DAY):
        if verb == "create":
            create_request.create(world.services, ALICE, "deploy", options)
        else:
            create_request.rotate(world.services, ALICE, key_id, options=options)


def test_without_a_maximum_a_key_may_live_for_ever() -> None:
    world = make_desk(key_ttl_max=None)
    request = reveal(world, request_key(world, RequestOptions(forever=True)))
    confirm(world, request.access_key_id)
    assert world.record(request.access_key_id).expires_at is None
    assert_nothing_due(world)


def test_each_reminder_comes_once_at_its_time(world: World) -> None:
    """It is recorded before it is sent."""
    key_id = living(world).access_key_id
    sent: tuple[str, ...] = ()
    for name, before in EXPIRY_NOTICES.items():
        with world.nothing_happens():
            until_expiry(world, key_id, before + SECOND)
        recorded: list[tuple[str, ...]] = []
        world.taps.on(
            "messenger.render",
            before=lambda seen=recorded: seen.append(world.record(key_id).notices),
        )
        until_expiry(world, key_id, before)
        sent = (*sent, name)
        assert (world.record(key_id).notices, recorded) == (sent, [sent])
        assert world.slack.rendered[-1] == f"key:{key_id}"
        with world.nothing_happens():
            world.sweep()
    assert world.iam.active == [key_id]


def test_a_late_run_sends_only_the_newest_reminder(world: World) -> None:
    key_id = living(world).access_key_id
    world.slack.rendered.clear()
    until_expiry(world, key_id, 2 * HOUR)
    assert world.record(key_id).notices == ("expiry:7d", "expiry:1d")
    assert world.slack.rendered == [f"key:{key_id}"]
    assert world.store.entries[-1].detail == Detail(Code.EXPIRY_REMINDER, {"notice": "expiry:1d"})
    with world.nothing_happens():
        world.sweep()


@pytest.mark.parametrize(
    ("lifetime", "sent"),
    [
        (30 * MINUTE, ()),
        (HOUR, ()),
        (12 * HOUR, ("expiry:1h",)),
        (DAY, ("expiry:1h",)),
        (2 * DAY, ("expiry:1d", "expiry:1h")),
        (7 * DAY, ("expiry:1d", "expiry:1h")),
    ],
)
def test_a_short_life_has_only_the_reminders_within_it(
    world: World, lifetime: timedelta, sent: tuple[str, ...]
) -> None:
    world.clock.advance(timedelta(milliseconds=700))  # IAM's times are whole seconds.
    key_id = living(world, lifetime).access_key_id
    before_expiry: tuple[str, ...] = ()
    while world.record(key_id).desired is DesiredState.ACTIVE:
        before_expiry = world.record(key_id).notices
        world.pass_time(10 * MINUTE)
    assert before_expiry == sent


def test_an_expired_key_in_use_is_disabled_with_its_last_use(world: World) -> None:
    key_id = living(world).access_key_id
    until_expiry(world, key_id, SECOND)
    world.iam.use(key_id)
    assert world.iam.active == [key_id]
    until_expiry(world, key_id)
    assert iam_status(world, key_id) == "Inactive"
    record = world.record(key_id)
    assert_fields(
        record,
        desired=DesiredState.INACTIVE,
        inactive_reason=InactiveReason.EXPIRED,
        delete_at=world.clock.now() + 7 * DAY,
        snapshot_at=world.clock.now(),
    )
    assert record.snapshot[0].last_used is not None and record.snapshot[0].last_used.service == "s3"


def test_an_expired_key_is_deleted_after_one_notice(world: World) -> None:
    key_id = living(world).access_key_id
    until_expiry(world, key_id)
    world.pass_time(ORPHAN_CHECK)
    with world.nothing_happens():
        world.pass_time(6 * DAY - ORPHAN_CHECK - SECOND)
    world.pass_time(SECOND)
    assert world.record(key_id).notices == ("expired", DELETION_NOTICE)
    with world.nothing_happens():
        world.pass_time(DAY - SECOND)
    world.pass_time(SECOND)
    assert iam_status(world, key_id) == "gone"
    facts = {"inactive_reason": InactiveReason.EXPIRED}
    assert Detail(Code.DELETION_DUE, facts) in [entry.detail for entry in world.store.entries]
    world.rest(days=2)
    assert_nothing_due(world)


def test_after_a_long_outage_a_key_expires_before_deletion(world: World) -> None:
    key_id = living(world).access_key_id
    world.pass_time(60 * DAY)
    assert_expired(world, key_id)
    assert world.record(key_id).delete_at == world.clock.now() + 7 * DAY


@pytest.mark.parametrize(
    "problem", [IamUnavailable("UpdateAccessKey"), OutcomeUnknown("UpdateAccessKey")]
)
def test_an_unconfirmed_expiry_is_retried(world: World, problem: Exception) -> None:
    key_id = living(world).access_key_id
    world.taps.on("issuer.set_status", before=problem)
    until_expiry(world, key_id)
    assert world.iam.active and world.record(key_id).desired is DesiredState.INACTIVE
    for _ in range(3):
        world.pass_time(SOON)
    assert world.iam.active == []


def test_of_two_schedulers_one_expires_a_key(world: World) -> None:
    name = f"key:{living(world).access_key_id}"
    world.clock.advance(30 * DAY)
    world.taps.on("store.commit", before=lambda: run_due.run(world.services, name))
    run_due.run(world.services, name)
    assert (actions(world).count("expire"), world.iam.active) == (1, [])


def test_an_extension_moves_the_expiry_and_its_reminders(world: World) -> None:
    key_id = living(world).access_key_id
    until_expiry(world, key_id, DAY)
    ended = world.record(key_id).expires_at
    assert ended is not None
    extension = create_request.extend(world.services, ALICE, key_id)
    assert approve(world, extension).status is Status.CONFIRMED
    record = world.record(key_id)
    assert (record.expires_at, record.notices) == (ended + 7 * DAY, ())
    until_expiry(world, key_id, 7 * DAY)
    assert world.record(key_id).notices == ("expiry:7d",)
    until_expiry(world, key_id, HOUR)
    assert world.record(key_id).notices == ("expiry:7d", "expiry:1d", "expiry:1h")
    until_expiry(world, key_id)
    assert_expired(world, key_id)


def test_an_extension_that_loses_against_the_expiry_is_closed(world: World) -> None:
    key_id = living(world).access_key_id
    world.clock.advance(30 * DAY - HOUR)
    world.sweep()
    extension = create_request.extend(world.services, ALICE, key_id)

    def expire() -> None:
        world.clock.advance(HOUR)
        expire_keys.run(world.services, world.record(key_id))

    world.taps.on("store.commit", nth=2, before=expire)
    assert approve(world, extension).status is Status.EXPIRED
    assert_expired(world, key_id)


def test_a_key_enabled_without_approval_keeps_its_expiry() -> None:
    world = make_desk(approval_free=APPROVAL_FREE)
    key_id = living(world).access_key_id
    until_expiry(world, key_id, 7 * DAY)
    ends = world.record(key_id).expires_at
    disable_key.disable(world.services, ALICE, key_id)
    assert create_request.enable(world.services, ALICE, key_id, "still needed") is None
    assert (world.record(key_id).notices, world.record(key_id).expires_at) == ((), ends)
    world.sweep()
    assert world.record(key_id).notices == ("expiry:7d",)


def test_a_key_enabled_after_its_expiry_has_seven_days(world: World) -> None:
    key_id = living(world).access_key_id
    until_expiry(world, key_id)
    world.pass_time(DAY)
    approve(world, request_enable(world, key_id))
    record = world.record(key_id)
    assert_fields(
        record,
        expires_at=world.clock.now() + 7 * DAY,
        delete_at=None,
        inactive_reason=InactiveReason.NONE,
    )
    assert world.iam.active == [key_id]
    world.outlive(10)
    assert_expired(world, key_id)
    world.outlive(10)
    assert iam_status(world, key_id) == "gone"


@pytest.mark.parametrize("clicks", ["nothing", "confirm", "late confirm", "late replace"])
def test_a_life_shorter_than_the_receipt_time_expires(world: World, clicks: str) -> None:
    request = reveal(world, request_key(world, RequestOptions(lifetime=HOUR)))
    key_id = request.access_key_id
    world.pass_time(HOUR)
    assert_expired(world, key_id)
    if clicks == "confirm":
        confirm(world, key_id)
    for _ in range(2):
        world.pass_time(12 * HOUR)
    assert_expired(world, key_id)
    assert world.record(key_id).delete_at is not None
    if clicks == "late confirm":
        assert confirm(world, key_id).status is Status.CONFIRMED
    elif clicks == "late replace":
        confirm_receipt.replace_key(world.services, ALICE, key_id)
    assert world.iam.active == []
    world.rest()
    assert iam_status(world, key_id) == "gone" and world.now(request).status.final
    assert_nothing_due(world)


def test_a_late_receipt_does_not_enable_an_expired_key(world: World) -> None:
    request = reveal(world, request_key(world, RequestOptions(lifetime=2 * DAY)))
    key_id = request.access_key_id
    for _ in range(2):
        world.pass_time(12 * HOUR)
    assert world.record(key_id).inactive_reason is InactiveReason.UNCLAIMED
    world.clock.advance(DAY + HOUR)
    assert confirm(world, key_id).status is Status.CONFIRMED
    assert world.iam.active == []
    world.sweep()
    assert_expired(world, key_id)


def test_a_stale_reader_changes_nothing(world: World) -> None:
    key_id = living(world).access_key_id
    world.clock.advance(23 * DAY)
    record = world.record(key_id)
    newer = replace(record, version=record.version + 1)
    world.taps.on(
        "store.commit",
        before=lambda: world.store.commit(Change(record, newer), entry=world.store.entries[-1]),
    )
    run_due.run(world.services, record.name)
    assert world.record(key_id) == newer

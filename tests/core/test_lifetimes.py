"""A key's end is a promise: reminded of in time, kept though the key is in use, moved only by an approver."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.access_key import DELETION, EXPIRY_NOTICES, ManagedKey, Wanted, Why
from bot.core.errors import IamUnavailable, NotAllowed, OutcomeUnknown
from bot.core.moves import Status
from bot.core.ports import Change
from bot.core.request import KeyRequest
from bot.core.workflow import ask, decide, lapse, receipt, retire
from tests.core.fakes import ALICE, CAROL, World, make_desk, reveal

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
LOOK = timedelta(minutes=15)


def living(world: World, lifetime: timedelta = 30 * DAY, *, confirmed: bool = True) -> KeyRequest:
    """A request whose key lives so long from now on, and has arrived."""
    request = decide.approve(
        world.desk, CAROL, ask.create(world.desk, ALICE, "x", ask.Terms(lifetime=lifetime)).id
    )
    request = reveal(world, request)
    return receipt.confirm(world.desk, ALICE, request.access_key_id) if confirmed else request


def key_of(world: World, request: KeyRequest) -> ManagedKey:
    return world.record(request.access_key_id)


def until(world: World, request: KeyRequest, before: timedelta) -> None:
    """Time goes on until so long before the key's end, and the sweeper comes by."""
    ends = key_of(world, request).expires_at
    assert ends is not None
    world.pass_time(ends - before - world.clock.now())


@pytest.mark.parametrize(
    ("terms", "lives"),
    [
        (ask.Terms(), 90 * DAY),
        (ask.Terms(lifetime=12 * HOUR), 12 * HOUR),
        (ask.Terms(lifetime=365 * DAY), 365 * DAY),
    ],
)
def test_a_key_lives_as_long_as_was_asked_for_else_as_long_as_is_usual(
    terms: ask.Terms, lives: timedelta
) -> None:
    world = make_desk()
    request = ask.create(world.desk, ALICE, "deploy", terms)
    assert request.lifetime == lives
    world.clock.advance(DAY)
    request = reveal(world, decide.approve(world.desk, CAROL, request.id))
    assert key_of(world, request).expires_at == world.clock.now() + lives


@pytest.mark.parametrize("verb", ["create", "rotate"])
@pytest.mark.parametrize("terms", [ask.Terms(lifetime=366 * DAY), ask.Terms(forever=True)])
def test_no_key_may_be_asked_for_that_lives_longer_than_the_most(
    verb: str, terms: ask.Terms
) -> None:
    world = make_desk()
    key_id = world.console_key()
    with (
        world.nothing_happens(),
        pytest.raises(NotAllowed, match="365 days here at most.*`--for 365d`"),
    ):
        if verb == "create":
            ask.create(world.desk, ALICE, "deploy", terms)
        else:
            ask.rotate(world.desk, ALICE, key_id, terms=terms)


def test_where_there_is_no_most_a_key_may_live_for_ever_and_nothing_waits_for_its_end() -> None:
    world = make_desk(key_ttl_max=None)
    request = decide.approve(
        world.desk, CAROL, ask.create(world.desk, ALICE, "x", ask.Terms(forever=True)).id
    )
    request = receipt.confirm(world.desk, ALICE, reveal(world, request).access_key_id)
    assert key_of(world, request).expires_at is None
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


def test_reminders_come_seven_days_a_day_and_an_hour_before_the_end_each_once() -> None:
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
            and world.slack.drawn[-1] == key_of(world, request).name
        )
        with world.nothing_happens():
            world.sweep()
    assert world.iam.active == [request.access_key_id]


def test_a_reminder_is_recorded_before_it_is_sent() -> None:
    world = make_desk()
    request = living(world)
    seen: list[tuple[str, ...]] = []
    world.taps.on("messenger.draw", before=lambda: seen.append(key_of(world, request).notices))
    until(world, request, 7 * DAY)
    assert seen == [("expiry:7d",)]


def test_a_sweep_that_comes_late_sends_the_nearest_reminder_and_lets_the_others_go() -> None:
    world = make_desk()
    request = living(world)
    drawn = len(world.slack.drawn)
    until(world, request, 2 * HOUR)
    assert (
        key_of(world, request).notices == ("expiry:7d", "expiry:1d")
        and len(world.slack.drawn) == drawn + 1
    )
    assert world.store.entries[-1].why == "expiry:1d"
    world.sweep()
    assert len(world.slack.drawn) == drawn + 1


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
def test_a_short_life_has_only_the_reminders_that_lie_in_it(
    lifetime: timedelta, told: tuple[str, ...]
) -> None:
    world = make_desk()
    world.clock.advance(timedelta(milliseconds=700))  # IAM's times are whole seconds
    request = living(world, lifetime)
    told_by_then: tuple[str, ...] = ()
    while key_of(world, request).wanted is Wanted.ACTIVE:
        told_by_then = key_of(world, request).notices
        world.pass_time(timedelta(minutes=10))
    assert told_by_then == told


def test_at_its_end_a_key_in_use_is_disabled_and_what_used_it_last_is_noted() -> None:
    world = make_desk()
    request = living(world)
    until(world, request, SECOND)
    world.iam.use(request.access_key_id)
    assert world.iam.active == [request.access_key_id]
    until(world, request, 0 * SECOND)
    record = key_of(world, request)
    assert world.iam.active == [] and world.iam.shown(record.id) is not None
    assert (record.wanted, record.why, record.delete_at) == (
        Wanted.INACTIVE,
        Why.EXPIRED,
        world.clock.now() + 7 * DAY,
    )
    assert record.facts[0].last_used is not None and record.facts[0].last_used.service == "s3"


def test_an_expired_key_is_deleted_after_a_while_with_one_notice_the_day_before() -> None:
    world = make_desk()
    request = living(world)
    until(world, request, 0 * DAY)
    world.pass_time(LOOK)
    with world.nothing_happens():
        world.pass_time(6 * DAY - LOOK - SECOND)
    world.pass_time(SECOND)
    assert key_of(world, request).notices == ("expired", DELETION)
    with world.nothing_happens():
        world.pass_time(DAY - SECOND)
    world.pass_time(SECOND)
    assert world.iam.shown(request.access_key_id) is None
    world.rest(days=2)
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


def test_after_a_long_absence_of_the_desk_the_end_comes_first_and_the_week_after_it_is_kept() -> (
    None
):
    world = make_desk()
    request = living(world)
    world.pass_time(60 * DAY)
    assert key_of(world, request).why is Why.EXPIRED
    assert key_of(world, request).delete_at == world.clock.now() + 7 * DAY


@pytest.mark.parametrize(
    "problem", [IamUnavailable("UpdateAccessKey"), OutcomeUnknown("UpdateAccessKey")]
)
def test_an_end_that_iam_does_not_confirm_is_tried_again(problem: Exception) -> None:
    world = make_desk()
    request = living(world)
    world.taps.on("issuer.set_status", before=problem)
    until(world, request, 0 * DAY)
    assert world.iam.active and key_of(world, request).wanted is Wanted.INACTIVE
    for _ in range(3):
        world.pass_time(15 * SECOND)
    assert world.iam.active == []


def test_of_two_sweepers_one_ends_a_key_and_the_other_loses_quietly() -> None:
    world = make_desk()
    request = living(world)
    world.clock.advance(30 * DAY)
    name = key_of(world, request).name
    world.taps.on("store.commit", before=lambda: lapse.tick(world.desk, name))
    lapse.tick(world.desk, name)
    assert [entry.action for entry in world.store.entries].count(
        "expire"
    ) == 1 and world.iam.active == []


def extended(world: World, request: KeyRequest) -> KeyRequest:
    return decide.approve(
        world.desk, CAROL, ask.extend(world.desk, ALICE, request.access_key_id).id
    )


def test_an_extension_moves_the_end_and_the_reminders_come_anew() -> None:
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
    assert key_of(world, request).why is Why.EXPIRED


def test_a_key_that_is_turned_on_again_without_approval_keeps_its_end_and_is_reminded_of_it_anew() -> (
    None
):
    world = make_desk(approval_free=frozenset({"disable", "delete", "enable"}))
    request = living(world)
    until(world, request, 7 * DAY)
    ended = key_of(world, request).expires_at
    retire.disable(world.desk, ALICE, request.access_key_id)
    assert ask.enable(world.desk, ALICE, request.access_key_id, "still needed") is None
    assert (key_of(world, request).notices, key_of(world, request).expires_at) == ((), ended)
    world.sweep()
    assert key_of(world, request).notices == ("expiry:7d",)


def test_a_key_that_is_turned_on_again_after_its_end_has_seven_days_and_then_ends_anew() -> None:
    world = make_desk()
    request = living(world)
    until(world, request, 0 * DAY)
    world.pass_time(DAY)
    ask_back = ask.enable(world.desk, ALICE, request.access_key_id, "still needed")
    assert ask_back is not None
    decide.approve(world.desk, CAROL, ask_back.id)
    record = key_of(world, request)
    assert (record.expires_at, record.delete_at, record.why) == (
        world.clock.now() + 7 * DAY,
        None,
        Why.NOTHING,
    )
    assert world.iam.active == [record.id]
    world.outlive(10)
    assert key_of(world, request).why is Why.EXPIRED and world.iam.active == []
    world.outlive(10)
    assert world.iam.shown(record.id) is None


@pytest.mark.parametrize("clicks", ["nothing", "I have it", "late: I have it", "late: Replace it"])
def test_a_life_shorter_than_the_time_for_the_receipt_ends_all_the_same(clicks: str) -> None:
    world = make_desk()
    request = living(world, HOUR, confirmed=False)
    world.pass_time(HOUR)
    assert key_of(world, request).why is Why.EXPIRED and world.iam.active == []
    if clicks == "I have it":
        receipt.confirm(world.desk, ALICE, request.access_key_id)
    for _ in range(2):
        world.pass_time(12 * HOUR)
    assert (
        key_of(world, request).why is Why.EXPIRED and key_of(world, request).delete_at is not None
    )
    if clicks == "late: I have it":
        assert receipt.confirm(world.desk, ALICE, request.access_key_id).status is Status.CONFIRMED
    elif clicks == "late: Replace it":
        receipt.replace_key(world.desk, ALICE, request.access_key_id)
    assert world.iam.active == []
    world.rest()
    assert world.iam.shown(request.access_key_id) is None and world.now(request).status.final
    assert not world.store.due(world.clock.now() + timedelta(days=4000))


def test_a_stale_reader_of_a_key_that_moved_on_does_nothing() -> None:
    world = make_desk()
    request = living(world)
    world.clock.advance(23 * DAY)
    record = key_of(world, request)
    moved = replace(record, version=record.version + 1)

    def somebody_else() -> None:
        world.store.commit(Change(record, moved), entry=world.store.entries[-1])

    world.taps.on("store.commit", before=somebody_else)
    lapse.tick(world.desk, record.name)
    assert key_of(world, request) == moved

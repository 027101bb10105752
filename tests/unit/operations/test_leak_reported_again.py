"""A report silences no later one: an hour after it, another is brought before the approvers anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import ChangePending, OutcomeUnknown
from bot.domain.identity import Member
from bot.domain.keys import KeyStatus
from bot.domain.rate_limits import Limit, LimitedAction, RateLimited
from bot.operations import disable_key, report_leak
from bot.slack.messages import kinds
from tests.support.world import ALICE, BOB, CAROL, TEAM, World, make_desk
from tests.unit.operations.test_report_leak import off_for_good

HOUR = timedelta(hours=1)
FRANK = Member("U0FRANK", TEAM, "frank@example.com")


def reported(world: World, by: Member = BOB, ago: timedelta = HOUR) -> str:
    """A key of Alice's that was reported so long ago, and left on."""
    key_id = world.console_key()
    report_leak.report(world.services, by, key_id)
    world.clock.advance(ago)
    world.slack.rendered.clear()
    return key_id


@pytest.mark.parametrize("first", [BOB, ALICE], ids=["a stranger", "its owner, as a guest"])
@pytest.mark.parametrize(
    "second", [FRANK, BOB, replace(FRANK, is_guest=True)], ids=["another", "the same", "a guest"]
)
def test_an_hour_after_a_report_another_one_is_on_record_and_a_new_card(
    first: Member, second: Member
) -> None:
    world = make_desk()
    key_id = reported(world, replace(first, is_guest=first is ALICE))
    before = world.record(key_id)
    assert report_leak.report(world.services, second, key_id) == report_leak.LeakResult()
    record, entry = world.record(key_id), world.store.entries[-1]
    assert (record.reported_again_by, record.reported_again_at) == (second.id, world.clock.now())
    assert (record.reported_by, record.reported_at) == (
        first.id,
        before.reported_at,
    )  # the first is not forgotten
    assert (entry.by, entry.action, entry.key_id, entry.reason) == (
        second.id,
        "report",
        key_id,
        "reported again",
    )
    assert set(kinds.expected_kinds(record)).isdisjoint(
        kinds.expected_kinds(before)
    ) and world.slack.rendered == [record.name]
    assert [key.id for key in record.snapshot] == [
        key_id
    ] and record.snapshot_at == world.clock.now()
    assert world.iam.active == [key_id]


def test_within_the_hour_none_is_news_and_each_later_one_is_again() -> None:
    world = make_desk()
    key_id, news = reported(world, ago=timedelta()), []
    for _ in range(6):
        world.clock.advance(HOUR / 2)
        before = world.record(key_id)
        report_leak.report(world.services, FRANK, key_id)
        news.append(world.record(key_id) != before)
    assert news == [False, True, False, True, False, True]


def test_two_at_the_same_moment_make_one_new_card() -> None:
    world = make_desk()
    key_id = reported(world)
    world.taps.on("store.commit", before=lambda: report_leak.report(world.services, FRANK, key_id))
    report_leak.report(world.services, BOB, key_id)
    assert world.record(key_id).reported_again_by == FRANK.id and len(world.store.entries) == 2


Ends = Callable[[World, str], object]


def being_deleted(world: World, key_id: str) -> None:
    disable_key.disable(world.services, ALICE, key_id)
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    with pytest.raises(ChangePending):
        disable_key.delete(world.services, ALICE, key_id)


@pytest.mark.parametrize(
    "ends",
    [
        lambda world, key_id: report_leak.disable(world.services, CAROL, key_id),
        lambda world, key_id: disable_key.disable(world.services, ALICE, key_id),
        lambda world, key_id: world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE),
        being_deleted,
    ],
    ids=["as leaked", "by its owner", "in the console", "for deletion"],
)
def test_of_a_key_that_is_off_there_is_no_new_card(ends: Ends) -> None:
    world = make_desk()
    key_id = reported(world)
    ends(world, key_id)
    with world.nothing_happens():
        assert report_leak.report(world.services, FRANK, key_id) == report_leak.LeakResult()


def test_one_that_is_on_again_after_a_false_alarm_is_news() -> None:
    world = make_desk()
    key_id = reported(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    report_leak.report(world.services, FRANK, key_id)
    assert world.record(key_id).reported_again_by == FRANK.id


def test_it_is_turned_off_from_the_new_card_like_from_the_first() -> None:
    world = make_desk()
    key_id = reported(world)
    report_leak.report(world.services, FRANK, key_id)
    report_leak.disable(world.services, CAROL, key_id)
    off_for_good(world, key_id)
    record = world.record(key_id)
    assert (record.reported_by, record.reported_again_by, record.changed_by) == (
        BOB.id,
        FRANK.id,
        CAROL.id,
    )


def test_a_key_out_of_reach_is_reported_again_as_such() -> None:
    world = make_desk(iam_path="/people/")
    key_id = reported(world)
    report_leak.report(world.services, FRANK, key_id)
    record = world.record(key_id)
    assert (record.out_of_reach, record.reported_again_by) == (True, FRANK.id)


def test_a_report_that_is_news_is_counted_and_limited_like_any() -> None:
    world = make_desk(hourly_limits=dict.fromkeys(LimitedAction, Limit(1, 9)))
    key_id = reported(world)
    report_leak.report(world.services, FRANK, key_id)
    with pytest.raises(RateLimited):
        report_leak.report(world.services, FRANK, key_id)
    assert sum(entry.action == "report" for entry in world.store.entries) == 2

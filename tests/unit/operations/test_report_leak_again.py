"""A key that is reported again later, while it is still active, gets a new card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.identity import Member
from bot.domain.keys import KeyStatus
from bot.domain.rate_limits import Limit, LimitedAction
from bot.operations import disable_key, report_leak
from bot.slack.messages import kinds
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk
from tests.unit.operations.key_checks import actions, assert_leaked
from tests.unit.operations.key_steps import start_deletion
from tests.unit.operations.key_times import HOUR
from tests.unit.operations.test_report_leak import FRANK, USUAL_ANSWER, report


def reported_key(world: World, by: Member = BOB, ago: timedelta = HOUR) -> str:
    """Return a key of Alice's that was reported so long ago, and is active."""
    key_id = world.console_key()
    report(world, by, key_id)
    world.clock.advance(ago)
    world.slack.rendered.clear()
    return key_id


@pytest.mark.parametrize("first", [BOB, replace(ALICE, is_guest=True)])
@pytest.mark.parametrize("second", [FRANK, BOB, replace(FRANK, is_guest=True)])
def test_an_hour_after_a_report_another_makes_a_new_card(first: Member, second: Member) -> None:
    world = make_desk()
    key_id = reported_key(world, first)
    before = world.record(key_id)
    assert report(world, second, key_id) == USUAL_ANSWER
    record, entry, now = world.record(key_id), world.store.entries[-1], world.clock.now()
    assert (record.reported_by, record.reported_at) == (first.id, before.reported_at)
    assert (record.reported_again_by, record.reported_again_at) == (second.id, now)
    assert (entry.by, entry.action, entry.key_id, entry.detail) == (
        second.id,
        "report",
        key_id,
        Detail(Code.REPORTED_AGAIN),
    )
    assert set(kinds.expected_kinds(record)).isdisjoint(kinds.expected_kinds(before))
    assert world.slack.rendered == [record.name]
    assert ([key.id for key in record.snapshot], record.snapshot_at) == ([key_id], now)
    assert world.iam.active == [key_id]


def test_within_the_hour_a_further_report_is_not_stored() -> None:
    world = make_desk()
    key_id, stored = reported_key(world, ago=timedelta()), []
    for _ in range(6):
        world.clock.advance(HOUR / 2)
        before = world.record(key_id)
        report(world, FRANK, key_id)
        stored.append(world.record(key_id) != before)
    assert stored == [False, True, False, True, False, True]


def test_two_later_reports_at_once_make_one_new_card() -> None:
    world = make_desk()
    key_id = reported_key(world)
    world.taps.on("store.commit", before=lambda: report(world, FRANK, key_id))
    report(world, BOB, key_id)
    assert world.record(key_id).reported_again_by == FRANK.id
    assert actions(world) == ["report", "report"]


ENDS: dict[str, Callable[[World, str], object]] = {
    "as leaked": lambda world, key_id: report_leak.disable(world.services, CAROL, key_id),
    "by its owner": lambda world, key_id: disable_key.disable(world.services, ALICE, key_id),
    "in the console": lambda world, key_id: world.iam.set_status(
        ALICE.email, key_id, KeyStatus.INACTIVE
    ),
    "for deletion": start_deletion,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_an_inactive_key_gets_no_new_card(end: Callable[[World, str], object]) -> None:
    world = make_desk()
    key_id = reported_key(world)
    end(world, key_id)
    with world.nothing_happens():
        assert report(world, FRANK, key_id) == USUAL_ANSWER


def test_a_key_that_is_active_again_gets_a_new_card() -> None:
    world = make_desk()
    key_id = reported_key(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    report(world, FRANK, key_id)
    assert world.record(key_id).reported_again_by == FRANK.id


def test_the_new_card_disables_the_key_too() -> None:
    world = make_desk()
    key_id = reported_key(world)
    report(world, FRANK, key_id)
    report_leak.disable(world.services, CAROL, key_id)
    assert_leaked(world, key_id)
    record = world.record(key_id)
    people = (record.reported_by, record.reported_again_by, record.changed_by)
    assert people == (BOB.id, FRANK.id, CAROL.id)


def test_an_unmanaged_key_is_reported_again_as_unmanaged() -> None:
    world = make_desk(iam_path="/people/")
    key_id = reported_key(world)
    report(world, FRANK, key_id)
    record = world.record(key_id)
    assert (record.out_of_reach, record.reported_again_by) == (True, FRANK.id)


def test_later_reports_count_against_the_limit() -> None:
    world = make_desk(hourly_limits=dict.fromkeys(LimitedAction, Limit(1, 9)))
    key_id = reported_key(world)
    report(world, FRANK, key_id)
    with world.nothing_happens(), refuses(Code.RATE_LIMITED):
        report(world, FRANK, key_id)
    assert actions(world).count("report") == 2

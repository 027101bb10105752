"""Schedules that a simulation came upon (`tests/simulation`), as short as they can be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.errors import ChangePending, OutcomeUnknown, StoreUnavailable
from bot.domain.keys import (
    DesiredState,
    KeyStatus,
    ObservedState,
    Origin,
)
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    decide_request,
    disable_key,
    report_leak,
)
from tests.support.world import ALICE, BOB, CAROL, fails, make_desk
from tests.unit.operations.test_apply_request import asked, inactive
from tests.unit.operations.test_expire_keys import key_of, living, until

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
LEASE, ORPHAN_CHECK, SOON = timedelta(seconds=60), timedelta(minutes=15), timedelta(seconds=15)


def test_a_clock_that_is_an_hour_ahead_does_not_make_a_young_keys_absence_a_proof() -> None:
    """IAM does not know the key everywhere yet, and said so: the person was told that a key is gone which was there."""
    world = make_desk()
    key_id = world.delivered().access_key_id
    world.iam.hidden.add(key_id)
    world.clock.advance(HOUR)
    world.clock.ahead = HOUR
    request = confirm_receipt.did_not_get(world.services, ALICE, key_id)
    assert (
        request.status is Status.DELETING and world.record(key_id).observed is ObservedState.UNKNOWN
    )
    world.iam.hidden.clear()
    world.clock.ahead = timedelta(0)
    world.pass_time(ORPHAN_CHECK)
    assert world.now(request).status is Status.APPROVED and world.iam.observed(key_id) is None


def test_a_key_of_a_lost_answer_that_was_reported_before_the_look_is_found_and_turned_off_all_the_same() -> (
    None
):
    """A report gave it a record, and the look took whatever has a record for somebody's."""
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, "AWS did not answer")
    (key_id,) = world.iam.made
    report_leak.report(world.services, BOB, key_id)
    for span in (LEASE, ORPHAN_CHECK):
        world.pass_time(span)
    record = world.record(key_id)
    assert (record.origin, record.desired, record.request_id) == (
        Origin.FOUND,
        DesiredState.INACTIVE,
        request.id,
    )
    assert record.reported_by == BOB.id
    assert world.iam.active == [] and key_id in world.now(request).note


def test_a_receipt_for_a_key_that_was_deleted_unnoted_is_put_right_once_iam_shows_it() -> None:
    """Slack's answer was lost, then the store was away: the key was deleted, and its late message was believed."""
    world = make_desk()
    request = world.approved()
    world.taps.on("messenger.deliver", after=OutcomeUnknown("chat.postEphemeral"))
    world.taps.on("store.commit", nth=3, before=StoreUnavailable())
    fails(world, request, "is deleted again: do not use it")
    (key_id,) = world.iam.made
    world.pass_time(LEASE)
    confirm_receipt.confirm(world.services, ALICE, key_id)
    world.pass_time(ORPHAN_CHECK)
    assert (world.record(key_id).desired, world.record(key_id).observed) == (
        DesiredState.DELETED,
        ObservedState.DELETED,
    )
    assert world.store.entries[-1].action == "noticed"


@pytest.mark.parametrize("then", [KeyStatus.ACTIVE, KeyStatus.INACTIVE])
def test_a_list_from_before_a_change_of_ours_is_not_taken_for_somebody_elses_change(
    then: KeyStatus,
) -> None:
    """A reminder was due just after the key was turned on; IAM still listed it as it was, so it was recorded off."""
    world = make_desk()
    request = living(world)
    key_id = request.access_key_id
    until(world, request, 7 * DAY + MINUTE)
    disable_key.disable(world.services, ALICE, key_id)
    decide_request.approve(world.services, CAROL, asked(world, key_id).id)
    world.clock.advance(MINUTE)

    world.taps.on(
        "issuer.listed",
        before=lambda: world.iam.set_status(ALICE.email, key_id, KeyStatus.INACTIVE),
        after=lambda: world.iam.set_status(ALICE.email, key_id, then),
    )
    world.sweep()
    assert (key_of(world, request).desired, key_of(world, request).notices[-1:]) == (
        DesiredState.ACTIVE,
        ("expiry:7d",),
    )
    world.pass_time(ORPHAN_CHECK)
    record = key_of(world, request)
    assert (record.desired, record.observed) == (DesiredState.ACTIVE, ObservedState.ACTIVE)
    assert world.iam.active == [key_id], (
        "where somebody did turn it off so soon, it is on again, once"
    )


def test_a_clock_that_goes_back_between_two_looks_at_it_loses_no_reminder() -> None:
    world = make_desk()
    request = living(world)
    until(world, request, 7 * DAY + MINUTE)
    world.clock.advance(MINUTE)
    world.taps.on("issuer.listed", after=lambda: world.clock.advance(-HOUR))
    world.sweep()
    assert world.store.entries[-1].action == "remind" and key_of(world, request).notices == (
        "expiry:7d",
    )


def test_a_key_that_went_away_before_it_could_be_said_to_be_on_is_not_said_to_be_on() -> None:
    """IAM had turned it on, and that was on record; then the store was away, and somebody deleted the key."""
    world = make_desk()
    request = asked(world, inactive(world))
    world.taps.on(
        "issuer.set_status", after=lambda: world.taps.on("store.key", before=StoreUnavailable())
    )
    with pytest.raises(ChangePending):
        decide_request.approve(world.services, CAROL, request.id)
    assert world.record(request.target).observed is ObservedState.ACTIVE
    world.iam.delete_key(ALICE.email, request.target)
    world.pass_time(2 * SOON)
    now = world.now(request)
    assert (
        now.status is Status.EXPIRED and f"AWS does not know {request.target} any more" in now.note
    )

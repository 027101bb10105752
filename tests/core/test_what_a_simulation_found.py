"""Schedules that a simulation came upon (`tests/simulation`), as short as they can be."""

from __future__ import annotations

from datetime import timedelta

from bot.core.access_key import Origin, Shown, Wanted
from bot.core.errors import OutcomeUnknown, StoreUnavailable
from bot.core.moves import Status
from bot.core.workflow import leak, receipt
from tests.core.fakes import ALICE, BOB, fails, make_desk

HOUR, LEASE, LOOK = timedelta(hours=1), timedelta(seconds=60), timedelta(minutes=15)


def test_a_clock_that_is_an_hour_ahead_does_not_make_a_young_keys_absence_a_proof() -> None:
    """IAM does not know the key everywhere yet, and said so: the person was told that a key is gone which was there."""
    world = make_desk()
    key_id = world.delivered().access_key_id
    world.iam.hidden.add(key_id)
    world.clock.advance(HOUR)
    world.clock.ahead = HOUR
    request = receipt.did_not_get(world.desk, ALICE, key_id)
    assert request.status is Status.WITHDRAWING and world.record(key_id).shown is Shown.UNKNOWN
    world.iam.hidden.clear()
    world.clock.ahead = timedelta(0)
    world.pass_time(LOOK)
    assert world.now(request).status is Status.APPROVED and world.iam.shown(key_id) is None


def test_a_key_of_a_lost_answer_that_was_reported_before_the_look_is_found_and_turned_off_all_the_same() -> None:
    """A report gave it a record, and the look took whatever has a record for somebody's."""
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request, "AWS did not answer")
    key_id, = world.iam.made
    leak.report(world.desk, BOB, key_id)
    for span in (LEASE, LOOK):
        world.pass_time(span)
    record = world.record(key_id)
    assert (record.origin, record.wanted, record.request_id) == (Origin.FOUND, Wanted.INACTIVE, request.id)
    assert record.reported_by == BOB.id
    assert world.iam.active == [] and key_id in world.now(request).note


def test_a_receipt_for_a_key_that_was_deleted_unnoted_is_put_right_once_iam_shows_it() -> None:
    """Slack's answer was lost, then the store was away: the key was deleted, and its late message was believed."""
    world = make_desk()
    request = world.approved()
    world.taps.on("messenger.hand_over", after=OutcomeUnknown("chat.postEphemeral"))
    world.taps.on("store.commit", nth=3, before=StoreUnavailable())
    fails(world, request, "is deleted again: do not use it")
    key_id, = world.iam.made
    world.pass_time(LEASE)
    receipt.confirm(world.desk, ALICE, key_id)
    world.pass_time(LOOK)
    assert (world.record(key_id).wanted, world.record(key_id).shown) == (Wanted.DELETED, Shown.DELETED)
    assert world.store.entries[-1].action == "noticed"

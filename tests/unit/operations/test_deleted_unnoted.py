"""A key on record that was deleted while the store was away: what becomes of its request?"""

from __future__ import annotations

import pytest

from bot.domain.errors import DeliveryFailed, StoreUnavailable
from bot.domain.keys import CONSISTENCY_DELAY, ObservedState
from bot.domain.states import Status
from tests.support.world import make_desk, reveal
from tests.unit.operations.test_recover_delivery import LEASE, dies


def test_a_key_that_was_deleted_unnoted_while_the_store_was_away_is_not_asked_about_for_long() -> (
    None
):
    """The process that could not show it deletes it at once; on record it is active until somebody reads IAM."""
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "issuer.create_key",
        after=lambda: world.taps.away_from(3, "store", lambda call: StoreUnavailable()),
    )
    with pytest.raises(DeliveryFailed, match="is deleted again: do not use it"):
        reveal(world, request)
    [key_id] = world.iam.made
    assert world.iam.observed(key_id) is None
    world.taps.calm()
    assert world.now(request).access_key_id == key_id, (
        "it was put on record, but not that it is gone"
    )

    world.pass_time(LEASE)
    assert world.now(request).status is Status.DELIVERED, "nobody knows better yet"
    world.pass_time(CONSISTENCY_DELAY)
    now = world.now(request)
    assert (now.status, now.deleted_keys) == (Status.APPROVED, (key_id,))
    assert "is withdrawn and does not work" in now.note
    assert world.record(key_id).observed is ObservedState.DELETED
    delivered = reveal(world, now)
    assert world.iam.active == [delivered.access_key_id]


def test_a_key_on_record_that_is_there_is_read_once_and_its_person_asked_as_before() -> None:
    world = make_desk()
    request = dies(world, "messenger.deliver", "after")
    world.pass_time(LEASE)
    world.pass_time(CONSISTENCY_DELAY)
    assert world.now(request).status is Status.DELIVERED
    assert world.iam.active == [request.access_key_id]

"""A key on record that was deleted while the store was away: what becomes of its request?"""

from __future__ import annotations

import pytest

from bot.core.access_key import PROVES_NOTHING_FOR, Shown
from bot.core.errors import HandOverFailed, StoreUnavailable
from bot.core.moves import Status
from tests.core.fakes import make_desk, reveal
from tests.core.test_recovery import LEASE, dies


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
    with pytest.raises(HandOverFailed, match="is deleted again: do not use it"):
        reveal(world, request)
    [key_id] = world.iam.made
    assert world.iam.shown(key_id) is None
    world.taps.calm()
    assert world.now(request).access_key_id == key_id, (
        "it was put on record, but not that it is gone"
    )

    world.pass_time(LEASE)
    assert world.now(request).status is Status.DELIVERED, "nobody knows better yet"
    world.pass_time(PROVES_NOTHING_FOR)
    now = world.now(request)
    assert (now.status, now.withdrawn) == (Status.APPROVED, (key_id,))
    assert "is withdrawn and does not work" in now.note
    assert world.record(key_id).shown is Shown.DELETED
    delivered = reveal(world, now)
    assert world.iam.active == [delivered.access_key_id]


def test_a_key_on_record_that_is_there_is_read_once_and_its_person_asked_as_before() -> None:
    world = make_desk()
    request = dies(world, "messenger.hand_over", "after")
    world.pass_time(LEASE)
    world.pass_time(PROVES_NOTHING_FOR)
    assert world.now(request).status is Status.DELIVERED
    assert world.iam.active == [request.access_key_id]

"""Rotate with both slots taken: the reveal click deletes a chosen key first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import AlreadyOpen, KeydeskError, MustChooseKey
from bot.domain.keys import DesiredState, KeyStatus, LastUsed, ObservedState
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import create_request, disable_key, report_leak
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, World, make_desk, reveal
from tests.unit.operations.key_checks import iam_status
from tests.unit.operations.key_steps import UNKNOWN_KEY, approve, confirm, rotation
from tests.unit.operations.key_times import HOUR


def full() -> tuple[World, KeyRequest]:
    """Return a world with Alice's approved rotation, which deletes her other key."""
    world = make_desk()
    return world, world.rotating(full=True)


def two_keys() -> tuple[World, str, str]:
    """Return a world where Alice has two keys, and their IDs."""
    world = make_desk()
    return world, world.console_key(), world.console_key()


def assert_still_both(world: World, request: KeyRequest) -> None:
    """Assert that both keys are active, and the request is still approved."""
    assert sorted(world.iam.active) == sorted((request.target, request.delete_first))
    assert world.now(request).status is Status.APPROVED


# The request.


def test_with_both_slots_taken_the_requester_must_choose_first() -> None:
    world, first, second = two_keys()
    world.iam.use(second)
    with world.nothing_happens(), pytest.raises(MustChooseKey) as refused:
        create_request.rotate(world.services, ALICE, first)
    assert refused.value.key_id == first
    assert [(key.id, key.active, key.last_used) for key in refused.value.keys] == [
        (first, True, LastUsed()),
        (second, True, LastUsed(world.clock.now(), "s3", "eu-central-1")),
    ]
    request = create_request.rotate(world.services, ALICE, first, delete_first=second)
    assert (request.target, request.delete_first, request.reason) == (first, second, "")
    assert [key.id for key in request.keys] == [first, second]


@pytest.mark.parametrize("whose", ["bob's", "unknown"])
def test_only_own_keys_are_rotated_or_deleted(whose: str) -> None:
    world, mine, _ = two_keys()
    other = world.console_key(BOB) if whose == "bob's" else UNKNOWN_KEY
    with world.nothing_happens():
        for key_id, delete_first in ((mine, other), (other, mine), (other, "")):
            with pytest.raises(KeydeskError) as refused:
                create_request.rotate(world.services, ALICE, key_id, delete_first=delete_first)
            assert (refused.value.code, refused.value.facts) == (Code.NOT_YOUR_KEY, {})


def test_with_a_free_slot_no_key_may_be_chosen() -> None:
    """A chosen key would otherwise stay without notice."""
    world = make_desk()
    key_id = world.console_key()
    for chosen, code in ((key_id, Code.NO_KEY_TO_DELETE), (UNKNOWN_KEY, Code.NOT_YOUR_KEY)):
        with world.nothing_happens(), refuses(code):
            create_request.rotate(world.services, ALICE, key_id, delete_first=chosen)
    assert create_request.rotate(world.services, ALICE, key_id).delete_first == ""


@pytest.mark.parametrize("state", ["pending", "approved", "delivered"])
def test_only_one_rotation_is_open_at_a_time(state: str) -> None:
    world = make_desk()
    key_id = world.console_key()
    request = create_request.rotate(world.services, ALICE, key_id)
    if state != "pending":
        approve(world, request)
    if state == "delivered":
        reveal(world, request)
    with world.nothing_happens(), pytest.raises(AlreadyOpen) as refused:
        create_request.rotate(world.services, ALICE, key_id)
    assert (refused.value.code, refused.value.request_id) == (Code.REQUEST_ALREADY_OPEN, request.id)


# The click.


def test_the_chosen_key_lives_until_the_reveal_click() -> None:
    world, request = full()
    world.pass_time(71 * HOUR)
    assert_still_both(world, request)
    key_id = reveal(world, request).access_key_id
    assert sorted(world.iam.active) == sorted((request.target, key_id))
    record = world.record(request.delete_first)
    assert (record.desired, record.observed) == (DesiredState.DELETED, ObservedState.DELETED)
    assert world.record(key_id).replaces == request.target


def test_the_deletion_is_stored_and_done_before_the_creation() -> None:
    world, request = full()
    world.taps.calls.clear()
    seen: list[DesiredState] = []
    world.taps.on(
        "issuer.delete_key", before=lambda: seen.append(world.record(request.delete_first).desired)
    )
    reveal(world, request)
    changes = ("store.commit", "issuer.delete_key", "issuer.create_key")
    calls = [call for call in world.taps.calls if call in changes]
    assert calls[:4] == ["store.commit", "issuer.delete_key", "store.commit", "issuer.create_key"]
    assert seen == [DesiredState.DELETED]
    (entry,) = [entry for entry in world.store.entries if entry.action == "reveal"]
    assert (entry.by, entry.reason, entry.detail) == (
        ALICE.id,
        "",
        Detail(Code.SLOT_FREED, {"key_id": request.delete_first}),
    )


def test_a_replaced_key_that_is_deleted_has_no_grace_period() -> None:
    world, first, second = two_keys()
    key_id = reveal(world, rotation(world, first, first)).access_key_id
    confirm(world, key_id)
    assert sorted(world.iam.active) == sorted((second, key_id))
    record = world.record(key_id)
    assert (record.replaces, record.grace_ends_at) == ("", None)


def test_a_key_that_is_deleted_already_is_no_obstacle() -> None:
    world, request = full()
    world.iam.delete_key(ALICE.email, request.delete_first)
    assert reveal(world, request).status is Status.DELIVERED


def test_the_deletion_closes_the_request_of_the_deleted_key() -> None:
    world = make_desk()
    first = world.delivered()
    world.clock.advance(HOUR)
    reveal(world, rotation(world, world.console_key(), first.access_key_id))
    now = world.now(first)
    assert (now.status, now.last_event) == (Status.EXPIRED, Event.OWNER_DELETED)
    with refuses(Code.REQUEST_MOVED_ON, last_event="owner_deleted"):
        confirm(world, first.access_key_id)


def test_a_leaked_key_can_be_chosen_and_stays_leaked() -> None:
    world, target, leaked = two_keys()
    report_leak.report(world.services, ALICE, leaked)
    reveal(world, rotation(world, target, leaked))
    assert iam_status(world, leaked) == "gone" and world.record(leaked).leaked


def test_a_request_cancelled_before_the_click_deletes_nothing() -> None:
    world, request = full()
    create_request.cancel(world.services, ALICE, request.id)
    world.rest(days=8)
    assert len(world.iam.active) == 2 and world.store.key(request.delete_first) is None


# The chosen key has changed since the request.


@pytest.mark.parametrize("change", ["used", "inactive"])
def test_a_changed_key_lives_until_the_next_click(change: str) -> None:
    world, request = full()
    if change == "used":
        world.iam.use(request.delete_first)
    else:
        world.iam.set_status(ALICE.email, request.delete_first, KeyStatus.INACTIVE)
    world.slack.rendered.clear()
    (key,) = (one for one in world.iam.keys(ALICE.email) if one.id == request.delete_first)
    with refuses(Code.KEY_TO_DELETE_CHANGED, key_id=request.delete_first, key=key):
        reveal(world, request)
    now = world.now(request)
    assert (now.status, now.last_event, now.deadline, now.key(request.delete_first)) == (
        Status.APPROVED,
        Event.REFRESH,
        request.deadline,
        key,
    )
    assert world.slack.rendered == [request.name]
    assert world.iam.observed(request.delete_first) is not None
    reveal(world, request)
    assert iam_status(world, request.delete_first) == "gone"


def test_two_clicks_after_a_change_are_both_refused() -> None:
    world, request = full()
    world.iam.use(request.delete_first)

    def another_click() -> None:
        with refuses(Code.KEY_TO_DELETE_CHANGED):
            reveal(world, request)

    world.taps.on("store.commit", before=another_click)
    another_click()
    assert_still_both(world, request)


def test_a_key_with_an_unknown_last_use_is_not_deleted() -> None:
    """IAM may list a key that GetAccessKeyLastUsed does not know yet."""
    world, request = full()
    world.iam.use_unknown.add(request.delete_first)
    with world.nothing_happens(), refuses(Code.LAST_USE_UNKNOWN, key_id=request.delete_first):
        reveal(world, request)
    world.iam.use_unknown.clear()
    reveal(world, request)
    assert iam_status(world, request.delete_first) == "gone"


def test_a_last_use_that_stays_unknown_is_no_change() -> None:
    world, target, delete_first = two_keys()
    world.iam.use_unknown.add(delete_first)
    reveal(world, rotation(world, target, delete_first))
    assert iam_status(world, delete_first) == "gone"


def test_a_last_use_that_becomes_known_is_shown_first() -> None:
    world, request = full()
    now = world.now(request)
    unknown = tuple(replace(key, last_used=None) for key in now.keys)
    stale = replace(now, keys=unknown, version=now.version + 1)
    world.store.commit(Change(now, stale), entry=world.store.entries[-1])
    with refuses(Code.KEY_TO_DELETE_CHANGED):
        reveal(world, request)
    key = world.now(request).key(request.delete_first)
    assert key is not None and key.last_used == LastUsed()


def test_a_record_that_changes_at_the_click_stops_the_reveal() -> None:
    world, request = full()
    user, key = world.iam.user(ALICE.email), world.iam.keys(ALICE.email)[1]
    disable_key.set_desired_state(world.services, ALICE, user, key, DesiredState.ACTIVE, "enable")

    def change_record() -> None:
        record = world.record(request.delete_first)
        change = Change(record, record.updated(disable_note="x"))
        world.store.commit(change, entry=world.store.entries[-1])

    world.taps.on("store.commit", before=change_record)
    with refuses(Code.REQUEST_JUST_CHANGED):
        reveal(world, request)
    assert_still_both(world, request)
    reveal(world, request)
    assert iam_status(world, request.delete_first) == "gone"

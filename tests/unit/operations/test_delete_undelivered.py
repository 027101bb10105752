"""A key that may not have been shown is deleted, whatever fails, and the error names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError, Refused
from bot.domain.keys import DesiredState, KeyStatus
from bot.domain.outside_errors import OutcomeUnknown, SlackUnavailable, StoreUnavailable
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, disable_key
from tests.support.errors import refuses
from tests.support.world import ALICE, World, fails, make_desk, no_key_is_left, reveal

LOST = StoreUnavailable()
FIRST_KEY = "AKIAAAAAAAAAAAAAAAAB"
"""The first key that FakeIssuer creates."""


def test_a_key_created_after_the_lease_is_deleted_unseen() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=lambda: world.clock.advance(timedelta(seconds=60)))
    fails(world, request, Code.KEY_DELETED_REVEAL_AGAIN, cause=Code.LEASE_EXPIRED, key_id=FIRST_KEY)
    no_key_is_left(world)
    assert world.slack.observed == [] and world.now(request).status is Status.APPROVED


@pytest.mark.parametrize(
    ("side", "problem"),
    [
        ("before", Refused(Code.SLACK_REFUSED, error="channel_not_found")),
        ("before", OutcomeUnknown("chat.postEphemeral")),
        ("after", OutcomeUnknown("chat.postEphemeral")),
        ("before", SlackUnavailable("chat.postEphemeral", "ratelimited")),
    ],
)
def test_a_key_that_slack_may_not_have_shown_is_deleted(side: str, problem: KeydeskError) -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("messenger.deliver", **{side: problem})
    fails(
        world,
        request,
        Code.KEY_DELETED_REVEAL_AGAIN,
        cause=Code.SLACK_DID_NOT_CONFIRM,
        key_id=FIRST_KEY,
    )
    now = world.now(request)
    no_key_is_left(world)
    assert (now.status, now.reveals, now.deleted_keys) == (
        Status.APPROVED,
        0,
        (FIRST_KEY,),
    )
    assert now.detail == Detail(Code.KEY_DELETED_REVEAL_AGAIN, {"key_id": FIRST_KEY})
    (entry,) = [one for one in world.store.entries if one.action == "delete_undelivered"]
    assert entry.detail == Detail(Code.SLACK_DID_NOT_CONFIRM)
    assert reveal(world, request).access_key_id == world.iam.active[0]


def test_the_scheduler_finishes_a_deletion_that_failed() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "messenger.deliver", before=Refused(Code.SLACK_REFUSED, error="channel_not_found")
    )
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    fails(world, request, Code.KEY_DELETION_PENDING, key_id=FIRST_KEY)
    assert world.now(request).status is Status.DELETING
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="deleting"):
        reveal(world, request)
    for _ in range(21):
        world.pass_time(timedelta(seconds=15))
    no_key_is_left(world)
    assert world.now(request).status is Status.APPROVED


def test_a_key_unknown_to_iam_is_deleting_until_it_is_certain() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("messenger.deliver", before=lambda: world.iam.hidden.update(world.iam.made))
    world.taps.on("messenger.deliver", after=OutcomeUnknown("chat.postEphemeral"))
    fails(world, request, Code.KEY_DELETION_SLOW, key_id=FIRST_KEY)
    world.pass_time(timedelta(minutes=2))
    assert world.now(request).status is Status.DELETING
    world.iam.hidden.clear()
    for _ in range(2):
        world.pass_time(timedelta(minutes=2))
    no_key_is_left(world)
    assert world.now(request).status is Status.APPROVED


def test_a_key_disabled_between_record_and_post_is_not_shown() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit",
        nth=2,
        after=lambda: disable_key.disable(world.services, ALICE, *world.iam.made),
    )
    fails(world, request, Code.KEY_DELETED_REVEAL_AGAIN, cause=Code.KEY_STOPPED_BEFORE_SHOWN)
    no_key_is_left(world)
    assert world.slack.observed == [] and world.now(request).status is Status.APPROVED


def test_a_key_is_deleted_if_its_request_changed_meanwhile() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=lambda: is_checked(world))
    fails(world, request, Code.UNRECORDED_KEY_DELETED, cause=Code.KEY_NOT_RECORDED)
    world.rest(days=1)
    no_key_is_left(world)
    assert world.iam.observed(*world.iam.made) is None and world.slack.observed == []


def is_checked(world: World) -> None:
    """The process is paused. Its lease ends, and the orphan check finds the key it created."""
    world.pass_time(timedelta(seconds=61))
    world.pass_time(timedelta(minutes=16))
    world.iam.set_status(ALICE.email, *world.iam.made, KeyStatus.INACTIVE)


def test_a_key_disabled_before_the_record_is_deleted() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "issuer.create_key",
        after=lambda: disable_key.disable(world.services, ALICE, *world.iam.made),
    )
    fails(world, request, Code.UNRECORDED_KEY_DELETED, cause=Code.KEY_NOT_RECORDED)
    assert world.now(request).status is Status.APPROVED
    assert world.record(*world.iam.made).desired is DesiredState.DELETED
    assert world.iam.observed(*world.iam.made) is None


def test_only_three_shown_keys_are_allowed() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "messenger.deliver", before=Refused(Code.SLACK_REFUSED, error="channel_not_found")
    )
    fails(world, request, Code.KEY_DELETED_REVEAL_AGAIN)
    for _ in range(3):
        shown = reveal(world, request)
        last = confirm_receipt.did_not_get(world.services, ALICE, shown.access_key_id)
    assert last.status is Status.EXPIRED
    assert last.detail == Detail(
        Code.KEY_DELETED_LAST_REVEAL,
        {"key_id": shown.access_key_id, "verb": "create", "service_user": ""},
    )
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, last_event="close"):
        reveal(world, request)
    no_key_is_left(world)
    assert create_request.create(world.services, ALICE, "again").status is Status.PENDING


def test_a_key_that_another_process_recovered_is_not_shown() -> None:
    world = make_desk()
    request = world.approved()

    def clock_of_another_is_ahead() -> None:
        world.pass_time(timedelta(seconds=60))
        world.clock.advance(-timedelta(seconds=60))

    world.taps.on("store.commit", nth=2, after=clock_of_another_is_ahead)
    fails(world, request, Code.REQUEST_HAS_MOVED_ON, cause=Code.LEASE_EXPIRED)
    assert world.slack.observed == [] and world.now(request).status is Status.DELIVERED


# The database does not answer.


def test_a_lease_whose_answer_is_lost_creates_no_key() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", after=LOST)
    with pytest.raises(StoreUnavailable):
        reveal(world, request)
    assert world.iam.made == {}
    world.rest(days=1)
    assert reveal(world, request).status is Status.DELIVERED


def test_a_key_that_could_not_be_recorded_is_deleted() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", nth=2, before=LOST)
    fails(
        world,
        request,
        Code.UNRECORDED_KEY_DELETED,
        cause=Code.KEY_NOT_RECORDED,
        key_id=FIRST_KEY,
    )
    no_key_is_left(world)
    assert world.slack.observed == []
    now = world.now(request)
    assert now.status is Status.APPROVED
    assert now.detail == Detail(Code.UNRECORDED_KEY_DISCARDED, {"key_id": FIRST_KEY})


def test_a_recorded_key_whose_answer_was_lost_is_deleted() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", nth=2, after=LOST)
    fails(
        world,
        request,
        Code.KEY_DELETED_REVEAL_AGAIN,
        cause=Code.DATABASE_DID_NOT_ANSWER,
        key_id=FIRST_KEY,
    )
    no_key_is_left(world)
    assert world.slack.observed == [] and world.now(request).deleted_keys == tuple(world.iam.made)


def test_a_recovered_key_is_left_to_the_requester() -> None:
    world = make_desk()
    request = world.approved()

    def paused() -> None:
        world.pass_time(timedelta(seconds=61))
        raise LOST

    world.taps.on("store.commit", nth=2, after=paused)
    fails(
        world,
        request,
        Code.REQUEST_HAS_MOVED_ON,
        cause=Code.DATABASE_DID_NOT_ANSWER,
        key_id=FIRST_KEY,
    )
    now = world.now(request)
    assert (now.status, world.slack.observed) == (Status.DELIVERED, [])
    assert world.desired() == world.iam.active == [now.access_key_id]
    confirm_receipt.did_not_get(world.services, ALICE, now.access_key_id)
    no_key_is_left(world)


@pytest.mark.parametrize("store_call", ["request", "key"])
def test_a_key_is_not_shown_without_a_check_in_the_database(
    store_call: str,
) -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit", nth=2, after=lambda: world.taps.on(f"store.{store_call}", before=LOST)
    )
    fails(world, request, Code.KEY_DELETED_REVEAL_AGAIN, cause=Code.DATABASE_DID_NOT_ANSWER)
    no_key_is_left(world)
    assert world.slack.observed == []


def test_without_database_and_slack_the_key_is_deleted() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", nth=3, before=LOST)
    world.taps.on(
        "messenger.deliver", before=Refused(Code.SLACK_REFUSED, error="channel_not_found")
    )
    fails(world, request, Code.UNRECORDED_KEY_DELETED, cause=Code.SLACK_DID_NOT_CONFIRM)
    assert world.iam.active == []


def test_without_database_and_iam_the_orphan_check_finds_the_key() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit", nth=2, before=lambda: world.taps.away_from(1, "store", lambda call: LOST)
    )
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    fails(
        world,
        request,
        Code.UNRECORDED_KEY_NOT_DELETED,
        cause=Code.DATABASE_DID_NOT_ANSWER,
        key_id=FIRST_KEY,
    )
    world.taps.calm()
    world.rest(days=1)
    no_key_is_left(world)
    assert world.record(*world.iam.made).desired is DesiredState.INACTIVE


def test_an_unrecorded_delivery_asks_the_requester() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", nth=3, before=LOST)
    reveal(world, request)
    assert len(world.slack.observed) == 1
    world.pass_time(timedelta(seconds=61))
    now = world.now(request)
    assert (now.status, now.access_key_id) == (Status.DELIVERED, world.slack.observed[0][1])
    assert world.iam.active == [now.access_key_id]


# The process is late.


def posts_late(world: World, meanwhile: Callable[[], object]) -> None:
    """Pause the process just before Slack shows the key. Its lease ends, and others go on."""

    def paused() -> None:
        world.pass_time(timedelta(seconds=61))
        meanwhile()

    world.taps.on("messenger.deliver", before=paused)


def test_a_late_process_succeeds_where_its_key_is_wanted() -> None:
    world = make_desk()
    request = world.approved()
    posts_late(world, lambda: None)
    assert reveal(world, request).status is Status.DELIVERED
    assert world.iam.active == [world.slack.observed[0][1]]


def test_a_late_process_says_that_its_key_is_inactive() -> None:
    world = make_desk()
    request = world.approved()
    posts_late(world, lambda: confirm_receipt.did_not_get(world.services, ALICE, *world.iam.made))
    fails(world, request, Code.SHOWN_KEY_INACTIVE, key_id=FIRST_KEY)
    no_key_is_left(world)


def test_a_late_process_without_a_database_says_so() -> None:
    world = make_desk()
    request = world.approved()
    posts_late(world, lambda: world.taps.on("store.key", before=LOST))
    fails(world, request, Code.SHOWN_KEY_UNCERTAIN, key_id=FIRST_KEY)


def test_a_late_process_leaves_a_confirmed_key_alone() -> None:
    world = make_desk()
    request = world.approved()
    posts_late(world, lambda: confirm_receipt.confirm(world.services, ALICE, *world.iam.made))
    world.taps.on("messenger.deliver", after=OutcomeUnknown("chat.postEphemeral"))
    fails(
        world,
        request,
        Code.REQUEST_HAS_MOVED_ON,
        cause=Code.SLACK_DID_NOT_CONFIRM,
        key_id=FIRST_KEY,
    )
    assert world.iam.active == world.desired() == [world.now(request).access_key_id]


def test_a_receipt_before_the_delivery_is_recorded_counts() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "messenger.deliver",
        after=lambda: confirm_receipt.confirm(world.services, ALICE, *world.iam.made),
    )
    assert reveal(world, request).status is Status.CONFIRMED
    assert world.iam.active == [world.slack.observed[0][1]]

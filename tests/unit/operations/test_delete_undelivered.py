"""A key that its person was not surely shown goes, whatever fails on the way, and its name is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.errors import (
    DeliveryFailed,
    KeydeskError,
    OutcomeUnknown,
    Refused,
    SlackUnavailable,
    StoreUnavailable,
    WrongState,
)
from bot.domain.keys import DesiredState, KeyStatus
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, disable_key
from tests.support.world import ALICE, World, fails, make_desk, no_key_is_left, reveal

LOST = StoreUnavailable()


def test_a_key_that_is_ready_only_when_the_lease_is_over_is_withdrawn_unseen() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=lambda: world.clock.advance(timedelta(seconds=60)))
    fails(world, request, "I did not show the key")
    no_key_is_left(world)
    assert world.slack.observed == [] and world.now(request).status is Status.APPROVED


@pytest.mark.parametrize(
    ("side", "problem"),
    [
        ("before", Refused("channel_not_found")),
        ("before", OutcomeUnknown("chat.postEphemeral")),
        ("after", OutcomeUnknown("chat.postEphemeral")),
        ("before", SlackUnavailable("chat.postEphemeral", "ratelimited")),
    ],
)
def test_a_key_that_slack_did_not_surely_show_is_withdrawn_and_named(
    side: str, problem: KeydeskError
) -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("messenger.deliver", **{side: problem})
    fails(world, request, "AKIAA{15}B is withdrawn and does not work, even if it stands above")
    now = world.now(request)
    no_key_is_left(world)
    assert (now.status, now.reveals, now.deleted_keys) == (
        Status.APPROVED,
        0,
        ("AKIAAAAAAAAAAAAAAAAB",),
    )
    assert "AKIAAAAAAAAAAAAAAAAB is withdrawn" in now.note
    assert reveal(world, request).access_key_id == world.iam.active[0]


def test_a_key_that_cannot_be_withdrawn_at_once_is_withdrawn_by_the_sweeper() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("messenger.deliver", before=Refused("channel_not_found"))
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    fails(world, request, "is being withdrawn: do not use it")
    assert world.now(request).status is Status.DELETING
    with world.nothing_happens(), pytest.raises(WrongState, match="comes back after that"):
        reveal(world, request)
    for _ in range(21):
        world.pass_time(timedelta(seconds=15))
    no_key_is_left(world)
    assert world.now(request).status is Status.APPROVED


def test_a_young_key_that_iam_does_not_know_yet_stays_withdrawing_until_its_absence_proves_something() -> (
    None
):
    world = make_desk()
    request = world.approved()
    world.taps.on("messenger.deliver", before=lambda: world.iam.hidden.update(world.iam.made))
    world.taps.on("messenger.deliver", after=OutcomeUnknown("chat.postEphemeral"))
    fails(world, request, "which AWS takes a few minutes for: do not use it")
    world.pass_time(timedelta(minutes=2))
    assert world.now(request).status is Status.DELETING
    world.iam.hidden.clear()
    for _ in range(2):
        world.pass_time(timedelta(minutes=2))
    no_key_is_left(world)
    assert world.now(request).status is Status.APPROVED


def test_a_key_that_its_owner_turns_off_between_record_and_post_is_withdrawn_and_not_shown() -> (
    None
):
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit",
        nth=2,
        after=lambda: disable_key.disable(world.services, ALICE, *world.iam.made),
    )
    fails(world, request, "The key was turned off meanwhile, so I did not show it")
    no_key_is_left(world)
    assert world.slack.observed == [] and world.now(request).status is Status.APPROVED


def test_when_the_request_moves_on_before_the_record_the_key_just_made_goes() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=lambda: looked(world))
    fails(world, request, "could not put the new key on record.*is deleted again")
    world.rest(days=1)
    no_key_is_left(world)
    assert world.iam.observed(*world.iam.made) is None and world.slack.observed == []


def looked(world: World) -> None:
    """The process is paused; its lease ends, and the look finds the key that it has just made."""
    world.pass_time(timedelta(seconds=61))
    world.pass_time(timedelta(minutes=16))
    world.iam.set_status(ALICE.email, *world.iam.made, KeyStatus.INACTIVE)


def test_a_key_that_its_owner_turned_off_before_the_record_goes_and_the_approval_stands() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "issuer.create_key",
        after=lambda: disable_key.disable(world.services, ALICE, *world.iam.made),
    )
    fails(world, request, "could not put the new key on record.*is deleted again")
    assert world.now(request).status is Status.APPROVED
    assert world.record(*world.iam.made).desired is DesiredState.DELETED
    assert world.iam.observed(*world.iam.made) is None


def test_three_reveals_at_most_and_only_shown_ones_count() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("messenger.deliver", before=Refused("channel_not_found"))
    fails(world, request)
    for _ in range(3):
        shown = reveal(world, request)
        last = confirm_receipt.did_not_get(world.services, ALICE, shown.access_key_id)
    assert last.status is Status.EXPIRED and "last of three reveals" in last.note
    with world.nothing_happens(), pytest.raises(WrongState, match="closed after its last reveal"):
        reveal(world, request)
    no_key_is_left(world)
    assert create_request.create(world.services, ALICE, "again").status is Status.PENDING


def test_a_key_whose_request_another_process_has_recovered_already_is_not_shown() -> None:
    world = make_desk()
    request = world.approved()

    def clock_of_another_is_ahead() -> None:
        world.pass_time(timedelta(seconds=60))
        world.clock.advance(-timedelta(seconds=60))

    world.taps.on("store.commit", nth=2, after=clock_of_another_is_ahead)
    fails(world, request, "I did not show the key. The request has moved on meanwhile")
    assert world.slack.observed == [] and world.now(request).status is Status.DELIVERED


# The store is away ----------------------------------------------------------------------------------------------------


def test_a_lease_whose_answer_is_lost_makes_no_key() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", after=LOST)
    with pytest.raises(StoreUnavailable):
        reveal(world, request)
    assert world.iam.made == {}
    world.rest(days=1)
    assert reveal(world, request).status is Status.DELIVERED


def test_a_key_whose_record_was_refused_by_the_store_is_deleted_and_the_approval_stands() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", nth=2, before=LOST)
    fails(
        world,
        request,
        "could not put the new key on record. AKIAA{15}B is deleted again: do not use it",
    )
    no_key_is_left(world)
    assert world.slack.observed == []
    now = world.now(request)
    assert now.status is Status.APPROVED and now.note.startswith(
        "AKIAAAAAAAAAAAAAAAAB could not be put on record"
    )


def test_a_key_whose_record_was_written_though_the_answer_was_lost_is_withdrawn() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", nth=2, after=LOST)
    fails(world, request, "AKIAA{15}B is withdrawn")
    no_key_is_left(world)
    assert world.slack.observed == [] and world.now(request).deleted_keys == tuple(world.iam.made)


def test_a_record_that_was_written_and_recovered_by_another_meanwhile_is_left_to_the_person() -> (
    None
):
    world = make_desk()
    request = world.approved()

    def paused() -> None:
        world.pass_time(timedelta(seconds=61))
        raise LOST

    world.taps.on("store.commit", nth=2, after=paused)
    fails(
        world,
        request,
        "The request has moved on meanwhile; your newest message here says how AKIAA{15}B stands",
    )
    now = world.now(request)
    assert (now.status, world.slack.observed) == (Status.DELIVERED, [])
    assert world.desired() == world.iam.active == [now.access_key_id]
    confirm_receipt.did_not_get(world.services, ALICE, now.access_key_id)
    no_key_is_left(world)


@pytest.mark.parametrize("store_call", ["request", "key"])
def test_a_key_is_not_shown_while_the_store_does_not_say_that_it_is_still_wanted(
    store_call: str,
) -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit", nth=2, after=lambda: world.taps.on(f"store.{store_call}", before=LOST)
    )
    fails(world, request, "memory did not answer, so I did not show the key")
    no_key_is_left(world)
    assert world.slack.observed == []


def test_with_store_and_slack_away_a_key_that_was_not_shown_is_deleted_all_the_same() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", nth=3, before=LOST)
    world.taps.on("messenger.deliver", before=Refused("channel_not_found"))
    fails(world, request, "is deleted again: do not use it")
    assert world.iam.active == []


def test_with_store_and_iam_away_the_person_is_told_not_to_use_the_key_and_the_look_finds_it() -> (
    None
):
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "store.commit", nth=2, before=lambda: world.taps.away_from(1, "store", lambda call: LOST)
    )
    world.taps.on("issuer.delete_key", before=OutcomeUnknown("DeleteAccessKey"))
    fails(world, request, "could not be deleted yet either .*: do not use it")
    world.taps.calm()
    world.rest(days=1)
    no_key_is_left(world)
    assert world.record(*world.iam.made).desired is DesiredState.INACTIVE


def test_a_hand_over_that_cannot_be_noted_is_recovered_and_the_person_asked() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("store.commit", nth=3, before=LOST)
    reveal(world, request)
    assert len(world.slack.observed) == 1
    world.pass_time(timedelta(seconds=61))
    now = world.now(request)
    assert (now.status, now.access_key_id) == (Status.DELIVERED, world.slack.observed[0][1])
    assert world.iam.active == [now.access_key_id]


# The process is late --------------------------------------------------------------------------------------------------


def posts_late(world: World, meanwhile: Callable[[], object]) -> None:
    """The process is paused just before Slack shows the key; its lease ends, and others go on."""

    def paused() -> None:
        world.pass_time(timedelta(seconds=61))
        meanwhile()

    world.taps.on("messenger.deliver", before=paused)


def test_a_late_process_says_nothing_more_where_its_key_is_still_wanted() -> None:
    world = make_desk()
    request = world.approved()
    posts_late(world, lambda: None)
    assert reveal(world, request).status is Status.DELIVERED
    assert world.iam.active == [world.slack.observed[0][1]]


def test_a_late_process_says_that_the_key_it_showed_is_withdrawn() -> None:
    world = make_desk()
    request = world.approved()
    posts_late(world, lambda: confirm_receipt.did_not_get(world.services, ALICE, *world.iam.made))
    fails(world, request, "AKIAA{15}B above is withdrawn or turned off: do not use it")
    no_key_is_left(world)


def test_a_late_process_that_cannot_know_says_so() -> None:
    world = make_desk()
    request = world.approved()
    posts_late(world, lambda: world.taps.on("store.key", before=LOST))
    fails(
        world, request, "I cannot say whether AKIAA{15}B above still stands: do not use it before"
    )


def test_a_late_process_touches_no_key_that_its_person_has_taken() -> None:
    world = make_desk()
    request = world.approved()
    posts_late(world, lambda: confirm_receipt.confirm(world.services, ALICE, *world.iam.made))
    world.taps.on("messenger.deliver", after=OutcomeUnknown("chat.postEphemeral"))
    with pytest.raises(DeliveryFailed) as told:
        reveal(world, request)
    assert (
        "do not use" not in told.value.sentence
        and "newest message here says how" in told.value.sentence
    )
    assert world.iam.active == world.desired() == [world.now(request).access_key_id]


def test_a_receipt_that_is_faster_than_the_note_of_the_hand_over_stands() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on(
        "messenger.deliver",
        after=lambda: confirm_receipt.confirm(world.services, ALICE, *world.iam.made),
    )
    assert reveal(world, request).status is Status.CONFIRMED
    assert world.iam.active == [world.slack.observed[0][1]]

"""A key that may not have been shown is deleted, and the error names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError, Refused
from bot.domain.keys import DesiredState, KeyStatus
from bot.domain.outside_errors import (
    OutcomeUnknown,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, create_request, disable_key
from tests.support.errors import refuses
from tests.support.world import ALICE, World, fails, make_desk, no_key_is_left, reveal
from tests.unit.operations.key_checks import assert_fields
from tests.unit.operations.key_times import LEASE, MINUTE, ORPHAN_CHECK, SECOND, SOON

DATABASE_LOST = StoreUnavailable()
SLACK_REFUSES = Refused(Code.SLACK_REFUSED, error="channel_not_found")
SLACK_ANSWER_LOST = OutcomeUnknown("chat.postEphemeral")
DELETION_ANSWER_LOST = OutcomeUnknown("DeleteAccessKey")
Act = Callable[[World], object]
FIRST_KEY = "AKIAAAAAAAAAAAAAAAAB"
"""The first key that FakeIssuer creates."""


def approved() -> tuple[World, KeyRequest]:
    """Return a world with Alice's approved request."""
    world = make_desk()
    return world, world.approved()


def disable_it(world: World) -> object:
    return disable_key.disable(world.services, ALICE, *world.iam.made)


def did_not_get(world: World) -> object:
    return confirm_receipt.did_not_get(world.services, ALICE, FIRST_KEY)


def lease_expires(world: World) -> None:
    world.clock.advance(LEASE)


def lose_answer(world: World) -> None:
    raise DATABASE_LOST


def no_request(world: World) -> None:
    world.taps.on("store.request", before=DATABASE_LOST)


def no_record(world: World) -> None:
    world.taps.on("store.key", before=DATABASE_LOST)


NOT_SHOWN: dict[str, tuple[Code, str, int, Act]] = {
    "the lease expired": (Code.LEASE_EXPIRED, "issuer.create_key", 1, lease_expires),
    "it was disabled": (Code.KEY_STOPPED_BEFORE_SHOWN, "store.commit", 2, disable_it),
    "record's answer lost": (Code.DATABASE_DID_NOT_ANSWER, "store.commit", 2, lose_answer),
    "no request read": (Code.DATABASE_DID_NOT_ANSWER, "store.commit", 2, no_request),
    "no record read": (Code.DATABASE_DID_NOT_ANSWER, "store.commit", 2, no_record),
}
NOT_POSTED: dict[str, tuple[str, KeydeskError]] = {
    "refused": ("before", SLACK_REFUSES),
    "no answer": ("before", SLACK_ANSWER_LOST),
    "posted, answer lost": ("after", SLACK_ANSWER_LOST),
    "rate limited": ("before", SlackUnavailable("chat.postEphemeral", "ratelimited")),
}


def assert_reveal_again(world: World, request: KeyRequest, cause: Code) -> None:
    """Assert that a reveal deletes its key for this cause. The next succeeds."""
    fails(world, request, Code.KEY_DELETED_REVEAL_AGAIN, cause=cause, key_id=FIRST_KEY)
    no_key_is_left(world)
    now = world.now(request)
    assert (now.status, now.reveals, now.deleted_keys) == (Status.APPROVED, 0, (FIRST_KEY,))
    assert now.detail == Detail(Code.KEY_DELETED_REVEAL_AGAIN, {"key_id": FIRST_KEY})
    (entry,) = [one for one in world.store.entries if one.action == "delete_undelivered"]
    assert entry.detail == Detail(cause)
    again = reveal(world, request)
    assert world.iam.active == [again.access_key_id]


@pytest.mark.parametrize(("cause", "call", "nth", "act"), NOT_SHOWN.values(), ids=NOT_SHOWN)
def test_a_key_that_is_not_shown_is_deleted(cause: Code, call: str, nth: int, act: Act) -> None:
    world, request = approved()
    world.taps.on(call, nth=nth, after=lambda: act(world))
    assert_reveal_again(world, request, cause)
    assert FIRST_KEY not in [key_id for _, key_id, _ in world.slack.observed]


@pytest.mark.parametrize(("side", "problem"), NOT_POSTED.values(), ids=NOT_POSTED)
def test_a_key_that_slack_may_not_have_shown_is_deleted(side: str, problem: KeydeskError) -> None:
    world, request = approved()
    world.taps.on("messenger.deliver", **{side: problem})
    assert_reveal_again(world, request, Code.SLACK_DID_NOT_CONFIRM)


def test_the_scheduler_finishes_a_deletion_that_failed() -> None:
    world, request = approved()
    world.taps.on("messenger.deliver", before=SLACK_REFUSES)
    world.taps.on("issuer.delete_key", before=DELETION_ANSWER_LOST)
    fails(world, request, Code.KEY_DELETION_PENDING, key_id=FIRST_KEY)
    assert world.now(request).status is Status.DELETING
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, status="deleting"):
        reveal(world, request)
    for _ in range(21):
        world.pass_time(SOON)
    no_key_is_left(world)
    assert world.now(request).status is Status.APPROVED


def test_a_key_unknown_to_iam_is_deleting_until_it_is_certain() -> None:
    world, request = approved()
    world.taps.on(
        "messenger.deliver",
        before=lambda: world.iam.hidden.update(world.iam.made),
        after=SLACK_ANSWER_LOST,
    )
    fails(world, request, Code.KEY_DELETION_SLOW, key_id=FIRST_KEY)
    for _ in range(8):
        world.pass_time(SOON)
    assert world.store.reschedule_count(request.name) <= 5, "AWS is not asked all the time"
    assert world.now(request).status is Status.DELETING
    world.iam.hidden.clear()
    for _ in range(2):
        world.pass_time(2 * MINUTE)
    no_key_is_left(world)
    assert world.now(request).status is Status.APPROVED


def test_only_three_shown_keys_are_allowed() -> None:
    world, request = approved()
    world.taps.on("messenger.deliver", before=SLACK_REFUSES)
    fails(world, request, Code.KEY_DELETED_REVEAL_AGAIN)
    for _ in range(3):
        key_id = reveal(world, request).access_key_id
        last = confirm_receipt.did_not_get(world.services, ALICE, key_id)
    facts = {"key_id": key_id, "verb": "create", "service_user": ""}
    assert_fields(last, status=Status.EXPIRED, detail=Detail(Code.KEY_DELETED_LAST_REVEAL, facts))
    with world.nothing_happens(), refuses(Code.REQUEST_MOVED_ON, last_event="close"):
        reveal(world, request)
    no_key_is_left(world)
    assert create_request.create(world.services, ALICE, "again").status is Status.PENDING


# The key is not on record.


def orphan_check(world: World) -> None:
    """Pause the process. Its lease ends, and the orphan check finds the key."""
    world.pass_time(LEASE + SECOND)
    world.pass_time(ORPHAN_CHECK + MINUTE)
    world.iam.set_status(ALICE.email, FIRST_KEY, KeyStatus.INACTIVE)


@pytest.mark.parametrize("act", [lose_answer, disable_it, orphan_check])
def test_a_key_that_could_not_be_recorded_is_deleted(act: Act) -> None:
    world, request = approved()
    if act is lose_answer:
        world.taps.on("store.commit", nth=2, before=DATABASE_LOST)
    else:
        world.taps.on("issuer.create_key", after=lambda: act(world))
    cause = Code.KEY_NOT_RECORDED
    fails(world, request, Code.UNRECORDED_KEY_DELETED, cause=cause, key_id=FIRST_KEY)
    now = world.now(request)
    assert now.status is Status.APPROVED and world.iam.active == []
    if act is lose_answer:
        assert now.detail == Detail(Code.UNRECORDED_KEY_DISCARDED, {"key_id": FIRST_KEY})
    else:
        assert world.record(FIRST_KEY).desired is DesiredState.DELETED
    world.rest(days=1)
    no_key_is_left(world)
    assert world.iam.observed(FIRST_KEY) is None and world.slack.observed == []


def test_without_database_and_slack_the_key_is_deleted() -> None:
    world, request = approved()
    world.taps.on("store.commit", nth=3, before=DATABASE_LOST)
    world.taps.on("messenger.deliver", before=SLACK_REFUSES)
    fails(world, request, Code.UNRECORDED_KEY_DELETED, cause=Code.SLACK_DID_NOT_CONFIRM)
    assert world.iam.active == []


def test_without_database_and_iam_the_orphan_check_finds_the_key() -> None:
    world, request = approved()
    world.taps.on(
        "store.commit",
        nth=2,
        before=lambda: world.taps.away_from(1, "store", lambda call: DATABASE_LOST),
    )
    world.taps.on("issuer.delete_key", before=DELETION_ANSWER_LOST)
    cause = Code.DATABASE_DID_NOT_ANSWER
    fails(world, request, Code.UNRECORDED_KEY_NOT_DELETED, cause=cause, key_id=FIRST_KEY)
    world.taps.calm()
    world.rest(days=1)
    no_key_is_left(world)
    assert world.record(FIRST_KEY).desired is DesiredState.INACTIVE


# The key is left to the requester.


def test_a_lease_whose_answer_is_lost_creates_no_key() -> None:
    world, request = approved()
    world.taps.on("store.commit", after=DATABASE_LOST)
    with refuses(Code.STORE_UNAVAILABLE):
        reveal(world, request)
    assert world.iam.made == {}
    world.rest(days=1)
    assert reveal(world, request).status is Status.DELIVERED


def clock_of_another_is_ahead(world: World) -> None:
    world.pass_time(LEASE)
    world.clock.advance(-LEASE)


def paused_without_answer(world: World) -> None:
    world.pass_time(LEASE + SECOND)
    raise DATABASE_LOST


@pytest.mark.parametrize(
    ("recovered", "cause"),
    [
        (clock_of_another_is_ahead, Code.LEASE_EXPIRED),
        (paused_without_answer, Code.DATABASE_DID_NOT_ANSWER),
    ],
)
def test_a_recovered_key_is_left_to_the_requester(recovered: Act, cause: Code) -> None:
    world, request = approved()
    world.taps.on("store.commit", nth=2, after=lambda: recovered(world))
    fails(world, request, Code.REQUEST_HAS_MOVED_ON, cause=cause, key_id=FIRST_KEY)
    now = world.now(request)
    assert (now.status, now.access_key_id) == (Status.DELIVERED, FIRST_KEY)
    assert world.slack.observed == [] and world.desired() == world.iam.active == [FIRST_KEY]
    did_not_get(world)
    no_key_is_left(world)


def test_an_unrecorded_delivery_asks_the_requester() -> None:
    world, request = approved()
    world.taps.on("store.commit", nth=3, before=DATABASE_LOST)
    reveal(world, request)
    assert [key_id for _, key_id, _ in world.slack.observed] == [FIRST_KEY]
    world.pass_time(LEASE + SECOND)
    now = world.now(request)
    assert (now.status, now.access_key_id) == (Status.DELIVERED, FIRST_KEY)
    assert world.iam.active == [FIRST_KEY]


def test_a_receipt_before_the_delivery_is_recorded_counts() -> None:
    world, request = approved()
    world.taps.on(
        "messenger.deliver", after=lambda: confirm_receipt.confirm(world.services, ALICE, FIRST_KEY)
    )
    assert reveal(world, request).status is Status.CONFIRMED
    assert world.iam.active == [FIRST_KEY]


# The process is late.


def post_late(world: World, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Pause the process just before Slack shows the key. Its lease ends."""

    def paused() -> None:
        world.pass_time(LEASE + SECOND)
        meanwhile()

    world.taps.on("messenger.deliver", before=paused)


def test_a_late_process_succeeds_where_its_key_is_still_desired() -> None:
    world, request = approved()
    post_late(world)
    assert reveal(world, request).status is Status.DELIVERED
    assert world.iam.active == [key_id for _, key_id, _ in world.slack.observed]


@pytest.mark.parametrize(
    ("meanwhile", "code", "active"),
    [
        (did_not_get, Code.SHOWN_KEY_INACTIVE, []),
        (no_record, Code.SHOWN_KEY_UNCERTAIN, [FIRST_KEY]),
    ],
)
def test_a_late_process_says_what_is_known_of_its_key(
    meanwhile: Act, code: Code, active: list[str]
) -> None:
    world, request = approved()
    post_late(world, lambda: meanwhile(world))
    fails(world, request, code, key_id=FIRST_KEY)
    assert world.iam.active == world.desired() == active


def test_a_late_process_leaves_a_confirmed_key_alone() -> None:
    world, request = approved()
    post_late(world, lambda: confirm_receipt.confirm(world.services, ALICE, FIRST_KEY))
    world.taps.on("messenger.deliver", after=SLACK_ANSWER_LOST)
    cause = Code.SLACK_DID_NOT_CONFIRM
    fails(world, request, Code.REQUEST_HAS_MOVED_ON, cause=cause, key_id=FIRST_KEY)
    assert world.iam.active == world.desired() == [FIRST_KEY]

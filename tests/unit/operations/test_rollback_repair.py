"""After a database lost acknowledged writes, keys and messages are repaired."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError
from bot.domain.keys import DesiredState, InactiveReason, KeyStatus, Origin
from bot.domain.outside_errors import (
    Conflict,
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
    StoreUnavailable,
)
from bot.domain.records import SlackMessage
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import disable_key, report_leak
from bot.operations.detect_rollback import repair
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, World, make_desk, reveal
from tests.unit.operations.key_checks import actions, assert_fields, iam_status
from tests.unit.operations.key_steps import (
    approve,
    living,
    request_enable,
    start_deletion,
    until_expiry,
)
from tests.unit.operations.key_times import DAY, HOUR, MINUTE, ORPHAN_CHECK, SOON


@pytest.fixture
def world() -> World:
    return make_desk()


def set_in_iam(world: World, key_id: str, status: KeyStatus) -> None:
    world.iam.set_status(ALICE.email, key_id, status)


def lost_delivery(world: World) -> tuple[KeyRequest, str]:
    """Return an approved request, and the key in IAM whose delivery the database lost."""
    request = world.approved()
    world.clock.advance(MINUTE)
    return request, world.iam.create_key(ALICE.email)[0].id


@pytest.mark.parametrize(
    ("state", "desired"), [("gone", DesiredState.DELETED), ("Inactive", DesiredState.INACTIVE)]
)
def test_what_iam_shows_of_an_active_key_counts(
    world: World, state: str, desired: DesiredState
) -> None:
    key_id = living(world).access_key_id
    world.clock.advance(HOUR)
    if state == "gone":
        world.iam.delete_key(ALICE.email, key_id)
    else:
        set_in_iam(world, key_id, KeyStatus.INACTIVE)
    assert repair(world.services) == []
    record = world.record(key_id)
    assert (record.desired, record.inactive_reason) == (desired, InactiveReason.CONSOLE)
    assert actions(world)[-1] == "noticed"


def test_an_enable_that_the_database_lost_is_kept(world: World) -> None:
    key_id = living(world).access_key_id
    disable_key.disable(world.services, ALICE, key_id)
    set_in_iam(world, key_id, KeyStatus.ACTIVE)
    assert repair(world.services) == []
    assert world.record(key_id).desired is DesiredState.ACTIVE
    world.pass_time(ORPHAN_CHECK)
    assert world.iam.active == [key_id]


@pytest.mark.parametrize("why", ["leaked", "expired"])
def test_a_key_that_must_stay_inactive_is_not_kept_active(world: World, why: str) -> None:
    key_id = living(world).access_key_id
    if why == "leaked":
        report_leak.report(world.services, ALICE, key_id)
    else:
        until_expiry(world, key_id)
    before = world.record(key_id)
    set_in_iam(world, key_id, KeyStatus.ACTIVE)
    assert repair(world.services) == []
    assert world.record(key_id) == before
    world.pass_time(DAY)
    assert world.iam.active == []


def test_a_key_as_recorded_is_left_as_it_is(world: World) -> None:
    key_id = living(world).access_key_id
    before, entries = world.record(key_id), list(world.store.entries)
    assert repair(world.services) == []
    assert (world.record(key_id), world.store.entries) == (before, entries)


def test_a_key_too_new_to_be_listed_is_left_as_it_is(world: World) -> None:
    key_id = world.delivered().access_key_id
    before = world.record(key_id)
    world.iam.hidden.add(key_id)
    assert repair(world.services) == []
    assert world.record(key_id) == before


def test_an_unfinished_change_is_not_undone(world: World) -> None:
    key_id = living(world).access_key_id
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with refuses(Code.CHANGE_NOT_CONFIRMED):
        disable_key.disable(world.services, ALICE, key_id)
    repair(world.services)
    assert world.record(key_id).desired is DesiredState.INACTIVE
    world.pass_time(SOON)
    assert world.iam.active == []


def test_a_deletion_is_not_undone(world: World) -> None:
    key_id = living(world).access_key_id
    start_deletion(world, key_id)
    world.taps.calls.clear()
    assert repair(world.services) == []
    assert not [call for call in world.taps.calls if call.startswith("issuer")]
    assert world.record(key_id).desired is DesiredState.DELETED


def test_a_key_whose_delivery_was_lost_is_disabled(world: World) -> None:
    request, key_id = lost_delivery(world)
    assert repair(world.services) == []
    record, now = world.record(key_id), world.now(request)
    assert_fields(
        record,
        origin=Origin.ORPHANED,
        desired=DesiredState.INACTIVE,
        owner=ALICE.id,
        request_id=request.id,
    )
    assert iam_status(world, key_id) == "Inactive"
    detail = Detail(Code.ROLLBACK_ORPHAN_FOUND, {"key_ids": key_id, "free_slots": "1"})
    assert_fields(
        now,
        status=Status.APPROVED,
        last_event=Event.REFRESH,
        last_event_by="keydesk",
        detail=detail,
    )
    assert (now.reveal_round, now.last_event_at) == (request.reveal_round + 1, world.clock.now())
    assert detail in [entry.detail for entry in world.store.entries]
    world.clock.advance(HOUR)
    assert repair(world.services) == []
    assert world.now(request) == now, "a repair that runs again changes nothing"
    world.iam.create_key(ALICE.email)
    assert repair(world.services) == []
    again = world.now(request)
    assert again.reveal_round == request.reveal_round + 2
    assert again.detail is not None and again.detail.facts["free_slots"] == "0"


def test_after_a_repair_the_requester_may_reveal(world: World) -> None:
    request, _ = lost_delivery(world)
    repair(world.services)
    key_id = reveal(world, request).access_key_id
    repair(world.services)
    assert world.iam.active == [key_id]


@pytest.mark.parametrize(("minutes", "found"), [(4, True), (6, False)])
def test_a_key_older_than_the_approval_is_no_lost_delivery(
    world: World, minutes: int, found: bool
) -> None:
    pending = world.pending()
    key_id = world.iam.create_key(ALICE.email)[0].id
    world.clock.advance(timedelta(minutes=minutes))
    request = approve(world, pending)
    world.clock.advance(HOUR)
    assert repair(world.services) == []
    assert (iam_status(world, key_id) == "Inactive") is found
    assert (world.now(request) != request) is found


@pytest.mark.parametrize("state", ["pending", "used", "of another user", "no key", "no user"])
def test_other_requests_are_left_as_they_are(world: World, state: str) -> None:
    request = world.pending() if state == "pending" else world.approved()
    user = BOB.email if state == "of another user" else ALICE.email
    if state == "no user":
        world.iam.delete_user(ALICE.email)
    elif state != "no key":
        key_id = world.iam.create_key(user)[0].id
    if state == "used":
        world.iam.use(key_id)
    entries = list(world.store.entries)
    assert repair(world.services) == []
    assert (world.now(request), world.store.entries, world.records()) == (request, entries, [])


def test_an_approved_enable_is_no_lost_delivery(world: World) -> None:
    key_id = world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    request = request_enable(world, key_id)
    world.taps.on("issuer.keys", before=IamUnavailable("ListAccessKeys"))
    with refuses(Code.APPROVED_NOT_APPLIED):
        approve(world, request)
    assert world.now(request).status is Status.APPROVED
    other = world.iam.create_key(ALICE.email)[0].id
    repair(world.services)
    assert iam_status(world, other) == "Active"


def test_every_message_is_rendered_again(world: World) -> None:
    request = world.delivered()
    finished = make_message(world, "request:other")
    names = [request.name, f"key:{request.access_key_id}"]
    for name in names:
        make_message(world, name)
        world.store.rendered(name, 99)
        world.store.clear_render_mark(name, world.clock.now())
    world.slack.rendered.clear()
    assert repair(world.services) == []
    assert sorted(world.slack.rendered) == sorted(names)
    for name in names:
        assert name in world.store.unrendered(world.clock.now())
        assert world.store.messages(name) == [SlackMessage("card", "C1", "1.0", version=0)]
    assert world.store.messages("request:other") == [finished]


def make_message(world: World, name: str) -> SlackMessage:
    message = SlackMessage("card", "C1", "1.0", version=7)
    world.store.record_message(name, message)
    return message


@pytest.mark.parametrize(
    "failure",
    [
        IamUnavailable("ListAccessKeys"),
        IamThrottled("Throttling", "ListAccessKeys"),
        OutcomeUnknown("ListAccessKeys"),
        Conflict("key"),
    ],
)
def test_what_cannot_be_repaired_is_named_and_still_rendered(
    world: World, failure: KeydeskError
) -> None:
    request, key_id = lost_delivery(world)
    bobs = world.console_key(BOB)
    disable_key.disable(world.services, BOB, bobs)
    world.iam.set_status(BOB.email, bobs, KeyStatus.ACTIVE)
    world.slack.rendered.clear()
    broken = f"key:{bobs}"
    nth = world.store.due(world.clock.now() + 4000 * DAY).index(broken) + 1
    world.taps.on("issuer.listed", nth=nth, before=failure)
    assert repair(world.services) == [broken]
    assert {broken, request.name} <= set(world.slack.rendered)
    assert world.record(key_id).origin is Origin.ORPHANED


def test_without_a_database_the_repair_stops(world: World) -> None:
    request, key_id = lost_delivery(world)
    world.taps.on("store.request", before=StoreUnavailable())
    with world.nothing_happens(), refuses(Code.STORE_UNAVAILABLE):
        repair(world.services)
    assert repair(world.services) == []
    assert iam_status(world, key_id) == "Inactive"


def test_an_orphan_that_aws_does_not_disable_is_retried(world: World) -> None:
    request, key_id = lost_delivery(world)
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    assert repair(world.services) == [request.name]
    assert world.record(key_id).desired is DesiredState.INACTIVE
    world.pass_time(SOON)
    assert iam_status(world, key_id) == "Inactive"

"""Two things happen to one key, or to those around it, at once: what is promised and what is said still holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    ChangePending,
    IamUserNotFound,
    OutcomeUnknown,
    SlackUnavailable,
)
from bot.domain.identity import IamMapping, Member
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    KeyStatus,
    ManagedKey,
)
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    expire_keys,
    finish_rotation,
    key_owner,
    report_leak,
    reveal_key,
)
from bot.slack.messages import keys
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, ERIN, TEAM, World, fails, make_desk, reveal

Does = Callable[[World, str], object]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
GUEST = Member("U0GUEST", TEAM, "guest@example.com", is_guest=True)
AWAY = SlackUnavailable("conversations.open", "user_disabled")


def living(world: World, lifetime: timedelta = 30 * DAY, *, confirmed: bool = True) -> str:
    """A key of Alice's that lives so long."""
    asked = create_request.create(
        world.services, ALICE, "deploy script", create_request.RequestOptions(lifetime=lifetime)
    )
    key_id = reveal(world, decide_request.approve(world.services, CAROL, asked.id)).access_key_id
    if confirmed:
        confirm_receipt.confirm(world.services, ALICE, key_id)
    return key_id


def service_key(world: World, owners: str, owner: Member = BOB) -> str:
    """A key that the service user ci-deploy got for its owner."""
    world.iam.add_user("ci-deploy", owner=owners)
    asked = create_request.create(
        world.services, owner, "nightly", create_request.RequestOptions(service_user="ci-deploy")
    )
    key_id = reveal_key.reveal(
        world.services, owner, decide_request.approve(world.services, CAROL, asked.id).id
    ).access_key_id
    confirm_receipt.confirm(world.services, owner, key_id)
    return key_id


def drawn(record: ManagedKey, kind: str) -> str:
    return str(keys.render(record, kind).blocks)


def test_an_approval_that_loses_against_the_end_of_the_key_is_not_said_to_be_done() -> None:
    world = make_desk()
    key_id = living(world)
    world.clock.advance(30 * DAY - HOUR)
    world.sweep()
    asked = create_request.extend(world.services, ALICE, key_id)

    def ends() -> None:
        world.clock.advance(HOUR)
        expire_keys.run(world.services, world.record(key_id))

    world.taps.on("store.commit", nth=2, before=ends)
    assert decide_request.approve(world.services, CAROL, asked.id).status is Status.EXPIRED
    assert world.record(key_id).inactive_reason is InactiveReason.EXPIRED


def test_an_owner_of_a_service_user_needs_no_iam_user_of_their_own() -> None:
    world = make_desk(iam_owner_tag="owner")
    key_id = service_key(world, ERIN.id, ERIN)
    assert key_owner.service_user_of(world.services, ERIN, key_id) == "ci-deploy"
    assert disable_key.disable(world.services, ERIN, key_id).key.iam_user == "ci-deploy"
    answers = []
    world.iam.add_user(ALICE.email, owner=ALICE.id)
    for other in (world.iam.create_key(ALICE.email)[0].id, "AKIAIOSFODNN7EXAMPLE"):
        with pytest.raises(IamUserNotFound) as refused:
            disable_key.disable(world.services, ERIN, other)
        answers.append((refused.value.code, refused.value.facts))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("owners", ["S0OPS", "U0BOB U0ALICE"])
def test_who_got_a_service_users_key_is_told_when_an_approver_turns_it_off(owners: str) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.people.groups["S0OPS"] = frozenset({BOB.id})
    key_id = service_key(world, owners)
    assert (
        disable_key.disable_for(world.services, CAROL, key_id, "too old").notified_owner == BOB.id
    )
    assert (world.record(key_id).owner, world.record(key_id).dm) == (BOB.id, "D0BOB")


@pytest.mark.parametrize(
    "does",
    [
        lambda world, key_id: report_leak.disable(world.services, CAROL, key_id),
        lambda world, key_id: disable_key.disable_for(world.services, CAROL, key_id, "they left"),
    ],
)
def test_a_key_whose_owner_slack_does_not_reach_is_turned_off_all_the_same(does: Does) -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("messenger.dm", before=AWAY)
    does(world, key_id)
    assert world.iam.active == [] and world.record(key_id).owner == ALICE.id


def test_a_stranger_learns_nothing_where_slack_does_not_reach_the_owner_and_approvers_are_asked() -> (
    None
):
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("messenger.dm", before=AWAY)
    assert report_leak.report(world.services, GUEST, key_id) == report_leak.report(
        world.services, GUEST, "AKIAIOSFODNN7EXAMPLE"
    )
    assert world.record(key_id).reported_by == GUEST.id


def test_an_owner_group_that_slack_does_not_show_hides_no_leak() -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user(ALICE.email, owner="S0OPS")
    key_id = world.console_key()
    world.taps.on("directory.group", before=AWAY)
    assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()
    assert world.record(key_id).reported_by == BOB.id


@pytest.mark.parametrize(
    ("rule", "name", "person"),
    [
        ("{email}", "UploadBot", ""),
        ("{email}", "UPLOAD", ""),
        ("{email}", "alice@example.com", "alice@example.com"),
        ("{slack_id}", "U0ALICE", "U0ALICE"),
        ("{slack_id}", "UploadBot", ""),
    ],
)
def test_an_iam_users_name_is_a_person_only_where_it_can_be_one(
    rule: str, name: str, person: str
) -> None:
    assert IamMapping(rule=rule).person(name) == person


@pytest.mark.parametrize(
    "ends",
    [
        lambda world, new: disable_key.disable(world.services, ALICE, new),
        lambda world, new: report_leak.report(world.services, ALICE, new),
        lambda world, new: (
            disable_key.disable(world.services, ALICE, new),
            disable_key.delete(world.services, ALICE, new),
        ),
    ],
)
def test_a_rotation_whose_new_key_is_off_does_not_lead_to_turning_the_old_one_off(
    ends: Does,
) -> None:
    world = make_desk()
    request = world.rotated()
    new = request.access_key_id
    world.clock.advance(HOUR)
    ends(world, new)
    for click in (
        finish_rotation.disable_old,
        finish_rotation.not_yet,
        finish_rotation.check_last_use,
    ):
        with refuses(Code.NEW_KEY_INACTIVE, key_id=new, old_key=request.target):
            click(world.services, ALICE, new)
    world.pass_time(DAY)
    assert world.iam.active == [request.target]
    assert "is in place" not in drawn(world.record(new), "rotation")
    assert "Disable the old key" not in drawn(world.record(new), "rotation")


def test_undo_does_not_bring_a_key_back_beyond_its_end() -> None:
    world = make_desk(rotation_grace=DAY)
    old = living(world, 3 * DAY)
    world.clock.advance(HOUR)
    asked = create_request.rotate(world.services, ALICE, old)
    new = reveal(world, decide_request.approve(world.services, CAROL, asked.id)).access_key_id
    confirm_receipt.confirm(world.services, ALICE, new)
    finish_rotation.disable_old(world.services, ALICE, new)
    ends = world.record(old).expires_at
    assert ends is not None and str(int(ends.timestamp())) in drawn(
        world.record(old), f"retired:{keys._mark(world.record(old).changed_at)}"
    )
    world.clock.advance(3 * DAY)
    with refuses(Code.UNDO_EXPIRED, key_id=old):
        finish_rotation.undo(world.services, ALICE, old)
    assert world.iam.active == [new]


def test_a_late_receipt_does_not_turn_a_key_on_beyond_its_end() -> None:
    world = make_desk()
    key_id = living(world, 2 * DAY, confirmed=False)
    world.pass_time(12 * HOUR)
    world.pass_time(12 * HOUR)
    assert world.record(key_id).inactive_reason is InactiveReason.UNCLAIMED
    world.clock.advance(DAY + HOUR)
    assert confirm_receipt.confirm(world.services, ALICE, key_id).status is Status.CONFIRMED
    assert world.iam.active == []
    world.sweep()
    assert world.record(key_id).inactive_reason is InactiveReason.EXPIRED and world.iam.active == []


def test_turning_a_key_off_here_and_on_in_the_console_does_not_save_it_from_its_end() -> None:
    world = make_desk()
    key_id = living(world)
    disable_key.disable(world.services, ALICE, key_id)
    world.pass_time(HOUR)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.outlive(31)
    assert world.iam.active == [] and world.record(key_id).inactive_reason is InactiveReason.EXPIRED
    assert world.record(key_id).delete_at is not None


def test_a_leaked_key_that_waits_for_its_deletion_is_looked_at_daily_too() -> None:
    world = make_desk()
    key_id = living(world)
    world.outlive(31)
    assert world.record(key_id).inactive_reason is InactiveReason.EXPIRED
    report_leak.report(world.services, ALICE, key_id)
    world.pass_time(HOUR)
    world.iam.set_status(ALICE.email, key_id, KeyStatus.ACTIVE)
    world.pass_time(DAY)
    assert world.iam.active == []
    world.rest(10)
    assert (
        world.iam.observed(key_id) is None and world.record(key_id).desired is DesiredState.DELETED
    )


def test_why_an_approver_turned_a_key_off_once_is_not_said_of_the_next_time() -> None:
    world = make_desk()
    key_id = world.console_key()
    disable_key.disable_for(world.services, CAROL, key_id, "too old")
    asked = create_request.enable(world.services, ALICE, key_id, "still used")
    assert asked is not None
    decide_request.approve(world.services, CAROL, asked.id)
    assert world.record(key_id).disable_note == ""


def test_who_rotates_a_service_users_key_of_another_owner_can_undo_it() -> None:
    world = make_desk(iam_owner_tag="owner")
    old = service_key(world, "U0BOB U0ALICE", ALICE)
    world.clock.advance(HOUR)
    asked = create_request.rotate(
        world.services, BOB, old, options=create_request.RequestOptions(service_user="ci-deploy")
    )
    new = reveal_key.reveal(
        world.services, BOB, decide_request.approve(world.services, CAROL, asked.id).id
    ).access_key_id
    confirm_receipt.confirm(world.services, BOB, new)
    world.pass_time(DAY)
    record = world.record(old)
    assert (record.inactive_reason, record.owner, record.dm, record.is_service_user) == (
        InactiveReason.ROTATED,
        BOB.id,
        "D0BOB",
        True,
    )
    finish_rotation.undo(world.services, BOB, old)
    assert old in world.iam.active


def test_a_found_key_that_leaked_is_not_offered_to_be_enabled() -> None:
    world = make_desk()
    request = world.approved()
    world.taps.on("issuer.create_key", after=OutcomeUnknown("CreateAccessKey"))
    fails(world, request)
    world.rest(1)
    [found] = world.records()
    report_leak.report(world.services, ALICE, found.id)
    card = drawn(world.record(found.id), "found")
    assert "enable it" not in card and "Turned off for good, as leaked" in card


def test_an_old_key_whose_last_use_is_not_known_is_not_taken_for_quiet() -> None:
    world = make_desk()
    request = world.rotated()
    world.iam.use_unknown.add(request.target)
    world.pass_time(DAY)
    assert request.target in world.iam.active
    world.iam.use_unknown.clear()
    world.pass_time(HOUR)
    assert request.target not in world.iam.active


def test_who_turns_off_what_an_approver_has_turned_off_does_not_make_it_their_own_to_turn_on() -> (
    None
):
    world = make_desk(approval_free=frozenset({"disable", "delete", "enable"}))
    key_id = world.console_key()
    world.taps.on("issuer.set_status", before=OutcomeUnknown("UpdateAccessKey"))
    with pytest.raises(ChangePending):
        disable_key.disable_for(world.services, CAROL, key_id, "too old")
    disable_key.disable(world.services, ALICE, key_id)
    assert world.iam.active == []
    assert create_request.enable(world.services, ALICE, key_id, "still used") is not None, (
        "an approver is asked"
    )

"""Report a leaked key while Slack or AWS does not respond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.identity import Member
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
)
from bot.domain.outside_errors import (
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    SlackUnavailable,
)
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    finish_rotation,
    report_leak,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, TEAM, World, make_desk

NO_GROUP = SlackUnavailable("usergroups.users.list", "no_such_subteam", refused=True)
"""A group of APPROVERS that was deleted: nobody can be told to be in it, for good."""

FOREIGN = "AKIAIOSFODNN7EXAMPLE"

SILENT = [
    IamUnavailable("GetUser"),
    IamThrottled("Throttling", "GetUser"),
    IamRefused("Strange", "GetUser"),
]

ANYBODY = [BOB, replace(BOB, is_guest=True), replace(ALICE, is_guest=True)]

GUEST = Member("U0GUEST", TEAM, "guest@example.com", is_guest=True)

AWAY = SlackUnavailable("conversations.open", "user_disabled")


def without_approvers(**rules: str) -> World:
    """A desk that Slack does not tell who may approve."""
    world = make_desk(**rules)
    world.taps.away_from(1, "directory.approvers", lambda call: NO_GROUP)
    return world


def off_for_good(world: World, key_id: str) -> None:
    record = world.record(key_id)
    assert (record.leaked, record.desired, record.inactive_reason) == (
        True,
        DesiredState.INACTIVE,
        InactiveReason.LEAKED,
    )
    assert key_id not in world.iam.active


def iam_is_silent(world: World, call: str, failure: KeydeskError) -> None:
    world.taps.away_from(1, call, lambda _: failure)


@pytest.mark.parametrize("does", [report_leak.report, report_leak.disable])
def test_an_owner_disables_a_key_without_the_approver_list(
    does: Callable[..., object],
) -> None:
    world = without_approvers()
    key_id = world.console_key()
    does(world.services, ALICE, key_id)
    off_for_good(world, key_id)


def test_a_service_users_owner_needs_no_approver_list() -> None:
    world = without_approvers(iam_owner_tag="owner")
    world.iam.add_user("ci-deploy", owner=BOB.id)
    key_id = world.iam.create_key("ci-deploy")[0].id
    assert report_leak.report(world.services, BOB, key_id).disabled
    off_for_good(world, key_id)


@pytest.mark.parametrize(
    "member", [BOB, CAROL, replace(BOB, is_guest=True)], ids=["stranger", "approver", "guest"]
)
def test_without_the_approver_list_others_only_report(
    member: Member,
) -> None:
    world = without_approvers()
    key_id = world.console_key()
    with world.nothing_happens():
        assert report_leak.report(world.services, member, FOREIGN) == report_leak.LeakResult()
    assert report_leak.report(world.services, member, key_id) == report_leak.LeakResult()
    assert world.record(key_id).reported_by == member.id and world.iam.active == [key_id]


def test_an_unmanaged_key_gets_its_card_without_the_list() -> None:
    world = without_approvers(iam_path="/people/")
    key_id = world.console_key()
    assert report_leak.report(world.services, CAROL, key_id) == report_leak.LeakResult()
    assert (world.record(key_id).out_of_reach, world.record(key_id).reported_by) == (True, CAROL.id)


def test_without_the_approver_list_only_owners_disable() -> None:
    world = without_approvers()
    key_id = world.console_key()
    for member in (BOB, CAROL):
        with world.nothing_happens(), pytest.raises(SlackUnavailable):
            report_leak.disable(world.services, member, key_id)


@pytest.mark.parametrize("member", ANYBODY, ids=["stranger", "guest", "guest who owns it"])
@pytest.mark.parametrize("failure", SILENT, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("call", ["issuer.user", "issuer.listed"])
def test_while_aws_is_silent_others_get_the_usual_answer(
    call: str, failure: KeydeskError, member: Member
) -> None:
    """What is asked of a key that exists alone may fail for nobody."""
    world = make_desk()
    key_id = world.console_key()
    iam_is_silent(world, call, failure)
    assert (
        report_leak.report(world.services, member, FOREIGN)
        == report_leak.report(world.services, member, key_id)
        == report_leak.LeakResult()
    )
    record = world.record(key_id)
    assert (record.reported_by, record.owner, record.out_of_reach) == (member.id, ALICE.id, False)
    world.taps.calm()
    report_leak.disable(world.services, CAROL, key_id)
    off_for_good(world, key_id)


@pytest.mark.parametrize("failure", SILENT, ids=lambda one: type(one).__name__)
def test_an_unidentified_reporter_gets_the_usual_answer(
    failure: KeydeskError,
) -> None:
    """First whose the key is, which AWS tells, then who the stranger is."""
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("issuer.user", nth=2, before=failure)
    assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()
    assert world.record(key_id).reported_by == BOB.id


@pytest.mark.parametrize("failure", SILENT, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("member", [ALICE, CAROL], ids=["owner", "approver"])
@pytest.mark.parametrize("does", [report_leak.report, report_leak.disable])
def test_owner_and_approvers_learn_that_aws_is_silent(
    does: Callable[..., object], member: Member, failure: KeydeskError
) -> None:
    world = make_desk()
    key_id = world.console_key()
    iam_is_silent(world, "issuer.user", failure)
    with world.nothing_happens(), pytest.raises(type(failure)):
        does(world.services, member, key_id)


@pytest.mark.parametrize("failure", SILENT, ids=lambda one: type(one).__name__)
def test_disable_now_tells_others_nothing_while_aws_is_silent(failure: KeydeskError) -> None:
    world = make_desk()
    key_id = world.console_key()
    iam_is_silent(world, "issuer.user", failure)
    for known in (key_id, FOREIGN):
        with world.nothing_happens(), refuses(Code.NOT_AN_APPROVER):
            report_leak.disable(world.services, BOB, known)


def test_an_owner_disables_a_key_that_aws_does_not_list() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("issuer.listed", before=IamUnavailable("ListAccessKeys"))
    assert report_leak.report(world.services, ALICE, key_id).disabled
    off_for_good(world, key_id)


def test_a_key_of_a_missing_iam_user_is_unmanaged() -> None:
    """AWS names its user and does not know that user: the approvers get a card, its owner is told what to do."""
    world = make_desk()
    key_id = world.console_key()
    iam_is_silent(world, "issuer.user", IamUserNotFound())
    assert (
        report_leak.report(world.services, BOB, key_id)
        == report_leak.report(world.services, BOB, FOREIGN)
        == report_leak.LeakResult()
    )
    assert (world.record(key_id).out_of_reach, world.record(key_id).owner) == (True, ALICE.id)
    for member in (ALICE, CAROL):
        with (
            world.nothing_happens(),
            refuses(Code.KEY_NOT_MANAGED, key_id=key_id, iam_user=ALICE.email),
        ):
            report_leak.report(world.services, member, key_id)


def test_a_report_during_an_outage_keeps_enable_possible() -> None:
    """The account of the IAM user was not known then. *Undo* is not for a key whose report nobody has decided."""
    world = make_desk()
    key_id = world.console_key()
    iam_is_silent(world, "issuer.user", IamUnavailable("GetUser"))
    report_leak.report(world.services, BOB, key_id)
    world.taps.calm()
    asked = decide_request.approve(
        world.services, CAROL, create_request.rotate(world.services, ALICE, key_id).id
    )
    new = reveal_key.reveal(world.services, ALICE, asked.id).access_key_id
    confirm_receipt.confirm(world.services, ALICE, new)
    finish_rotation.disable_old(world.services, ALICE, new)
    assert world.record(key_id).account == world.record(new).account
    with world.nothing_happens(), refuses(Code.UNDO_REPORTED):
        finish_rotation.undo(world.services, ALICE, key_id)
    back = create_request.enable(world.services, ALICE, key_id, "the old job runs still")
    assert back is not None
    decide_request.approve(world.services, CAROL, back.id)
    assert sorted(world.iam.active) == sorted([key_id, new])


def test_a_report_works_though_slack_cant_reach_the_owner() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("messenger.dm", before=AWAY)
    assert report_leak.report(world.services, GUEST, key_id) == report_leak.report(
        world.services, GUEST, "AKIAIOSFODNN7EXAMPLE"
    )
    assert world.record(key_id).reported_by == GUEST.id


def test_an_unreadable_owner_group_hides_no_leak() -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user(ALICE.email, owner="S0OPS")
    key_id = world.console_key()
    world.taps.on("directory.group", before=AWAY)
    assert report_leak.report(world.services, BOB, key_id) == report_leak.LeakResult()
    assert world.record(key_id).reported_by == BOB.id

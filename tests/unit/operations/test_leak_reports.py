"""What comes of a report while Slack or AWS does not answer, and of one that comes again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.codes import Code
from bot.domain.errors import (
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    KeydeskError,
    NotAllowed,
    NotYourKey,
    SlackUnavailable,
    WrongState,
)
from bot.domain.identity import Member
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    finish_rotation,
    key_owner,
    report_leak,
    reveal_key,
)
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, World, make_desk
from tests.unit.operations.test_report_leak import FOREIGN, off_for_good

NO_GROUP = SlackUnavailable("usergroups.users.list", "no_such_subteam", refused=True)
"""A group of APPROVERS that was deleted: nobody can be told to be in it, for good."""


def without_approvers(**rules: str) -> World:
    """A desk that Slack does not tell who may approve."""
    world = make_desk(**rules)
    world.taps.away_from(1, "directory.approvers", lambda call: NO_GROUP)
    return world


# -- Slack does not say who may approve


@pytest.mark.parametrize("does", [report_leak.report, report_leak.disable])
def test_its_owner_turns_a_key_off_though_slack_does_not_say_who_may_approve(
    does: Callable[..., object],
) -> None:
    world = without_approvers()
    key_id = world.console_key()
    does(world.services, ALICE, key_id)
    off_for_good(world, key_id)


def test_the_owner_of_a_service_user_does_so_too() -> None:
    world = without_approvers(iam_owner_tag="owner")
    world.iam.add_user("ci-deploy", owner=BOB.id)
    key_id = world.iam.create_key("ci-deploy")[0].id
    assert report_leak.report(world.services, BOB, key_id).disabled
    off_for_good(world, key_id)


@pytest.mark.parametrize(
    "member", [BOB, CAROL, replace(BOB, is_guest=True)], ids=["stranger", "approver", "guest"]
)
def test_anybody_else_reports_it_to_the_approvers_while_nobody_is_known_to_be_one(
    member: Member,
) -> None:
    world = without_approvers()
    key_id = world.console_key()
    with world.nothing_happens():
        assert report_leak.report(world.services, member, FOREIGN) == report_leak.LeakResult()
    assert report_leak.report(world.services, member, key_id) == report_leak.LeakResult()
    assert world.record(key_id).reported_by == member.id and world.iam.active == [key_id]


def test_a_key_out_of_reach_gets_its_card_then_too() -> None:
    world = without_approvers(iam_path="/people/")
    key_id = world.console_key()
    assert report_leak.report(world.services, CAROL, key_id) == report_leak.LeakResult()
    assert (world.record(key_id).out_of_reach, world.record(key_id).reported_by) == (True, CAROL.id)


def test_nobody_disables_somebody_elses_key_while_nobody_is_known_to_be_an_approver() -> None:
    world = without_approvers()
    key_id = world.console_key()
    for member in (BOB, CAROL):
        with world.nothing_happens(), pytest.raises(SlackUnavailable):
            report_leak.disable(world.services, member, key_id)


# -- AWS does not say whose a key is

SILENT = [
    IamUnavailable("GetUser"),
    IamThrottled("Throttling", "GetUser"),
    IamRefused("Strange", "GetUser"),
]
ANYBODY = [BOB, replace(BOB, is_guest=True), replace(ALICE, is_guest=True)]


def iam_is_silent(world: World, call: str, failure: KeydeskError) -> None:
    world.taps.away_from(1, call, lambda _: failure)


@pytest.mark.parametrize("member", ANYBODY, ids=["stranger", "guest", "guest who owns it"])
@pytest.mark.parametrize("failure", SILENT, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("call", ["issuer.user", "issuer.listed"])
def test_whoever_reports_a_key_meanwhile_is_answered_as_ever_and_the_approvers_get_their_card(
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
def test_a_stranger_of_whom_aws_does_not_say_who_they_are_is_answered_as_ever(
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
def test_owner_and_approvers_are_told_that_aws_does_not_say(
    does: Callable[..., object], member: Member, failure: KeydeskError
) -> None:
    world = make_desk()
    key_id = world.console_key()
    iam_is_silent(world, "issuer.user", failure)
    with world.nothing_happens(), pytest.raises(type(failure)):
        does(world.services, member, key_id)


@pytest.mark.parametrize("failure", SILENT, ids=lambda one: type(one).__name__)
def test_a_stranger_who_clicks_disable_now_meanwhile_learns_nothing(failure: KeydeskError) -> None:
    world = make_desk()
    key_id = world.console_key()
    iam_is_silent(world, "issuer.user", failure)
    for known in (key_id, FOREIGN):
        with world.nothing_happens(), pytest.raises(NotAllowed, match="Only the desk's approvers"):
            report_leak.disable(world.services, BOB, known)


def test_its_owner_turns_it_off_though_aws_does_not_list_it() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("issuer.listed", before=IamUnavailable("ListAccessKeys"))
    assert report_leak.report(world.services, ALICE, key_id).disabled
    off_for_good(world, key_id)


def test_a_key_whose_iam_user_is_not_there_is_out_of_reach() -> None:
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


def test_what_was_noted_of_it_meanwhile_keeps_nobody_from_asking_it_back_after_a_rotation() -> None:
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
    with world.nothing_happens(), pytest.raises(WrongState):
        finish_rotation.undo(world.services, ALICE, key_id)
    back = create_request.enable(world.services, ALICE, key_id, "the old job runs still")
    assert back is not None
    decide_request.approve(world.services, CAROL, back.id)
    assert sorted(world.iam.active) == sorted([key_id, new])


# -- Slack or AWS does not say who owns a service user

OF_A_GROUP = {
    "used": disable_key.last_use,
    "disable": disable_key.disable,
    "delete": disable_key.delete,
    "which service user is it": key_owner.service_user_of,
}


@pytest.mark.parametrize("does", OF_A_GROUP.values(), ids=OF_A_GROUP)
@pytest.mark.parametrize(
    ("call", "nth", "failure"),
    [
        ("directory.group", 1, SlackUnavailable("usergroups.users.list", "fatal_error")),
        ("issuer.user", 2, IamUnavailable("GetUser")),
        ("issuer.user", 2, IamThrottled("Throttling", "GetUser")),
        ("issuer.user", 2, IamDenied("AccessDenied", "GetUser")),
    ],
)
def test_a_service_users_key_is_refused_meanwhile_like_one_that_is_not_there(
    call: str, nth: int, failure: KeydeskError, does: Callable[..., object]
) -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user(BOB.email, owner=BOB.id)
    world.iam.add_user("ci-group", owner="S0OPS")
    world.people.groups["S0OPS"] = frozenset({ALICE.id})
    key_id = world.iam.create_key("ci-group")[0].id
    answers = []
    for known in (key_id, FOREIGN):
        world.taps.on(call, nth=nth, before=failure)
        with world.nothing_happens(), pytest.raises(NotYourKey) as refused:
            does(world.services, BOB, known)
        answers.append((refused.value.code, refused.value.facts))
        world.taps.calm()
    assert answers == [(Code.KEY_NOT_FOUND, {})] * 2

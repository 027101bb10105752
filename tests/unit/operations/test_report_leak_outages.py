"""Report a leaked key while Slack or AWS does not respond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.identity import Member
from bot.domain.outside_errors import (
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    SlackUnavailable,
)
from bot.operations import finish_rotation, report_leak
from bot.operations.services import Services
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, CAROL, TEAM, World, make_desk
from tests.unit.operations.key_checks import assert_leaked
from tests.unit.operations.key_steps import UNKNOWN_KEY, approve, receive, request_enable, rotation
from tests.unit.operations.test_report_leak import USUAL_ANSWER, report

SILENT = [
    IamUnavailable("GetUser"),
    IamThrottled("Throttling", "GetUser"),
    IamRefused("Strange", "GetUser"),
]
BOB_AS_GUEST, ALICE_AS_GUEST = replace(BOB, is_guest=True), replace(ALICE, is_guest=True)
GUEST = Member("U0GUEST", TEAM, "guest@example.com", is_guest=True)
SLACK_AWAY = SlackUnavailable("conversations.open", "user_disabled")
Verb = Callable[[Services, Member, str], object]

each_verb = pytest.mark.parametrize("verb", [report_leak.report, report_leak.disable])
each_failure = pytest.mark.parametrize("failure", SILENT, ids=lambda one: type(one).__name__)


def without_approvers(**settings: str) -> World:
    """Return a world where the approvers' group was deleted."""
    world = make_desk(**settings)
    no_group = SlackUnavailable("usergroups.users.list", "no_such_subteam", refused=True)
    world.taps.away_from(1, "directory.approvers", lambda call: no_group)
    return world


def silent_aws(call: str, failure: KeydeskError) -> tuple[World, str]:
    """Return a world where `call` fails, and a key of Alice's."""
    world = make_desk()
    key_id = world.console_key()
    world.taps.away_from(1, call, lambda _: failure)
    return world, key_id


# Slack does not say who may approve.


@each_verb
@pytest.mark.parametrize("owner", [ALICE, BOB], ids=["own key", "service user's key"])
def test_an_owner_disables_a_key_without_the_approver_list(verb: Verb, owner: Member) -> None:
    world = without_approvers(**({"iam_owner_tag": "owner"} if owner is BOB else {}))
    world.iam.add_user("ci-deploy", owner=BOB.id)
    key_id = world.iam.create_key("ci-deploy" if owner is BOB else ALICE.email)[0].id
    verb(world.services, owner, key_id)
    assert_leaked(world, key_id)


@pytest.mark.parametrize("member", [BOB, CAROL, BOB_AS_GUEST], ids=["member", "approver", "guest"])
def test_without_the_approver_list_others_only_report(member: Member) -> None:
    world = without_approvers()
    key_id = world.console_key()
    with world.nothing_happens():
        assert report(world, member, UNKNOWN_KEY) == USUAL_ANSWER
        if not member.is_guest:
            with refuses(Code.SLACK_REFUSED_CALL):
                report_leak.disable(world.services, member, key_id)
    assert report(world, member, key_id) == USUAL_ANSWER
    assert world.record(key_id).reported_by == member.id and world.iam.active == [key_id]


def test_an_unmanaged_key_gets_its_card_without_the_list() -> None:
    world = without_approvers(iam_path="/people/")
    key_id = world.console_key()
    assert report(world, CAROL, key_id) == USUAL_ANSWER
    record = world.record(key_id)
    assert (record.out_of_reach, record.reported_by) == (True, CAROL.id)


# AWS does not respond. It is asked only about a key that exists, so others must not notice.


@pytest.mark.parametrize(
    "member", [BOB, BOB_AS_GUEST, ALICE_AS_GUEST], ids=["member", "guest", "guest who owns it"]
)
@each_failure
@pytest.mark.parametrize("call", ["issuer.user", "issuer.listed"])
def test_while_aws_is_silent_others_get_the_usual_answer(
    call: str, failure: KeydeskError, member: Member
) -> None:
    world, key_id = silent_aws(call, failure)
    assert report(world, member, UNKNOWN_KEY) == report(world, member, key_id) == USUAL_ANSWER
    record = world.record(key_id)
    assert (record.reported_by, record.owner, record.out_of_reach) == (member.id, ALICE.id, False)
    world.taps.calm()
    report_leak.disable(world.services, CAROL, key_id)
    assert_leaked(world, key_id)


@each_failure
def test_an_unidentified_reporter_gets_the_usual_answer(failure: KeydeskError) -> None:
    """AWS names the key's user, but does not answer who the reporter is."""
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("issuer.user", nth=2, before=failure)
    assert report(world, BOB, key_id) == USUAL_ANSWER
    assert world.record(key_id).reported_by == BOB.id


@each_failure
@pytest.mark.parametrize("member", [ALICE, CAROL], ids=["owner", "approver"])
@each_verb
def test_owner_and_approvers_learn_that_aws_is_silent(
    verb: Verb, member: Member, failure: KeydeskError
) -> None:
    world, key_id = silent_aws("issuer.user", failure)
    with world.nothing_happens(), refuses(failure.code):
        verb(world.services, member, key_id)


@each_failure
def test_disable_now_tells_others_nothing_while_aws_is_silent(failure: KeydeskError) -> None:
    world, key_id = silent_aws("issuer.user", failure)
    for known in (key_id, UNKNOWN_KEY):
        with world.nothing_happens(), refuses(Code.NOT_AN_APPROVER):
            report_leak.disable(world.services, BOB, known)


def test_an_owner_disables_a_key_that_aws_does_not_list() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("issuer.listed", before=IamUnavailable("ListAccessKeys"))
    assert report(world, ALICE, key_id).disabled
    assert_leaked(world, key_id)


def test_a_key_of_a_missing_iam_user_is_unmanaged() -> None:
    """AWS names the key's user and does not know that user. The approvers get a card."""
    world, key_id = silent_aws("issuer.user", IamUserNotFound())
    assert report(world, BOB, key_id) == report(world, BOB, UNKNOWN_KEY) == USUAL_ANSWER
    record = world.record(key_id)
    assert (record.out_of_reach, record.owner) == (True, ALICE.id)
    for member in (ALICE, CAROL):
        not_managed = refuses(Code.KEY_NOT_MANAGED, key_id=key_id, iam_user=ALICE.email)
        with world.nothing_happens(), not_managed:
            report(world, member, key_id)


def test_a_report_during_an_outage_keeps_enable_possible() -> None:
    """The account was unknown then. Undo is not for an undecided report."""
    world, key_id = silent_aws("issuer.user", IamUnavailable("GetUser"))
    report(world, BOB, key_id)
    world.taps.calm()
    new = receive(world, rotation(world, key_id))
    finish_rotation.disable_old(world.services, ALICE, new)
    assert world.record(key_id).account == world.record(new).account
    with world.nothing_happens(), refuses(Code.UNDO_REPORTED):
        finish_rotation.undo(world.services, ALICE, key_id)
    approve(world, request_enable(world, key_id))
    assert sorted(world.iam.active) == sorted([key_id, new])


# Slack does not know the owner.


def test_a_report_works_though_slack_cant_reach_the_owner() -> None:
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("messenger.dm", before=SLACK_AWAY)
    assert report(world, GUEST, key_id) == report(world, GUEST, UNKNOWN_KEY) == USUAL_ANSWER
    assert world.record(key_id).reported_by == GUEST.id


def test_an_unreadable_owner_group_hides_no_leak() -> None:
    world = make_desk(iam_owner_tag="owner")
    world.iam.add_user(ALICE.email, owner="S0OPS")
    key_id = world.console_key()
    world.taps.on("directory.group", before=SLACK_AWAY)
    assert report(world, BOB, key_id) == USUAL_ANSWER
    assert world.record(key_id).reported_by == BOB.id

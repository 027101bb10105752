"""What comes of a report while Slack or AWS does not answer, and of one that comes again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.errors import SlackUnavailable
from bot.core.people import Member
from bot.core.workflow import leak
from tests.core.fakes import ALICE, BOB, CAROL, World, make_desk
from tests.core.test_leak import FOREIGN, off_for_good

NO_GROUP = SlackUnavailable("usergroups.users.list", "no_such_subteam", refused=True)
"""A group of APPROVERS that was deleted: nobody can be told to be in it, for good."""


def without_approvers(**rules: str) -> World:
    """A desk that Slack does not tell who may approve."""
    world = make_desk(**rules)
    world.taps.away_from(1, "directory.approvers", lambda call: NO_GROUP)
    return world


# -- Slack does not say who may approve


@pytest.mark.parametrize("does", [leak.report, leak.disable])
def test_its_owner_turns_a_key_off_though_slack_does_not_say_who_may_approve(does: object) -> None:
    world = without_approvers()
    key_id = world.console_key()
    does(world.desk, ALICE, key_id)  # type: ignore[operator]
    off_for_good(world, key_id)


def test_the_owner_of_a_service_user_does_so_too() -> None:
    world = without_approvers(owner_tag="owner")
    world.iam.add_user("ci-deploy", owner=BOB.id)
    key_id = world.iam.create_key("ci-deploy")[0].id
    assert leak.report(world.desk, BOB, key_id).disabled
    off_for_good(world, key_id)


@pytest.mark.parametrize("member", [BOB, CAROL, replace(BOB, is_guest=True)], ids=["stranger", "approver", "guest"])
def test_anybody_else_reports_it_to_the_approvers_while_nobody_is_known_to_be_one(member: Member) -> None:
    world = without_approvers()
    key_id = world.console_key()
    with world.nothing_happens():
        assert leak.report(world.desk, member, FOREIGN) == leak.Leak()
    assert leak.report(world.desk, member, key_id) == leak.Leak()
    assert world.record(key_id).reported_by == member.id and world.iam.active == [key_id]


def test_a_key_out_of_reach_gets_its_card_then_too() -> None:
    world = without_approvers(iam_path="/people/")
    key_id = world.console_key()
    assert leak.report(world.desk, CAROL, key_id) == leak.Leak()
    assert (world.record(key_id).out_of_reach, world.record(key_id).reported_by) == (True, CAROL.id)


def test_nobody_disables_somebody_elses_key_while_nobody_is_known_to_be_an_approver() -> None:
    world = without_approvers()
    key_id = world.console_key()
    for member in (BOB, CAROL):
        with world.nothing_happens(), pytest.raises(SlackUnavailable):
            leak.disable(world.desk, member, key_id)

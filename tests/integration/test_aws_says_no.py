"""AWS refuses, is throttled, full or down, or the person is not who asked: no key, it is told, the approval stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.errors import IdentityChanged, NotAllowed, NotAMember, TooManyKeys
from bot.domain.outside_errors import IamDenied, IamThrottled, IamUnavailable
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.support.running_world import World, ephemerals, handed_over, iam_name

Build = Callable[..., World]


def test_while_aws_is_down_commands_are_refused_with_a_sentence(world: World) -> None:
    person = world.engineer()
    world.aws.faults.down()

    for line in (
        "/key create x",
        "/key list",
        "/key disable AKIAIOSFODNN7EXAMPLE",
        "/key delete AKIAIOSFODNN7EXAMPLE",
    ):
        person.command(line)

    world.slack.wait_until(
        lambda: [one.is_of(IamUnavailable) for one in world.answers.of(person.id)] == 4 * [True],
        why="all are refused",
    )
    world.nothing_happened(person)


def test_an_outage_of_aws_keeps_the_approval(world: World) -> None:
    person = world.engineer()
    message = world.approved(person)
    approved = world.request(person)
    world.aws.faults.down()

    person.click(message, action_ids.REVEAL)

    world.answered(person, IamUnavailable)
    assert world.request(person) == approved
    world.aws.faults.down(False)
    key = world.reveals(person)
    assert world.changes(person) == ["CreateAccessKey"]
    assert world.keys(person) == {key.key_id: "Active"}


def test_aws_going_down_during_approval_does_not_matter(world: World) -> None:
    """Approval makes nothing, so it needs nothing of AWS."""
    person = world.engineer()
    card = world.asks(person)
    world.aws.faults.down()

    world.carol.click(card, action_ids.APPROVE)

    world.revealable(person)


@pytest.mark.parametrize("action", ["GetUser", "CreateAccessKey"])
def test_a_missing_permission_is_told_by_name(world: World, action: str) -> None:
    person = world.engineer()
    message = world.approved(person)
    world.aws.faults.fail(action, "AccessDenied")

    person.click(message, action_ids.REVEAL)

    world.answered(person, IamDenied)
    _stands(world, person)


def test_throttling_is_waited_out_and_one_key_is_made(world: World) -> None:
    """A throttled call did not run, so it may be sent again; that is the only one which may."""
    person = world.engineer()
    world.approved(person)
    world.aws.faults.throttle("CreateAccessKey", times=2)

    key = world.reveals(person)

    assert world.changes(person) == 3 * ["CreateAccessKey"]
    assert world.keys(person) == {key.key_id: "Active"}


def test_throttling_without_end_is_given_up_and_told(build: Build) -> None:
    world = build(LEASE_TTL="6s")
    person = world.engineer()
    message = world.approved(person)
    world.aws.faults.throttle("CreateAccessKey", times=None)

    person.click(message, action_ids.REVEAL)

    world.answered(person, IamThrottled)
    _stands(world, person)


def test_two_keys_made_meanwhile_are_named_in_the_refusal(
    world: World,
) -> None:
    person = world.engineer()
    message = world.approved(person)
    made = [
        world.iam.create_access_key(UserName=iam_name(person))["AccessKey"]["AccessKeyId"]
        for _ in range(2)
    ]

    person.click(message, action_ids.REVEAL)

    world.answered(person, TooManyKeys)
    told = ephemerals(person)[-1].words
    assert all(key_id in told for key_id in made)
    assert f"/key rotate {made[0]}" in told or f"/key rotate {made[1]}" in told
    again = world.slack.wait_until(
        lambda: person.last("dm", button=action_ids.REVEAL),
        why="and lastingly",
    )
    world.iam.delete_access_key(UserName=iam_name(person), AccessKeyId=made[0])
    person.click(again, action_ids.REVEAL)
    key = world.slack.wait_until(lambda: handed_over(person), why="there is room now")[0]
    assert set(world.keys(person)) == {made[1], key.key_id}


# -- who asked is asked anew


def test_who_has_another_address_since_they_asked_gets_no_key(world: World) -> None:
    person, other = world.engineer(), world.engineer()
    message = world.approved(person)
    world.slack.change_person(person.id, email=iam_name(other))

    person.click(message, action_ids.REVEAL)

    world.answered(person, IdentityChanged)
    assert not world.changes(person) and not world.changes(other)
    assert world.request(person).status == "approved"


def test_an_iam_user_made_anew_gets_no_key(world: World) -> None:
    """Another user by the same name has another UserId."""
    person = world.engineer()
    message = world.approved(person)
    world.iam.delete_user(UserName=iam_name(person))
    world.iam.create_user(UserName=iam_name(person))

    person.click(message, action_ids.REVEAL)

    world.answered(person, IdentityChanged)
    assert not world.changes(person)


@pytest.mark.parametrize(
    "permissions", [{"deleted": True}, {"is_restricted": True}], ids=["deactivated", "made a guest"]
)
def test_who_has_left_since_they_asked_gets_no_key(
    world: World, permissions: dict[str, bool]
) -> None:
    person = world.engineer()
    message = world.approved(person)
    world.slack.change_person(person.id, **permissions)

    person.click(message, action_ids.REVEAL)

    world.answered(person, NotAMember)
    assert not world.changes(person)


def test_the_owner_tag_is_checked_when_asking_and_revealing(
    build: Build,
) -> None:
    """Slack's owners can change addresses: the tag is what stops that."""
    world = build(IAM_OWNER_TAG="slack-user-id")
    person = world.engineer()
    user = iam_name(person)
    world.iam.tag_user(UserName=user, Tags=[{"Key": "slack-user-id", "Value": "U0SOMEBODY"}])
    person.command("/key create x")
    world.answered(person, NotAllowed)
    world.nothing_happened(person)

    world.iam.tag_user(
        UserName=user, Tags=[{"Key": "slack-user-id", "Value": f"U0OTHER {person.id}"}]
    )
    message = world.approved(person)
    world.iam.untag_user(UserName=user, TagKeys=["slack-user-id"])
    person.click(message, action_ids.REVEAL)
    world.answered(person, NotAllowed)
    assert not world.changes(person)

    world.iam.tag_user(UserName=user, Tags=[{"Key": "slack-user-id", "Value": person.id}])
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}


def _stands(world: World, person: LocalPerson) -> None:
    """No key was made; the same approval still gives one."""
    assert world.keys(person) == {}
    assert world.reaches(person, "approved").reveals == 0
    world.aws.faults.clear()
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}

"""Journeys that AWS, a new identity or a rewritten database stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from sandbox.local_person import LocalPerson
from tests.integration.steps import clicks, refused, refuses, with_inactive
from tests.support.key_life import approves, types, until
from tests.support.running_world import World
from tests.support.seen_by_user import ephemerals, shown_keys
from tests.support.watched_person import iam_name

Change = Callable[[World, LocalPerson], object]


def another_address(world: World, person: LocalPerson) -> None:
    """Give the user the e-mail address of another one."""
    world.slack.change_person(person.id, email=iam_name(world.engineer()))


def deactivated(world: World, person: LocalPerson) -> None:
    """Deactivate the user in Slack."""
    world.slack.change_person(person.id, deleted=True)


def made_a_guest(world: World, person: LocalPerson) -> None:
    """Make the user a guest."""
    world.slack.change_person(person.id, is_restricted=True)


def recreated(world: World, person: LocalPerson) -> None:
    """Delete the IAM user and make another with its name and another ID."""
    for key_id in world.keys(person):
        world.iam.delete_access_key(UserName=iam_name(person), AccessKeyId=key_id)
    world.iam.delete_user(UserName=iam_name(person))
    world.iam.create_user(UserName=iam_name(person))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (another_address, Code.MATCHED_TO_OTHER_USER),
        (deactivated, Code.NOT_A_MEMBER),
        (made_a_guest, Code.NOT_A_MEMBER),
        (recreated, Code.IAM_USER_RECREATED),
    ],
)
def test_a_changed_identity_gets_no_key(world: World, change: Change, code: Code) -> None:
    person = world.engineer()
    message = world.approved(person)
    approved = world.request(person)

    change(world, person)
    clicks(world, person, message, action_ids.REVEAL, code)

    assert not world.changes(person) and world.request(person) == approved


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (another_address, Code.REQUESTER_CHANGED),
        (deactivated, Code.NOT_A_MEMBER),
        (recreated, Code.REQUESTER_CHANGED),
    ],
)
def test_a_changed_identity_gets_no_key_enabled(world: World, change: Change, code: Code) -> None:
    person, key_id = with_inactive(world)
    types(world, person, f"/key enable {key_id} still needed")

    change(world, person)
    approves(world, person)

    detail = world.reaches(person, "expired").detail
    assert detail and detail.code == code
    assert "Active" not in world.keys(person).values()


def test_while_aws_is_down_commands_are_refused(world: World) -> None:
    person = world.engineer()
    world.aws.faults.down()

    for line in ("create x", "list", "disable AKIAIOSFODNN7EXAMPLE", "delete AKIAIOSFODNN7EXAMPLE"):
        refuses(world, person, f"/key {line}", Code.AWS_UNAVAILABLE)

    world.nothing_happened(person)


def test_an_outage_of_aws_keeps_the_approval(world: World) -> None:
    """An approval creates nothing, so it needs no answer from AWS."""
    person = world.engineer()
    card = world.asks(person)
    world.aws.faults.down()
    world.carol.click(card, action_ids.APPROVE)
    message = world.revealable(person)
    approved = world.request(person)

    clicks(world, person, message, action_ids.REVEAL, Code.AWS_UNAVAILABLE)

    assert world.request(person) == approved
    world.aws.faults.down(False)
    key = world.reveals(person)
    assert world.changes(person) == ["CreateAccessKey"]
    assert world.keys(person) == {key.key_id: "Active"}


@pytest.mark.parametrize("action", ["GetUser", "CreateAccessKey"])
def test_a_missing_permission_is_named(world: World, action: str) -> None:
    person = world.engineer()
    message = world.approved(person)
    world.aws.faults.fail(action, "AccessDenied")

    answer = clicks(world, person, message, action_ids.REVEAL, Code.AWS_DENIED)

    assert answer.facts["action"] == action
    assert world.keys(person) == {} and world.reaches(person, "approved").reveals == 0
    key = world.reveals(person)
    assert world.keys(person) == {key.key_id: "Active"}


def test_a_throttled_creation_is_repeated_and_makes_one_key(world: World) -> None:
    """A throttled call did not run. No other creation is sent again."""
    person = world.engineer()
    world.approved(person)
    world.aws.faults.throttle("CreateAccessKey", times=2)

    key = world.reveals(person)

    assert world.changes(person) == 3 * ["CreateAccessKey"]
    assert world.keys(person) == {key.key_id: "Active"}


def test_keys_made_meanwhile_are_named_in_the_refusal(world: World) -> None:
    person = world.engineer()
    message = world.approved(person)
    made = [
        world.iam.create_access_key(UserName=iam_name(person))["AccessKey"]["AccessKeyId"]
        for _ in range(2)
    ]

    clicks(world, person, message, action_ids.REVEAL, Code.TOO_MANY_KEYS)

    told = ephemerals(person)[-1].words
    assert all(key_id in told for key_id in made)
    assert f"/key rotate {made[0]}" in told or f"/key rotate {made[1]}" in told
    world.iam.delete_access_key(UserName=iam_name(person), AccessKeyId=made[0])
    person.click(world.revealable(person), action_ids.REVEAL)
    key = until(world, lambda: shown_keys(person), "there is a free slot")[0]
    assert set(world.keys(person)) == {made[1], key.key_id}


# -- who can write into the database, and has nothing else


def rewrite(world: World, request_id: str, **fields: Any) -> None:
    """Write into a stored request, as the owner of the database's password could."""
    name = f"{{keydesk}}:request:{request_id}"
    world.redis.set(name, json.dumps({**json.loads(str(world.redis.get(name))), **fields}))


def test_a_rewritten_dm_gets_no_secret(world: World) -> None:
    alice, mallory = world.engineer(), world.engineer()
    reveal, theirs = world.approved(alice), world.approved(mallory)
    rewrite(world, world.request(alice).id, dm=theirs.channel)

    clicks(world, alice, reveal, action_ids.REVEAL, Code.KEY_DELETED_REVEAL_AGAIN)

    world.reaches(alice, "approved")
    assert "Active" not in world.keys(alice).values()
    assert shown_keys(mallory) == [] and shown_keys(alice) == []


@pytest.mark.parametrize("rewritten", ["iam user", "requester"])
def test_a_rewritten_request_gives_no_other_users_key(world: World, rewritten: str) -> None:
    """Who clicks is compared with Slack and IAM, whatever the database says."""
    alice, mallory = world.engineer(), world.engineer()
    world.approved(alice)
    theirs = world.approved(mallory)
    victim, own = world.request(alice), world.request(mallory)
    if rewritten == "iam user":
        fields = {"iam_user": victim.iam_user, "iam_user_id": victim.iam_user_id}
        rewrite(world, own.id, **fields)
    else:
        rewrite(world, victim.id, requester=mallory.id, dm=theirs.channel)

    clicked = own if rewritten == "iam user" else victim
    mallory.post_action(theirs, action_ids.REVEAL, clicked.id)
    refused(world, mallory, Code.MATCHED_TO_OTHER_USER)

    assert world.keys(alice) == world.keys(mallory) == {}
    assert world.changes(alice) == world.changes(mallory) == []

"""Journeys with no more rights than deploy/ gives, in two accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.slack import action_ids
from sandbox.aws import BOT_USER, LocalAws
from sandbox.aws_keys import moto_iam
from sandbox.local_person import LocalPerson
from tests.integration.steps import clicks, refuses
from tests.support.key_life import arrives, types, until
from tests.support.policies import filled
from tests.support.running_world import World
from tests.support.seen_by_user import shown_keys
from tests.support.watched_person import iam_name
from tests.unit.aws.test_cross_account import TARGET, TRUST, of_target, profile

PATH = "/people/"
SETTINGS = {"IAM_PATH": PATH}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """Run an account in which the bot may do what its policy says, and no more."""
    with LocalAws(policy=filled(path=PATH)) as aws:
        yield aws


def person_under(world: World, path: str = PATH, **tags: str) -> LocalPerson:
    """Return a new user with a key, whose IAM user is under that path."""
    person = world.engineer(iam=False)
    pairs = [{"Key": name, "Value": value} for name, value in tags.items()]
    world.iam.create_user(UserName=iam_name(person), Path=path, Tags=pairs)
    world.iam.create_access_key(UserName=iam_name(person))
    return person


def test_a_user_under_the_path_is_served(world: World) -> None:
    person = person_under(world)
    [old] = world.keys(person)
    world.approved(person)
    new = arrives(world, person)
    types(world, person, f"/key disable {old}")
    types(world, person, "/key list", names=old)
    person.command(f"/key leaked {new.key_id}")
    until(world, lambda: set(world.keys(person).values()) == {"Inactive"}, "both are disabled")
    assert [
        call.action
        for call in world.aws.calls()
        if call.parameters.get("UserName") == iam_name(person) and call.status == 403
    ] == []


@pytest.mark.parametrize(
    ("path", "tags", "code"),
    [
        ("/", {}, Code.USER_NOT_SHOWN),
        ("/admins/", {}, Code.USER_NOT_SHOWN),
        (PATH, {"keydesk": "never"}, Code.AWS_FORBIDDEN),
    ],
)
def test_a_user_elsewhere_or_marked_is_refused(
    world: World, path: str, tags: dict[str, str], code: Code
) -> None:
    person = person_under(world, path, **tags)
    [old] = world.keys(person)
    for line in ("/key create x", "/key list", f"/key disable {old}", f"/key rotate {old}"):
        refuses(world, person, line, code)
    refuses(world, world.engineer(iam=False), "/key create x", Code.USER_NOT_SHOWN)
    world.nothing_happened(person)
    assert world.keys(person) == {old: "Active"}


def test_a_user_marked_since_the_request_gets_no_key(world: World) -> None:
    person = person_under(world)
    message = world.approved(person)
    world.aws.tag(iam_name(person), keydesk="never")
    clicks(world, person, message, action_ids.REVEAL, Code.AWS_FORBIDDEN)
    assert not shown_keys(person) and len(world.keys(person)) == 1
    assert world.request(person).status == "approved"
    assert "CreateAccessKey" not in world.changes(person)


@pytest.mark.parametrize(("path", "tags"), [("/admins/", {}), (PATH, {"keydesk": "never"})])
def test_a_leaked_key_out_of_reach_reaches_the_approvers(
    world: World, path: str, tags: dict[str, str]
) -> None:
    person, other = person_under(world, path, **tags), world.engineer(iam=False)
    [key] = world.keys(person)
    types(world, other, f"/key leaked {key}")
    card = world.carol.wait_for("key-approvals", key)
    assert iam_name(person) in card.words and not card.buttons
    refuses(world, world.carol, f"/key leaked {key}", Code.KEY_NOT_MANAGED)
    assert world.keys(person) == {key: "Active"} and not world.changes(person)


def test_a_leaked_key_of_keydesks_own_user_is_reported(world: World) -> None:
    """It is not the key in use, which is refused."""
    key = str(world.iam.create_access_key(UserName=BOT_USER)["AccessKey"]["AccessKeyId"])
    world.engineer(iam=False).command(f"/key leaked {key}")
    card = world.carol.wait_for("key-approvals", key)
    assert BOT_USER in card.words and not card.buttons
    assert {one["Status"] for one in world.aws.keys(BOT_USER)} == {"Active"}
    world.iam.delete_access_key(UserName=BOT_USER, AccessKeyId=key)


def test_a_role_in_another_account_delivers_its_keys(
    aws: LocalAws, start: Callable[..., World], tmp_path: Path
) -> None:
    """It has an AWS profile and no other setting."""
    bot_arn = f"arn:aws:iam::123456789012:user/{BOT_USER}"
    aws.rights.add_role(TARGET, "keydesk", TRUST, of_target())
    aws.rights.give(bot_arn, of_target("assume-role-policy.json"))
    try:
        world = start(**profile(aws, tmp_path))
        person = world.engineer(iam=False)
        moto_iam(TARGET).create_user("us-east-1", iam_name(person))
        world.approved(person)
        key = world.reveals(person)
        world.receipt(person, key)
    finally:
        aws.rights.give(bot_arn, filled(path=PATH))
    there = [one.access_key_id for one in moto_iam(TARGET).users[iam_name(person)].access_keys]
    assert there == [key.key_id] and world.request(person).account == TARGET
    assert aws.call_as(key.key_id, key.secret) == f"arn:aws:iam::{TARGET}:user/{iam_name(person)}"

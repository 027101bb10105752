"""The running bot with no more rights than deploy/ gives it, in an account that looks at policies: who is served, who
is refused in what words, and the same with a role in another account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, NotAllowed
from bot.domain.outside_errors import IamDenied
from bot.slack import action_ids
from sandbox.aws import BOT_USER, LocalAws
from sandbox.aws_keys import moto_iam
from sandbox.local_person import LocalPerson
from tests.support.key_life import arrives, types, until
from tests.support.policies import filled
from tests.support.running_world import World, handed_over, iam_name
from tests.unit.aws.test_cross_account import TARGET, TRUST, of_target, profile

PATH = "/people/"
SETTINGS = {"IAM_PATH": PATH}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """An account in which the bot may do what its policy for that path says, and nothing else."""
    with LocalAws(policy=filled(path=PATH)) as aws:
        yield aws


def person_under(world: World, path: str = PATH, **tags: str) -> LocalPerson:
    """A new person whose IAM user is under that path, with a key that was made in the console."""
    person = world.engineer(iam=False)
    pairs = [{"Key": name, "Value": value} for name, value in tags.items()]
    world.iam.create_user(UserName=iam_name(person), Path=path, Tags=pairs)
    world.iam.create_access_key(UserName=iam_name(person))
    return person


def refused_calls(world: World, person: LocalPerson) -> set[str]:
    calls = [
        call for call in world.aws.calls() if call.parameters.get("UserName") == iam_name(person)
    ]
    return {call.action for call in calls if call.status == 403}


def test_a_user_under_the_path_is_served(world: World) -> None:
    person = person_under(world)
    [old] = world.keys(person)
    world.approved(person)
    new = arrives(world, person)
    person.command(f"/key disable {old}")
    until(world, lambda: world.keys(person)[old] == "Inactive", "the old key is off")
    types(world, person, "/key list", names=old)
    person.command(f"/key leaked {new.key_id}")
    until(world, lambda: world.keys(person)[new.key_id] == "Inactive", "the new key is off")
    assert refused_calls(world, person) == set()


@pytest.mark.parametrize(
    ("path", "tags", "error", "code"),
    [
        ("/", {}, NotAllowed, Code.USER_NOT_SHOWN),
        ("/admins/", {}, NotAllowed, Code.USER_NOT_SHOWN),
        (
            PATH,
            {"keydesk": "never"},
            IamDenied,
            Code.AWS_FORBIDDEN,
        ),
    ],
)
def test_a_person_elsewhere_or_marked_is_refused_with_the_reason(
    world: World, path: str, tags: dict[str, str], error: type[KeydeskError], code: Code
) -> None:
    person = person_under(world, path, **tags)
    [old] = world.keys(person)
    for line in ("/key create x", "/key list", f"/key disable {old}", f"/key rotate {old}"):
        types(world, person, line, error, code)
    world.nothing_happened(person)
    assert world.keys(person) == {old: "Active"}


def test_no_iam_user_under_the_path_is_refused(
    world: World,
) -> None:
    person = world.engineer(iam=False)
    person.command("/key create x")
    world.answered(person, NotAllowed, Code.USER_NOT_SHOWN)
    world.nothing_happened(person)


def test_a_user_that_is_marked_since_they_asked_gets_no_key(world: World) -> None:
    person = person_under(world)
    message = world.approved(person)
    world.aws.tag(iam_name(person), keydesk="never")
    person.click(message, action_ids.REVEAL)
    world.answered(person, IamDenied, Code.AWS_FORBIDDEN)
    assert not handed_over(person) and len(world.keys(person)) == 1
    assert world.request(person).status == "approved" and "CreateAccessKey" not in world.changes(
        person
    )


@pytest.mark.parametrize(("path", "tags"), [("/admins/", {}), (PATH, {"keydesk": "never"})])
def test_a_leaked_key_out_of_reach_reaches_the_approvers(
    world: World, path: str, tags: dict[str, str]
) -> None:
    person, stranger = person_under(world, path, **tags), world.engineer(iam=False)
    [key] = world.keys(person)
    stranger.command(f"/key leaked {key}")
    world.answered(stranger)
    card = world.carol.wait_for("key-approvals", key)
    assert iam_name(person) in card.words and not card.buttons
    world.carol.command(f"/key leaked {key}")
    world.answered(world.carol, NotAllowed)
    assert world.keys(person) == {key: "Active"} and not world.changes(person)


def test_an_unused_leaked_key_of_keydesk_reaches_the_approvers(
    world: World,
) -> None:
    key = str(world.iam.create_access_key(UserName=BOT_USER)["AccessKey"]["AccessKeyId"])
    stranger = world.engineer(iam=False)
    stranger.command(f"/key leaked {key}")
    card = world.carol.wait_for("key-approvals", key)
    assert BOT_USER in card.words and not card.buttons
    assert {one["Status"] for one in world.aws.keys(BOT_USER)} == {"Active"}
    world.iam.delete_access_key(UserName=BOT_USER, AccessKeyId=key)


def test_a_role_in_another_account_delivers_its_keys(
    aws: LocalAws, start: Callable[..., World], tmp_path: Path
) -> None:
    """It has an AWS profile and no other setting."""
    aws.rights.add_role(TARGET, "keydesk", TRUST, of_target())
    aws.rights.give(
        f"arn:aws:iam::123456789012:user/{BOT_USER}", of_target("assume-role-policy.json")
    )
    try:
        world = start(**profile(aws, tmp_path))
        person = world.engineer(iam=False)
        moto_iam(TARGET).create_user("us-east-1", iam_name(person))
        world.approved(person)
        key = world.reveals(person)
        world.receipt(person, key)
    finally:
        aws.rights.give(f"arn:aws:iam::123456789012:user/{BOT_USER}", filled(path=PATH))
    there = [one.access_key_id for one in moto_iam(TARGET).users[iam_name(person)].access_keys]
    assert there == [key.key_id] and world.request(person).account == TARGET
    assert aws.call_as(key.key_id, key.secret) == f"arn:aws:iam::{TARGET}:user/{iam_name(person)}"

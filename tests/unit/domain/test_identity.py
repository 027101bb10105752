"""A Slack member is mapped to one IAM user. None or two are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.codes import Code
from bot.domain.identity import IamMapping, Member
from bot.operations import identify, report_leak
from tests.support.errors import refuses
from tests.support.world import ALICE, BOB, make_desk

UNCONFIRMED = replace(ALICE, email="")
LOCAL = IamMapping("{email_local}", domains=frozenset({"example.com"}))
LISTED = IamMapping("", pairs={"U0ALICE": "alice-iam"})
BY_EMAIL = IamMapping("", pairs={"alice@example.com": "alice-iam"})
TWICE = IamMapping("", pairs={"U0ALICE": "alice-iam", "alice@example.com": "root-ish"})
TWICE_THE_SAME = IamMapping("", pairs={"U0ALICE": "alice-iam", "alice@example.com": "alice-iam"})


def only_from(domain: str) -> IamMapping:
    return IamMapping(domains=frozenset({domain}))


def alice_at(email: str) -> Member:
    return replace(ALICE, email=email)


@pytest.mark.parametrize(
    ("mapping", "member", "name"),
    [
        (IamMapping(), ALICE, "alice@example.com"),
        (only_from("example.com"), ALICE, "alice@example.com"),
        (IamMapping("{slack_id}"), UNCONFIRMED, "U0ALICE"),
        (LOCAL, ALICE, "alice"),
        (LOCAL, alice_at("alice@EXAMPLE.com"), "alice"),
        (LISTED, UNCONFIRMED, "alice-iam"),
        (BY_EMAIL, alice_at("Alice@Example.com"), "alice-iam"),
        (TWICE_THE_SAME, ALICE, "alice-iam"),
    ],
)
def test_mapping_gives_one_iam_user(mapping: IamMapping, member: Member, name: str) -> None:
    assert mapping.iam_user(member) == name


@pytest.mark.parametrize(
    ("mapping", "member", "code"),
    [
        (IamMapping(), UNCONFIRMED, Code.EMAIL_NOT_CONFIRMED),
        (LOCAL, UNCONFIRMED, Code.EMAIL_NOT_CONFIRMED),
        (LOCAL, alice_at("alice@evil.example"), Code.EMAIL_DOMAIN_NOT_SERVED),
        (LOCAL, alice_at("alice@evil.example@example.com"), Code.EMAIL_DOMAIN_NOT_SERVED),
        (IamMapping("{email_local}"), ALICE, Code.EMAIL_DOMAIN_NOT_SERVED),
        (only_from("example.org"), ALICE, Code.EMAIL_DOMAIN_NOT_SERVED),
        (LISTED, replace(ALICE, id="U0OTHER"), Code.NOT_IN_USER_LIST),
        (BY_EMAIL, UNCONFIRMED, Code.NOT_IN_USER_LIST),
        (TWICE, ALICE, Code.TWICE_IN_USER_LIST),
    ],
)
def test_no_or_two_iam_users_are_refused(mapping: IamMapping, member: Member, code: Code) -> None:
    with refuses(code):
        mapping.iam_user(member)


@pytest.mark.parametrize("path", ["/", "/people/", "/people/dev-1/"])
def test_iam_user_takes_account_and_path_from_the_arn(path: str) -> None:
    iam = make_desk().iam
    iam.add_user("dora", path=path)
    user = iam.user("dora")
    assert (user.account, user.path) == ("111122223333", path)


@pytest.mark.parametrize("email", ["William@example.com", "Una@example.com", "WILL@EXAMPLE.COM"])
@pytest.mark.parametrize("owner_tag", ["", "owner"])
def test_email_like_a_slack_id_is_an_email(email: str, owner_tag: str) -> None:
    """The owner of a key is a Slack user ID, found by the email address, or unknown."""
    world = make_desk(iam_owner_tag=owner_tag)
    world.iam.add_user(email, owner=email)
    user = world.iam.user(email)
    assert identify.slack_user_of(world.services, user) == ""
    world.people.people["U0WILL"] = Member("U0WILL", ALICE.team_id, email)
    assert identify.slack_user_of(world.services, user) == "U0WILL"


def test_guest_does_not_own_the_keys_of_an_iam_user() -> None:
    world = make_desk()
    world.people.people[ALICE.id] = replace(ALICE, is_guest=True)
    key_id = world.console_key()
    report_leak.report(world.services, BOB, key_id)
    assert (world.record(key_id).owner, world.record(key_id).dm) == ("", "")

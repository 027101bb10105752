"""From a person in Slack to an IAM user: one rule, and no guess where it gives none or two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.errors import NoIamUser
from bot.domain.identity import IamMapping, IamUser, Member
from bot.operations import identify, report_leak
from tests.support.world import ALICE, BOB, make_desk

UNCONFIRMED = replace(ALICE, email="")
LOCAL = IamMapping("{email_local}", domains=frozenset({"example.com"}))
LISTED = IamMapping("", pairs={"U0ALICE": "alice-iam"})
BY_EMAIL = IamMapping("", pairs={"alice@example.com": "alice-iam"})
TWICE = IamMapping("", pairs={"U0ALICE": "alice-iam", "alice@example.com": "root-ish"})
TWICE_THE_SAME = IamMapping("", pairs={"U0ALICE": "alice-iam", "alice@example.com": "alice-iam"})


@pytest.mark.parametrize(
    ("mapping", "member", "name"),
    [
        (IamMapping(), ALICE, "alice@example.com"),
        (IamMapping(domains=frozenset({"example.com"})), ALICE, "alice@example.com"),
        (IamMapping("{slack_id}"), UNCONFIRMED, "U0ALICE"),
        (LOCAL, ALICE, "alice"),
        (LOCAL, replace(ALICE, email="alice@EXAMPLE.com"), "alice"),
        (LISTED, UNCONFIRMED, "alice-iam"),
        (BY_EMAIL, replace(ALICE, email="Alice@Example.com"), "alice-iam"),
        (TWICE_THE_SAME, ALICE, "alice-iam"),
    ],
)
def test_the_rule_gives_one_iam_user(mapping: IamMapping, member: Member, name: str) -> None:
    assert mapping.iam_user(member) == name


@pytest.mark.parametrize(
    ("mapping", "member", "why"),
    [
        (IamMapping(), UNCONFIRMED, "no confirmed e-mail"),
        (LOCAL, UNCONFIRMED, "no confirmed e-mail"),
        (LOCAL, replace(ALICE, email="alice@evil.example"), "not of a domain"),
        (LOCAL, replace(ALICE, email="alice@evil.example@example.com"), "not of a domain"),
        (IamMapping("{email_local}"), ALICE, "not of a domain"),
        (IamMapping(domains=frozenset({"example.org"})), ALICE, "not of a domain"),
        (LISTED, replace(ALICE, id="U0OTHER"), "not named"),
        (BY_EMAIL, UNCONFIRMED, "not named"),
        (TWICE, ALICE, "names you twice"),
    ],
)
def test_where_the_rule_gives_none_or_two_it_refuses_and_says(
    mapping: IamMapping, member: Member, why: str
) -> None:
    with pytest.raises(NoIamUser, match=why):
        mapping.iam_user(member)


def test_an_iam_user_knows_its_account_from_its_arn() -> None:
    user = make_desk().iam.users[ALICE.email]
    assert isinstance(user, IamUser) and user.account == "111122223333"


@pytest.mark.parametrize("email", ["William@example.com", "Una@example.com", "WILL@EXAMPLE.COM"])
@pytest.mark.parametrize("owner_tag", ["", "owner"])
def test_an_address_that_begins_like_a_slack_id_is_none(email: str, owner_tag: str) -> None:
    """The owner of a key is a Slack user ID, whom the address leads to, or nobody."""
    world = make_desk(iam_owner_tag=owner_tag)
    world.iam.add_user(email, owner=email)
    user = world.iam.user(email)
    assert identify.slack_user_of(world.services, user) == ""
    world.people.people["U0WILL"] = Member("U0WILL", ALICE.team_id, email)
    assert identify.slack_user_of(world.services, user) == "U0WILL"


def test_a_guest_with_that_address_does_not_own_the_keys_of_its_iam_user() -> None:
    world = make_desk()
    world.people.people[ALICE.id] = replace(ALICE, is_guest=True)
    key_id = world.console_key()
    report_leak.report(world.services, BOB, key_id)
    assert (world.record(key_id).owner, world.record(key_id).dm) == ("", "")

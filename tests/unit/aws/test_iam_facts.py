"""Does the key issuer tell what a user may do, and does it say what it could not read?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from bot.aws.iam import iam_clients
from bot.aws.permissions import (
    POLL_SECONDS,
    TIMEOUT_SECONDS,
    _Queries,
    read_permissions,
)
from bot.domain.outside_errors import IamUnavailable
from bot.domain.permissions import (
    MFA_ACTION,
    Group,
    Permissions,
    Unread,
)
from bot.domain.ports import KeyIssuer
from bot.runtime.worker_pool import WorkPool
from sandbox.aws import LocalAws
from sandbox.aws_keys import moto_iam
from sandbox.aws_policies import aws_managed
from tests.support.aws_common import ALICE, BOB, LEASE

READING = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::a bucket+%25/*"}
    ],
}
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
OF_THE_USER = {"ListAttachedUserPolicies", "ListUserPolicies", "ListGroupsForUser", MFA_ACTION}
OF_THE_GROUPS = {"ListAttachedGroupPolicies", "ListGroupPolicies"}
OF_DOCUMENTS = {"GetUserPolicy", "GetGroupPolicy", "GetPolicy", "GetPolicyVersion"}


class Account:
    """An administrator who gives rights to Alice."""

    def __init__(self, aws: LocalAws) -> None:
        self.iam = aws.client("iam")

    def policy(self, name: str, document: dict[str, Any] = READING) -> str:
        return str(
            self.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"][
                "Arn"
            ]
        )

    def attach(self, *arns: str, group: str = "") -> None:
        for arn in arns:
            if group:
                self.iam.attach_group_policy(GroupName=group, PolicyArn=arn)
            else:
                self.iam.attach_user_policy(UserName=ALICE, PolicyArn=arn)

    def inline(self, name: str, document: dict[str, Any] = READING, group: str = "") -> None:
        if group:
            self.iam.put_group_policy(
                GroupName=group, PolicyName=name, PolicyDocument=json.dumps(document)
            )
        else:
            self.iam.put_user_policy(
                UserName=ALICE, PolicyName=name, PolicyDocument=json.dumps(document)
            )

    def group(self, name: str) -> str:
        self.iam.create_group(GroupName=name)
        self.iam.add_user_to_group(GroupName=name, UserName=ALICE)
        return name

    def mfa(self) -> None:
        device = self.iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")[
            "VirtualMFADevice"
        ]["SerialNumber"]
        self.iam.enable_mfa_device(
            UserName=ALICE,
            SerialNumber=device,
            AuthenticationCode1="123456",
            AuthenticationCode2="654321",
        )

    def everywhere(self) -> None:
        """A policy in every place there is for one, none of them an administrator's."""
        self.attach(aws_managed("ReadOnlyAccess"), self.policy("reports"))
        self.inline("backup")
        self.attach(self.policy("builds"), group=self.group("developers"))
        self.inline("logs", group="developers")
        self.mfa()


PLAIN = Permissions(
    attached=("ReadOnlyAccess", "reports"),
    inline=("backup",),
    groups=(Group("developers", ("builds",), ("logs",)),),
    mfa=True,
)


@pytest.fixture
def account(aws: LocalAws) -> Account:
    return Account(aws)


def test_a_user_with_nothing_has_nothing(issuer: KeyIssuer) -> None:
    assert issuer.permissions(ALICE) == Permissions(mfa=False)


def test_policies_of_each_kind_groups_and_mfa_are_told_by_name(
    issuer: KeyIssuer, account: Account
) -> None:
    account.everywhere()
    assert issuer.permissions(ALICE) == PLAIN
    assert issuer.permissions(BOB) == Permissions(mfa=False)


@pytest.mark.parametrize("name", ["AdministratorAccess", "IAMFullAccess", "PowerUserAccess"])
def test_aws_own_administrators_policies_are_known_by_name_and_not_read(
    aws: LocalAws, issuer: KeyIssuer, account: Account, name: str
) -> None:
    account.attach(aws_managed(name), aws_managed("ReadOnlyAccess"))
    assert issuer.permissions(ALICE).admin_like == (name,)
    assert {call.action for call in aws.calls()} == OF_THE_USER


def test_each_place_that_makes_administrator_like_is_named(
    issuer: KeyIssuer, account: Account
) -> None:
    account.attach(account.policy("all", EVERYTHING))
    account.inline("all", EVERYTHING)
    ops, others = account.group("ops"), account.group("others")
    account.attach(
        aws_managed("AdministratorAccess"), account.policy("more", EVERYTHING), group=ops
    )
    account.inline("all", EVERYTHING, group=ops)
    account.inline("all", READING, group=others)
    assert issuer.permissions(ALICE).admin_like == (
        "all",
        "all (inline)",
        "AdministratorAccess (group ops)",
        "more (group ops)",
        "all (inline, group ops)",
    )


def test_the_default_version_of_a_policy_counts(issuer: KeyIssuer, account: Account) -> None:
    arn = account.policy("grown")
    account.attach(arn)
    account.iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=json.dumps(EVERYTHING), SetAsDefault=False
    )
    assert not issuer.permissions(ALICE).admin_like
    account.iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert issuer.permissions(ALICE).admin_like == ("grown",)


def test_a_policy_that_comes_twice_is_read_once(
    aws: LocalAws, issuer: KeyIssuer, account: Account
) -> None:
    arn = account.policy("shared", EVERYTHING)
    for name in ("one", "two"):
        account.attach(arn, group=account.group(name))
    assert issuer.permissions(ALICE).admin_like == ("shared (group one)", "shared (group two)")
    assert len(aws.calls("GetPolicyVersion")) == 1


def test_a_list_in_pages_is_read_to_its_end(
    aws: LocalAws, issuer: KeyIssuer, account: Account
) -> None:
    """IAM answers with a hundred at most; an administrator's policy may stand on any page."""
    account.attach(
        *(account.policy(f"p{number:03}") for number in range(100)), account.policy("z", EVERYTHING)
    )
    facts = issuer.permissions(ALICE)
    assert (len(facts.attached), facts.attached[-1], facts.admin_like) == (101, "z", ("z",))
    assert len(aws.calls("ListAttachedUserPolicies")) == 2


def test_more_questions_than_there_is_room_for_are_asked_slice_by_slice() -> None:
    """Ten groups of twenty policies each: else their card would read "Reading…" for ever."""
    room = WorkPool(threads=2, queue=POLL_SECONDS)
    rounds = _Queries(room.submit, time.monotonic, time.monotonic() + TIMEOUT_SECONDS)
    questions = [("GetGroupPolicy", partial(int, number)) for number in range(5 * POLL_SECONDS + 1)]
    assert rounds.ask(*questions) == list(range(5 * POLL_SECONDS + 1)) and rounds.missing == {}
    assert room.drain(1)


def test_questions_go_side_by_side(aws: LocalAws, issuer: KeyIssuer) -> None:
    held = [aws.faults.hold(action) for action in sorted(OF_THE_USER)]
    with ThreadPoolExecutor(1) as caller:
        reading = caller.submit(issuer.permissions, ALICE)
        together = [hold.reached.wait(10) for hold in held]
        aws.faults.clear()
        assert reading.result(timeout=10) == Permissions(mfa=False)
    assert together == [True] * 4


# -- what cannot be read


@pytest.mark.parametrize("action", sorted(OF_THE_USER | OF_THE_GROUPS | OF_DOCUMENTS))
def test_a_permission_that_is_missing_takes_its_fact_away_and_no_other(
    aws: LocalAws, issuer: KeyIssuer, account: Account, action: str
) -> None:
    account.everywhere()
    aws.faults.fail(action, "AccessDenied", times=None)
    facts = issuer.permissions(ALICE)
    assert facts.unread == (Unread(action, denied=True),)
    assert facts.unsure is (action != MFA_ACTION)
    lost = {
        "ListAttachedUserPolicies": {"attached": ()},
        "ListUserPolicies": {"inline": ()},
        "ListGroupsForUser": {"groups": ()},
        MFA_ACTION: {"mfa": None},
        "ListAttachedGroupPolicies": {"groups": (Group("developers", (), ("logs",)),)},
        "ListGroupPolicies": {"groups": (Group("developers", ("builds",), ()),)},
    }.get(action, {})
    assert facts == Permissions(**{**vars(PLAIN), "unread": facts.unread, **lost})


def test_without_any_permission_everything_is_missing(
    aws: LocalAws, issuer: KeyIssuer, account: Account
) -> None:
    account.everywhere()
    aws.faults.fail("*", "AccessDenied", times=None)
    facts = issuer.permissions(ALICE)
    assert facts.mfa is None and facts.risky
    assert facts == Permissions(
        unread=tuple(
            Unread(one, denied=True)
            for one in (
                "ListAttachedUserPolicies",
                "ListUserPolicies",
                "ListGroupsForUser",
                MFA_ACTION,
            )
        )
    )


def test_what_is_known_to_be_administrator_like_stays_so_whatever_else_is_missing(
    aws: LocalAws, issuer: KeyIssuer, account: Account
) -> None:
    account.attach(aws_managed("AdministratorAccess"))
    aws.faults.fail("ListGroupsForUser", "AccessDenied", times=None)
    assert issuer.permissions(ALICE).admin_like == ("AdministratorAccess",)


def test_an_answer_that_does_not_come_is_missing(aws: LocalAws, issuer: KeyIssuer) -> None:
    aws.faults.drop(MFA_ACTION, times=None)
    assert issuer.permissions(ALICE) == Permissions(unread=(Unread(MFA_ACTION),))


def test_throttling_without_end_is_missing(aws: LocalAws, issuer: KeyIssuer) -> None:
    aws.faults.throttle("ListUserPolicies", times=None)
    assert issuer.permissions(ALICE) == Permissions(mfa=False, unread=(Unread("ListUserPolicies"),))


def test_one_slow_answer_keeps_nobody_waiting_for_ever(
    aws: LocalAws, account: Account, pool: ThreadPoolExecutor
) -> None:
    account.inline("backup")
    aws.faults.hold("ListMFADevices")
    clients = iam_clients(region=None, endpoint=None, lease_ttl=LEASE)
    facts = read_permissions(
        clients.reads,
        lambda work: bool(pool.submit(work)),
        ALICE,
        monotonic=time.monotonic,
        within=2.0,
    )
    assert facts.unread[0] == Unread(MFA_ACTION) and facts.inline == ("backup",)
    aws.faults.clear()
    clients.close()


def test_a_user_who_is_gone_has_no_facts(issuer: KeyIssuer) -> None:
    facts = issuer.permissions("nobody@example.com")
    assert facts.risky and {one.action for one in facts.unread} == OF_THE_USER


def test_a_document_that_cannot_be_read_is_not_taken_for_a_harmless_one(
    issuer: KeyIssuer, account: Account
) -> None:
    account.inline("odd")
    moto_iam().get_user(ALICE).policies["odd"] = "not JSON"
    assert issuer.permissions(ALICE) == Permissions(
        inline=("odd",), mfa=False, unread=(Unread("GetUserPolicy"),)
    )


def test_a_process_that_has_no_room_or_is_about_to_end_takes_nothing_for_missing(
    aws: LocalAws,
) -> None:
    clients = iam_clients(region=None, endpoint=None, lease_ttl=LEASE)
    with pytest.raises(IamUnavailable):
        read_permissions(clients.reads, lambda work: False, ALICE, monotonic=time.monotonic)
    assert aws.calls() == []
    clients.close()


def test_what_nobody_waits_for_any_more_is_not_asked(aws: LocalAws) -> None:
    """Work that begins when the time is over would only take threads from the next person's facts."""
    late: list[Callable[[], object]] = []
    clients = iam_clients(region=None, endpoint=None, lease_ttl=LEASE)
    facts = read_permissions(
        clients.reads,
        lambda work: not late.append(work),
        ALICE,
        monotonic=time.monotonic,
        within=0.0,
    )
    for work in late:
        work()
    assert len(facts.unread) == len(late) == 4 and aws.calls() == []
    clients.close()

"""Read what an IAM user may do, and name what could not be read."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from bot.aws.clients import IamClients
from bot.aws.iam import IamKeyIssuer
from bot.aws.permissions import BATCH_SIZE, TIMEOUT_SECONDS, _Queries, read_permissions
from bot.domain.codes import Code
from bot.domain.permissions import MFA_ACTION, Group, Permissions, Unread
from bot.domain.ports import KeyIssuer
from bot.runtime.worker_pool import WorkPool
from sandbox.aws import LocalAws
from sandbox.aws_keys import moto_iam
from sandbox.aws_policies import aws_managed
from tests.support.aws_common import ALICE, BOB
from tests.support.errors import refuses
from tests.unit.aws.account import EVERYTHING, EVERYWHERE, READING, Account

OF_THE_USER = ("ListAttachedUserPolicies", "ListUserPolicies", "ListGroupsForUser", MFA_ACTION)
OF_GROUPS = ("ListAttachedGroupPolicies", "ListGroupPolicies")
OF_DOCUMENTS = ("GetUserPolicy", "GetGroupPolicy", "GetPolicy", "GetPolicyVersion")


@pytest.fixture
def account(aws: LocalAws) -> Account:
    return Account(aws)


def test_policies_groups_and_mfa_are_named(issuer: KeyIssuer, account: Account) -> None:
    account.everywhere()
    assert issuer.permissions(ALICE) == EVERYWHERE
    assert issuer.permissions(BOB) == Permissions(mfa=False)


@pytest.mark.parametrize("name", ["AdministratorAccess", "IAMFullAccess", "PowerUserAccess"])
def test_aws_own_admin_policies_are_known_by_name(
    aws: LocalAws, issuer: KeyIssuer, account: Account, name: str
) -> None:
    account.attach(aws_managed(name), aws_managed("ReadOnlyAccess"))
    assert issuer.permissions(ALICE).admin_like == (name,)
    assert {call.action for call in aws.calls()} == set(OF_THE_USER)


def test_each_place_that_gives_admin_access_is_named(issuer: KeyIssuer, account: Account) -> None:
    account.attach(account.policy("all", EVERYTHING))
    account.inline("all", EVERYTHING)
    ops, others = account.group("ops"), account.group("others")
    more = account.policy("more", EVERYTHING)
    account.attach(aws_managed("AdministratorAccess"), more, group=ops)
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
    arn, document = account.policy("grown"), json.dumps(EVERYTHING)
    account.attach(arn)
    account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=False)
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
    """IAM answers with a hundred at most; an admin policy may stand on any page."""
    reading = moto_iam().managed_policies[aws_managed("ReadOnlyAccess")]
    attached = moto_iam().get_user(ALICE).managed_policies
    attached.update({f"{reading.arn}{number}": reading for number in range(100)})
    account.attach(account.policy("z", EVERYTHING))
    found = issuer.permissions(ALICE)
    assert (found.attached, found.admin_like) == ((*["ReadOnlyAccess"] * 100, "z"), ("z",))
    assert len(aws.calls("ListAttachedUserPolicies")) == 2


def test_more_calls_than_there_is_room_for_go_in_batches() -> None:
    """Ten groups of twenty policies each would otherwise never be read."""
    room = WorkPool(threads=2, queue=BATCH_SIZE)
    queries = _Queries(room.submit, lambda: 0.0, TIMEOUT_SECONDS)
    numbers = range(5 * BATCH_SIZE + 1)
    answers = queries.ask(*(("GetGroupPolicy", partial(int, number)) for number in numbers))
    assert answers == list(numbers) and queries.missing == {}
    assert room.drain(1)


def test_calls_run_in_parallel(aws: LocalAws, issuer: KeyIssuer) -> None:
    held = [aws.faults.hold(action) for action in OF_THE_USER]
    with ThreadPoolExecutor(1) as caller:
        reading = caller.submit(issuer.permissions, ALICE)
        together = [hold.reached.wait(10) for hold in held]
        aws.faults.clear()
        assert reading.result(timeout=10) == Permissions(mfa=False)
    assert together == [True] * 4


LOST: dict[str, dict[str, Any]] = {
    "ListAttachedUserPolicies": {"attached": ()},
    "ListUserPolicies": {"inline": ()},
    "ListGroupsForUser": {"groups": ()},
    MFA_ACTION: {"mfa": None},
    "ListAttachedGroupPolicies": {"groups": (Group("developers", (), ("logs",)),)},
    "ListGroupPolicies": {"groups": (Group("developers", ("builds",), ()),)},
}
"""What is unknown without the permission for an action."""


@pytest.mark.parametrize("action", [*OF_THE_USER, *OF_GROUPS, *OF_DOCUMENTS])
def test_a_missing_permission_hides_its_part_and_no_other(
    aws: LocalAws, issuer: KeyIssuer, account: Account, action: str
) -> None:
    account.everywhere()
    aws.faults.fail(action, "AccessDenied", times=None)
    found = issuer.permissions(ALICE)
    unread = (Unread(action, denied=True),)
    assert found == replace(EVERYWHERE, unread=unread, **LOST.get(action, {}))
    assert found.unsure is (action != MFA_ACTION)


def test_without_any_permission_everything_is_missing(
    aws: LocalAws, issuer: KeyIssuer, account: Account
) -> None:
    account.everywhere()
    aws.faults.fail("*", "AccessDenied", times=None)
    found = issuer.permissions(ALICE)
    assert found == Permissions(unread=tuple(Unread(one, denied=True) for one in OF_THE_USER))
    assert found.mfa is None and found.risky


def test_known_admin_access_stays_known_without_the_rest(
    aws: LocalAws, issuer: KeyIssuer, account: Account
) -> None:
    account.attach(aws_managed("AdministratorAccess"))
    aws.faults.fail("ListGroupsForUser", "AccessDenied", times=None)
    assert issuer.permissions(ALICE).admin_like == ("AdministratorAccess",)


def test_a_lost_or_throttled_answer_is_missing(
    aws: LocalAws, once: IamClients, pool: ThreadPoolExecutor
) -> None:
    tries_once = IamKeyIssuer(once, pool)
    aws.faults.drop(MFA_ACTION)
    assert tries_once.permissions(ALICE) == Permissions(unread=(Unread(MFA_ACTION),))
    aws.faults.throttle("ListUserPolicies")
    expected = Permissions(mfa=False, unread=(Unread("ListUserPolicies"),))
    assert tries_once.permissions(ALICE) == expected


def test_a_slow_answer_is_missing_when_the_time_is_over(
    aws: LocalAws, clients: IamClients, account: Account, pool: ThreadPoolExecutor
) -> None:
    """The clock jumps when the fourth answer, about MFA, is waited for."""
    account.inline("backup")
    aws.faults.hold(MFA_ACTION)
    times = itertools.chain([0.0] * 4, itertools.repeat(TIMEOUT_SECONDS))
    found = read_permissions(
        clients, lambda work: bool(pool.submit(work)), ALICE, monotonic=lambda: next(times)
    )
    aws.faults.clear()
    assert found.unread[0] == Unread(MFA_ACTION) and found.inline == ("backup",)


def test_the_permissions_of_a_missing_user_are_all_unread(issuer: KeyIssuer) -> None:
    found = issuer.permissions("missing@example.com")
    assert found.risky and {one.action for one in found.unread} == set(OF_THE_USER)


def test_an_unreadable_document_is_not_taken_for_harmless(
    issuer: KeyIssuer, account: Account
) -> None:
    account.inline("odd")
    moto_iam().get_user(ALICE).policies["odd"] = "not JSON"
    expected = Permissions(inline=("odd",), mfa=False, unread=(Unread("GetUserPolicy"),))
    assert issuer.permissions(ALICE) == expected


def test_a_process_without_room_takes_nothing_for_missing(
    aws: LocalAws, clients: IamClients
) -> None:
    with refuses(Code.AWS_UNAVAILABLE):
        read_permissions(clients, lambda work: False, ALICE, monotonic=lambda: 0.0)
    assert aws.calls() == []


def test_a_call_after_the_timeout_is_not_sent(aws: LocalAws, clients: IamClients) -> None:
    """It would only take threads from the next user's permissions."""
    late: list[Callable[[], object]] = []
    found = read_permissions(
        clients,
        lambda work: not late.append(work),
        ALICE,
        monotonic=lambda: 0.0,
        within=0.0,
    )
    for work in late:
        work()
    assert len(found.unread) == len(late) == 4 and aws.calls() == []

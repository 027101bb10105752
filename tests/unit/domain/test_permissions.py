"""Policy documents that grant admin access, and users that are risky."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.permissions import MFA_ACTION, Group, Permissions, Unread, grants_admin_access

IAM_ARNS = [f"arn:aws:iam::111122223333:{kind}/*" for kind in ("user", "role", "policy")]
SOME_SERVICES = ["s3:*", "ec2:*", "lambda:*", "dynamodb:*"]
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}

Statement = dict[str, Any]


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def all_but(*actions: str, resource: Any = "*") -> Statement:
    return {"Effect": "Allow", "NotAction": list(actions), "Resource": resource}


def elsewhere(resource: str) -> Statement:
    """Return a statement that allows everything on everything but `resource`."""
    return {"Effect": "Allow", "Action": "*", "NotResource": resource}


def document(*statements: Statement) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


ADMIN = {
    "everything on everything": allow(),
    "everything, written with a colon": allow("*:*"),
    "everything, in a list": allow(["s3:GetObject", "*"], ["arn:aws:s3:::a", "*"]),
    "everything, written with more stars": allow("**", "**"),
    "all of IAM": allow("iam:*"),
    "all of IAM, in capitals": allow("IAM:*"),
    "all of IAM, by a wider pattern": allow("i*"),
    "all of IAM, among others": allow(["s3:Get*", "iam:*"]),
    "all of IAM, on all that is IAM's": allow("iam:*", "arn:aws:iam::*:*"),
    "all of IAM, on all of this account": allow("iam:*", "arn:aws:iam::111122223333:*"),
    "all of IAM, on its parts one by one": allow("iam:*", IAM_ARNS),
    "all of IAM, in China": allow("iam:*", "arn:aws-cn:iam::111122223333:*"),
    "everything on every ARN": allow("*", "arn:aws:*"),
    "everything, under a condition": allow(Condition=MFA),
    "everything but a few things": all_but("s3:DeleteBucket"),
    "everything but IAM, as in PowerUserAccess": all_but("iam:*", "organizations:*", "account:*"),
    "everything, on everything but a few things": elsewhere("arn:aws:s3:::a/*"),
    "everything, on everything but IAM": elsewhere("arn:aws:iam::*:*"),
}
LESS_THAN_ADMIN = {
    "some services on everything": allow(SOME_SERVICES),
    "all that reads": allow(["*:Get*", "*:List*", "*:Describe*"]),
    "reading IAM": allow(["iam:Get*", "iam:List*"]),
    "a few things of IAM": allow(["iam:PassRole", "iam:CreateServiceLinkedRole"]),
    "all of IAM on oneself": allow("iam:*", "arn:aws:iam::*:user/${aws:username}"),
    "all of IAM on some roles": allow("iam:*", "arn:aws:iam::*:role/app-*"),
    "everything on one bucket": allow("*", ["arn:aws:s3:::a", "arn:aws:s3:::a/*"]),
    "everything on all of one service": allow("*", "arn:aws:s3:::*"),
    "all of IAM on a bucket, where it means nothing": allow("iam:*", "arn:aws:s3:::*"),
    "everything but everything": all_but("*"),
    "almost everything, on one bucket": all_but("s3:DeleteBucket", resource="arn:aws:s3:::a/*"),
    "nothing named": {"Effect": "Allow", "Resource": "*"},
    "on nothing named": {"Effect": "Allow", "Action": "*"},
    "a service whose name begins like IAM": allow("iamx:*"),
    "a refusal of everything": allow() | {"Effect": "Deny"},
    "a refusal of all but a few things": all_but("iam:*MFA*") | {"Effect": "Deny"},
}


@pytest.mark.parametrize(
    ("pattern", "wide"), [("*?" * 20 + "~", False), ("*a*:" * 12, False), ("*?" * 16 + "*", True)]
)
def test_a_pattern_of_many_stars_is_judged_quickly(pattern: str, wide: bool) -> None:
    """Without atomic groups, matching these patterns takes years and holds the GIL."""
    assert grants_admin_access(document(allow("*", pattern))) is wide


@pytest.mark.parametrize("statement", ADMIN.values(), ids=ADMIN)
def test_everything_or_all_of_iam_is_admin_access(statement: Statement) -> None:
    assert grants_admin_access(document(statement))


@pytest.mark.parametrize("statement", LESS_THAN_ADMIN.values(), ids=LESS_THAN_ADMIN)
def test_a_statement_that_allows_less_is_not_admin(statement: Statement) -> None:
    assert not grants_admin_access(document(statement))


def test_one_admin_statement_is_enough() -> None:
    assert grants_admin_access(document(allow(SOME_SERVICES), allow()))
    assert grants_admin_access({"Statement": allow()})
    assert not grants_admin_access({"Statement": allow("s3:*")})


def test_a_deny_does_not_remove_the_warning() -> None:
    """It may leave enough, and a warning too many does no harm."""
    assert grants_admin_access(document(allow(), allow("iam:*") | {"Effect": "Deny"}))


@pytest.mark.parametrize(
    "nothing", [None, "", "{}", [], {}, {"Statement": None}, {"Statement": ["Allow"]}], ids=repr
)
def test_what_is_no_policy_document_raises_an_error(nothing: object) -> None:
    with pytest.raises(ValueError):
        grants_admin_access(nothing)


def test_admin_access_and_unread_permissions_are_risky() -> None:
    assert Permissions(admin_like=("AdministratorAccess",), mfa=True).risky
    assert Permissions(unread=(Unread("ListGroupsForUser", denied=True),)).risky
    assert Permissions(unread=(Unread("GetPolicyVersion"),)).unsure
    plain = Permissions(attached=("ReadOnlyAccess",), groups=(Group("readers"),), mfa=False)
    assert not plain.risky and not plain.unsure


def test_an_unknown_mfa_is_not_risky() -> None:
    permissions = Permissions(unread=(Unread(MFA_ACTION, denied=True),))
    assert permissions.mfa is None and not permissions.risky
    assert permissions.could_not_read(MFA_ACTION)
    assert not permissions.could_not_read("ListUserPolicies")

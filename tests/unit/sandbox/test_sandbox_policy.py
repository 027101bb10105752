"""Does the evaluator of policies judge as AWS documents it? Each test is a rule of the IAM User Guide."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.iam_policy import Decision, Request, decide, trusts

USERS = "arn:aws:iam::111122223333:user"
BOT = f"{USERS}/bot"
NOT_ALLOWED, ALLOWED, DENIED = Decision.NOT_ALLOWED, Decision.ALLOWED, Decision.DENIED


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


def allow(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"} | elements


def deny(**elements: Any) -> dict[str, Any]:
    return allow(**elements) | {"Effect": "Deny"}


def judged(
    *statements: dict[str, Any],
    action: str = "iam:GetUser",
    resource: str = f"{USERS}/ann",
    **context: str,
) -> Decision:
    named = {name.replace("__", ":").replace("_S_", "/"): value for name, value in context.items()}
    return decide([policy(*statements)], Request(action, resource, named))


# -- "Policy evaluation logic"


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert decide([], Request("iam:GetUser")) == NOT_ALLOWED
    assert judged(allow(), action="iam:DeleteUser") == NOT_ALLOWED


def test_an_explicit_denial_beats_every_permission_in_any_order_and_from_any_policy() -> None:
    assert judged(allow(), deny()) == judged(deny(), allow()) == DENIED
    assert (
        decide([policy(deny()), policy(allow())], Request("iam:GetUser", f"{USERS}/ann")) == DENIED
    )
    assert judged(allow(), deny(Resource=f"{USERS}/bob")) == ALLOWED


def test_one_statement_need_not_be_in_a_list() -> None:
    assert (
        decide([{"Version": "2012-10-17", "Statement": allow()}], Request("iam:GetUser", "*"))
        == ALLOWED
    )


# -- "Action", "NotAction"


@pytest.mark.parametrize(
    ("pattern", "action", "decision"),
    [
        ("iam:GetUser", "iam:getuser", ALLOWED),
        ("IAM:GETUSER", "iam:GetUser", ALLOWED),
        ("iam:Get*", "iam:GetUserPolicy", ALLOWED),
        ("iam:*", "sts:AssumeRole", NOT_ALLOWED),
        ("*", "sts:AssumeRole", ALLOWED),
        ("iam:Get?ser", "iam:GetUser", ALLOWED),
        ("iam:GetUser", "iam:GetUserPolicy", NOT_ALLOWED),
        (["iam:ListUsers", "iam:GetUser"], "iam:GetUser", ALLOWED),
        ("iam.GetUser", "iam:GetUser", NOT_ALLOWED),
    ],
)
def test_actions_have_wildcards_and_no_case(
    pattern: object, action: str, decision: Decision
) -> None:
    assert judged(allow(Action=pattern), action=action) == decision


def test_not_action_is_every_other_action() -> None:
    but = {"Effect": "Deny", "NotAction": ["iam:GetUser", "iam:List*"], "Resource": "*"}
    actions = ("iam:GetUser", "iam:ListUsers", "iam:DeleteUser")
    assert [judged(allow(Action="*"), but, action=one) for one in actions] == [
        ALLOWED,
        ALLOWED,
        DENIED,
    ]


# -- "Resource", "NotResource"


@pytest.mark.parametrize(
    ("pattern", "resource", "decision"),
    [
        ("*", f"{USERS}/ann", ALLOWED),
        (f"{USERS}/ann", f"{USERS}/ann", ALLOWED),
        (f"{USERS}/ANN", f"{USERS}/ann", NOT_ALLOWED),
        (f"{USERS}/*", f"{USERS}/people/ann", ALLOWED),
        (f"{USERS}/people/*", f"{USERS}/ann", NOT_ALLOWED),
        (f"{USERS}/people/*", f"{USERS}/peoples/ann", NOT_ALLOWED),
        (f"{USERS}/people/*", f"{USERS}/x/people/ann", NOT_ALLOWED),
        (f"{USERS}/a?n", f"{USERS}/ann", ALLOWED),
        (f"{USERS}/a?n", f"{USERS}/an", NOT_ALLOWED),
        ("arn:aws:iam::*:user/ann", f"{USERS}/ann", ALLOWED),
        ("arn:aws:iam::1*3:user/ann", f"{USERS}/ann", ALLOWED),
        ("arn:aws:iam::*:role/ann", f"{USERS}/ann", NOT_ALLOWED),
        ("arn:aws:iam::*", f"{USERS}/ann", ALLOWED),
        ("arn:aws:*::111122223333:user/ann", f"{USERS}/ann", ALLOWED),
        (f"{USERS}/*", f"{USERS.replace('1111', '9999')}/ann", NOT_ALLOWED),
        (f"{USERS}/a.n", f"{USERS}/ann", NOT_ALLOWED),
        ([f"{USERS}/bob", f"{USERS}/ann"], f"{USERS}/ann", ALLOWED),
    ],
)
def test_resources_have_wildcards_and_case(
    pattern: object, resource: str, decision: Decision
) -> None:
    assert judged(allow(Resource=pattern), resource=resource) == decision


def test_a_wildcard_within_a_part_of_an_arn_does_not_reach_the_next_one() -> None:
    assert (
        judged(
            allow(Resource="arn:aws:i*x::111122223333:user/ann"),
            resource="arn:aws:iam:x::111122223333:user/ann",
        )
        == NOT_ALLOWED
    )


def test_not_resource_is_every_other_resource() -> None:
    but = {"Effect": "Allow", "Action": "iam:GetUser", "NotResource": f"{USERS}/admins/*"}
    assert (judged(but), judged(but, resource=f"{USERS}/admins/ann")) == (ALLOWED, NOT_ALLOWED)


# -- "IAM policy elements: Variables and tags"


def test_a_variable_stands_for_its_value_and_a_wildcard_in_that_is_none() -> None:
    own = allow(Resource=f"{USERS}/${{aws:username}}")
    assert judged(own, aws__username="ann") == ALLOWED
    assert judged(own, aws__username="bob") == judged(own, aws__username="*") == NOT_ALLOWED


def test_a_variable_without_a_value_covers_nothing() -> None:
    assert judged(allow(Resource=f"{USERS}/${{aws:username}}*")) == NOT_ALLOWED


def test_wildcards_can_be_meant_literally() -> None:
    literal = allow(Resource=f"{USERS}/${{*}}")
    assert (judged(literal), judged(literal, resource=f"{USERS}/*")) == (NOT_ALLOWED, ALLOWED)


def test_an_older_policy_has_no_variables() -> None:
    document = policy(allow(Resource=f"{USERS}/${{aws:username}}"), version="2008-10-17")
    assert (
        decide([document], Request("iam:GetUser", f"{USERS}/ann", {"aws:username": "ann"}))
        == NOT_ALLOWED
    )


# -- "Condition operators", "Conditions with multiple context keys or values"


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "holds"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", "a", False),
        ("StringNotEquals", "a", None, True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringEqualsIgnoreCase", "NeVer", "never", True),
        ("StringNotEqualsIgnoreCase", "NeVer", "never", False),
        ("StringLike", "a*c?", "abbcd", True),
        ("StringLike", "a?", "a", False),
        ("StringLike", "a", "A", False),
        ("StringNotLike", "a*", "ab", False),
        ("StringNotLike", "a*", None, True),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "true", "false", False),
        ("Bool", "true", None, False),
        ("BoolIfExists", "true", None, True),
        ("Null", "true", None, True),
        ("Null", "true", "a", False),
        ("Null", "false", "", True),
        ("Null", False, None, False),
        ("ArnLike", "arn:aws:iam::*:role/x*", "arn:aws:iam::1:role/xy", True),
        ("ArnLike", "arn:aws:*:role/x", "arn:aws:iam::1:role/x", False),
        ("ArnEquals", "arn:aws:iam::1:role/x", "arn:aws:iam::1:role/x", True),
        ("ArnNotLike", "arn:aws:iam::1:*", "arn:aws:iam::1:role/x", False),
    ],
)
def test_operators(operator: str, wanted: object, given: str | None, holds: bool) -> None:
    context = {} if given is None else {"aws__PrincipalArn": given}
    decision = judged(allow(Condition={operator: {"aws:PrincipalArn": wanted}}), **context)
    assert decision == (ALLOWED if holds else NOT_ALLOWED)


def test_all_operators_and_all_keys_must_hold() -> None:
    both = allow(
        Condition={"StringEquals": {"aws:a": "1", "aws:b": "2"}, "Null": {"aws:c": "true"}}
    )
    assert judged(both, aws__a="1", aws__b="2") == ALLOWED
    for wrong in (
        {"aws__a": "1"},
        {"aws__a": "1", "aws__b": "1"},
        {"aws__a": "1", "aws__b": "2", "aws__c": "3"},
    ):
        assert judged(both, **wrong) == NOT_ALLOWED


def test_names_of_keys_have_no_case() -> None:
    assert (
        judged(
            allow(Condition={"StringEquals": {"AWS:resourcetag/Keydesk": "x"}}),
            aws__ResourceTag_S_keydesk="x",
        )
        == ALLOWED
    )


# -- trust policies


@pytest.mark.parametrize(
    ("names", "decision"),
    [
        (BOT, ALLOWED),
        (f"{USERS}/bob", NOT_ALLOWED),
        ("111122223333", ALLOWED),
        ("arn:aws:iam::111122223333:root", ALLOWED),
        ("999922223333", NOT_ALLOWED),
        (["999922223333", BOT], ALLOWED),
        (f"{USERS}/*", NOT_ALLOWED),
    ],
)
def test_a_role_trusts_whom_its_policy_names_and_no_wildcard_is_one(
    names: object, decision: Decision
) -> None:
    document = policy({"Effect": "Allow", "Principal": {"AWS": names}, "Action": "sts:AssumeRole"})
    assert (
        trusts(document, Request("sts:AssumeRole", "arn:aws:iam::9:role/x", principal=BOT))
        == decision
    )


# -- what it does not know


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={"NumericLessThan": {"aws:a": "1"}}),
        allow(Condition={"ForAnyValue:StringLike": {"aws:a": "1"}}),
        allow(Resource=f"{USERS}/${{aws:username, 'nobody'}}"),
        allow(Comment="x"),
        allow() | {"Effect": "Perhaps"},
    ],
)
def test_what_it_does_not_know_it_does_not_guess(statement: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"known|there is not"):
        judged(statement, aws__a="1")


@pytest.mark.parametrize(
    "principal",
    ["*", {"Service": "ec2.amazonaws.com"}, {"AWS": "*", "Service": "ec2.amazonaws.com"}],
)
def test_principals_that_it_does_not_know_it_does_not_guess(principal: object) -> None:
    document = policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    with pytest.raises(ValueError, match="principal"):
        trusts(document, Request("sts:AssumeRole", principal=BOT))

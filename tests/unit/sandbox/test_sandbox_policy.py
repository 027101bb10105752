"""Judge policies as AWS documents it. Each test is a rule of the IAM User Guide."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.iam_policy import Decision, Request, decide, trusts

USERS = "arn:aws:iam::111122223333:user"
ANN, BOT = f"{USERS}/ann", f"{USERS}/bot"
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
    resource: str = ANN,
    context: dict[str, str] | None = None,
) -> Decision:
    return decide([policy(*statements)], Request(action, resource, context or {}))


# -- "Policy evaluation logic"


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert decide([], Request("iam:GetUser")) == NOT_ALLOWED
    assert judged(allow(), action="iam:DeleteUser") == NOT_ALLOWED


def test_an_explicit_denial_beats_every_permission() -> None:
    """It does so in any order, and from any policy."""
    assert judged(allow(), deny()) == judged(deny(), allow()) == DENIED
    assert decide([policy(deny()), policy(allow())], Request("iam:GetUser", ANN)) == DENIED
    assert judged(allow(), deny(Resource=f"{USERS}/bob")) == ALLOWED


def test_one_statement_need_not_be_in_a_list() -> None:
    document = {"Version": "2012-10-17", "Statement": allow()}
    assert decide([document], Request("iam:GetUser", "*")) == ALLOWED


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
def test_actions_have_wildcards_and_no_case(pattern: object, action: str, decision: str) -> None:
    assert judged(allow(Action=pattern), action=action) == decision


def test_not_action_is_every_other_action() -> None:
    but = {"Effect": "Deny", "NotAction": ["iam:GetUser", "iam:List*"], "Resource": "*"}
    actions = ("iam:GetUser", "iam:ListUsers", "iam:DeleteUser")
    found = [judged(allow(Action="*"), but, action=action) for action in actions]
    assert found == [ALLOWED, ALLOWED, DENIED]


# -- "Resource", "NotResource"


@pytest.mark.parametrize(
    ("pattern", "decision"),
    [
        ("*", ALLOWED),
        (ANN, ALLOWED),
        (f"{USERS}/ANN", NOT_ALLOWED),
        (f"{USERS}/a?n", ALLOWED),
        (f"{USERS}/ann?", NOT_ALLOWED),
        (f"{USERS}/a.n", NOT_ALLOWED),
        (f"{USERS}/people/*", NOT_ALLOWED),
        ("arn:aws:iam::*:user/ann", ALLOWED),
        ("arn:aws:iam::1*3:user/ann", ALLOWED),
        ("arn:aws:iam::*:role/ann", NOT_ALLOWED),
        ("arn:aws:iam::*", ALLOWED),
        ("arn:aws:*::111122223333:user/ann", ALLOWED),
        ("arn:aws:iam::999922223333:user/*", NOT_ALLOWED),
        ([f"{USERS}/bob", ANN], ALLOWED),
    ],
)
def test_resources_have_wildcards_and_case(pattern: object, decision: str) -> None:
    assert judged(allow(Resource=pattern)) == decision


@pytest.mark.parametrize(
    ("pattern", "resource", "decision"),
    [
        (f"{USERS}/*", f"{USERS}/people/ann", ALLOWED),
        (f"{USERS}/people/*", f"{USERS}/peoples/ann", NOT_ALLOWED),
        (f"{USERS}/people/*", f"{USERS}/x/people/ann", NOT_ALLOWED),
        (
            "arn:aws:i*x::111122223333:user/ann",
            "arn:aws:iam:x::111122223333:user/ann",
            NOT_ALLOWED,
        ),
    ],
    ids=["below", "longer name", "path begins elsewhere", "within one part of an ARN"],
)
def test_a_wildcard_reaches_to_the_end_of_its_part(
    pattern: str, resource: str, decision: str
) -> None:
    assert judged(allow(Resource=pattern), resource=resource) == decision


def test_not_resource_is_every_other_resource() -> None:
    but = {"Effect": "Allow", "Action": "iam:GetUser", "NotResource": f"{USERS}/admins/*"}
    assert (judged(but), judged(but, resource=f"{USERS}/admins/ann")) == (ALLOWED, NOT_ALLOWED)


# -- "IAM policy elements: Variables and tags"


@pytest.mark.parametrize(
    ("name", "decision"), [("ann", ALLOWED), ("bob", NOT_ALLOWED), ("*", NOT_ALLOWED)]
)
def test_a_variable_stands_for_its_literal_value(name: str, decision: str) -> None:
    own = allow(Resource=f"{USERS}/${{aws:username}}")
    assert judged(own, context={"aws:username": name}) == decision


def test_a_variable_without_a_value_covers_nothing() -> None:
    assert judged(allow(Resource=f"{USERS}/${{aws:username}}*")) == NOT_ALLOWED


def test_wildcards_can_be_meant_literally() -> None:
    literal = allow(Resource=f"{USERS}/${{*}}")
    assert (judged(literal), judged(literal, resource=f"{USERS}/*")) == (NOT_ALLOWED, ALLOWED)


def test_an_older_policy_has_no_variables() -> None:
    document = policy(allow(Resource=f"{USERS}/${{aws:username}}"), version="2008-10-17")
    request = Request("iam:GetUser", ANN, {"aws:username": "ann"})
    assert decide([document], request) == NOT_ALLOWED


# -- "Condition operators", "Conditions with multiple context keys or values"


@pytest.mark.parametrize(
    ("operator", "value", "given", "holds"),
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
def test_operators(operator: str, value: object, given: str | None, holds: bool) -> None:
    context = {} if given is None else {"aws:PrincipalArn": given}
    condition = {operator: {"aws:PrincipalArn": value}}
    decision = judged(allow(Condition=condition), context=context)
    assert decision == (ALLOWED if holds else NOT_ALLOWED)


@pytest.mark.parametrize(
    ("context", "decision"),
    [
        ({"aws:a": "1", "aws:b": "2"}, ALLOWED),
        ({"aws:a": "1"}, NOT_ALLOWED),
        ({"aws:a": "1", "aws:b": "1"}, NOT_ALLOWED),
        ({"aws:a": "1", "aws:b": "2", "aws:c": "3"}, NOT_ALLOWED),
    ],
)
def test_all_operators_and_all_keys_must_hold(context: dict[str, str], decision: str) -> None:
    condition = {"StringEquals": {"aws:a": "1", "aws:b": "2"}, "Null": {"aws:c": "true"}}
    assert judged(allow(Condition=condition), context=context) == decision


def test_names_of_keys_have_no_case() -> None:
    statement = allow(Condition={"StringEquals": {"AWS:resourcetag/Keydesk": "x"}})
    assert judged(statement, context={"aws:ResourceTag/keydesk": "x"}) == ALLOWED


# -- trust policies


def trusted(principal: object) -> Decision:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    request = Request("sts:AssumeRole", "arn:aws:iam::9:role/x", principal=BOT)
    return trusts(policy(statement), request)


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
def test_a_role_trusts_only_the_named_principals(names: object, decision: str) -> None:
    assert trusted({"AWS": names}) == decision


# -- what it does not know


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={"NumericLessThan": {"aws:a": "1"}}),
        allow(Condition={"ForAnyValue:StringLike": {"aws:a": "1"}}),
        allow(Resource=f"{USERS}/${{aws:username, 'none'}}"),
        allow(Comment="x"),
        allow() | {"Effect": "Perhaps"},
    ],
    ids=["operator", "set operator", "default value", "element", "effect"],
)
def test_what_it_does_not_know_it_does_not_guess(statement: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"known|there is not"):
        judged(statement, context={"aws:a": "1"})


@pytest.mark.parametrize(
    "principal",
    ["*", {"Service": "ec2.amazonaws.com"}, {"AWS": "*", "Service": "ec2.amazonaws.com"}],
)
def test_it_guesses_no_principal_that_it_does_not_know(principal: object) -> None:
    with pytest.raises(ValueError, match="principal"):
        trusted(principal)

"""Check that the policies in deploy/ allow what Keydesk does in IAM, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.iam_policy import Decision, Request, decide
from tests.support.policies import (
    ACCOUNT,
    BY_OWNER_TAG,
    DEPLOY,
    OWNER_TAG,
    PLAIN,
    Policy,
    allowed,
    filled,
    listed,
)

ALLOWED, NOT_ALLOWED, DENIED = Decision.ALLOWED, Decision.NOT_ALLOWED, Decision.DENIED
USER, GROUP, POLICY = (f"arn:aws:iam::{ACCOUNT}:{kind}" for kind in ("user", "group", "policy"))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/keydesk"


def iam(*names: str) -> set[str]:
    return {f"iam:{name}" for name in names}


LOOKUP = "iam:GetAccessKeyLastUsed"
"""Allowed for any key of the account, to name the owner of a leaked key."""

CHANGES = iam("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey")
READS_USERS = iam(
    *("GetUser", "ListAccessKeys", "ListAttachedUserPolicies", "ListUserPolicies"),
    *("GetUserPolicy", "ListGroupsForUser", "ListMFADevices"),
)
READS_GROUPS = iam("ListAttachedGroupPolicies", "ListGroupPolicies", "GetGroupPolicy")
READS_POLICIES = iam("GetPolicy", "GetPolicyVersion")
OF_USERS = CHANGES | READS_USERS
MODEL = botocore.session.get_session().get_service_model("iam")
EVERY_ACTION = iam(*MODEL.operation_names, "PassRole")
OTHER_SERVICES = {
    *("sts:AssumeRole", "s3:GetObject", "ec2:RunInstances", "lambda:CreateFunction"),
    "organizations:LeaveOrganization",
}

LETTERS = "abcxyzABC019+=,.@_-"
NAMES = st.text(alphabet=LETTERS, min_size=1, max_size=20)
PATHS = st.lists(st.text(alphabet=LETTERS, min_size=1, max_size=8), max_size=3).map(
    lambda parts: "/" + "".join(f"{part}/" for part in parts)
)
both = pytest.mark.parametrize("name", [PLAIN, BY_OWNER_TAG])


def judged(
    policy: Policy,
    action: str,
    resource: str,
    tags: dict[str, str] | None = None,
    caller: str = "keydesk-bot",
) -> Decision:
    """Return what the policy means for a call by the bot, an IAM user or a role ("").

    By default the resource has an owner.
    """
    shown = {OWNER_TAG: "U0ALICE"} if tags is None else tags
    context = {f"{of}:ResourceTag/{tag}": shown[tag] for tag in shown for of in ("aws", "iam")}
    if caller:
        context["aws:username"] = caller
    return decide([policy], Request(action, resource, context))


def all_are(
    decision: Decision, policy: Policy, actions: Iterable[str], resource: str, **of: object
) -> None:
    found = {action: judged(policy, action, resource, **of) for action in actions}
    assert found == dict.fromkeys(actions, decision)


@both
def test_only_these_actions_are_allowed_without_wildcard(name: str) -> None:
    expected = OF_USERS | {LOOKUP} | READS_GROUPS | READS_POLICIES
    assert sorted(allowed(filled(name))) == sorted(expected)
    assert {one["Effect"] for one in filled(name)["Statement"]} == {"Allow", "Deny"}


@both
def test_every_allowed_resource_names_account_and_kind(name: str) -> None:
    allows = [one for one in filled(name)["Statement"] if one["Effect"] == "Allow"]
    pattern = rf"arn:aws:iam::{ACCOUNT}:(user|group|policy)/\*"
    for resource in (resource for one in allows for resource in listed(one["Resource"])):
        assert re.fullmatch(pattern, resource)
    assert (DEPLOY / name).read_text().count("arn:aws:iam::ACCOUNT:user/PATH/*") == 2


@both
@settings(max_examples=100, deadline=None)
@given(
    path=PATHS,
    below=PATHS,
    elsewhere=PATHS,
    user=NAMES,
    action=st.sampled_from(sorted(OF_USERS)),
    account=st.from_regex(r"[0-9]{12}", fullmatch=True),
)
def test_only_users_under_the_path_are_served(
    name: str, path: str, below: str, elsewhere: str, user: str, action: str, account: str
) -> None:
    """Elsewhere in the account only the owner of a leaked key may be looked up."""
    policy = filled(name, path=path)
    all_are(ALLOWED, policy, {action, LOOKUP}, f"{USER}{path}{below[1:]}{user}")
    if not elsewhere.startswith(path):
        all_are(NOT_ALLOWED, policy, {action}, f"{USER}{elsewhere}{user}")
        all_are(ALLOWED, policy, {LOOKUP}, f"{USER}{elsewhere}{user}")
    if account != ACCOUNT:
        foreign = f"arn:aws:iam::{account}:user{path}{user}"
        assert judged(policy, action, foreign) is not ALLOWED


@both
@settings(max_examples=100, deadline=None)
@given(
    path=PATHS,
    below=PATHS,
    user=NAMES,
    action=st.sampled_from(sorted(OF_USERS)),
    caller=st.sampled_from(["keydesk-bot", ""]),
    tag=st.sampled_from(["keydesk", "Keydesk"]),
    value=st.sampled_from(["never", "Never", "NEVER"]),
)
def test_the_bots_own_user_and_marked_users_are_denied(
    name: str, path: str, below: str, user: str, action: str, caller: str, tag: str, value: str
) -> None:
    policy, arn = filled(name, path=path), f"{USER}{path}{below[1:]}{user}"
    tags = {OWNER_TAG: "U0ALICE", tag: value}
    assert judged(policy, action, arn, caller=user) is DENIED
    assert judged(policy, action, arn, tags=tags, caller=caller) is DENIED


@both
@pytest.mark.parametrize("kind", ["user", "group", "policy", "role"])
def test_nothing_is_allowed_in_another_account(name: str, kind: str) -> None:
    policy, arn = filled(name), f"arn:aws:iam::999988887777:{kind}/ann"
    assert ALLOWED not in {judged(policy, action, arn) for action in EVERY_ACTION}


@both
@pytest.mark.parametrize(
    "tag", [("keydesk", "always"), ("keydesk2", "never"), ("not-keydesk", "never")]
)
def test_another_tag_is_no_mark(name: str, tag: tuple[str, str]) -> None:
    tags = {OWNER_TAG: "U0ALICE", tag[0]: tag[1]}
    all_are(ALLOWED, filled(name), OF_USERS, f"{USER}/ann", tags=tags)


@both
@pytest.mark.parametrize("caller", ["keydesk-bot", ""], ids=["as a user", "as a role"])
def test_no_way_to_more_rights_is_open_on_any_resource(name: str, caller: str) -> None:
    policy = filled(name)
    others = (EVERY_ACTION | OTHER_SERVICES) - set(allowed(policy))
    for resource in (
        *("*", f"{USER}/ann", f"{GROUP}/ops", f"{POLICY}/x", ROLE, f"arn:aws:s3:::{ACCOUNT}"),
        *(f"arn:aws:iam::{ACCOUNT}:mfa/x", f"arn:aws:iam::{ACCOUNT}:root"),
    ):
        found = {judged(policy, action, resource, caller=caller) for action in others}
        assert ALLOWED not in found, resource


@both
def test_each_action_is_allowed_on_its_kind_of_resource(name: str) -> None:
    """The kinds are those of "Actions defined by AWS Identity and Access Management".

    That is a page of the Service Authorization Reference.
    """
    policy = filled(name)
    kinds = {
        f"{USER}/ann": OF_USERS | {LOOKUP},
        f"{GROUP}/ops": READS_GROUPS,
        f"{POLICY}/x": READS_POLICIES,
        ROLE: set(),
    }
    for resource, expected in kinds.items():
        assert {one for one in EVERY_ACTION if judged(policy, one, resource) is ALLOWED} == expected


@pytest.mark.parametrize("role", [ROLE, "arn:aws:iam::999988887777:role/x/keydesk"])
def test_roles_are_denied_explicitly(role: str) -> None:
    all_are(DENIED, filled(), EVERY_ACTION, role)


def test_the_owner_tag_is_the_only_difference_of_the_policies() -> None:
    """Without the tag no key of a user is changed."""
    by_tag = filled(BY_OWNER_TAG)
    all_are(NOT_ALLOWED, by_tag, CHANGES, f"{USER}/ann", tags={})
    all_are(ALLOWED, by_tag, READS_USERS, f"{USER}/ann", tags={})
    [conditional] = [
        one for one in by_tag["Statement"] if set(listed(one.get("Action", []))) >= CHANGES
    ]
    assert conditional.pop("Condition") == {"Null": {f"aws:ResourceTag/{OWNER_TAG}": "false"}}
    assert by_tag == filled(PLAIN)

"""Do the policies in deploy/ allow what the desk does in IAM, on whom it looks after, and nothing else whatever?"""

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

USER, GROUP, POLICY = (f"arn:aws:iam::{ACCOUNT}:{kind}" for kind in ("user", "group", "policy"))
LOOKUP = "iam:GetAccessKeyLastUsed"  # of any key of the account: else nobody could be told whose a leaked key is
CHANGES = {"iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey"}
READS_USERS = {
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:ListUserPolicies",
    "iam:GetUserPolicy",
    "iam:ListGroupsForUser",
    "iam:ListMFADevices",
}
READS_GROUPS = {"iam:ListAttachedGroupPolicies", "iam:ListGroupPolicies", "iam:GetGroupPolicy"}
READS_POLICIES = {"iam:GetPolicy", "iam:GetPolicyVersion"}
OF_USERS = CHANGES | READS_USERS
EVERY_ACTION = [
    f"iam:{name}"
    for name in botocore.session.get_session().get_service_model("iam").operation_names
]

# Ways to more rights ("Privilege escalation" in the lists of Rhino Security Labs and others), and other services.
ESCALATIONS = [
    "iam:PassRole",
    "iam:AttachUserPolicy",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:PutUserPolicy",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:SetDefaultPolicyVersion",
    "iam:AddUserToGroup",
    "iam:CreateLoginProfile",
    "iam:UpdateLoginProfile",
    "iam:CreateUser",
    "iam:CreateRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutUserPermissionsBoundary",
    "iam:DeactivateMFADevice",
    "iam:CreateServiceSpecificCredential",
    "iam:UploadSSHPublicKey",
    "iam:UploadSigningCertificate",
    "iam:TagUser",
    "iam:UntagUser",
    "iam:DeleteUser",
    "sts:AssumeRole",
    "s3:GetObject",
    "ec2:RunInstances",
    "lambda:CreateFunction",
    "organizations:LeaveOrganization",
]

NAMES = st.text(alphabet="abcxyzABC019+=,.@_-", min_size=1, max_size=20)
PATHS = st.lists(st.text(alphabet="abcxyzABC019+=,.@_-", min_size=1, max_size=8), max_size=3).map(
    lambda parts: "/" + "".join(f"{part}/" for part in parts)
)
both = pytest.mark.parametrize("name", [PLAIN, BY_OWNER_TAG])


def judged(
    policy: Policy,
    action: str,
    resource: str,
    *,
    tags: dict[str, str] | None = None,
    caller: str = "keydesk-bot",
) -> Decision:
    """What the policy comes to for a call by the bot, an IAM user (`caller`) or a role (""), on one who is owned."""
    shown = {OWNER_TAG: "U0ALICE"} if tags is None else tags
    context = {
        f"{of}:ResourceTag/{tag}": value for tag, value in shown.items() for of in ("aws", "iam")
    }
    return decide(
        [policy], Request(action, resource, context | ({"aws:username": caller} if caller else {}))
    )


def all_are(
    decision: Decision, policy: Policy, actions: Iterable[str], resource: str, **permissions: object
) -> None:
    assert {
        action: judged(policy, action, resource, **permissions) for action in actions
    } == dict.fromkeys(actions, decision)


@both
def test_it_allows_these_actions_and_no_wildcard(name: str) -> None:
    assert sorted(allowed(filled(name))) == sorted(
        {*OF_USERS, LOOKUP, *READS_GROUPS, *READS_POLICIES}
    )
    assert all(one["Effect"] in ("Allow", "Deny") for one in filled(name)["Statement"])


@both
def test_every_resource_that_it_allows_names_account_and_kind(name: str) -> None:
    text = (DEPLOY / name).read_text()
    resources = [
        resource
        for one in filled(name)["Statement"]
        if one["Effect"] == "Allow"
        for resource in listed(one["Resource"])
    ]
    assert all(
        re.fullmatch(rf"arn:aws:iam::{ACCOUNT}:(user|group|policy)/\*", one) for one in resources
    )
    assert text.count("arn:aws:iam::ACCOUNT:user/PATH/*") == 2


@both
@settings(max_examples=200, deadline=None)
@given(path=PATHS, below=PATHS, user=NAMES)
def test_users_under_the_path_are_served(name: str, path: str, below: str, user: str) -> None:
    policy = filled(name, path=path)
    if user != "keydesk-bot":
        all_are(
            Decision.ALLOWED,
            policy,
            OF_USERS | {LOOKUP},
            f"{USER}{path}{below.removeprefix('/')}{user}",
        )


@both
@settings(max_examples=300, deadline=None)
@given(path=PATHS, elsewhere=PATHS, user=NAMES)
def test_users_elsewhere_are_not_but_for_the_look_up_of_a_leaked_key(
    name: str, path: str, elsewhere: str, user: str
) -> None:
    if not elsewhere.startswith(path) and user != "keydesk-bot":
        all_are(Decision.NOT_ALLOWED, filled(name, path=path), OF_USERS, f"{USER}{elsewhere}{user}")
        assert (
            judged(filled(name, path=path), LOOKUP, f"{USER}{elsewhere}{user}") is Decision.ALLOWED
        )


@both
@settings(max_examples=200, deadline=None)
@given(path=PATHS, below=PATHS, bot=NAMES)
def test_the_bots_own_user_is_denied_wherever_it_is(
    name: str, path: str, below: str, bot: str
) -> None:
    own = f"{USER}{path}{below.removeprefix('/')}{bot}"
    all_are(Decision.DENIED, filled(name, path=path), OF_USERS, own, caller=bot)


@both
@settings(max_examples=100, deadline=None)
@given(
    path=PATHS,
    user=NAMES,
    caller=st.sampled_from(["keydesk-bot", ""]),
    mark=st.sampled_from(["never", "Never", "NEVER"]),
    key=st.sampled_from(["keydesk", "Keydesk"]),
)
def test_users_that_are_marked_are_denied(
    name: str, path: str, user: str, caller: str, mark: str, key: str
) -> None:
    tags = {OWNER_TAG: "U0ALICE", key: mark}
    all_are(
        Decision.DENIED,
        filled(name, path=path),
        OF_USERS,
        f"{USER}{path}{user}",
        tags=tags,
        caller=caller,
    )


@both
def test_another_mark_is_none(name: str) -> None:
    for tags in ({"keydesk": "always"}, {"keydesk2": "never"}, {"not-keydesk": "never"}):
        all_are(
            Decision.ALLOWED,
            filled(name),
            OF_USERS,
            f"{USER}/ann",
            tags={OWNER_TAG: "U0ALICE"} | tags,
        )


@both
@settings(max_examples=100, deadline=None)
@given(path=PATHS, user=NAMES, account=st.from_regex(r"[0-9]{12}", fullmatch=True))
def test_other_accounts_are_not_touched(name: str, path: str, user: str, account: str) -> None:
    policy = filled(name, path=path)
    if account != ACCOUNT:
        for kind in ("user", "group", "policy"):
            arn = f"arn:aws:iam::{account}:{kind}{path}{user}"
            assert Decision.ALLOWED not in {
                judged(policy, action, arn) for action in allowed(policy)
            }


@both
@pytest.mark.parametrize("caller", ["keydesk-bot", ""], ids=["as a user", "as a role"])
def test_no_way_to_more_rights_is_open_whatever_it_is_tried_on(name: str, caller: str) -> None:
    policy = filled(name)
    everything = [
        "*",
        f"{USER}/ann",
        f"{GROUP}/ops",
        f"{POLICY}/x",
        f"arn:aws:iam::{ACCOUNT}:role/x",
        f"arn:aws:iam::{ACCOUNT}:mfa/x",
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:s3:::{ACCOUNT}",
    ]
    others = [*ESCALATIONS, *(action for action in EVERY_ACTION if action not in allowed(policy))]
    for resource in everything:
        assert not [
            one
            for one in others
            if judged(policy, one, resource, caller=caller) is Decision.ALLOWED
        ]


@both
def test_each_action_is_allowed_on_the_kind_of_resource_it_is_for_and_on_no_other(
    name: str,
) -> None:
    """The kinds are of "Actions defined by AWS Identity and Access Management".

    That is a page of the Service Authorization Reference.
    """
    policy, kinds = (
        filled(name),
        {
            f"{USER}/ann": OF_USERS | {LOOKUP},
            f"{GROUP}/ops": READS_GROUPS,
            f"{POLICY}/x": READS_POLICIES,
            f"arn:aws:iam::{ACCOUNT}:role/keydesk": set(),
        },
    )
    for resource, actions in kinds.items():
        assert {
            one for one in EVERY_ACTION if judged(policy, one, resource) is Decision.ALLOWED
        } == actions


def test_roles_are_denied_explicitly_the_bots_own_among_them() -> None:
    for arn in (f"arn:aws:iam::{ACCOUNT}:role/keydesk", "arn:aws:iam::999988887777:role/x/keydesk"):
        all_are(
            Decision.DENIED, filled(), [one for one in ESCALATIONS if one.startswith("iam:")], arn
        )


def test_where_the_owner_tag_is_asked_for_no_key_of_a_user_without_it_is_changed_and_it_is_all_that_differs() -> (
    None
):
    by_tag = filled(BY_OWNER_TAG)
    all_are(Decision.NOT_ALLOWED, by_tag, CHANGES, f"{USER}/ann", tags={})
    all_are(Decision.ALLOWED, by_tag, READS_USERS, f"{USER}/ann", tags={})
    [conditional] = [
        one for one in by_tag["Statement"] if set(listed(one.get("Action", []))) >= CHANGES
    ]
    assert conditional.pop("Condition") == {"Null": {f"aws:ResourceTag/{OWNER_TAG}": "false"}}
    assert by_tag == filled(PLAIN)

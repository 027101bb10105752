"""Does deploy/iam-policy.json allow what the desk does in IAM, on the resources it does it to, and nothing else?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.access_key import KeyStatus
from bot.core.ports import KeyIssuer
from sandbox.aws import LocalAws
from tests.aws.common import ALICE, issued
from tests.aws.test_iam_facts import Account

POLICY = json.loads((Path(__file__).resolve().parents[2] / "deploy" / "iam-policy.json").read_text())
STATEMENTS: list[dict[str, Any]] = POLICY["Statement"]
USERS, GROUPS, POLICIES = (f"arn:aws:iam::ACCOUNT:{kind}/*" for kind in ("user", "group", "policy"))

RESOURCES = {  # "Actions defined by AWS Identity and Access Management", Service Authorization Reference
    "GetUser": USERS, "ListAccessKeys": USERS, "GetAccessKeyLastUsed": USERS, "CreateAccessKey": USERS,
    "UpdateAccessKey": USERS, "DeleteAccessKey": USERS, "ListAttachedUserPolicies": USERS, "ListUserPolicies": USERS,
    "GetUserPolicy": USERS, "ListGroupsForUser": USERS, "ListMFADevices": USERS, "ListAttachedGroupPolicies": GROUPS,
    "ListGroupPolicies": GROUPS, "GetGroupPolicy": GROUPS, "GetPolicy": POLICIES, "GetPolicyVersion": POLICIES,
}
CHANGES = {"CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"}


def allowed() -> dict[str, str]:
    """Each action that the policy allows, with its one resource."""
    return {action.removeprefix("iam:"): one["Resource"] for one in STATEMENTS for action in one["Action"]}


def test_it_allows_exactly_what_the_desk_asks_of_iam(aws: LocalAws, issuer: KeyIssuer) -> None:
    Account(aws).everywhere()
    key = issued(issuer)
    issuer.user(ALICE)
    issuer.keys(ALICE)
    issuer.owner(key.id)
    issuer.facts(ALICE)
    issuer.set_status(ALICE, key.id, KeyStatus.INACTIVE)
    issuer.delete_key(ALICE, key.id)
    assert {call.action for call in aws.calls()} == allowed().keys()


def test_each_action_is_allowed_on_the_kind_of_resource_it_is_for() -> None:
    assert allowed() == RESOURCES


def test_it_changes_access_keys_and_nothing_else() -> None:
    assert {one for one in allowed() if not one.startswith(("Get", "List"))} == CHANGES


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda one: one["Sid"])
def test_it_has_no_wildcard_in_an_action_and_names_the_account(statement: dict[str, Any]) -> None:
    assert statement["Effect"] == "Allow" and not any("*" in action for action in statement["Action"])
    assert ":ACCOUNT:" in statement["Resource"]

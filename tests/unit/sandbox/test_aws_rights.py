"""Judge callers by their policies, and roles by their trust and time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.sts.models import sts_backends

from sandbox.aws import LocalAws
from sandbox.aws_keys import moto_iam
from tests.support.sandbox_aws import ALICE, bot, new_key, refusal
from tests.unit.aws.shared_aws import empty

USERS = "arn:aws:iam::123456789012:user"
BOT = f"{USERS}/keydesk-bot"
OTHER = "222222222222"
ROLE = f"arn:aws:iam::{OTHER}:role/reader"


def allow(action: str, resource: str = "*", principal: str = "") -> dict[str, Any]:
    """Return a policy, or a trust policy where it names a principal."""
    of = {"Principal": {"AWS": principal}} if principal else {"Resource": resource}
    statement = {"Effect": "Allow", "Action": action, **of}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture(autouse=True)
def strict(aws: LocalAws) -> None:
    """Let the bot look at Alice, and do nothing else."""
    empty(aws, (ALICE,), allow("iam:GetUser", f"arn:aws:iam::*:user/{ALICE}"))


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    assert refusal(error) == ("AccessDenied", 403)
    return str(error.value)


def client_of(aws: LocalAws, key_id: str, secret: str, token: str | None = None) -> Any:
    session = boto3.Session(key_id, secret, token, region_name="us-east-1")
    return session.client("iam", endpoint_url=aws.url)


def test_the_policy_decides_and_a_refusal_names_what_is_missing(aws: LocalAws, iam: Any) -> None:
    """The AWS admin may do everything. Without a policy one may only ask who one is."""
    assert iam.get_user(UserName=ALICE)["User"]["UserName"] == ALICE
    words = refused(iam.get_user, UserName="keydesk-bot")
    assert f"is not authorized to perform: iam:GetUser on resource: {BOT} because no" in words
    assert "identity-based policy allows the iam:GetUser" in words
    assert "iam:ListAccessKeys" in refused(iam.list_access_keys, UserName=ALICE)
    assert aws.keys(ALICE) == []
    key_id, secret = new_key(aws)
    assert aws.call_as(key_id, secret).endswith(ALICE)
    refused(client_of(aws, key_id, secret).get_user, UserName=ALICE)


def test_an_explicit_denial_says_that_it_is_one(aws: LocalAws, iam: Any) -> None:
    policy = allow("*")
    condition = {"Null": {"aws:ResourceTag/no": "false"}}
    denial = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    policy["Statement"].append(denial)
    aws.rights.give(BOT, policy)
    iam.get_user(UserName=ALICE)
    aws.tag(ALICE, no="thanks")
    words = refused(iam.get_user, UserName=ALICE)
    assert "with an explicit deny in an identity-based policy" in words


def test_the_last_use_of_a_key_of_another_account_is_denied(aws: LocalAws, iam: Any) -> None:
    aws.rights.give(BOT, allow("iam:*", f"{USERS}/*"))
    moto_iam(OTHER).create_user("us-east-1", "olga")
    foreign = moto_iam(OTHER).create_access_key("olga").access_key_id
    own, _ = new_key(aws)
    last_used = iam.get_access_key_last_used
    assert last_used(AccessKeyId=own)["UserName"] == ALICE
    for key_id in (foreign, "AKIAIOSFODNN7EXAMPLE"):
        refused(last_used, AccessKeyId=key_id)


def assumed(aws: LocalAws) -> tuple[str, str, str]:
    """Let the bot assume a role of another account that may look at users."""
    trust = allow("sts:AssumeRole", principal="123456789012")
    aws.rights.add_role(OTHER, "reader", trust, allow("iam:GetUser"))
    moto_iam(OTHER).create_user("us-east-1", "olga")
    aws.rights.give(BOT, allow("sts:AssumeRole", ROLE))
    given = bot(aws, "sts").assume_role(RoleArn=ROLE, RoleSessionName="xy")["Credentials"]
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


def test_a_role_acts_in_its_account_by_its_policy(aws: LocalAws) -> None:
    iam = client_of(aws, *assumed(aws))
    assert iam.get_user(UserName="olga")["User"]["Arn"] == f"arn:aws:iam::{OTHER}:user/olga"
    assert "assumed-role/reader/xy" in refused(iam.list_access_keys, UserName="olga")


def test_a_role_is_assumed_only_where_both_policies_allow(aws: LocalAws) -> None:
    sts = bot(aws, "sts")
    refused(sts.assume_role, RoleArn=ROLE, RoleSessionName="xy")  # there is none yet
    assumed(aws)
    aws.rights.give(BOT, allow("iam:GetUser"))
    refused(sts.assume_role, RoleArn=ROLE, RoleSessionName="xy")


@pytest.mark.parametrize("wrong", ["token", "time"])
def test_temporary_credentials_need_their_token_and_end(aws: LocalAws, wrong: str) -> None:
    key_id, secret, token = assumed(aws)
    if wrong == "time":
        [role] = sts_backends[OTHER]["aws"].assumed_roles
        role.expiration = datetime(2020, 1, 1)  # moto's own are without a zone
    iam = client_of(aws, key_id, secret, "another" if wrong == "token" else token)
    with pytest.raises(ClientError) as error:
        iam.get_user(UserName="olga")
    assert refusal(error) == ("ExpiredToken", 403)


def test_an_account_that_is_not_strict_has_no_rights_to_give(aws: LocalAws, iam: Any) -> None:
    empty(aws, (ALICE,))
    assert iam.list_access_keys(UserName=ALICE)["AccessKeyMetadata"] == []
    with pytest.raises(RuntimeError, match="not strict"):
        _ = aws.rights

"""Is the local AWS as strict as AWS, where it is to be? Callers by their policies, roles by their trust and time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.sts.models import sts_backends

from sandbox.aws import LocalAws
from sandbox.aws_keys import moto_iam
from tests.support.sandbox_aws import ALICE, bot, new_key, refusal

OTHER = "222222222222"
ROLE = f"arn:aws:iam::{OTHER}:role/reader"


def allow(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": action,
                **more,
                **({} if "Principal" in more else {"Resource": resource}),
            }
        ],
    }


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with LocalAws(
        users=(ALICE,), policy=allow("iam:GetUser", f"arn:aws:iam::*:user/{ALICE}")
    ) as local:
        yield local


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    assert refusal(error) == ("AccessDenied", 403)
    return str(error.value)


def test_the_bot_may_do_what_its_policy_says_and_the_refusal_says_what_is_missing(
    aws: LocalAws,
) -> None:
    iam = bot(aws)
    assert iam.get_user(UserName=ALICE)["User"]["UserName"] == ALICE
    why = "is not authorized to perform: iam:{0} on resource: {1} because no identity-based policy allows the iam:{0}"
    own = "arn:aws:iam::123456789012:user/keydesk-bot"
    assert why.format("GetUser", own) in refused(iam.get_user, UserName="keydesk-bot")
    assert "iam:ListAccessKeys" in refused(iam.list_access_keys, UserName=ALICE)
    assert aws.keys(ALICE) == [], "the administrator may do everything"


def test_an_explicit_denial_says_that_it_is_one(aws: LocalAws) -> None:
    denial = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"Null": {"aws:ResourceTag/no": "false"}},
    }
    policy = allow("*")
    policy["Statement"].append(denial)
    aws.rights.give("arn:aws:iam::123456789012:user/keydesk-bot", policy)
    bot(aws).get_user(UserName=ALICE)
    aws.tag(ALICE, no="thanks")
    assert "with an explicit deny in an identity-based policy" in refused(
        bot(aws).get_user, UserName=ALICE
    )


def test_everybody_may_ask_who_they_are_and_nobody_without_a_policy_anything_else(
    aws: LocalAws,
) -> None:
    key_id, secret = new_key(aws)
    assert aws.call_as(key_id, secret).endswith(ALICE)
    session = boto3.Session(
        aws_access_key_id=key_id, aws_secret_access_key=secret, region_name="us-east-1"
    )
    refused(session.client("iam", endpoint_url=aws.url).get_user, UserName=ALICE)


def test_the_last_use_of_a_key_of_another_account_is_not_told(aws: LocalAws) -> None:
    aws.rights.give(
        "arn:aws:iam::123456789012:user/keydesk-bot",
        allow("iam:*", "arn:aws:iam::123456789012:user/*"),
    )
    moto_iam(OTHER).create_user("us-east-1", "olga")
    foreign = moto_iam(OTHER).create_access_key("olga").access_key_id
    own, _ = new_key(aws)
    assert bot(aws).get_access_key_last_used(AccessKeyId=own)["UserName"] == ALICE
    for key_id in (foreign, "AKIAIOSFODNN7EXAMPLE"):
        refused(bot(aws).get_access_key_last_used, AccessKeyId=key_id)


def assumed(aws: LocalAws) -> dict[str, str]:
    """The bot assumes a role of another account, in which it may look at users."""
    aws.rights.add_role(
        OTHER,
        "reader",
        allow("sts:AssumeRole", Principal={"AWS": "123456789012"}),
        allow("iam:GetUser"),
    )
    moto_iam(OTHER).create_user("us-east-1", "olga")
    aws.rights.give("arn:aws:iam::123456789012:user/keydesk-bot", allow("sts:AssumeRole", ROLE))
    found: dict[str, str] = bot(aws, "sts").assume_role(RoleArn=ROLE, RoleSessionName="xy")[
        "Credentials"
    ]
    return found


def role_client(aws: LocalAws, given: dict[str, str], token: str = "") -> Any:
    session = boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=token or given["SessionToken"],
        region_name="us-east-1",
    )
    return session.client("iam", endpoint_url=aws.url)


def test_a_role_is_of_its_account_and_may_do_what_its_policy_says(aws: LocalAws) -> None:
    iam = role_client(aws, assumed(aws))
    assert iam.get_user(UserName="olga")["User"]["Arn"] == f"arn:aws:iam::{OTHER}:user/olga"
    assert "assumed-role/reader/xy" in refused(iam.list_access_keys, UserName="olga")


def test_a_role_is_assumed_only_by_whom_it_trusts_and_who_may(aws: LocalAws) -> None:
    refused(bot(aws, "sts").assume_role, RoleArn=ROLE, RoleSessionName="xy")  # there is none
    assumed(aws)
    aws.rights.give("arn:aws:iam::123456789012:user/keydesk-bot", allow("iam:GetUser"))
    refused(bot(aws, "sts").assume_role, RoleArn=ROLE, RoleSessionName="xy")


@pytest.mark.parametrize("wrong", ["token", "time"])
def test_temporary_credentials_need_their_token_and_end(aws: LocalAws, wrong: str) -> None:
    given = assumed(aws)
    if wrong == "time":
        [role] = sts_backends[OTHER]["aws"].assumed_roles
        role.expiration = datetime(2020, 1, 1) + timedelta(hours=1)  # moto's own are without a zone
    iam = role_client(aws, given, token="another" if wrong == "token" else "")
    with pytest.raises(ClientError) as error:
        iam.get_user(UserName="olga")
    assert refusal(error) == ("ExpiredToken", 403)


def test_an_account_that_is_not_strict_has_no_rights_to_give() -> None:
    with LocalAws(users=(ALICE,)) as lenient:
        assert bot(lenient).list_access_keys(UserName=ALICE)["AccessKeyMetadata"] == []
        with pytest.raises(RuntimeError, match="not strict"):
            _ = lenient.rights

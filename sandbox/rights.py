"""Give the people of the demo rights in AWS, so that a card shows each kind."""

from __future__ import annotations

import json
from typing import Any

from sandbox.aws import LocalAws
from sandbox.aws_policies import aws_managed

ALICE, BOB, CI = "alice@example.com", "bob@example.com", "ci-deploy"


def give_rights(aws: LocalAws) -> None:
    """Alice may read, deploys with her group and has MFA.

    Bob is an administrator by his group, without MFA.
    """
    iam = aws.client("iam")
    deploying = iam.create_policy(
        PolicyName="deploy-billing", PolicyDocument=_allow("lambda:Update*", "billing-*")
    )
    iam.attach_user_policy(UserName=ALICE, PolicyArn=aws_managed("ReadOnlyAccess"))
    iam.put_user_policy(
        UserName=ALICE, PolicyName="own-backups", PolicyDocument=_allow("s3:PutObject", "backups/*")
    )
    for group, arn, member in (
        ("developers", deploying["Policy"]["Arn"], ALICE),
        ("platform", aws_managed("AdministratorAccess"), BOB),
    ):
        iam.create_group(GroupName=group)
        iam.attach_group_policy(GroupName=group, PolicyArn=arn)
        iam.add_user_to_group(GroupName=group, UserName=member)
    iam.put_user_policy(
        UserName=CI, PolicyName="upload-builds", PolicyDocument=_allow("s3:PutObject", "builds/*")
    )
    give_mfa(iam, ALICE)


def give_mfa(iam: Any, user: str) -> None:
    """Give an IAM user an MFA device. `iam` is a boto3 client."""
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=user.partition("@")[0])[
        "VirtualMFADevice"
    ]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam.enable_mfa_device(UserName=user, SerialNumber=device["SerialNumber"], **codes)


def _allow(action: str, what: str) -> str:
    resource = (
        f"arn:aws:s3:::{what}" if action.startswith("s3") else f"arn:aws:lambda:*:*:function:{what}"
    )
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

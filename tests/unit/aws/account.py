"""Give rights to an IAM user, as an AWS admin does."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.permissions import Group, Permissions
from sandbox.aws import LocalAws
from sandbox.aws_policies import aws_managed
from tests.support.aws_common import ALICE


def policy_of(action: str, resource: str = "*") -> dict[str, Any]:
    """Return a policy that allows this action on this resource."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


READING = policy_of("s3:Get*", "arn:aws:s3:::a bucket+%25/*")
EVERYTHING = policy_of("*")
EVERYWHERE = Permissions(
    attached=("ReadOnlyAccess", "reports"),
    inline=("backup",),
    groups=(Group("developers", ("builds",), ("logs",)),),
    mfa=True,
)
"""Alice's permissions after `Account.everywhere`."""


class Account:
    """An AWS admin who gives rights to Alice."""

    def __init__(self, aws: LocalAws) -> None:
        self.iam = aws.client("iam")

    def policy(self, name: str, document: dict[str, Any] = READING) -> str:
        """Create a managed policy and return its ARN."""
        created = self.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
        return str(created["Policy"]["Arn"])

    def attach(self, *arns: str, group: str = "") -> None:
        for arn in arns:
            if group:
                self.iam.attach_group_policy(GroupName=group, PolicyArn=arn)
            else:
                self.iam.attach_user_policy(UserName=ALICE, PolicyArn=arn)

    def inline(self, name: str, document: dict[str, Any] = READING, group: str = "") -> None:
        policy = {"PolicyName": name, "PolicyDocument": json.dumps(document)}
        if group:
            self.iam.put_group_policy(GroupName=group, **policy)
        else:
            self.iam.put_user_policy(UserName=ALICE, **policy)

    def group(self, name: str) -> str:
        """Create a group with Alice in it."""
        self.iam.create_group(GroupName=name)
        self.iam.add_user_to_group(GroupName=name, UserName=ALICE)
        return name

    def mfa(self) -> None:
        device = self.iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")
        serial = device["VirtualMFADevice"]["SerialNumber"]
        codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
        self.iam.enable_mfa_device(UserName=ALICE, SerialNumber=serial, **codes)

    def everywhere(self) -> None:
        """Give a policy in every place there is for one, none of them with admin access."""
        self.attach(aws_managed("ReadOnlyAccess"), self.policy("reports"))
        self.inline("backup")
        self.attach(self.policy("builds"), group=self.group("developers"))
        self.inline("logs", group="developers")
        self.mfa()

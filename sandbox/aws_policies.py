"""Define the managed policies of AWS that the local AWS knows.

moto has none, unless it loads more than a thousand of them.
"""

from __future__ import annotations

from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import AWSManagedPolicy

from sandbox.aws_keys import moto_iam

_ALL: dict[str, Any] = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_ALL_BUT_IAM = {
    "Effect": "Allow",
    "NotAction": ["iam:*", "organizations:*", "account:*"],
    "Resource": "*",
}
_READING = {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*", "ec2:Describe*"], "Resource": "*"}
_STATEMENTS = {
    "AdministratorAccess": _ALL,
    "IAMFullAccess": {
        "Effect": "Allow",
        "Action": ["iam:*", "organizations:Describe*"],
        "Resource": "*",
    },
    "PowerUserAccess": _ALL_BUT_IAM,
    "ReadOnlyAccess": _READING,
}
"""What they say, in short ("AWS managed policy reference")."""


def aws_managed(name: str) -> str:
    """Let one of AWS's own policies be there.

    Returns its ARN, by which it can be attached.
    """
    at = "2026-01-01T00:00:00+00:00"
    document = {"Version": "2012-10-17", "Statement": [_STATEMENTS[name]]}
    data = {
        "DefaultVersionId": "v1",
        "Path": "/",
        "Document": document,
        "CreateDate": at,
        "UpdateDate": at,
    }
    policy = AWSManagedPolicy.from_data(name, DEFAULT_ACCOUNT_ID, "us-east-1", data)
    return str(moto_iam().managed_policies.setdefault(policy.arn, policy).arn)

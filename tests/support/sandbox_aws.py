"""Clients of the local AWS: as the bot, and as an administrator."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.aws import LocalAws

ALICE = "alice@example.com"


def bot(aws: LocalAws, service: str = "iam", attempts: int = 1) -> Any:
    """Return a client as the bot makes it from its environment."""
    given = aws.credentials
    session = boto3.Session(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"])
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=10)
    return session.client(
        service,
        region_name=given["AWS_DEFAULT_REGION"],
        endpoint_url=given["AWS_ENDPOINT_URL"],
        config=config,
    )


def new_key(aws: LocalAws, user: str = ALICE) -> tuple[str, str]:
    key = aws.client("iam").create_access_key(UserName=user)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]

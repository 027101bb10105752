"""Does a desk need each action of deploy/iam-policy.json, and no other? Under it every journey passes, in an account
that looks at policies; with any one action gone some journey fails, in a sentence that names what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from bot.operations.services import Services
from sandbox.aws import LocalAws
from tests.support.aws_common import ALICE, BOB
from tests.support.policies import (
    ACCOUNT,
    BY_OWNER_TAG,
    OWNER_TAG,
    PLAIN,
    Journeys,
    Policy,
    allowed,
    desk_on,
    filled,
    without,
)
from tests.unit.aws.test_iam_facts import Account

OWNERS = {ALICE: "U0ALICE", BOB: "U0BOB"}
Strict = Callable[[Policy], tuple[LocalAws, Services]]


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[Strict]:
    """An account in which the bot has this policy and no other right, with keys of Alice's and Bob's; a desk on it."""
    with ExitStack() as stack:

        def start(policy: Policy) -> tuple[LocalAws, Services]:
            aws = stack.enter_context(LocalAws(users=(ALICE, BOB), policy=policy))
            for name, value in aws.credentials.items():
                monkeypatch.setenv(name, value)
            Account(aws).everywhere()
            for user, owner in OWNERS.items():
                aws.tag(user, **{OWNER_TAG: owner})
                aws.client("iam").create_access_key(UserName=user)
            return aws, stack.enter_context(desk_on(aws, iam_owner_tag=OWNER_TAG))

        yield start


@pytest.mark.parametrize("name", [PLAIN, BY_OWNER_TAG])
def test_every_journey_passes_with_the_policy_and_needs_each_of_its_actions(
    strict: Strict, name: str
) -> None:
    aws, services = strict(filled(name))
    journeys = Journeys(services)
    journeys.all()
    assert journeys.told == []
    assert {f"iam:{call.action}" for call in aws.calls()} == set(allowed(filled(name)))
    assert {call.status for call in aws.calls()} == {200}


@pytest.mark.parametrize("action", allowed(filled()))
def test_without_one_action_some_journey_fails_and_names_it(strict: Strict, action: str) -> None:
    aws, services = strict(without(filled(), action))
    journeys = Journeys(services)
    journeys.all()
    assert any(action in told for told in journeys.told), journeys.told
    refused = {f"iam:{call.action}" for call in aws.calls() if call.status == 403}
    assert (
        {action} <= refused <= {action, "iam:GetAccessKeyLastUsed"}
    )  # which is refused for a key of nobody's, too


def test_moto_gives_the_same_second_opinion_on_each_action(strict: Strict) -> None:
    """Here the local AWS lets every call pass, and moto alone judges it."""
    aws, _ = strict(filled())
    bot = f"arn:aws:iam::{ACCOUNT}:user/keydesk-bot"
    client = boto3.client("iam")
    values = {
        "UserName": ALICE,
        "AccessKeyId": aws.key_ids(ALICE)[0],
        "Status": "Inactive",
        "PolicyName": "backup",
        "GroupName": "developers",
        "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/reports",
        "VersionId": "v1",
    }
    for policy, code in ((EVERYTHING, None), (filled(), None), (NOTHING, "AccessDenied")):
        aws.rights.give(bot, policy)
        aws.rights._policies[bot] = [EVERYTHING]
        for action in allowed(filled()):
            assert _refusal(client, action.removeprefix("iam:"), values) == code, action


EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
NOTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}


def _refusal(client: Any, action: str, values: dict[str, str]) -> str | None:
    """The code with which a call is refused; None for one that is allowed, whatever comes of it."""
    shape = client.meta.service_model.operation_model(action).input_shape
    method = next(name for name, of in client.meta.method_to_api_mapping.items() if of == action)
    given = {name: values[name] for name in shape.members if name in values}
    try:
        getattr(client, method)(**given)
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        return None if code in ("NoSuchEntity", "LimitExceeded") else code
    return None

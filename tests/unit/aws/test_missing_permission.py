"""Check that Keydesk needs each action of deploy/iam-policy.json, and no other.

Under the policy every journey passes. Without any one action some journey fails, and names it.
"""

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
from tests.unit.aws.account import EVERYTHING, Account, policy_of
from tests.unit.aws.shared_aws import BOT_ARN, empty

NOTHING = policy_of("s3:GetObject")
LOOKUP = "iam:GetAccessKeyLastUsed"

Start = Callable[[Policy], Services]


@pytest.fixture
def start(aws: LocalAws) -> Iterator[Start]:
    """Start Keydesk with this policy alone. Alice and Bob each have a key."""
    with ExitStack() as stack:

        def start(policy: Policy) -> Services:
            empty(aws, (ALICE, BOB), policy)
            Account(aws).everywhere()
            for user, owner in ((ALICE, "U0ALICE"), (BOB, "U0BOB")):
                aws.tag(user, **{OWNER_TAG: owner})
                aws.client("iam").create_access_key(UserName=user)
            return stack.enter_context(desk_on(aws, iam_owner_tag=OWNER_TAG))

        yield start


class JourneysUntil(Journeys):
    """The journeys up to the first whose error names this action."""

    def __init__(self, services: Services, action: str) -> None:
        super().__init__(services)
        self.action = action

    @property
    def named(self) -> bool:
        return any(self.action in told for told in self.told)

    def _step(self, step: Callable[[], object]) -> None:
        if not self.named:
            super()._step(step)


def actions(aws: LocalAws, *statuses: int) -> set[str]:
    """Return the actions of the calls that were answered with these statuses."""
    return {f"iam:{call.action}" for call in aws.calls() if call.status in statuses}


@pytest.mark.parametrize("name", [PLAIN, BY_OWNER_TAG])
def test_every_journey_passes_and_needs_each_action(aws: LocalAws, start: Start, name: str) -> None:
    journeys = Journeys(start(filled(name)))
    journeys.all()
    assert journeys.told == []
    assert actions(aws, 200) == set(allowed(filled(name)))
    assert {call.status for call in aws.calls()} == {200}


@pytest.mark.parametrize("action", allowed(filled()))
def test_without_one_action_some_journey_fails_and_names_it(
    aws: LocalAws, start: Start, action: str
) -> None:
    """The owner of a key that does not exist is denied as well."""
    journeys = JourneysUntil(start(without(filled(), action)), action)
    journeys.all()
    assert journeys.named, journeys.told
    assert {action} <= actions(aws, 403) <= {action, LOOKUP}


def test_moto_judges_each_action_in_the_same_way(aws: LocalAws, start: Start) -> None:
    """Here the local AWS lets every call pass, and moto alone judges it."""
    start(filled())
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
        aws.rights.give(BOT_ARN, policy)
        aws.rights._policies[BOT_ARN] = [EVERYTHING]
        for action in allowed(filled()):
            assert refusal_of(client, action.removeprefix("iam:"), values) == code, action


def refusal_of(client: Any, action: str, values: dict[str, str]) -> str | None:
    """Return the code of a refused call, or None if the call is allowed."""
    shape = client.meta.service_model.operation_model(action).input_shape
    method = next(name for name, of in client.meta.method_to_api_mapping.items() if of == action)
    try:
        getattr(client, method)(**{name: values[name] for name in shape.members if name in values})
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        return None if code in ("NoSuchEntity", "LimitExceeded") else code
    return None

"""Take the key of a deleted IAM user for gone, and no other, in a strict account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.domain.codes import Code
from bot.domain.keys import DesiredState, ManagedKey, ObservedState, Origin
from bot.operations import reconcile
from bot.operations.services import Services
from sandbox.aws import LocalAws
from tests.support.errors import refuses
from tests.support.policies import ACCOUNT, Policy, desk_on, filled, without
from tests.unit.aws.account import policy_of
from tests.unit.aws.shared_aws import BOT_ARN, empty

PATH, DORA = "/people/", "dora@example.com"
NO_LIST = without(filled(path=PATH), "iam:ListAccessKeys")


@pytest.fixture
def services(aws: LocalAws) -> Iterator[Services]:
    empty(aws, (), filled(path=PATH))
    aws.client("iam").create_user(UserName=DORA, Path=PATH)
    with desk_on(aws, iam_path=PATH) as services:
        yield services


@pytest.fixture
def key(services: Services) -> ManagedKey:
    """Return the record of a key of Dora's that is ten minutes old for Keydesk."""
    made, _ = services.issuer.create_key(DORA, give_up_at=services.clock.monotonic() + 5)
    services.clock.move(minutes=10)  # type: ignore[attr-defined]  # the clock of `desk_on`
    state = DesiredState.INACTIVE
    return ManagedKey(made.id, ACCOUNT, DORA, "U0DORA", "", Origin.ADOPTED, made.created_at, state)


def test_the_key_of_a_deleted_user_is_gone(
    services: Services, aws: LocalAws, key: ManagedKey
) -> None:
    """AWS denies every question about the user, whose path it does not know any more."""
    assert reconcile.observe(services, key) is ObservedState.ACTIVE
    aws.client("iam").delete_access_key(UserName=DORA, AccessKeyId=key.id)
    aws.client("iam").delete_user(UserName=DORA)
    assert reconcile.observe(services, key) is ObservedState.DELETED
    assert {call.status for call in aws.calls()[-3:]} == {403, 200}


@pytest.mark.parametrize(
    "policy",
    [NO_LIST, without(NO_LIST, "iam:GetAccessKeyLastUsed"), policy_of("s3:GetObject")],
    ids=["no list", "no list and no owner", "nothing"],
)
def test_without_permissions_no_key_is_taken_for_gone(
    services: Services, aws: LocalAws, key: ManagedKey, policy: Policy
) -> None:
    aws.rights.give(BOT_ARN, policy)
    with refuses(Code.AWS_DENIED, permission="iam:ListAccessKeys"):
        reconcile.observe(services, key)

"""A user is deleted in an account that looks at policies: is the key taken for gone, and only then?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.domain.codes import Code
from bot.domain.keys import (
    DesiredState,
    ManagedKey,
    ObservedState,
    Origin,
)
from bot.operations import reconcile
from bot.operations.services import Services
from sandbox.aws import BOT_USER, LocalAws
from tests.support.errors import refuses
from tests.support.policies import ACCOUNT, Policy, desk_on, filled, without

PATH, DORA = "/people/", "dora@example.com"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    with LocalAws(policy=filled(path=PATH)) as found:
        for name, value in found.credentials.items():
            monkeypatch.setenv(name, value)
        found.client("iam").create_user(UserName=DORA, Path=PATH)
        yield found


@pytest.fixture
def services(aws: LocalAws) -> Iterator[Services]:
    with desk_on(aws, iam_path=PATH) as found:
        yield found


def recorded(services: Services, aws: LocalAws) -> ManagedKey:
    """A key of Dora's, made ten minutes ago as far as the desk knows."""
    key, _ = services.issuer.create_key(DORA, give_up_at=services.clock.monotonic() + 5)
    services.clock.move(minutes=10)  # type: ignore[attr-defined]  # the clock of `desk_on`
    return ManagedKey(
        key.id, ACCOUNT, DORA, "U0DORA", "", Origin.ADOPTED, key.created_at, DesiredState.INACTIVE
    )


def test_a_deleted_users_key_is_gone_though_aws_denies_every_question_about_the_user(
    services: Services, aws: LocalAws
) -> None:
    key = recorded(services, aws)
    assert reconcile.observe(services, key) is ObservedState.ACTIVE
    aws.client("iam").delete_access_key(UserName=DORA, AccessKeyId=key.id)
    aws.client("iam").delete_user(UserName=DORA)
    assert reconcile.observe(services, key) is ObservedState.DELETED
    assert {call.status for call in aws.calls()[-3:]} == {403, 200}


NOTHING: Policy = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}


@pytest.mark.parametrize(
    "policy",
    [
        without(filled(path=PATH), "iam:ListAccessKeys"),
        without(without(filled(path=PATH), "iam:ListAccessKeys"), "iam:GetAccessKeyLastUsed"),
        NOTHING,
    ],
    ids=["no list", "nor whose", "nothing"],
)
def test_without_permissions_no_key_is_taken_for_gone(
    services: Services, aws: LocalAws, policy: Policy
) -> None:
    key = recorded(services, aws)
    assert aws.rights is not None
    aws.rights.give(f"arn:aws:iam::{ACCOUNT}:user/{BOT_USER}", policy)
    with refuses(Code.AWS_DENIED, permission="iam:ListAccessKeys"):
        reconcile.observe(services, key)

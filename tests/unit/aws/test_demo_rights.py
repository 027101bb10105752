"""Give the demo's users rights of every kind, for complete approval cards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.aws.clients import Connection, IamClients
from bot.aws.permissions import read_permissions
from bot.domain.permissions import Group, Permissions
from sandbox.aws import LocalAws
from sandbox.demo import OWNERS, SERVICE_USER, furnish


@pytest.fixture(scope="module")
def demo() -> Iterator[LocalAws]:
    with LocalAws((*OWNERS, SERVICE_USER)) as aws:
        furnish(aws)
        yield aws


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (
            "alice@example.com",
            Permissions(
                attached=("ReadOnlyAccess",),
                inline=("own-backups",),
                groups=(Group("developers", ("deploy-billing",)),),
                mfa=True,
            ),
        ),
        (
            "bob@example.com",
            Permissions(
                groups=(Group("platform", ("AdministratorAccess",)),),
                admin_like=("AdministratorAccess (group platform)",),
                mfa=False,
            ),
        ),
        ("carol@example.com", Permissions(mfa=False)),
        (SERVICE_USER, Permissions(inline=("upload-builds",), mfa=False)),
    ],
    ids=["all kinds", "admin access", "nothing", "service user"],
)
def test_the_users_of_the_demo_have_these_rights(
    demo: LocalAws, pool: ThreadPoolExecutor, user: str, expected: Permissions
) -> None:
    iam = demo.client("iam")
    clients = IamClients(lambda: Connection(iam, iam, None))
    found = read_permissions(
        clients, lambda work: bool(pool.submit(work)), user, monotonic=lambda: 0.0
    )
    assert found == expected

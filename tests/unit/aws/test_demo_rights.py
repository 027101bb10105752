"""Do the demo's people have rights of every kind, so that its approval cards can be seen complete?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.aws.permissions import read_permissions
from bot.domain.permissions import Group, Permissions
from sandbox.aws import LocalAws
from sandbox.demo import OWNERS, SERVICE_USER, furnish


@pytest.fixture(scope="module")
def demo() -> Iterator[LocalAws]:
    """The demo's AWS, furnished."""
    with LocalAws((*OWNERS, SERVICE_USER)) as aws:
        furnish(aws)
        yield aws


def facts(demo: LocalAws, user: str) -> Permissions:
    with ThreadPoolExecutor(4) as pool:
        return read_permissions(
            demo.client("iam"), lambda work: bool(pool.submit(work)), user, monotonic=time.monotonic
        )


def test_alice_has_policies_of_each_kind_a_group_and_mfa(demo: LocalAws) -> None:
    assert facts(demo, "alice@example.com") == Permissions(
        attached=("ReadOnlyAccess",),
        inline=("own-backups",),
        groups=(Group("developers", ("deploy-billing",)),),
        mfa=True,
    )


def test_bob_is_an_administrator_without_mfa(demo: LocalAws) -> None:
    bob = facts(demo, "bob@example.com")
    assert (bob.admin_like, bob.mfa) == (("AdministratorAccess (group platform)",), False)


def test_carol_has_nothing_and_the_service_user_little(demo: LocalAws) -> None:
    assert facts(demo, "carol@example.com") == Permissions(mfa=False)
    assert facts(demo, SERVICE_USER) == Permissions(inline=("upload-builds",), mfa=False)

"""What do the tests of `bot.aws` share? A local AWS, and an issuer on it whose waiting takes no time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.aws.iam import IamKeyIssuer, iam_clients
from bot.domain.ports import KeyIssuer
from sandbox.aws import LocalAws
from tests.support.aws_common import ALICE, BOB, LEASE, Time


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """The local AWS, found by boto3 in the environment."""
    with LocalAws(users=(ALICE, BOB)) as local:
        for name, value in local.credentials.items():
            monkeypatch.setenv(name, value)
        yield local


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def issuer(aws: LocalAws, pool: ThreadPoolExecutor, time: Time) -> Iterator[KeyIssuer]:
    clients = iam_clients(region=None, endpoint=None, lease_ttl=LEASE)
    yield IamKeyIssuer(clients, pool, monotonic=time.monotonic, wait=time.wait)
    clients.close()

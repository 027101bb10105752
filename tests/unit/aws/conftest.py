"""Fixtures of the tests of `bot.aws`, which share one local AWS and its clients.

Each test finds the AWS empty. An issuer's waiting takes no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.aws.clients import Connection, IamClients, iam_clients
from bot.aws.iam import IamKeyIssuer
from bot.domain.ports import KeyIssuer
from sandbox.aws import LocalAws
from tests.support.aws_common import ALICE, BOB, LEASE, Time
from tests.unit.aws.shared_aws import empty


@pytest.fixture(scope="package")
def running_aws() -> Iterator[LocalAws]:
    with LocalAws() as local:
        yield local


@pytest.fixture(scope="package")
def clients(running_aws: LocalAws) -> Iterator[IamClients]:
    """Return the clients of the bot. boto3 takes a tenth of a second to make them."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in running_aws.credentials.items():
            environment.setenv(name, value)
        clients = iam_clients(region=None, endpoint=None, lease_ttl=LEASE)
        clients.connection()
    yield clients
    clients.close()


@pytest.fixture
def once(clients: IamClients) -> IamClients:
    """Return clients whose reads try once, too."""
    shared = clients.connection()
    return IamClients(lambda: Connection(shared.changes, shared.changes, shared.session))


@pytest.fixture
def aws(running_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """Return the local AWS with two users, which boto3 finds in the environment."""
    empty(running_aws, (ALICE, BOB))
    for name, value in running_aws.credentials.items():
        monkeypatch.setenv(name, value)
    yield running_aws
    empty(running_aws, ())  # moto's state is that of the process: no other test's AWS is strict


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def issuer(aws: LocalAws, clients: IamClients, pool: ThreadPoolExecutor, time: Time) -> KeyIssuer:
    return IamKeyIssuer(clients, pool, monotonic=time.monotonic, wait=time.wait)

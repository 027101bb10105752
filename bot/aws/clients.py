"""Connect to IAM, and take new credentials without a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
from botocore.config import Config

from bot.aws.errors import mark_sent, translate_errors
from bot.domain.outside_errors import AwsNotConfigured

RENEW_SECONDS = 5.0
"""The shortest time between two readings of the credentials at their source."""


@dataclass(frozen=True)
class Connection:
    """Two boto3 clients that all threads share, and their session.

    `reads` tries three times, `changes` once.
    """

    reads: Any
    changes: Any
    session: Any


class IamClients:
    """The connection to IAM, made at the first call.

    It is made again after AWS did not accept the credentials. boto3 reads most credentials once,
    and would not see those that were replaced in a file or at their source.

    Args:
        connect: Makes a connection, with the credentials that boto3 finds then.
        monotonic: Returns seconds that never jump.
    """

    def __init__(
        self, connect: Callable[[], Connection], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect, self._monotonic = connect, monotonic
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._tried_at, self._rejected = monotonic(), False

    @contextmanager
    def reading(self, action: str) -> Iterator[Any]:
        """Yield the client for reads. Raise as `translate_errors` does."""
        with self._noticing_rejection(), translate_errors(action, changes=False):
            yield self.connection().reads

    @contextmanager
    def changing(self, action: str) -> Iterator[Any]:
        """Yield the client for changes. Raise as `translate_errors` does."""
        with self._noticing_rejection(), translate_errors(action, changes=True):
            yield self.connection().changes

    def connection(self) -> Connection:
        """Return the connection, made again where its credentials were rejected.

        One thread makes it. A credential helper may take long, so the others use the old one then.
        """
        old = self._connection
        waited = self._monotonic() - self._tried_at
        if old is not None:
            due = self._rejected and waited >= RENEW_SECONDS
            if not due or not self._lock.acquire(blocking=False):
                return old
        else:
            self._lock.acquire()
        try:
            current = self._connection
            if current is None or current is old:
                self._tried_at = self._monotonic()
                # Other threads may still use the old clients, so nothing closes them.
                current = self._connection = self._connect()
                self._rejected = False
            return current
        finally:
            self._lock.release()

    def key_ids(self) -> frozenset[str]:
        """Return the access key ID that signs Keydesk's calls now, if there is one.

        boto3 may assume a role for that. Raises as any read of AWS does.
        """
        # A failure is told as one of the call about a key, which follows.
        with self._noticing_rejection(), translate_errors("GetAccessKeyLastUsed", changes=False):
            credentials = self.connection().session.get_credentials()
            return (
                frozenset()
                if credentials is None
                else frozenset({credentials.get_frozen_credentials().access_key})
            )

    def check(self) -> None:
        """Connect, without a call to IAM. boto3 may read credentials only later.

        Raises:
            AwsNotConfigured: boto3 cannot use the profile, a file, a helper or the region.
        """
        with translate_errors("GetUser", changes=False):
            self.connection()

    def close(self) -> None:
        """Close the connections of both clients."""
        if self._connection:
            self._connection.reads.close()
            self._connection.changes.close()

    @contextmanager
    def _noticing_rejection(self) -> Iterator[None]:
        try:
            yield
        except AwsNotConfigured:
            self._rejected = True
            raise


def iam_clients(
    *,
    region: str | None,
    endpoint: str | None,
    lease_ttl: timedelta,
    monotonic: Callable[[], float] = time.monotonic,
) -> IamClients:
    """Return IAM clients with boto3's own credentials.

    Source: "Credentials", Boto3 documentation.

    Args:
        region: The AWS region (None: boto3 reads the environment).
        endpoint: The URL of IAM (None: boto3 reads the environment).
        lease_ttl: One attempt takes at most 10 seconds and at most a sixth of this.
        monotonic: Returns seconds that never jump.
    """
    seconds = min(10.0, lease_ttl.total_seconds() / 6)

    def connect() -> Connection:
        session = boto3.Session(region_name=region)
        return Connection(client(session, 3), client(session, 1), session)

    def client(session: Any, attempts: int) -> Any:
        config = Config(
            connect_timeout=seconds * 0.2,
            read_timeout=seconds * 0.8,
            max_pool_connections=32,
            tcp_keepalive=True,
            retries={"mode": "standard", "total_max_attempts": attempts},
        )
        made = session.client("iam", endpoint_url=endpoint, config=config)
        made.meta.events.register("before-send.iam", mark_sent)
        return made

    return IamClients(connect, monotonic)

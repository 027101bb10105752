"""Connect to Redis or Valkey, and check that the server suits Keydesk."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from bot.store.errors import UnfitServer, cannot_write, translate_errors
from bot.store.redis_store import PREFIX, RedisStore

_TIMEOUT_SECONDS = 2.0
"""The longest wait for a connection and for each answer."""


class PrimaryClient(redis.Redis):
    """A client that looks for the primary again when its server refuses to write.

    After a failover behind one address, old connections still lead to a server that is no primary
    any more (Redis documentation, "Redis error codes"). The client closes its idle connections. A
    refused command did not run, so the client sends it again.
    """

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command, and again over a new connection where the server is no primary."""
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except redis.ResponseError as error:
            if not cannot_write(error):
                raise
        self.connection_pool.disconnect(inuse_connections=False)
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


def open_store(url: str, *, prefix: str = PREFIX, audit_key: str = "") -> RedisStore:
    """Return the store at `url` (`redis://`, `rediss://` or `unix://`).

    Its server has then answered. `audit_key` signs the entries of the audit trail ("": they are not
    signed). Raises StoreUnavailable and what `check_server` raises.
    """
    client = connect(url)
    try:
        check_server(client)
    except BaseException:
        client.close()
        raise
    return RedisStore(client, prefix=prefix, audit_key=audit_key)


def connect(url: str) -> redis.Redis:
    """Return a client for `url`. Nothing is sent yet.

    It waits at most 2 seconds for each answer, and repeats once after a lost connection. It leaves
    `protocol` unset, because a value changes the shape of redis-py's answers.
    """
    return PrimaryClient.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        socket_timeout=_TIMEOUT_SECONDS,
        retry=Retry(ConstantBackoff(0.1), retries=1),
    )


def check_server(client: redis.Redis) -> None:
    """Raise UnfitServer if the server is older than 7.0 or may evict keys.

    It uses INFO, since managed services forbid CONFIG (Redis documentation, "INFO" and "Key
    eviction"). Raises StoreUnavailable without an answer.
    """
    with translate_errors():
        info: dict[str, Any] = client.info()
    version = str(info.get("redis_version", "unknown"))
    if not version[:1].isdecimal() or int(version.split(".")[0]) < 7:
        raise UnfitServer(
            f"The Redis server's version is {version}. Keydesk needs Redis 7.0 or newer, or "
            "Valkey. Set REDIS_URL to such a server."
        )
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        raise UnfitServer(
            f"The Redis server's maxmemory-policy is {policy}, so it may evict what Keydesk must "
            "keep. Set maxmemory-policy to noeviction, or set REDIS_URL to a server that has it."
        )

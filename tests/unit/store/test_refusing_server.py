"""Servers that refuse to write: a demoted primary, a user without a command."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from bot.domain.outside_errors import StoreUnavailable
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer, start
from bot.store.redis_store import RedisStore
from tests.support.redis_proxy import Proxy, proxy_to
from tests.support.store_values import a_request, put

CONNECTIONS = 4
DEMOTIONS = {
    "read-only": [("REPLICAOF", "127.0.0.1", "1")],
    "without stale reads": [
        ("CONFIG", "SET", "replica-serve-stale-data", "no"),
        ("REPLICAOF", "127.0.0.1", "1"),
    ],
    "without its replicas": [("CONFIG", "SET", "min-replicas-to-write", "1")],
}
"""What makes the old server refuse. Nothing answers at port 1."""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """Yield another server."""
    server = start(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """Yield the server that is the primary first."""
    server = start(tmp_path_factory.mktemp("old"))
    yield server
    server.stop()


@pytest.fixture
def proxy(old: EmbeddedServer) -> Iterator[Proxy]:
    """Yield the one address of both servers."""
    with proxy_to(old.url) as between:
        yield between


@pytest.fixture
def store(proxy: Proxy) -> Iterator[RedisStore]:
    """Yield a store with several open connections to the old server."""
    store, together = RedisStore(connect(proxy.url)), Barrier(CONNECTIONS)

    def use(number: int) -> None:
        together.wait()
        store.set_announced_approvers(frozenset({f"U0{number}"}))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(use, range(CONNECTIONS)))
    yield store
    store.close()


def demote(server: EmbeddedServer, how: str) -> None:
    client: Any = connect(server.url)
    for command in DEMOTIONS[how]:
        client.execute_command(*command)
    client.close()


@pytest.mark.parametrize("how", DEMOTIONS)
def test_next_command_reaches_the_new_primary(
    store: RedisStore, proxy: Proxy, old: EmbeddedServer, other: EmbeddedServer, how: str
) -> None:
    demote(old, how)
    proxy.lead_to(other.url)
    store.set_announced_approvers(frozenset({"U0CAROL"}))
    assert [store.announced_approvers() for _ in range(CONNECTIONS * 2)] == [
        {"U0CAROL"}
    ] * CONNECTIONS * 2


def test_a_server_that_cannot_write_is_unavailable(
    store: RedisStore, proxy: Proxy, old: EmbeddedServer, other: EmbeddedServer
) -> None:
    demote(old, "read-only")
    with pytest.raises(StoreUnavailable):
        store.set_announced_approvers(frozenset({"U0CAROL"}))
    proxy.lead_to(other.url)
    store.set_announced_approvers(frozenset({"U0ERIN"}))
    assert store.announced_approvers() == {"U0ERIN"}


def test_nothing_is_stored_without_its_audit_entry(old: EmbeddedServer) -> None:
    """Redis checks an ACL at each call of a script ("ACL", Redis documentation)."""
    admin: Any = connect(old.url)
    admin.acl_setuser("keydesk", enabled=True, nopass=True, keys="*", commands=["+@all", "-xadd"])
    store = RedisStore(connect(f"{old.url}&username=keydesk&password=any"))
    with pytest.raises(StoreUnavailable):
        put(store, None, a_request())
    store.close()
    assert admin.keys() == []
    admin.close()

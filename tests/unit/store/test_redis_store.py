"""Lose no commit and count none twice when Redis fails in any way."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bot.domain.codes import Code
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.rate_limits import Limit, LimitedAction, RateLimited, Usage
from bot.domain.records import AuditEntry, Change
from bot.domain.states import Event
from bot.store.connection import check_server, connect, open_store
from bot.store.embedded import EmbeddedServer, start
from bot.store.errors import UnfitServer
from bot.store.redis_store import RedisStore
from tests.support.errors import refuses
from tests.support.redis_proxy import Proxy, proxy_to
from tests.support.store_calls import CALLS
from tests.support.store_values import START, a_key, a_request, put

NO_RETRY = Retry(NoBackoff(), 0)
ENTRY = AuditEntry(START, "U1", "create")


@pytest.fixture
def proxy(valkey: EmbeddedServer, redis_store: RedisStore) -> Iterator[Proxy]:
    with proxy_to(valkey.url) as proxy:
        yield proxy


@pytest.fixture
def far(proxy: Proxy) -> Iterator[RedisStore]:
    """Return the store through the proxy. The server knows its connection and script."""
    store = open_store(proxy.url)
    put(store, None, a_key())
    yield store
    store.close()


def everything(client: Any) -> dict[str, object]:
    """Return all that the server holds, by key."""
    readers = {
        "string": client.get,
        "hash": client.hgetall,
        "stream": client.xrange,
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    return {key: readers[client.type(key)](key) for key in client.keys("*")}


@contextmanager
def setting(client: Any, name: str, value: str) -> Iterator[None]:
    """Run the block with another setting of the server."""
    before = client.config_get(name)[name]
    client.config_set(name, value)
    try:
        yield
    finally:
        client.config_set(name, before)


# -- lost answers


def test_a_commit_whose_answer_is_lost_counts_once(far: RedisStore, proxy: Proxy, raw: Any) -> None:
    proxy.lose_answer()
    asked = put(far, None, a_request())
    proxy.lose_answer()
    denied = put(far, asked, asked.transition(Event.DENY, "U9", START))
    assert far.request("r1") == denied
    assert raw.xlen("{keydesk}:audit") == 3  # the key's, the request's and its transition's


def test_a_commit_that_never_arrived_is_sent_again(far: RedisStore, proxy: Proxy, raw: Any) -> None:
    proxy.lose_command()
    asked = put(far, None, a_request())
    assert far.request("r1") == asked and raw.xlen("{keydesk}:audit") == 2


def test_a_usage_whose_answer_is_lost_is_counted_once(
    far: RedisStore, proxy: Proxy, raw: Any
) -> None:
    usage = Usage(LimitedAction.REQUEST, "U1", START, Limit(2, 9))
    for id_ in ("r0", "r1"):
        proxy.lose_answer()
        far.commit(Change(None, a_request(id_, account=id_)), entry=ENTRY, usage=usage)
    counters = [f"{{keydesk}}:usage:request:{whose}:{usage.hour}" for whose in ("U1", "all")]
    assert raw.mget(counters) == ["2", "2"]


def test_a_refusal_whose_answer_is_lost_is_still_the_first(
    far: RedisStore, proxy: Proxy, raw: Any
) -> None:
    """The requester would otherwise never be told."""
    usage = Usage(LimitedAction.REQUEST, "U1", START, Limit(0, 9))
    for first in (True, False):
        proxy.lose_answer()
        with pytest.raises(RateLimited) as over:
            far.commit(Change(None, a_request()), entry=ENTRY, usage=usage)
        assert (over.value.whose, over.value.first) == ("person", first)
    assert far.request("r1") is None
    assert raw.get(f"{{keydesk}}:usage:request:U1:{usage.hour}:refused") == "2"


def test_a_lost_answer_has_won_though_others_went_on(
    far: RedisStore, proxy: Proxy, redis_store: RedisStore
) -> None:
    asked = put(far, None, a_request())
    approved = asked.transition(Event.APPROVE, "U9", START)
    cancelled = approved.transition(Event.CANCEL, "U1", START)
    proxy.lose_answer(meanwhile=lambda: put(redis_store, approved, cancelled))
    put(far, asked, approved)
    assert far.request("r1") == cancelled


def test_the_same_change_by_another_commit_is_a_conflict(
    far: RedisStore, redis_store: RedisStore
) -> None:
    """Equal values are no proof: two processes can write the same."""
    asked = put(far, None, a_request())
    denied = asked.transition(Event.DENY, "U9", START)
    put(redis_store, asked, denied)
    with refuses(Code.CONFLICT, name="request:r1"):
        put(far, asked, denied)


def test_a_delivery_or_lock_without_answer_is_still_had(far: RedisStore, proxy: Proxy) -> None:
    proxy.lose_answer()
    assert far.is_first_delivery("t1") and not far.is_first_delivery("t1")
    proxy.lose_answer()
    assert far.acquire_lock("request:r1", "a", 30) and not far.acquire_lock("request:r1", "b", 30)


def test_a_script_that_the_server_forgot_is_sent_again(redis_store: RedisStore, raw: Any) -> None:
    asked = put(redis_store, None, a_request())
    raw.script_flush()
    put(redis_store, asked, replace(asked, version=2))
    assert redis_store.rendered("request:r1", 2)


# -- no answers, and refusals


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_server_is_unavailable(call: Callable[[RedisStore], object], tmp_path: Path) -> None:
    nowhere = redis.Redis(unix_socket_path=str(tmp_path / "none"), retry=NO_RETRY)
    with pytest.raises(StoreUnavailable) as error:
        call(RedisStore(nowhere))
    assert error.value.code is Code.STORE_UNAVAILABLE
    assert error.value.error.startswith("ConnectionError: ")
    assert error.value.__cause__ is error.value.__context__ is None


def test_a_silent_server_is_unavailable(proxy: Proxy) -> None:
    proxy.fall_silent()
    impatient = redis.Redis.from_url(proxy.url, socket_timeout=0.1, retry=NO_RETRY)
    with pytest.raises(StoreUnavailable) as error:
        RedisStore(impatient).request("r1")
    assert error.value.error.startswith("TimeoutError: ")


@pytest.mark.parametrize(
    "error",
    [
        "LOADING Valkey is loading the dataset in memory",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "BUSY Valkey is busy running a script.",
        "CLUSTERDOWN The cluster is down",
        "NOPERM this user has no permissions to run the 'evalsha' command",
    ],
    ids=lambda error: error.split()[0],
)
def test_a_server_that_does_not_write_is_unavailable(
    far: RedisStore, proxy: Proxy, raw: Any, error: str
) -> None:
    before = everything(raw)
    proxy.answer(f"-{error}")
    proxy.answer(f"-{error}")  # a server that is loading is asked twice
    with refuses(Code.STORE_UNAVAILABLE):
        put(far, None, a_request())
    assert everything(raw) == before


def test_an_error_of_a_script_is_no_outage(far: RedisStore, proxy: Proxy) -> None:
    proxy.answer("-ERR user_script:1: attempt to index a nil value")
    with pytest.raises(redis.ResponseError):
        put(far, None, a_request())


def writes(store: RedisStore) -> Iterator[Callable[[], object]]:
    """Yield every kind of write.

    The commit also frees a lock, which alone needs no memory.
    """
    issuing = store.request("r1")
    assert issuing is not None
    deleting = issuing.transition(Event.DELETE_UNDELIVERED, "keydesk", START)
    yield partial(put, store, issuing, deleting)
    for name in ("is_first_delivery", "reschedule", "schedule_render", "record_message"):
        yield partial(CALLS[name], store)
    yield partial(CALLS["acquire_lock"], store)


@pytest.mark.parametrize("name", ["maxmemory", "min-replicas-to-write"])
def test_a_server_out_of_memory_or_replicas_writes_nothing(
    redis_store: RedisStore, raw: Any, name: str
) -> None:
    asked = put(redis_store, None, a_request(lease=None))
    approved = put(redis_store, asked, asked.transition(Event.APPROVE, "U9", START))
    put(redis_store, approved, approved.transition(Event.REVEAL, "U1", START, access_key_id="AKIA"))
    before = everything(raw)
    with setting(raw, name, "1"):
        for write in writes(redis_store):
            with refuses(Code.STORE_UNAVAILABLE):
                write()
        assert redis_store.request("r1") is not None  # reads go on
    assert everything(raw) == before


def test_a_read_only_replica_writes_nothing(redis_store: RedisStore, raw: Any) -> None:
    asked = put(redis_store, None, a_request())
    before = everything(raw)
    raw.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with refuses(Code.STORE_UNAVAILABLE):
            put(redis_store, asked, asked.transition(Event.DENY, "U9", START))
        with refuses(Code.STORE_UNAVAILABLE):
            redis_store.is_first_delivery("t1")
    finally:
        raw.execute_command("REPLICAOF", "NO", "ONE")
    assert everything(raw) == before


# -- which servers are accepted


def test_a_server_that_may_evict_is_refused(valkey: EmbeddedServer, raw: Any) -> None:
    with (
        setting(raw, "maxmemory-policy", "volatile-lru"),
        pytest.raises(UnfitServer, match="volatile-lru"),
    ):
        open_store(valkey.url)
    open_store(valkey.url).close()


@pytest.mark.parametrize(
    ("info", "named"),
    [
        ("redis_version:6.2.14\r\nmaxmemory_policy:noeviction", "6.2.14"),
        ("redis_version:7.0.15", "unknown"),
    ],
    ids=["too old", "silent about eviction"],
)
def test_an_unfit_server_is_refused(proxy: Proxy, info: str, named: str) -> None:
    client = connect(proxy.url)
    client.ping()
    proxy.answer(f"${len(info)}\r\n{info}")
    with pytest.raises(UnfitServer, match=named):
        check_server(client)
    client.close()


def test_a_server_killed_while_it_writes_loses_no_commit(tmp_path: Path) -> None:
    """Each acknowledged commit is there after the next start, with its audit entry."""
    server = start(tmp_path)
    store = open_store(server.url)
    with connect(server.url) as client:
        process = int(client.info("server")["process_id"])
    enough = threading.Event()

    def write(writer: int) -> list[str]:
        written: list[str] = []
        with suppress(StoreUnavailable):
            while len(written) < 5000:
                id_ = f"{writer}-{len(written)}"
                put(store, None, a_request(id_, account=id_))
                written.append(id_)
                if len(written) == 50:
                    enough.set()
        return written

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, n) for n in range(4)]
        assert enough.wait(20)
        os.kill(process, signal.SIGKILL)
        acknowledged = [id_ for writer in writers for id_ in writer.result(20)]
    server.stop()
    store.close()
    again = start(tmp_path)
    with connect(again.url) as survivor:
        trail = {fields["request_id"] for _, fields in survivor.xrange("{keydesk}:audit")}
        assert len(acknowledged) >= 50 and trail.issuperset(acknowledged)
        assert all(survivor.exists(f"{{keydesk}}:request:{id_}") for id_ in acknowledged)
    again.stop()

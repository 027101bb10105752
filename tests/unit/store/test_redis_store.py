"""What does the store do when Redis loses answers, refuses, is down or is killed?"""

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

from bot.domain.outside_errors import Conflict, StoreUnavailable
from bot.domain.rate_limits import (
    Limit,
    LimitedAction,
    RateLimited,
    Usage,
)
from bot.domain.records import AuditEntry, Change
from bot.domain.states import Event
from bot.store.connection import check_server, connect, open_store
from bot.store.embedded import EmbeddedServer, start
from bot.store.errors import UnfitServer
from bot.store.redis_store import RedisStore
from tests.support.redis_proxy import Proxy, proxy_to
from tests.support.store_calls import CALLS
from tests.support.store_contract import START, a_key, a_request, put


@pytest.fixture
def proxy(valkey: EmbeddedServer, redis_store: RedisStore) -> Iterator[Proxy]:
    with proxy_to(valkey.url) as proxy:
        yield proxy


@pytest.fixture
def far(proxy: Proxy) -> Iterator[RedisStore]:
    """The same store through the proxy, its connection made and its script known to the server."""
    store = open_store(proxy.url)
    put(store, None, a_key())
    yield store
    store.close()


def everything(client: Any) -> dict[str, object]:
    """All that the server holds, by key."""
    readers = {
        "string": client.get,
        "hash": client.hgetall,
        "stream": client.xrange,
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    return {key: readers[client.type(key)](key) for key in client.keys("*")}


@contextmanager
def setting(client: Any, name: str, value: str) -> Iterator[None]:
    before = client.config_get(name)[name]
    client.config_set(name, value)
    try:
        yield
    finally:
        client.config_set(name, before)


def test_a_commit_whose_answer_is_lost_counts_once(far: RedisStore, proxy: Proxy, raw: Any) -> None:
    proxy.lose_answer()
    asked = put(far, None, a_request())
    proxy.lose_answer()
    put(far, asked, asked.transition(Event.DENY, "U9", START))
    assert far.request("r1") == asked.transition(Event.DENY, "U9", START)
    assert raw.xlen("{keydesk}:audit") == 3  # the key's, the request's and its move's


def test_a_deed_whose_answer_is_lost_is_counted_once(
    far: RedisStore, proxy: Proxy, raw: Any
) -> None:
    two = Usage(LimitedAction.REQUEST, "U1", START, Limit(2, 9))
    for number in range(2):
        proxy.lose_answer()
        far.commit(
            Change(None, a_request(f"r{number}", account=str(number))),
            entry=AuditEntry(START, "U1", "create"),
            usage=two,
        )
    assert [
        raw.get(f"{{keydesk}}:usage:request:{whose}:{two.hour}") for whose in ("U1", "all")
    ] == ["2", "2"]


def test_a_refusal_whose_answer_is_lost_is_still_the_first(
    far: RedisStore, proxy: Proxy, raw: Any
) -> None:
    """Else its person would never be told."""
    none = Usage(LimitedAction.REQUEST, "U1", START, Limit(0, 9))
    for first in (True, False):
        proxy.lose_answer()
        with pytest.raises(RateLimited) as over:
            far.commit(
                Change(None, a_request()), entry=AuditEntry(START, "U1", "create"), usage=none
            )
        assert (over.value.whose, over.value.first) == ("person", first)
    assert (
        far.request("r1") is None
        and raw.get(f"{{keydesk}}:usage:request:U1:{none.hour}:refused") == "2"
    )


def test_a_commit_whose_answer_is_lost_has_won_though_others_have_moved_on(
    far: RedisStore, proxy: Proxy, redis_store: RedisStore
) -> None:
    asked = put(far, None, a_request())
    approved = asked.transition(Event.APPROVE, "U9", START)
    proxy.lose_answer(
        meanwhile=lambda: put(redis_store, approved, approved.transition(Event.CANCEL, "U1", START))
    )
    put(far, asked, approved)
    assert far.request("r1") == approved.transition(Event.CANCEL, "U1", START)


def test_the_same_change_by_another_commit_is_a_conflict(
    far: RedisStore, redis_store: RedisStore
) -> None:
    """Equal values are no proof: two processes can write the same."""
    asked = put(far, None, a_request())
    denied = asked.transition(Event.DENY, "U9", START)
    put(redis_store, asked, denied)
    with pytest.raises(Conflict):
        put(far, asked, denied)


def test_a_commit_that_never_arrived_is_sent_again(far: RedisStore, proxy: Proxy, raw: Any) -> None:
    proxy.lose_command()
    asked = put(far, None, a_request())
    assert far.request("r1") == asked and raw.xlen("{keydesk}:audit") == 2


def test_who_got_a_delivery_or_a_lock_but_no_answer_still_has_it(
    far: RedisStore, proxy: Proxy
) -> None:
    proxy.lose_answer()
    assert far.is_first_delivery("t1") and not far.is_first_delivery("t1")
    proxy.lose_answer()
    assert far.acquire_lock("request:r1", "a", 30) and not far.acquire_lock("request:r1", "b", 30)


def test_a_script_that_the_server_forgot_is_given_again(redis_store: RedisStore, raw: Any) -> None:
    asked = put(redis_store, None, a_request())
    raw.script_flush()
    put(redis_store, asked, replace(asked, version=2))
    assert redis_store.rendered("request:r1", 2)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_server_is_said_as_unavailable(
    call: Callable[[RedisStore], object], tmp_path: Path
) -> None:
    nowhere = redis.Redis(unix_socket_path=str(tmp_path / "none"), retry=Retry(NoBackoff(), 0))
    with pytest.raises(StoreUnavailable) as said:
        call(RedisStore(nowhere))
    assert said.value.error.startswith("ConnectionError: ")
    assert said.value.__cause__ is said.value.__context__ is None


def test_a_silent_server_is_said_as_unavailable(proxy: Proxy) -> None:
    proxy.fall_silent()
    impatient = redis.Redis.from_url(proxy.url, socket_timeout=0.1, retry=Retry(NoBackoff(), 0))
    with pytest.raises(StoreUnavailable) as said:
        RedisStore(impatient).request("r1")
    assert said.value.error.startswith("TimeoutError: ")


@pytest.mark.parametrize(
    "error",
    [
        "LOADING Valkey is loading the dataset in memory",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "BUSY Valkey is busy running a script.",
        "CLUSTERDOWN The cluster is down",
        "NOPERM this user has no permissions to run the 'evalsha' command",
    ],
)
def test_a_server_that_will_not_write_is_said_as_unavailable(
    far: RedisStore, proxy: Proxy, raw: Any, error: str
) -> None:
    before = everything(raw)
    proxy.answer(f"-{error}")
    proxy.answer(f"-{error}")  # loading is asked about twice
    with pytest.raises(StoreUnavailable):
        put(far, None, a_request())
    assert everything(raw) == before


def test_what_is_wrong_with_a_script_is_no_outage(far: RedisStore, proxy: Proxy) -> None:
    proxy.answer("-ERR user_script:1: attempt to index a nil value")
    with pytest.raises(redis.ResponseError):
        put(far, None, a_request())


def writes(store: RedisStore) -> Iterator[Callable[[], object]]:
    """Every kind of write; the commit also gives a hold back, which by itself needs no memory."""
    issuing = store.request("r1")
    assert issuing is not None
    yield lambda: put(
        store, issuing, issuing.transition(Event.DELETE_UNDELIVERED, "keydesk", START)
    )
    for name in (
        "is_first_delivery",
        "postpone",
        "schedule_render",
        "record_message",
        "acquire_lock",
    ):
        yield partial(CALLS[name], store)


@pytest.mark.parametrize("name, value", [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_a_server_out_of_memory_or_replicas_writes_nothing(
    redis_store: RedisStore, raw: Any, name: str, value: str
) -> None:
    asked = put(redis_store, None, a_request(lease=None))
    approved = put(redis_store, asked, asked.transition(Event.APPROVE, "U9", START))
    put(redis_store, approved, approved.transition(Event.REVEAL, "U1", START, access_key_id="AKIA"))
    before = everything(raw)
    with setting(raw, name, value):
        for write in writes(redis_store):
            with pytest.raises(StoreUnavailable):
                write()
        assert redis_store.request("r1") is not None  # reading goes on
    assert everything(raw) == before


def test_a_read_only_replica_writes_nothing(redis_store: RedisStore, raw: Any) -> None:
    asked = put(redis_store, None, a_request())
    before = everything(raw)
    raw.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable):
            put(redis_store, asked, asked.transition(Event.DENY, "U9", START))
        with pytest.raises(StoreUnavailable):
            redis_store.is_first_delivery("t1")
    finally:
        raw.execute_command("REPLICAOF", "NO", "ONE")
    assert everything(raw) == before


def test_a_server_that_may_evict_is_refused(valkey: EmbeddedServer, raw: Any) -> None:
    with (
        setting(raw, "maxmemory-policy", "volatile-lru"),
        pytest.raises(UnfitServer, match="volatile-lru"),
    ):
        open_store(valkey.url)
    open_store(valkey.url).close()


@pytest.mark.parametrize(
    "info", ["redis_version:6.2.14\r\nmaxmemory_policy:noeviction", "redis_version:7.0.15"]
)
def test_a_server_too_old_or_silent_about_eviction_is_refused(proxy: Proxy, info: str) -> None:
    client = connect(proxy.url)
    client.ping()
    proxy.answer(f"${len(info)}\r\n{info}")
    with pytest.raises(UnfitServer, match="6.2.14|unknown"):
        check_server(client)
    client.close()


def test_a_server_killed_while_it_writes_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
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
    again = start(tmp_path)
    survivor: Any = connect(again.url)
    trail = {fields["request_id"] for _, fields in survivor.xrange("{keydesk}:audit")}
    assert len(acknowledged) >= 50 and trail.issuperset(acknowledged)
    assert all(survivor.exists(f"{{keydesk}}:request:{id_}") for id_ in acknowledged)
    survivor.close()
    store.close()
    again.stop()

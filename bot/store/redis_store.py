"""How does Keydesk remember in Redis? By a RequestStore whose commits are one script each: all or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from bot.domain.audit.seals import sign
from bot.domain.errors import Conflict, Locked
from bot.domain.keys import ManagedKey
from bot.domain.ports import AuditEntry, Change, SlackMessage
from bot.domain.rate_limits import Usage
from bot.domain.requests import KeyRequest
from bot.store import scripts, serialization
from bot.store.errors import translate_errors
from bot.store.redis_trail import RedisTrail

PREFIX = "{keydesk}"
"""Every key begins with this; the braces are a hash tag, so that a cluster keeps all keys in one slot."""

_TIMEOUT_SECONDS = 2.0  # seconds, for connecting and for each answer
_COMMIT_MARK_SECONDS = (
    24 * 60 * 60
)  # seconds; a commit is repeated after milliseconds, or when a sleeping laptop wakes
_COUNTER_SECONDS = (
    2 * 60 * 60
)  # seconds: an hour's count, and some time for processes whose clocks run behind
_DELIVERY_SECONDS = 10 * 60  # seconds


class UnfitServer(Exception):
    """The server cannot be Keydesk's memory; the text says why, and what to do about it."""


def open_store(url: str, *, prefix: str = PREFIX, audit_key: str = "") -> RedisStore:
    """The store at `url` (`redis://`, `rediss://` or `unix://`), once its server has answered.

    `audit_key` signs the entries of the audit trail ("": they are not signed). Raises StoreUnavailable when it does not
    answer, and what `check_server` raises.
    """
    client = connect(url)
    try:
        check_server(client)
    except BaseException:
        client.close()
        raise
    return RedisStore(client, prefix=prefix, audit_key=audit_key)


def connect(url: str) -> redis.Redis:
    """A client for `url` that waits 2 s at most for each answer and repeats once what a lost connection took.

    Nothing is sent yet. No `protocol` is chosen: redis-py's answers differ in shape where one is.
    """
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        socket_timeout=_TIMEOUT_SECONDS,
        retry=Retry(ConstantBackoff(0.1), retries=1),
    )


def check_server(client: redis.Redis) -> None:
    """Raises UnfitServer if it is older than 7.0 or may evict keys, StoreUnavailable without an answer.

    INFO is asked, since managed services forbid CONFIG (Redis documentation, "INFO", "Key eviction").
    """
    with translate_errors():
        facts: dict[str, Any] = client.info()
    version = str(facts.get("redis_version", "unknown"))
    if not version[:1].isdecimal() or int(version.split(".")[0]) < 7:
        raise UnfitServer(
            f"The Redis server's version is {version}; Keydesk needs Redis 7.0 or newer, or Valkey. "
            "Set REDIS_URL to such a server."
        )
    policy = facts.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        raise UnfitServer(
            f"The Redis server's maxmemory-policy is {policy}, so it may throw away what Keydesk must "
            "remember. Set maxmemory-policy to noeviction, or set REDIS_URL to a server that has it."
        )


class RedisStore:
    """RequestStore (`core.ports`) in Redis 7.0 or newer, or Valkey.

    `client` must decode its answers (`decode_responses`); `ids` makes a new ID for each commit, `audit_key` signs the
    entries of the audit trail ("": they are not signed).
    StoreUnavailable from `commit` leaves open whether it was written: read the value back.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        prefix: str = PREFIX,
        ids: Callable[[], str] = lambda: uuid.uuid4().hex,
        audit_key: str = "",
    ) -> None:
        self._client: Any = client  # redis-py's types do not know decode_responses
        self._prefix = prefix
        self._ids = ids
        self._audit_key = audit_key
        self._commit = client.register_script(scripts.COMMIT)
        self._drawn = client.register_script(scripts.MARK_RENDERED)
        self._settle = client.register_script(scripts.CLEAR_RENDER_MARK)
        self._postpone = client.register_script(scripts.RESCHEDULE)
        self._unlock = client.register_script(scripts.RELEASE_LOCK)

    def trail(self) -> RedisTrail:
        """The audit trail that its commits leave, over the same connections."""
        return RedisTrail(self._client, self._key)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        self._write(changes, entry, usage)

    def record_usage(self, usage: Usage) -> None:
        self._write((), None, usage)

    def _write(
        self, changes: Sequence[Change], entry: AuditEntry | None, usage: Usage | None
    ) -> None:
        keys, plan = serialization.commit_plan(
            changes, entry, self._ids(), self._key, usage, self._sign
        )
        with translate_errors():
            outcome = self._commit(keys=keys, args=[plan, _COMMIT_MARK_SECONDS, _COUNTER_SECONDS])
        match outcome:
            case ["conflict", name]:
                raise Conflict(name)
            case ["held", name, holder]:
                raise Locked(name, holder)
            case ["over", whose, refused] if usage:
                raise usage.over(whose, int(refused))

    def _sign(self, fields: Mapping[str, str], commit: str) -> Mapping[str, str]:
        return sign(fields, self._audit_key, commit)

    def request(self, request_id: str) -> KeyRequest | None:
        with translate_errors():
            text: str | None = self._client.get(self._key(f"request:{request_id}"))
        return None if text is None else serialization.request_from_json(text)

    def key(self, key_id: str) -> ManagedKey | None:
        with translate_errors():
            text: str | None = self._client.get(self._key(f"key:{key_id}"))
        return None if text is None else serialization.key_from_json(text)

    def requests_of(self, slack_user: str, limit: int = 20) -> Sequence[KeyRequest]:
        with translate_errors():
            ids: list[str] = self._client.zrevrange(
                self._key(f"requests:{slack_user}"), 0, limit - 1
            )
            return self._requests(ids)

    def pending(self, limit: int = 100) -> Sequence[KeyRequest]:
        """What waits for approvers, the longest waiting first."""
        with translate_errors():
            ids: list[str] = self._client.zrange(self._key("pending"), 0, limit - 1)
            return self._requests(ids)

    def _requests(self, ids: Sequence[str]) -> Sequence[KeyRequest]:
        texts = self._client.mget([self._key(f"request:{id_}") for id_ in ids]) if ids else []
        return [serialization.request_from_json(text) for text in texts if text is not None]

    def lock_holder(self, hold: str) -> str | None:
        with translate_errors():
            holder: str | None = self._client.get(self._key(f"held:{hold}"))
        return holder

    def is_first_delivery(self, delivery: str) -> bool:
        return self._claim(f"held:delivery:{delivery}", self._ids(), _DELIVERY_SECONDS)

    def _claim(self, name: str, token: str, seconds: int) -> bool:
        """Sets a key that nobody has set; by GET, a claim whose answer was lost knows itself again."""
        with translate_errors():
            found: str | None = self._client.set(
                self._key(name), token, nx=True, get=True, ex=seconds
            )
        return found in (None, token)

    def due(self, now: datetime, limit: int = 100) -> Sequence[str]:
        return self._come("due", now, limit)

    def reschedule(self, name: str, until: datetime) -> int:
        keys = [self._key("due"), self._key("postponed")]
        with translate_errors():
            return int(self._postpone(keys=keys, args=[name, serialization.ceil_ms(until)]))

    def reschedule_count(self, name: str) -> int:
        with translate_errors():
            return int(self._client.hget(self._key("postponed"), name) or 0)

    def unrendered(self, now: datetime, limit: int = 100) -> Sequence[str]:
        return self._come("redraw", now, limit)

    def _come(self, times: str, now: datetime, limit: int) -> Sequence[str]:
        key, latest = self._key(times), serialization.floor_ms(now)
        with translate_errors():
            names: list[str] = self._client.zrangebyscore(key, "-inf", latest, start=0, num=limit)
        return names

    def schedule_render(self, name: str, until: datetime) -> None:
        with translate_errors():
            self._client.zadd(self._key("redraw"), {name: serialization.ceil_ms(until)})

    def clear_render_mark(self, name: str, until: datetime) -> bool:
        with translate_errors():
            return bool(
                self._settle(keys=[self._key("redraw")], args=[name, serialization.ceil_ms(until)])
            )

    def messages(self, name: str) -> Sequence[SlackMessage]:
        with translate_errors():
            texts: dict[str, str] = self._client.hgetall(self._key(f"copies:{name}"))
        return [serialization.copy_from_json(texts[kind]) for kind in sorted(texts)]

    def record_message(self, name: str, copy: SlackMessage) -> None:
        with translate_errors():
            self._client.hset(
                self._key(f"copies:{name}"), copy.kind, serialization.copy_to_json(copy)
            )

    def forget_message(self, name: str, kind: str) -> None:
        with translate_errors():
            self._client.hdel(self._key(f"copies:{name}"), kind)

    def rendered(self, name: str, version: int) -> bool:
        with translate_errors():
            return bool(
                self._drawn(keys=[self._key(name), self._key("redraw")], args=[name, version])
            )

    def acquire_lock(self, name: str, token: str, seconds: int) -> bool:
        return self._claim(f"drawing:{name}", token, seconds)

    def release_lock(self, name: str, token: str) -> None:
        with translate_errors():
            self._unlock(keys=[self._key(f"drawing:{name}")], args=[token])

    def record_home_opened(self, slack_user: str, at: datetime, *, approver: bool) -> None:
        with translate_errors():
            self._client.hset(
                self._key("homes"), slack_user, f"{serialization.floor_ms(at)}:{int(approver)}"
            )

    def open_homes(self, since: datetime) -> Mapping[str, bool]:
        with translate_errors():
            noted: dict[str, str] = self._client.hgetall(self._key("homes"))
        opened = {user: text.partition(":") for user, text in noted.items()}
        return {
            user: flag == "1"
            for user, (at, _, flag) in opened.items()
            if int(at) >= serialization.floor_ms(since)
        }

    def pending_count(self) -> int:
        with translate_errors():
            return int(self._client.zcard(self._key("pending")))

    def announced_approvers(self) -> frozenset[str] | None:
        with translate_errors():
            told: str | None = self._client.get(self._key("approvers"))
        return None if told is None else frozenset(told.split())

    def set_announced_approvers(self, people: frozenset[str]) -> None:
        with translate_errors():
            self._client.set(self._key("approvers"), " ".join(sorted(people)))

    def time(self) -> datetime:
        with translate_errors():
            seconds, micros = self._client.time()
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)

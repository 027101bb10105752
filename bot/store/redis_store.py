"""Store requests, keys and related data in Redis.

Each commit is one script: all or nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import redis
import structlog

from bot.domain.audit.seals import sign
from bot.domain.keys import ManagedKey
from bot.domain.outside_errors import Conflict, Locked, StoredValueUnreadable
from bot.domain.rate_limits import Usage
from bot.domain.records import AuditEntry, Change, SlackMessage
from bot.domain.requests import KeyRequest
from bot.store import scripts, serialization
from bot.store.errors import translate_errors
from bot.store.redis_trail import RedisTrail

T = TypeVar("T")

PREFIX = "{keydesk}"
"""Every key begins with this.

The braces are a hash tag, so a cluster keeps all keys in one slot.
"""

_COMMIT_MARK_SECONDS = 24 * 60 * 60
"""How long a commit is recognised if it is sent again.

Usually that takes milliseconds. On a laptop that was asleep it takes hours.
"""
_COUNTER_SECONDS = 2 * 60 * 60
"""An hour's counter, and time for processes whose clocks are behind."""
_DELIVERY_SECONDS = 10 * 60


class RedisStore:
    """RequestStore (`domain/store_ports.py`) in Redis 7.0 or newer, or Valkey.

    After StoreUnavailable from `commit`, read the value to learn whether it was written.

    Args:
        client: Must decode its answers (`decode_responses`).
        prefix: Begins every Redis key.
        ids: Makes a new ID for each commit.
        audit_key: Signs the entries of the audit trail ("": they are not signed).
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
        self._mark_rendered = client.register_script(scripts.MARK_RENDERED)
        self._clear_render_mark = client.register_script(scripts.CLEAR_RENDER_MARK)
        self._reschedule = client.register_script(scripts.RESCHEDULE)
        self._release_lock = client.register_script(scripts.RELEASE_LOCK)

    def trail(self) -> RedisTrail:
        """Return the audit trail of its commits, over the same connections."""
        return RedisTrail(self._client, self._key)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def commit(self, *changes: Change, entry: AuditEntry, usage: Usage | None = None) -> None:
        """Write all changes and the audit entry in one step."""
        self._write(changes, entry, usage)

    def record_usage(self, usage: Usage) -> None:
        """Count a limited action without a change. Raises RateLimited as `commit` does."""
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
        """Return the request as last committed, or None."""
        key = self._key(f"request:{request_id}")
        with translate_errors():
            text: str | None = self._client.get(key)
        return None if text is None else self._read(serialization.request_from_json, text, key)

    def key(self, key_id: str) -> ManagedKey | None:
        """Return the managed key as last committed, or None."""
        key = self._key(f"key:{key_id}")
        with translate_errors():
            text: str | None = self._client.get(key)
        return None if text is None else self._read(serialization.key_from_json, text, key)

    def requests_of(self, slack_user: str, limit: int = 20) -> Sequence[KeyRequest]:
        """Return at most `limit` requests of a requester, newest first."""
        with translate_errors():
            ids: list[str] = self._client.zrevrange(
                self._key(f"requests:{slack_user}"), 0, limit - 1
            )
            return self._requests(ids)

    def pending(self, limit: int = 100) -> Sequence[KeyRequest]:
        """Return at most `limit` requests that wait for approvers, oldest first."""
        with translate_errors():
            ids: list[str] = self._client.zrange(self._key("pending"), 0, limit - 1)
            return self._requests(ids)

    def _requests(self, ids: Sequence[str]) -> Sequence[KeyRequest]:
        """Return the requests of these IDs, without missing and unreadable ones."""
        keys = [self._key(f"request:{id_}") for id_ in ids]
        texts = self._client.mget(keys) if keys else []
        return self._readable(serialization.request_from_json, zip(texts, keys, strict=True))

    def _readable(
        self, read: Callable[[str, str], T], stored: Iterable[tuple[str | None, str]]
    ) -> list[T]:
        """Return the values that can be read. The others are logged with their Redis keys."""
        values = []
        for text, key in stored:
            if text is not None:
                with suppress(StoredValueUnreadable):
                    values.append(self._read(read, text, key))
        return values

    def _read(self, read: Callable[[str, str], T], text: str, key: str) -> T:
        """Return a stored value. Log one that cannot be read, and raise its error."""
        try:
            return read(text, key)
        except StoredValueUnreadable as error:
            structlog.get_logger("keydesk.store").error(
                "stored value", outcome="unreadable", code=error.code, **error.facts
            )
            raise

    def lock_holder(self, lock: str) -> str | None:
        """Return the ID of the request that has the lock, or None."""
        with translate_errors():
            holder: str | None = self._client.get(self._key(f"lock:{lock}"))
        return holder

    def is_first_delivery(self, delivery: str) -> bool:
        """Return True if this delivery ID was not seen in the last ten minutes."""
        return self._claim(f"lock:delivery:{delivery}", self._ids(), _DELIVERY_SECONDS)

    def _claim(self, name: str, token: str, seconds: int) -> bool:
        """Set a key only if it is not set. Return whether it is set to `token` now.

        After a lost answer, GET lets the repeated call find its own token.
        """
        with translate_errors():
            found: str | None = self._client.set(
                self._key(name), token, nx=True, get=True, ex=seconds
            )
        return found in (None, token)

    def due(self, now: datetime, limit: int = 100) -> Sequence[str]:
        """Return names (`request:…`, `key:…`) whose next run has come, oldest first."""
        return self._names_until("due", now, limit)

    def reschedule(self, name: str, until: datetime) -> int:
        """Move the next run of a name to `until` (UTC), never to an earlier time."""
        keys = [self._key("due"), self._key("rescheduled")]
        with translate_errors():
            return int(self._reschedule(keys=keys, args=[name, serialization.ceil_ms(until)]))

    def reschedule_count(self, name: str) -> int:
        """Return how often a name was rescheduled since its last commit."""
        with translate_errors():
            return int(self._client.hget(self._key("rescheduled"), name) or 0)

    def unrendered(self, now: datetime, limit: int = 100) -> Sequence[str]:
        """Return names whose messages are outdated and due, oldest first."""
        return self._names_until("render", now, limit)

    def _names_until(self, times: str, now: datetime, limit: int) -> Sequence[str]:
        key, latest = self._key(times), serialization.floor_ms(now)
        with translate_errors():
            names: list[str] = self._client.zrangebyscore(key, "-inf", latest, start=0, num=limit)
        return names

    def schedule_render(self, name: str, until: datetime) -> None:
        """Mark a name for rendering at `until` (UTC). A Home tab is `home:…`."""
        with translate_errors():
            self._client.zadd(self._key("render"), {name: serialization.ceil_ms(until)})

    def clear_render_mark(self, name: str, until: datetime) -> bool:
        """Remove the mark that `schedule_render(name, until)` set."""
        with translate_errors():
            return bool(
                self._clear_render_mark(
                    keys=[self._key("render")], args=[name, serialization.ceil_ms(until)]
                )
            )

    def messages(self, name: str) -> Sequence[SlackMessage]:
        """Return where the messages of `name` are in Slack."""
        key = self._key(f"messages:{name}")
        with translate_errors():
            texts: dict[str, str] = self._client.hgetall(key)
        return [self._message(kind, texts[kind], key) for kind in sorted(texts)]

    def _message(self, kind: str, text: str, key: str) -> SlackMessage:
        """Return a stored message, without its place in Slack if it cannot be read."""
        try:
            return self._read(serialization.message_from_json, text, key)
        except StoredValueUnreadable:
            return SlackMessage(kind, channel="", ts="", version=0)

    def record_message(self, name: str, message: SlackMessage) -> None:
        """Store where a message is. It replaces an earlier one of its kind."""
        with translate_errors():
            self._client.hset(
                self._key(f"messages:{name}"), message.kind, serialization.message_to_json(message)
            )

    def forget_message(self, name: str, kind: str) -> None:
        """Remove the record of a message of this kind, which was deleted in Slack."""
        with translate_errors():
            self._client.hdel(self._key(f"messages:{name}"), kind)

    def rendered(self, name: str, version: int) -> bool:
        """Remove the render mark, because all messages show `version`."""
        with translate_errors():
            return bool(
                self._mark_rendered(
                    keys=[self._key(name), self._key("render")], args=[name, version]
                )
            )

    def acquire_lock(self, name: str, token: str, seconds: int) -> bool:
        """Lock `name`, so that one worker renders it at a time."""
        return self._claim(f"render-lock:{name}", token, seconds)

    def release_lock(self, name: str, token: str) -> None:
        """Release the lock if it belongs to `token`."""
        with translate_errors():
            self._release_lock(keys=[self._key(f"render-lock:{name}")], args=[token])

    def record_home_opened(self, slack_user: str, at: datetime, *, approver: bool) -> None:
        """Store that a user opened the Home tab at `at` (UTC)."""
        with translate_errors():
            self._client.hset(
                self._key("homes"), slack_user, f"{serialization.floor_ms(at)}:{int(approver)}"
            )

    def open_homes(self, since: datetime) -> Mapping[str, bool]:
        """Return the users who opened the Home tab since then."""
        with translate_errors():
            stored: dict[str, str] = self._client.hgetall(self._key("homes"))
        opened = {user: text.partition(":") for user, text in stored.items()}
        return {
            user: flag == "1"
            for user, (at, _, flag) in opened.items()
            if at.isdecimal() and int(at) >= serialization.floor_ms(since)
        }

    def pending_count(self) -> int:
        """Return how many requests wait for approvers."""
        with translate_errors():
            return int(self._client.zcard(self._key("pending")))

    def announced_approvers(self) -> frozenset[str] | None:
        """Return the approvers announced last, or None before the first time."""
        with translate_errors():
            stored: str | None = self._client.get(self._key("approvers"))
        return None if stored is None else frozenset(stored.split())

    def set_announced_approvers(self, users: frozenset[str]) -> None:
        """Store the Slack user IDs of the approvers who were announced."""
        with translate_errors():
            self._client.set(self._key("approvers"), " ".join(sorted(users)))

    def time(self) -> datetime:
        """Return the time of the store's clock (UTC)."""
        with translate_errors():
            seconds, micros = self._client.time()
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)

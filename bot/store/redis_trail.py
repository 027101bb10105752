"""How is the audit trail read, sealed and followed in Redis? A stream, its counter, its newest seal and the cursors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

from bot.core.ports import Line
from bot.store import scripts
from bot.store.unavailable import reaching


class RedisTrail:
    """AuditTrail (`core.ports`) in Redis. `client` must decode its answers; `key` makes a Redis key of a name."""

    def __init__(self, client: redis.Redis, key: Callable[[str], str]) -> None:
        self._client: Any = client  # redis-py's types do not know decode_responses
        self._key = key
        self._seal = client.register_script(scripts.SEAL)
        self._move = client.register_script(scripts.MOVE)
        self._lead = client.register_script(scripts.LEAD)
        self._unlock = client.register_script(scripts.UNLOCK)

    def lines(self, after: str = "", limit: int = 100) -> Sequence[Line]:
        with reaching():
            found = self._client.xrange(
                self._key("audit"), f"({after}" if after else "-", "+", count=limit
            )
        return [Line(place, fields) for place, fields in found]

    def end(self) -> str:
        with reaching():
            found = self._client.xrevrange(self._key("audit"), count=1)
        return str(found[0][0]) if found else ""

    def numbered(self) -> int:
        with reaching():
            return int(self._client.get(self._key("audit:count")) or 0)

    def sealed(self) -> tuple[str, str]:
        with reaching():
            seal, place = self._client.hmget(self._key("audit:sealed"), "seal", "place")
        return seal or "", place or ""

    def seal(self, fields: Mapping[str, str], *, previous: str, place: str) -> bool:
        keys = [self._key("audit"), self._key("audit:sealed")]
        words = [word for field in fields.items() for word in field]
        with reaching():
            return bool(self._seal(keys=keys, args=[previous, fields["seal"], place, *words]))

    def cursor(self, reader: str) -> str:
        with reaching():
            return self._client.hget(self._key("audit:cursors"), reader) or ""

    def move(self, reader: str, before: str, place: str) -> bool:
        with reaching():
            return bool(self._move(keys=[self._key("audit:cursors")], args=[reader, before, place]))

    def lead(self, token: str, seconds: int) -> bool:
        with reaching():
            return bool(self._lead(keys=[self._key("audit:leader")], args=[token, seconds]))

    def resign(self, token: str) -> None:
        with reaching():
            self._unlock(keys=[self._key("audit:leader")], args=[token])

"""Read, seal and follow the audit trail in Redis.

It is a stream with a counter, its newest seal and the readers' cursors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

from bot.domain.records import StreamEntry
from bot.store import scripts
from bot.store.errors import translate_errors


class RedisTrail:
    """AuditTrail (`domain/store_ports.py`) in Redis.

    Args:
        client: Must decode its answers (`decode_responses`).
        key: Makes a Redis key of a name.
    """

    def __init__(self, client: redis.Redis, key: Callable[[str], str]) -> None:
        self._client: Any = client  # redis-py's types do not know decode_responses
        self._key = key
        self._seal = client.register_script(scripts.SEAL)
        self._move = client.register_script(scripts.MOVE_CURSOR)
        self._lead = client.register_script(scripts.ACQUIRE_LEADERSHIP)
        self._unlock = client.register_script(scripts.RELEASE_LOCK)

    def lines(self, after: str = "", limit: int = 100) -> Sequence[StreamEntry]:
        """Return at most `limit` entries and seals after a stream ID, oldest first."""
        with translate_errors():
            found = self._client.xrange(
                self._key("audit"), f"({after}" if after else "-", "+", count=limit
            )
        return [StreamEntry(place, fields) for place, fields in found]

    def last_stream_id(self) -> str:
        """Return the stream ID of the last entry or seal, or "" before the first."""
        with translate_errors():
            found = self._client.xrevrange(self._key("audit"), count=1)
        return str(found[0][0]) if found else ""

    def last_number(self) -> int:
        """Return the last number given to an entry, or 0 before the first."""
        with translate_errors():
            return int(self._client.get(self._key("audit:count")) or 0)

    def last_seal(self) -> tuple[str, str]:
        """Return the newest seal and the stream ID of the last entry that it covers."""
        with translate_errors():
            seal, place = self._client.hmget(self._key("audit:sealed"), "seal", "place")
        return seal or "", place or ""

    def seal(self, fields: Mapping[str, str], *, previous: str, stream_id: str) -> bool:
        """Write a seal over all entries up to `stream_id`, in one step."""
        keys = [self._key("audit"), self._key("audit:sealed")]
        words = [word for field in fields.items() for word in field]
        with translate_errors():
            return bool(self._seal(keys=keys, args=[previous, fields["seal"], stream_id, *words]))

    def cursor(self, reader: str) -> str:
        """Return the stream ID of the last entry that `reader` finished, or ""."""
        with translate_errors():
            return self._client.hget(self._key("audit:cursors"), reader) or ""

    def move_cursor(self, reader: str, before: str, stream_id: str) -> bool:
        """Move the cursor of `reader` from `before` to `stream_id`."""
        with translate_errors():
            return bool(
                self._move(keys=[self._key("audit:cursors")], args=[reader, before, stream_id])
            )

    def acquire_leadership(self, token: str, seconds: int) -> bool:
        """Make `token` the leader of the trail for `seconds`, or renew that."""
        with translate_errors():
            return bool(self._lead(keys=[self._key("audit:leader")], args=[token, seconds]))

    def release_leadership(self, token: str) -> None:
        """End the leadership of `token`, so that another can lead at once."""
        with translate_errors():
            self._unlock(keys=[self._key("audit:leader")], args=[token])

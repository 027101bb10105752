"""Limit calls as Slack does, by method and by channel.

Source: Slack's "Rate limits" page (tiers are per method, workspace and app) and the tier on each
method's page. How
long a burst may be Slack does not say: here a tier counts the last minute, and a channel takes five
messages at once.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limit:
    """At most so many calls in any so many seconds."""

    calls: int
    seconds: float


TIER_2, TIER_3, TIER_4 = Limit(20, 60), Limit(50, 60), Limit(100, 60)
METHODS = {
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "chat.update": TIER_3,
    "chat.delete": TIER_3,
    "conversations.open": TIER_3,
    "conversations.info": TIER_3,
    "users.lookupByEmail": TIER_3,
    "chat.postEphemeral": TIER_4,
    "users.info": TIER_4,
    "views.open": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
    "views.publish": TIER_4,
    "chat.postMessage": Limit(
        300, 60
    ),  # "several hundred messages per minute" in the whole workspace
}
BURST = 5
"""Messages that a channel takes at once; after these one a second."""


class Rates:
    """Counts calls once it is `on`.

    Owned by the server's loop. `now` gives Unix seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.on = False
        self._now = now
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._full_at: dict[str, float] = {}

    def wait(self, method: str, args: Mapping[str, Any]) -> int:
        """Return 0 and count the call, or return the seconds to wait (Retry-After)."""
        if not self.on or method not in METHODS:
            return 0
        now = self._now()
        wait = max(self._waits(method, str(args.get("channel", "")), now))
        if wait > 0:
            return max(1, math.ceil(wait))
        self._calls[method].append(now)
        if method == "chat.postMessage":
            channel = str(args.get("channel", ""))
            self._full_at[channel] = max(now, self._full_at.get(channel, now)) + 1
        return 0

    def _waits(self, method: str, channel: str, now: float) -> Iterator[float]:
        limit, calls = METHODS[method], self._calls[method]
        while calls and calls[0] <= now - limit.seconds:
            calls.popleft()
        yield calls[0] + limit.seconds - now if len(calls) >= limit.calls else 0
        if method == "chat.postMessage":
            yield self._full_at.get(channel, now) + 1 - BURST - now

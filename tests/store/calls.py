"""Which calls can be made of a store? One of each."""

from __future__ import annotations

from collections.abc import Callable

from bot.core.counting import Count, Deed, Limit
from bot.core.ports import Copy
from bot.store.redis_store import RedisStore
from tests.store.contract import START, a_request, put

CALLS: dict[str, Callable[[RedisStore], object]] = {
    "commit": lambda s: put(s, None, a_request()),
    "request": lambda s: s.request("r1"),
    "key": lambda s: s.key("AKIA"),
    "requests_of": lambda s: s.requests_of("U1"),
    "pending": lambda s: s.pending(),
    "holder": lambda s: s.holder("x"),
    "first_delivery": lambda s: s.first_delivery("t1"),
    "due": lambda s: s.due(START),
    "postpone": lambda s: s.postpone("request:r1", START),
    "undrawn": lambda s: s.undrawn(START),
    "put_off_drawing": lambda s: s.put_off_drawing("request:r1", START),
    "copies": lambda s: s.copies("request:r1"),
    "record_copy": lambda s: s.record_copy("request:r1", Copy("card", "C1", "1.1", 1)),
    "forget_copy": lambda s: s.forget_copy("request:r1", "card"),
    "drawn": lambda s: s.drawn("request:r1", 1),
    "lock_drawing": lambda s: s.lock_drawing("request:r1", "a", 30),
    "unlock_drawing": lambda s: s.unlock_drawing("request:r1", "a"),
    "note_home": lambda s: s.note_home("U1", START, approver=True),
    "homes": lambda s: s.homes(START),
    "waiting": lambda s: s.waiting(),
    "postponed": lambda s: s.postponed("request:r1"),
    "approvers_told": lambda s: s.approvers_told(),
    "tell_approvers": lambda s: s.tell_approvers(frozenset({"U1"})),
    "count": lambda s: s.count(Count(Deed.NUDGE, "U1", START, Limit(9, 9))),
    "time": lambda s: s.time(),
}

"""One call of each method of a store."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.rate_limits import Limit, LimitedAction, Usage
from bot.domain.records import SlackMessage
from bot.store.redis_store import RedisStore
from tests.support.store_values import START, a_request, put

CALLS: dict[str, Callable[[RedisStore], object]] = {
    "commit": lambda s: put(s, None, a_request()),
    "request": lambda s: s.request("r1"),
    "key": lambda s: s.key("AKIA"),
    "requests_of": lambda s: s.requests_of("U1"),
    "pending": lambda s: s.pending(),
    "holder": lambda s: s.lock_holder("x"),
    "is_first_delivery": lambda s: s.is_first_delivery("t1"),
    "due": lambda s: s.due(START),
    "reschedule": lambda s: s.reschedule("request:r1", START),
    "unrendered": lambda s: s.unrendered(START),
    "schedule_render": lambda s: s.schedule_render("request:r1", START),
    "copies": lambda s: s.messages("request:r1"),
    "record_message": lambda s: s.record_message(
        "request:r1", SlackMessage("card", "C1", "1.1", 1)
    ),
    "forget_message": lambda s: s.forget_message("request:r1", "card"),
    "drawn": lambda s: s.rendered("request:r1", 1),
    "acquire_lock": lambda s: s.acquire_lock("request:r1", "a", 30),
    "release_lock": lambda s: s.release_lock("request:r1", "a"),
    "record_home_opened": lambda s: s.record_home_opened("U1", START, approver=True),
    "homes": lambda s: s.open_homes(START),
    "waiting": lambda s: s.pending_count(),
    "rescheduled": lambda s: s.reschedule_count("request:r1"),
    "announced_approvers": lambda s: s.announced_approvers(),
    "set_announced_approvers": lambda s: s.set_announced_approvers(frozenset({"U1"})),
    "record_usage": lambda s: s.record_usage(Usage(LimitedAction.NUDGE, "U1", START, Limit(9, 9))),
    "time": lambda s: s.time(),
}

"""The contract of RequestStore about hourly limits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.outside_errors import Conflict, Locked
from bot.domain.rate_limits import (
    Limit,
    LimitedAction,
    RateLimited,
    Usage,
)
from bot.domain.records import AuditEntry, Change
from bot.domain.store_ports import RequestStore
from tests.support.store_contract import Trail
from tests.support.store_values import MINUTE, START, a_request

HOUR = timedelta(hours=1)
THREE = Usage(LimitedAction.REQUEST, "U1", START, Limit(3, 5))


def asks(store: RequestStore, id_: str, usage: Usage = THREE) -> None:
    """Commit one more request, of an IAM user of its own, and count it."""
    store.commit(
        Change(None, a_request(id_, requester=usage.person, account=id_)),
        entry=AuditEntry(usage.at, usage.person, "create", id_),
        usage=usage,
    )


def refused(store: RequestStore, id_: str, usage: Usage = THREE) -> RateLimited:
    """Commit one request too many, and assert that nothing of it is written."""
    with pytest.raises(RateLimited) as over:
        asks(store, id_, usage)
    assert store.request(id_) is None and store.lock_holder(f"open:{id_}:ana:create") is None
    return over.value


class Counting:
    """An action is counted in its commit, which is refused beyond the limit."""

    def test_what_is_beyond_a_persons_limit_is_not_written(
        self, store: RequestStore, trail: Trail
    ) -> None:
        for number in range(3):
            asks(store, f"r{number}")
        unrendered, due = list(store.unrendered(START)), list(store.due(START + HOUR))
        over = refused(store, "r3")
        assert (over.limited_action, over.limit, over.whose, over.until) == (
            "request",
            3,
            "person",
            START.replace(minute=0) + HOUR,
        )
        assert (
            len(trail()) == 3
            and list(store.unrendered(START)) == unrendered
            and list(store.due(START + HOUR)) == due
        )
        assert len(store.requests_of("U1")) == 3 == store.pending_count()

    def test_a_persons_first_refusal_of_an_hour_is_known_as_such(self, store: RequestStore) -> None:
        one, nudge = (
            replace(THREE, limit=Limit(1, 9)),
            Usage(LimitedAction.NUDGE, "U1", START, Limit(0, 9)),
        )
        asks(store, "r0", one)
        assert [refused(store, f"r{n}", one).first for n in (1, 2, 3)] == [True, False, False]
        assert refused(store, "r4", nudge).first, "of another limited action"
        asks(store, "r5", replace(one, person="U2"))
        assert refused(store, "r6", replace(one, person="U2")).first, "of another person"
        later = replace(one, at=START + HOUR)
        asks(store, "r7", later)
        assert refused(store, "r8", later).first, "of another hour"

    def test_each_hour_begins_at_the_full_hour(self, store: RequestStore) -> None:
        last, first = (
            replace(THREE, at=START + minutes * MINUTE, limit=Limit(1, 1)) for minutes in (57, 58)
        )
        asks(store, "r0", last)
        refused(store, "r1", last)
        asks(store, "r2", first)

    def test_what_all_may_do_together_is_limited_too(self, store: RequestStore) -> None:
        for number in range(5):
            asks(store, f"r{number}", replace(THREE, person=f"U{number % 2}"))
        over = refused(store, "r5", replace(THREE, person="U9"))
        assert (over.whose, over.limit, over.first) == ("all", 5, True)

    def test_no_user_adds_more_to_the_total_than_their_own_limit(self, store: RequestStore) -> None:
        free = replace(THREE, free=True)
        for number in range(9):
            asks(store, f"r{number}", free)
        refused(store, "r9")
        for number in range(2):
            asks(store, f"s{number}", replace(THREE, person="U2"))
        assert refused(store, "s2", replace(THREE, person="U2")).whose == "all"

    def test_refusals_use_up_nothing_of_what_others_may_do(self, store: RequestStore) -> None:
        one = replace(THREE, limit=Limit(1, 2))
        asks(store, "r0", one)
        for number in range(1, 9):
            refused(store, f"r{number}", one)
        asks(store, "s0", replace(one, person="U2"))

    def test_a_commit_that_is_lost_or_held_counts_for_nothing(self, store: RequestStore) -> None:
        one = replace(THREE, limit=Limit(2, 9))
        asks(store, "r0", one)
        for wrong, error in (
            (Change(None, a_request("r0", account="r0")), Conflict),
            (Change(None, a_request("r1", account="r0")), Locked),
        ):
            for _ in range(3):
                with pytest.raises(error):
                    store.commit(wrong, entry=AuditEntry(START, "U1", "create"), usage=one)
        asks(store, "r2", one)
        refused(store, "r3", one)

    def test_what_moves_nothing_is_counted_alone_and_leaves_no_entry(
        self, store: RequestStore, trail: Trail
    ) -> None:
        for _ in range(3):
            store.record_usage(THREE)
        with pytest.raises(RateLimited):
            store.record_usage(THREE)
        refused(store, "r0")
        assert list(trail()) == []

    def test_without_a_limit_for_all_each_has_their_own_alone(self, store: RequestStore) -> None:
        for person in range(30):
            store.record_usage(Usage(LimitedAction.REFUSAL, f"U{person}", START, Limit(1)))
            with pytest.raises(RateLimited):
                store.record_usage(Usage(LimitedAction.REFUSAL, f"U{person}", START, Limit(1)))

    def test_many_at_once_never_get_one_too_many_through(
        self, store: RequestStore, trail: Trail
    ) -> None:
        together, limit = threading.Barrier(8), Limit(20, 30)

        def take(writer: int) -> list[RateLimited | None]:
            together.wait(10)
            outcomes: list[RateLimited | None] = []
            for turn in range(15):
                try:
                    asks(
                        store,
                        f"r{writer}-{turn}",
                        Usage(LimitedAction.REQUEST, f"U{writer % 2}", START, limit),
                    )
                    outcomes.append(None)
                except RateLimited as over:
                    outcomes.append(over)
            return outcomes

        with ThreadPoolExecutor(8) as pool:
            outcomes = [one for got in pool.map(take, range(8)) for one in got]
        assert outcomes.count(None) == 30 == len(trail()) == store.pending_count()
        assert all(len(store.requests_of(f"U{n}", 99)) <= 20 for n in range(2))
        assert sum(over.first for over in outcomes if over) == 2, "each person is told once"

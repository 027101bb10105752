"""The contract of RequestStore about stored values, commits and locks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.codes import Detail
from bot.domain.keys import ObservedState
from bot.domain.outside_errors import Conflict, Locked
from bot.domain.records import AuditEntry, Change, Record
from bot.domain.states import Event
from bot.domain.store_ports import RequestStore
from tests.support.store_values import MINUTE, START, a_key, a_request, put

HOLD = "open:111122223333:ana:create"
ISSUING = "issuing:111122223333:ana"

Trail = Callable[[], Sequence[AuditEntry]]


class Values:
    """What is committed is read back in its newest state."""

    def test_nothing_is_stored_at_first(self, store: RequestStore) -> None:
        assert (
            store.request("r1") is None
            and store.key("AKIA") is None
            and store.lock_holder(HOLD) is None
        )
        assert list(store.requests_of("U1")) == [] and list(store.messages("request:r1")) == []

    def test_what_is_committed_is_read_back(self, store: RequestStore) -> None:
        asked, key = put(store, None, a_request()), put(store, None, a_key())
        assert store.request("r1") == asked and store.key(key.id) == key
        approved = put(
            store, asked, asked.transition(Event.APPROVE, "U9", START + MINUTE, decided_by="U9")
        )
        shown = put(store, key, key.observe(ObservedState.ACTIVE, check_at=None))
        assert store.request("r1") == approved and store.key(key.id) == shown

    def test_the_requests_of_a_person_come_newest_first(self, store: RequestStore) -> None:
        for n in range(4):
            last = put(
                store, None, a_request(f"r{n}", account=str(n), requested_at=START + n * MINUTE)
            )
        put(store, None, a_request("other", requester="U2", account="5"))
        newest = put(store, last, replace(last, version=2, detail=Detail("moved")))
        assert [r.id for r in store.requests_of("U1")] == ["r3", "r2", "r1", "r0"]
        assert list(store.requests_of("U1", limit=1)) == [newest]

    def test_the_stores_time_is_utc(self, store: RequestStore) -> None:
        assert store.time().utcoffset() == timedelta(0)


class Commits:
    """A commit happens whole and once, or not at all."""

    @pytest.mark.parametrize("value", [a_request(), a_key()], ids=["request", "key"])
    def test_a_new_value_is_written_only_where_none_exists(
        self, store: RequestStore, value: Record
    ) -> None:
        put(store, None, value)
        with pytest.raises(Conflict) as lost:
            put(store, None, value)
        assert lost.value.name == value.name

    def test_a_change_of_a_value_that_is_not_stored_is_a_conflict(
        self, store: RequestStore
    ) -> None:
        with pytest.raises(Conflict):
            put(store, a_request(), a_request(version=2))

    def test_of_two_changes_of_one_version_the_first_wins(self, store: RequestStore) -> None:
        asked = put(store, None, a_request())
        denied = put(store, asked, asked.transition(Event.DENY, "U8", START))
        with pytest.raises(Conflict):
            put(store, asked, asked.transition(Event.APPROVE, "U9", START))
        assert store.request("r1") == denied

    def test_a_refused_commit_writes_nothing(self, store: RequestStore, trail: Trail) -> None:
        """It is refused for a version or a lock, though its first change is right."""
        asked, key = put(store, None, a_request()), put(store, None, a_key())
        put(store, None, a_request("r2", verb="enable"))
        for name in ("request:r1", "key:AKIAIOSFODNN7EXAMPLE", "request:r2"):
            assert store.rendered(name, 1)
        entries = list(trail())
        right = Change(asked, replace(asked.transition(Event.DENY, "U9", START), deadline=START))
        stale = Change(replace(key, version=7), replace(key, version=8, check_at=START))
        held = Change(None, a_request("r3", verb="enable", requester="U3", deadline=START))
        for wrong, error in ((stale, Conflict), (held, Locked)):
            with pytest.raises(error):
                store.commit(right, wrong, entry=AuditEntry(START, "U9", "deny"))
        assert (store.request("r1"), store.key(key.id), store.request("r3")) == (asked, key, None)
        assert store.lock_holder(HOLD) == "r1" and list(store.requests_of("U3")) == []
        assert (
            list(store.due(START)) == []
            and list(store.unrendered(START)) == []
            and list(trail()) == entries
        )

    def test_change_that_skips_a_version_or_a_value_is_a_mistake(self, store: RequestStore) -> None:
        asked = put(store, None, a_request())
        for after in (asked, replace(asked, id="r2", version=2)):
            with pytest.raises(ValueError, match="does not follow"):
                put(store, asked, after)

    def test_each_commit_leaves_one_entry(self, store: RequestStore, trail: Trail) -> None:
        first = AuditEntry(START, "U1", "ask", "r1", to_status="pending", reason='to "deploy"\n')
        second = AuditEntry(
            START + MINUTE, "keydesk", "issue", "r1", "AKIA", "pending", "denied", "é 🗝"
        )
        asked = a_request()
        store.commit(Change(None, asked), entry=first)
        store.commit(
            Change(asked, asked.transition(Event.DENY, "U9", START)),
            Change(None, a_key()),
            entry=second,
        )
        assert list(trail()) == [first, second]

    def test_many_writers_win_each_version_once(self, store: RequestStore, trail: Trail) -> None:
        put(store, None, a_request())
        together = threading.Barrier(8)

        def write(writer: int) -> int:
            won = 0
            together.wait(10)
            while (now := store.request("r1")) is not None and now.version < 100:
                try:
                    put(
                        store,
                        now,
                        replace(now, version=now.version + 1, detail=Detail(f"writer {writer}")),
                    )
                    won += 1
                except Conflict:
                    continue
            return won

        with ThreadPoolExecutor(8) as pool:
            won = sum(pool.map(write, range(8)))
        stored = store.request("r1")
        assert stored is not None and stored.version == 100
        assert won == 99 and len(trail()) == 100


class Holds:
    """A lock has one holder. It follows the state of the request."""

    def test_a_name_that_is_held_is_refused(self, store: RequestStore) -> None:
        put(store, None, a_request())
        with pytest.raises(Locked) as refused:
            put(store, None, a_request("r2", iam_user="ANA"))
        assert (refused.value.name, refused.value.holder) == (HOLD, "r1")

    def test_holds_come_and_go_with_the_state(self, store: RequestStore) -> None:
        asked = put(store, None, a_request())
        assert (store.lock_holder(HOLD), store.lock_holder(ISSUING)) == ("r1", None)
        approved = put(store, asked, asked.transition(Event.APPROVE, "U9", START))
        issuing = put(store, approved, approved.transition(Event.REVEAL, "U1", START))
        assert (store.lock_holder(HOLD), store.lock_holder(ISSUING)) == ("r1", "r1")
        refused = put(store, issuing, issuing.transition(Event.CREATE_FAILED, "keydesk", START))
        assert (store.lock_holder(HOLD), store.lock_holder(ISSUING)) == ("r1", None)
        put(store, refused, refused.transition(Event.CANCEL, "U1", START))
        assert store.lock_holder(HOLD) is None
        put(store, None, a_request("r2"))
        assert store.lock_holder(HOLD) == "r2"

    def test_a_commit_may_take_what_it_gives_back(self, store: RequestStore) -> None:
        asked = put(store, None, a_request())
        store.commit(
            Change(None, a_request("r2")),
            Change(asked, asked.transition(Event.CANCEL, "U1", START)),
            entry=AuditEntry(START, "U1", "ask again"),
        )
        assert store.lock_holder(HOLD) == "r2"

    def test_one_commit_cannot_take_a_name_twice(self, store: RequestStore) -> None:
        with pytest.raises(Locked):
            store.commit(
                Change(None, a_request("r1")),
                Change(None, a_request("r2")),
                entry=AuditEntry(START, "U1", "ask twice"),
            )
        assert store.request("r1") is None and store.lock_holder(HOLD) is None

    def test_of_many_who_take_a_name_at_once_one_gets_it(
        self, store: RequestStore, trail: Trail
    ) -> None:
        together = threading.Barrier(8)

        def take(writer: int) -> list[str]:
            got = []
            for turn in range(20):
                together.wait(10)
                request = a_request(f"r{writer}-{turn}", account=str(turn))
                try:
                    got.append(put(store, None, request).id)
                except Locked:
                    continue
            return got

        with ThreadPoolExecutor(8) as pool:
            winners = [id_ for got in pool.map(take, range(8)) for id_ in got]
        assert len(winners) == 20 == len(trail())
        assert sorted(winners) == sorted(
            str(store.lock_holder(f"open:{n}:ana:create")) for n in range(20)
        )


class StoreContract(Values, Commits, Holds):
    """The rules of stored values, commits and locks.

    A test class inherits it, with the fixtures `store` and `trail` (its audit entries).
    """

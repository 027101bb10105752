"""The contract of RequestStore about due names and rescheduling."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.keys import DesiredState
from bot.domain.store_ports import RequestStore
from tests.support.store_values import MINUTE, START, a_key, a_request, put


class Due:
    """What is due is found, the longest due first. Rescheduling forgets nothing."""

    def test_what_is_due_comes_the_longest_due_first(self, store: RequestStore) -> None:
        put(store, None, a_request("late", deadline=START + 3 * MINUTE))
        put(store, None, a_key("AKIA", check_at=START + MINUTE))
        put(store, None, a_request("soon", verb="enable", deadline=START + 2 * MINUTE))
        assert list(store.due(START)) == []
        assert list(store.due(START + 2 * MINUTE)) == ["key:AKIA", "request:soon"]
        assert list(store.due(START + 9 * MINUTE)) == ["key:AKIA", "request:soon", "request:late"]
        assert list(store.due(START + 9 * MINUTE, limit=1)) == ["key:AKIA"]

    def test_nothing_is_due_before_its_time(self, store: RequestStore) -> None:
        put(store, None, a_request(deadline=START + timedelta(microseconds=1500)))
        assert list(store.due(START + timedelta(microseconds=1499))) == []
        assert list(store.due(START + timedelta(microseconds=2000))) == ["request:r1"]

    def test_each_commit_sets_the_time_again(self, store: RequestStore) -> None:
        asked = put(store, None, a_request(deadline=START))
        moved = put(store, asked, replace(asked, version=2, deadline=START + MINUTE))
        assert list(store.due(START)) == [] and list(store.due(START + MINUTE)) == ["request:r1"]
        put(store, moved, replace(moved, version=3, deadline=None))
        assert list(store.due(START + MINUTE)) == []

    def test_a_key_is_due_for_the_nearest_of_all_its_times(self, store: RequestStore) -> None:
        """A check, a notice, its expiry, the grace period's end, or its deletion."""
        day = 24 * 60 * MINUTE
        key = put(store, None, a_key("AKIA", check_at=None, expires_at=START + 30 * day))
        assert [list(store.due(START + 23 * day - MINUTE)), list(store.due(START + 23 * day))] == [
            [],
            ["key:AKIA"],
        ]
        key = put(store, key, key.updated(notices=("expiry:7d", "expiry:1d", "expiry:1h")))
        assert [list(store.due(START + 30 * day - MINUTE)), list(store.due(START + 30 * day))] == [
            [],
            ["key:AKIA"],
        ]
        key = put(store, key, key.updated(grace_ends_at=START + day))
        assert [list(store.due(START + day - MINUTE)), list(store.due(START + day))] == [
            [],
            ["key:AKIA"],
        ]
        key = put(store, key, key.updated(check_at=START + MINUTE))
        assert list(store.due(START + MINUTE)) == ["key:AKIA"]
        off = key.set_desired(
            DesiredState.INACTIVE, "U1", START, check_at=START, delete_at=START + 7 * day
        )
        off = put(store, key, replace(off, check_at=None))
        assert [list(store.due(START + 6 * day - MINUTE)), list(store.due(START + 6 * day))] == [
            [],
            ["key:AKIA"],
        ]
        put(store, off, off.updated(notices=("deletion",)))
        assert [list(store.due(START + 7 * day - MINUTE)), list(store.due(START + 7 * day))] == [
            [],
            ["key:AKIA"],
        ]

    def test_a_key_with_nothing_to_come_is_not_due(self, store: RequestStore) -> None:
        key = put(store, None, a_key("AKIA"))
        put(store, key, key.updated(check_at=None))
        assert list(store.due(START + 9999 * 24 * 60 * MINUTE)) == []

    def test_rescheduling_is_counted_until_the_next_commit(self, store: RequestStore) -> None:
        asked = put(store, None, a_request(deadline=START))
        assert store.reschedule_count("request:r1") == 0
        assert [store.reschedule("request:r1", START + n * MINUTE) for n in (1, 2)] == [1, 2]
        assert store.reschedule_count("request:r1") == 2
        assert list(store.due(START + MINUTE)) == [] and list(store.due(START + 2 * MINUTE)) == [
            "request:r1"
        ]
        put(store, asked, replace(asked, version=2))
        assert store.reschedule("request:r1", START + MINUTE) == 1

    def test_rescheduling_brings_nothing_nearer_and_nothing_back(self, store: RequestStore) -> None:
        """A commit may have set a later time, or none, since the name was found due."""
        asked = put(store, None, a_request(deadline=START + 9 * MINUTE))
        store.reschedule("request:r1", START + MINUTE)
        assert list(store.due(START + 8 * MINUTE)) == []
        put(store, asked, replace(asked, version=2, deadline=None))
        assert store.reschedule("request:r1", START + MINUTE) == 0
        assert list(store.due(START + 9 * MINUTE)) == []

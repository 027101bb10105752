"""The contract of AuditTrail (`bot.domain.ports`), run on each implementation."""

from __future__ import annotations

import pytest

from bot.domain.outside_errors import Conflict
from bot.domain.records import AuditEntry
from bot.domain.store_ports import AuditTrail, RequestStore
from bot.store.serialization import entry_from_fields
from tests.support.store_values import START, a_request, put


def note(store: RequestStore, *actions: str) -> None:
    """Commit an entry for each action, without a change."""
    for action in actions:
        store.commit(entry=AuditEntry(START, "U1", action))


def actions(trail: AuditTrail, after: str = "", limit: int = 100) -> list[str]:
    return [line.fields.get("action", "seal") for line in trail.lines(after, limit)]


def seal(trail: AuditTrail, value: str, previous: str, stream_id: str = "") -> bool:
    """Seal up to `place`, or up to the last line."""
    return trail.seal(
        {"at": "now", "seal": value},
        previous=previous,
        stream_id=stream_id or trail.lines()[-1].stream_id,
    )


class Trails:
    """Entries are numbered in order, seals follow one another, and cursors stay right."""

    def test_each_commit_gets_the_next_number(self, store: RequestStore, trail: AuditTrail) -> None:
        assert trail.last_number() == 0 and list(trail.lines()) == []
        put(store, None, a_request())
        note(store, "reveal", "approve")
        assert [(line.number, line.fields["action"]) for line in trail.lines()] == [
            (1, "test"),
            (2, "reveal"),
            (3, "approve"),
        ]
        assert trail.last_number() == 3

    def test_a_commit_that_is_refused_uses_no_number(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        put(store, None, a_request())
        with pytest.raises(Conflict):
            put(store, None, a_request())
        note(store, "deny")
        assert [line.number for line in trail.lines()] == [1, 2] and trail.last_number() == 2

    def test_an_entry_comes_back_as_it_was_given(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        entry = AuditEntry(
            START, "U1", "reveal", "r1", "AKIA", "approved", "issuing", 'why "é" 🗝\n'
        )
        store.commit(entry=entry)
        [line] = trail.lines()
        assert entry_from_fields(line.fields) == entry and not line.is_seal

    def test_lines_are_read_behind_a_place_and_up_to_a_limit(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        note(store, *"abcd")
        first, second = trail.lines(limit=2)
        assert actions(trail, second.stream_id) == ["c", "d"] and actions(
            trail, first.stream_id, 2
        ) == [
            "b",
            "c",
        ]
        assert actions(trail, trail.lines()[-1].stream_id) == []

    def test_a_seal_stands_among_the_lines_without_a_number(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        note(store, "a")
        assert trail.last_seal() == ("", "")
        place = trail.lines()[0].stream_id
        assert seal(trail, "s1", previous="", stream_id=place)
        note(store, "b")
        assert actions(trail) == ["a", "seal", "b"] and [
            line.is_seal for line in trail.lines()
        ] == [False, True, False]
        assert [line.number for line in trail.lines()] == [1, 0, 2] and trail.last_seal() == (
            "s1",
            place,
        )

    def test_of_two_seals_over_one_seal_the_first_wins(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        note(store, "a")
        assert seal(trail, "s1", previous="")
        before, lines = trail.last_seal(), list(trail.lines())
        assert not seal(trail, "s2", previous="") and not seal(trail, "s2", previous="another")
        assert trail.last_seal() == before and list(trail.lines()) == lines
        assert seal(trail, "s2", previous="s1")

    def test_a_cursor_moves_from_where_it_stands(self, trail: AuditTrail) -> None:
        assert trail.cursor("log") == ""
        assert (
            trail.move_cursor("log", "", "1-0")
            and trail.cursor("log") == "1-0"
            and trail.cursor("channel") == ""
        )
        assert not trail.move_cursor("log", "", "2-0") and not trail.move_cursor(
            "log", "0-5", "2-0"
        )
        assert trail.cursor("log") == "1-0" and trail.move_cursor("log", "1-0", "2-0")

    def test_one_leads_at_a_time_until_it_resigns(self, trail: AuditTrail) -> None:
        assert (
            trail.acquire_leadership("a", 30)
            and trail.acquire_leadership("a", 30)
            and not trail.acquire_leadership("b", 30)
        )
        trail.release_leadership("b")
        assert not trail.acquire_leadership("b", 30)
        trail.release_leadership("a")
        assert trail.acquire_leadership("b", 30) and not trail.acquire_leadership("a", 30)

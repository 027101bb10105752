"""What must every audit trail do? The rules of `core.ports.AuditTrail`, run on each implementation."""

from __future__ import annotations

import pytest

from bot.core.errors import Conflict
from bot.core.ports import AuditTrail, Entry, RequestStore
from bot.store.codec import entry_from_fields
from tests.store.contract import START, a_request, put


def note(store: RequestStore, *actions: str) -> None:
    """Leaves an entry for each action, with no change beside it."""
    for action in actions:
        store.commit(entry=Entry(START, "U1", action))


def actions(trail: AuditTrail, after: str = "", limit: int = 100) -> list[str]:
    return [line.fields.get("action", "seal") for line in trail.lines(after, limit)]


def seal(trail: AuditTrail, value: str, previous: str, place: str = "") -> bool:
    """Seals up to `place`, or up to the last line."""
    return trail.seal(
        {"at": "now", "seal": value}, previous=previous, place=place or trail.lines()[-1].place
    )


class Trails:
    """Entries are numbered in order, seals follow one another, cursors never go astray."""

    def test_each_commit_gets_the_next_number_with_or_without_a_change(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        assert trail.numbered() == 0 and list(trail.lines()) == []
        put(store, None, a_request())
        note(store, "reveal", "approve")
        assert [(line.number, line.fields["action"]) for line in trail.lines()] == [
            (1, "test"),
            (2, "reveal"),
            (3, "approve"),
        ]
        assert trail.numbered() == 3

    def test_a_commit_that_is_refused_uses_no_number(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        put(store, None, a_request())
        with pytest.raises(Conflict):
            put(store, None, a_request())
        note(store, "deny")
        assert [line.number for line in trail.lines()] == [1, 2] and trail.numbered() == 2

    def test_an_entry_comes_back_as_it_was_given(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        entry = Entry(START, "U1", "reveal", "r1", "AKIA", "approved", "issuing", 'why "é" 🗝\n')
        store.commit(entry=entry)
        [line] = trail.lines()
        assert entry_from_fields(line.fields) == entry and not line.is_seal

    def test_lines_are_read_behind_a_place_and_up_to_a_limit(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        note(store, *"abcd")
        first, second = trail.lines(limit=2)
        assert actions(trail, second.place) == ["c", "d"] and actions(trail, first.place, 2) == [
            "b",
            "c",
        ]
        assert actions(trail, trail.lines()[-1].place) == []

    def test_a_seal_stands_among_the_lines_without_a_number(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        note(store, "a")
        assert trail.sealed() == ("", "")
        place = trail.lines()[0].place
        assert seal(trail, "s1", previous="", place=place)
        note(store, "b")
        assert actions(trail) == ["a", "seal", "b"] and [
            line.is_seal for line in trail.lines()
        ] == [False, True, False]
        assert [line.number for line in trail.lines()] == [1, 0, 2] and trail.sealed() == (
            "s1",
            place,
        )

    def test_of_two_seals_over_one_seal_the_first_wins(
        self, store: RequestStore, trail: AuditTrail
    ) -> None:
        note(store, "a")
        assert seal(trail, "s1", previous="")
        before, lines = trail.sealed(), list(trail.lines())
        assert not seal(trail, "s2", previous="") and not seal(trail, "s2", previous="another")
        assert trail.sealed() == before and list(trail.lines()) == lines
        assert seal(trail, "s2", previous="s1")

    def test_a_cursor_moves_from_where_it_stands(self, trail: AuditTrail) -> None:
        assert trail.cursor("log") == ""
        assert (
            trail.move("log", "", "1-0")
            and trail.cursor("log") == "1-0"
            and trail.cursor("channel") == ""
        )
        assert not trail.move("log", "", "2-0") and not trail.move("log", "0-5", "2-0")
        assert trail.cursor("log") == "1-0" and trail.move("log", "1-0", "2-0")

    def test_one_leads_at_a_time_until_it_resigns(self, trail: AuditTrail) -> None:
        assert trail.lead("a", 30) and trail.lead("a", 30) and not trail.lead("b", 30)
        trail.resign("b")
        assert not trail.lead("b", 30)
        trail.resign("a")
        assert trail.lead("b", 30) and not trail.lead("a", 30)

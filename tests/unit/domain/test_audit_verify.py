"""Any tampering with a sealed trail is found, and an intact one has no problem."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.domain.audit.seals import Seal, number_ranges, sign, to_record
from bot.domain.audit.verify import ExportedTrail, Trail, Verdict, exported_trail, verify
from bot.domain.records import StreamEntry
from tests.support.memory_trail import KEY

AT = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
OTHER_KEY = "another key than that of the seals, but long"
CHUNKS = st.lists(st.integers(1, 5), min_size=1, max_size=8)
"""How many entries come under each seal."""
EXAMPLES = settings(max_examples=40, deadline=None)

Fields = dict[str, str]
Lines = list[Fields]
Change = Callable[[Lines], Lines]


def an_entry(number: int, key: str = KEY, **fields: str) -> StreamEntry:
    """Return an entry as a bot with `key` writes it ("": unsigned)."""
    written = {"at": AT.isoformat(), "by": "U1", "action": "approve", "reason": f"no. {number}"}
    return StreamEntry("", {"number": str(number), **sign(written | fields, key, f"c{number}")})


def a_seal(entries: Sequence[StreamEntry], after: StreamEntry | None = None) -> StreamEntry:
    previous = after.fields["seal"] if after else ""
    return StreamEntry("", Seal.make(KEY, previous, entries, AT).fields())


def trail_of(lines: Sequence[StreamEntry]) -> Trail:
    """Return a trail of these lines, with the counter and the newest seal that fit."""
    last = max((line.number for line in lines), default=0)
    newest = next((line.fields["seal"] for line in reversed(lines) if line.is_seal), "")
    return Trail(lines, last, last, newest)


def a_trail(*chunks: int, unsealed: int = 0, late: int = 0) -> Trail:
    """Return a trail with so many entries under each seal. Seals may be late."""
    numbers, lines, seals = itertools.count(1), list[StreamEntry](), list[StreamEntry]()
    for count in (*chunks, unsealed):
        entries = [an_entry(next(numbers)) for _ in range(count)]
        lines += [*entries[:late], *seals[-1:], *entries[late:]]
        seals.append(a_seal(entries, seals[-1] if seals else None))
    return trail_of(lines)


def export_of(trail: Trail) -> ExportedTrail:
    return exported_trail(map(to_record, trail.lines))


def judged(trail: Trail, export: ExportedTrail | None = None, key: str = KEY) -> Verdict:
    return verify(trail, key, export or ExportedTrail())


def found(verdict: Verdict) -> str:
    """Return the problems as text: "entries_removed 2, 6-8; entries_moved 9"."""
    return "; ".join(f"{one.kind} {number_ranges(one.numbers)}" for one in verdict.problems)


def named(verdict: Verdict) -> set[int]:
    """Return every entry that a problem names."""
    return {number for problem in verdict.problems for number in problem.numbers}


# -- tampering with what is stored


def edited(trail: Trail, change: Change) -> Trail:
    """Change the lines, and leave the counter and the newest seal as they are."""
    lines = change([dict(line.fields) for line in trail.lines])
    return replace(trail, lines=[StreamEntry("", fields) for fields in lines])


def without(lines: Lines, *numbers: int) -> Lines:
    return [line for line in lines if line.get("number") not in map(str, numbers)]


def changed(lines: Lines, number: int, **fields: str) -> Lines:
    return [line | fields if line.get("number") == str(number) else line for line in lines]


def swapped(lines: Lines, one: int, other: int) -> Lines:
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def inserted(lines: Lines, **number: str) -> Lines:
    return [*lines[:4], {"at": AT.isoformat(), "by": "U0MALLORY", **number}, *lines[4:]]


def renumbered(lines: Lines) -> Lines:
    """Remove entry 6 and give each later one the number before its own."""
    later = {str(number): {"number": str(number - 1)} for number in range(7, 11)}
    return [line | later.get(line.get("number", ""), {}) for line in without(lines, 6)]


def forged(lines: Lines) -> Lines:
    """Replace the second seal by one made with another key over the present entries."""
    covered = [
        StreamEntry("", line) for line in lines if line.get("number") in ("5", "6", "7", "8")
    ]
    [_, index, _] = [index for index, line in enumerate(lines) if "seal" in line]
    lines[index] = Seal.make(OTHER_KEY, lines[index]["previous"], covered, AT).fields()
    return lines


MALLORY = {"by": "U0MALLORY"}
# Ten entries under three seals: lines 4, 9 and 12, counted from 0, are seals.
TAMPERINGS: dict[str, tuple[Change, str]] = {
    "one deleted": (lambda lines: without(lines, 6), "entries_removed 6"),
    "several deleted": (lambda lines: without(lines, 2, 6, 7, 8), "entries_removed 2, 6-8"),
    "first deleted": (lambda lines: without(lines, 1), "entries_removed 1"),
    "changed": (lambda lines: changed(lines, 6, **MALLORY), "entries_changed 6"),
    "time changed": (lambda lines: changed(lines, 10, at="later"), "entries_changed 10"),
    "field added": (lambda lines: changed(lines, 3, also="this"), "entries_changed 3"),
    "field emptied": (lambda lines: changed(lines, 3, reason=""), "entries_changed 3"),
    "changed and put at the end": (
        lambda lines: [*without(lines, 6), lines[6] | MALLORY],
        "entries_changed 6; entries_moved 6",
    ),
    "put at the end": (lambda lines: [*without(lines, 6), lines[6]], "entries_moved 6"),
    "two swapped": (lambda lines: swapped(lines, 1, 2), "entries_moved 3"),
    "two swapped, numbers kept": (
        lambda lines: changed(changed(lines, 2, reason="no. 3"), 3, reason="no. 2"),
        "entries_changed 2-3",
    ),
    "inserted with a number there is": (
        lambda lines: inserted(lines, number="4"),
        "entries_inserted 4",
    ),
    "inserted with a new number": (
        lambda lines: inserted(lines, number="99"),
        "entries_inserted 99",
    ),
    "inserted without a number": (inserted, "unnumbered_entry_inserted "),
    "inserted twice": (lambda lines: [*lines, lines[5]], "entries_inserted 5; numbers_repeated 5"),
    "rest renumbered": (renumbered, "entries_changed 6-9; entries_cut_off 10"),
    "end cut off": (lambda lines: without(lines, 9, 10), "entries_cut_off 9-10"),
    "end cut off with its seal": (
        lambda lines: without(lines, 9, 10)[:-1],
        "newest_seal_cut_off ; entries_cut_off 9-10",
    ),
    "seal deleted": (
        lambda lines: lines[:9] + lines[10:],
        "seal_out_of_order 9-10; entries_unsealed 5-8",
    ),
    "seals swapped": (
        lambda lines: swapped(lines, 4, 9),
        "seal_out_of_order 5-8; seal_out_of_order 1-4; seal_out_of_order 9-10",
    ),
    "seal forged over a changed entry": (
        lambda lines: forged(changed(lines, 6, **MALLORY)),
        "seal_invalid 5-8; seal_out_of_order 9-10; entries_not_signed 6",
    ),
    "seal forged over fewer entries": (
        lambda lines: forged(without(lines, 6)),
        "seal_invalid 5, 7-8; seal_out_of_order 9-10; entries_removed 6",
    ),
    "empty seal": (lambda lines: [*lines, {"seal": "00"}], "seal_invalid "),
    "all deleted": (lambda lines: [], "newest_seal_cut_off ; entries_cut_off 1-10"),
}


@pytest.mark.parametrize(("change", "problems"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_is_found_and_named(change: Change, problems: str) -> None:
    assert found(judged(edited(a_trail(4, 4, 2), change))) == problems


@pytest.mark.parametrize(
    ("counter", "problems"),
    [
        (4, "counter_turned_back 4, 10"),
        (0, "counter_turned_back 0, 10"),
        (12, "entries_cut_off 11-12"),
    ],
)
def test_wrong_counter_is_found(counter: int, problems: str) -> None:
    trail = replace(a_trail(4, 4, 2), last_number=counter, last_number_after=counter)
    assert found(judged(trail)) == problems


@EXAMPLES
@given(CHUNKS, st.integers(0, 4), st.integers(0, 3))
def test_untouched_trail_has_no_problem(chunks: list[int], unsealed: int, late: int) -> None:
    trail = a_trail(*chunks, unsealed=unsealed, late=late)
    sealed, last = sum(chunks), sum(chunks) + unsealed
    verdict = judged(trail, export_of(trail))
    assert verdict == Verdict([], [*range(sealed + 1, last + 1)], last, len(chunks))


@EXAMPLES
@given(CHUNKS, st.data())
def test_tampering_with_one_entry_names_it_alone(chunks: list[int], data: st.DataObject) -> None:
    trail = a_trail(*chunks)
    number = data.draw(st.integers(1, sum(chunks)))
    [victim] = [line.fields for line in trail.lines if line.number == number]
    emptied = {"number": str(number)}
    changes: dict[str, Change] = {
        "deleted": lambda lines: without(lines, number),
        "changed": lambda lines: changed(lines, number, reason="another"),
        "emptied": lambda lines: [emptied if line == victim else line for line in lines],
        "doubled": lambda lines: [*lines, dict(victim)],
        "doubled, changed": lambda lines: [*lines, victim | {"by": "U2"}],
    }
    change = changes[data.draw(st.sampled_from(sorted(changes)))]
    assert named(judged(edited(trail, change))) == {number}


@EXAMPLES
@given(CHUNKS, st.data())
def test_swapped_entries_are_found(chunks: list[int], data: st.DataObject) -> None:
    assume(sum(chunks) > 1)
    trail = a_trail(*chunks)
    places = [index for index, line in enumerate(trail.lines) if not line.is_seal]
    one, other = data.draw(st.lists(st.sampled_from(places), min_size=2, max_size=2, unique=True))
    verdict = judged(edited(trail, lambda lines: swapped(lines, one, other)))
    assert found(verdict).startswith("entries_moved ")
    assert named(verdict) & {trail.lines[one].number, trail.lines[other].number}


@EXAMPLES
@given(CHUNKS, st.data(), st.sampled_from(["at", "previous", "sealed", "seal", "more"]))
def test_tampering_with_a_seal_is_found(chunks: list[int], data: st.DataObject, name: str) -> None:
    trail = a_trail(*chunks)
    places = [index for index, line in enumerate(trail.lines) if line.is_seal]
    index = data.draw(st.sampled_from(places))
    for seal in ([], [StreamEntry("", {**trail.lines[index].fields, name: "0" * 64})]):
        lines = [*trail.lines[:index], *seal, *trail.lines[index + 1 :]]
        assert judged(replace(trail, lines=lines)).problems


# -- what only an exported copy shows


@EXAMPLES
@given(CHUNKS, st.integers(1, 12))
def test_export_shows_any_missing_tail(chunks: list[int], count: int) -> None:
    """The counter and the newest seal are put back, too."""
    before = a_trail(*chunks)
    after = trail_of(before.lines[:-count])
    verdict = judged(after, export_of(before))
    gone = {line.number for line in before.lines[-count:] if not line.is_seal}
    assert verdict.problems and gone <= named(verdict)


def test_export_shows_a_tail_that_has_grown_again() -> None:
    before = a_trail(4, 4, 2)
    new = [an_entry(number, **MALLORY) for number in (9, 10, 11)]
    after = trail_of([*before.lines[:10], *new, a_seal(new, before.lines[9])])
    assert found(judged(after)) == ""
    gone = "exported_seal_missing 9-10"
    assert found(judged(after, export_of(before))) == f"entries_changed 9-10; {gone}"
    both = exported_trail(map(to_record, [*before.lines, *after.lines]))
    assert found(judged(after, both)) == f"{gone}; export_contradicts_itself 9-10"


def test_unreadable_records_are_counted() -> None:
    records: list[Any] = [
        None,
        {},
        {"number": "1", "digest": 5},
        {"seal": "x", "entries": "all"},
        {"number": 1, "digest": "d"},
        {"seal": "x", "entries": [1, "2"]},
    ]
    assert exported_trail(records) == ExportedTrail({1: {"d"}}, {"x": [1]}, 4)


# -- entries that no bot with this key has written


@pytest.mark.parametrize(
    "forged_entry",
    [
        an_entry(4, key="", **MALLORY),
        an_entry(4, key=OTHER_KEY, **MALLORY),
        StreamEntry("", {**an_entry(2).fields, "number": "4"}),
        StreamEntry("", {**an_entry(4).fields, **MALLORY}),
    ],
    ids=["unsigned", "signed with another key", "repeated", "changed before its seal"],
)
def test_forged_entry_is_named_even_under_a_seal(forged_entry: StreamEntry) -> None:
    before = a_trail(3).lines
    trail = trail_of([*before, forged_entry, a_seal([forged_entry], before[-1])])
    assert found(judged(trail, export_of(trail))) == "entries_not_signed 4"


def test_entries_need_a_signature_once_the_key_is_set() -> None:
    entries = [an_entry(number, key="") for number in (1, 2)] + [an_entry(3), an_entry(4)]
    assert found(judged(trail_of([*entries, a_seal(entries)]))) == ""
    entries.append(an_entry(5, key=""))
    assert found(judged(trail_of([*entries, a_seal(entries)]))) == "entries_not_signed 5"


def test_another_key_accepts_no_entry_and_no_seal() -> None:
    verdict = judged(a_trail(3), key=OTHER_KEY)
    assert found(verdict).split("; ")[0] == "seal_invalid 1-3"
    assert "entries_not_signed 1-3" in found(verdict)


def test_removed_unsealed_entries_are_found() -> None:
    verdict = judged(edited(a_trail(4, unsealed=4), lambda lines: without(lines, 6)))
    assert (found(verdict), verdict.unsealed) == ("entries_removed 6", [5, 7, 8])

"""Whatever is done to a sealed trail is found, and nothing is found in one that was left alone: by rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.audit.seals import Seal, number_ranges, to_record
from bot.domain.audit.verify import (
    ExportedTrail,
    Trail,
    Verdict,
    exported_trail,
    verify,
)
from bot.domain.ports import StreamEntry
from tests.support.memory_trail import KEY

AT = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
CHUNKS = st.lists(st.integers(1, 5), min_size=1, max_size=8)
"""How many entries come under each seal."""


def a_trail(chunks: Sequence[int], unsealed: int = 0, late: int = 0) -> list[StreamEntry]:
    """Entries and seals as a desk leaves them; each seal stands up to `late` entries behind what it is over."""
    lines: list[StreamEntry] = []
    open_: list[StreamEntry] = []
    previous, waiting = "", []
    for chunk in (*chunks, 0):
        for _ in range(chunk):
            number = 1 + sum(not line.is_seal for line in lines)
            line = StreamEntry(
                "",
                {
                    "number": str(number),
                    "at": AT.isoformat(),
                    "by": "U1",
                    "why": f"reason {number}",
                },
            )
            lines.append(line)
            open_.append(line)
            if waiting and len(open_) >= late:
                lines.append(waiting.pop())
        lines += waiting
        waiting = []
        if open_:
            seal = Seal.make(KEY, previous, open_, AT)
            previous, open_ = seal.value, []
            waiting = [StreamEntry("", seal.fields())]
    for _ in range(unsealed):
        number = 1 + sum(not line.is_seal for line in lines)
        lines.append(
            StreamEntry("", {"number": str(number), "by": "U1", "why": f"reason {number}"})
        )
    return [replace(line, stream_id=f"{place:04}-0") for place, line in enumerate(lines + waiting)]


def looked_at(
    lines: Sequence[StreamEntry],
    before: Sequence[StreamEntry],
    kept: ExportedTrail | None = None,
    key: str = KEY,
) -> Verdict:
    """The verdict on `lines`, where counter and newest seal are those of `before`."""
    numbered = max(line.number for line in before)
    sealed = [line.fields["seal"] for line in before if line.is_seal][-1]
    return verify(Trail(lines, numbered, numbered, sealed), key, kept or ExportedTrail())


def named(verdict: Verdict) -> set[int]:
    """Every number that the sentences name."""
    found: set[int] = set()
    for text in verdict.problems:
        for first, last in re.findall(r"(\d+)(?: to (\d+))?", text):
            found |= set(range(int(first), int(last or first) + 1))
    return found


@given(CHUNKS, st.integers(0, 4), st.integers(0, 3))
def test_a_trail_that_was_left_alone_is_whole(chunks: list[int], unsealed: int, late: int) -> None:
    lines = a_trail(chunks, unsealed, late)
    verdict = looked_at(lines, lines, exported_trail(to_record(line) for line in lines))
    assert verdict.problems == [] and list(verdict.unsealed) == list(
        range(sum(chunks) + 1, sum(chunks) + unsealed + 1)
    )
    assert (verdict.entries, verdict.seals) == (sum(chunks) + unsealed, len(chunks))


@given(CHUNKS, st.data())
def test_what_is_done_to_one_entry_is_found_and_it_alone_is_named(
    chunks: list[int], data: st.DataObject
) -> None:
    before = a_trail(chunks)
    index = data.draw(st.sampled_from([i for i, line in enumerate(before) if not line.is_seal]))
    victim, rest = before[index], [*before[:index], *before[index + 1 :]]
    fields = dict(victim.fields)
    done = {
        "deleted": rest,
        "changed": [
            *before[:index],
            StreamEntry(victim.stream_id, fields | {"why": "another"}),
            *before[index + 1 :],
        ],
        "emptied": [
            *before[:index],
            StreamEntry(victim.stream_id, {"number": fields["number"]}),
            *before[index + 1 :],
        ],
        "doubled": [*before, StreamEntry("9999-0", fields)],
        "doubled, changed": [*before, StreamEntry("9999-0", fields | {"by": "U2"})],
    }
    lines = done[data.draw(st.sampled_from(sorted(done)))]
    verdict = looked_at(lines, before)
    assert verdict.problems and named(verdict) == {victim.number}


@given(CHUNKS.filter(lambda chunks: sum(chunks) > 1), st.data())
def test_two_entries_that_changed_places_are_found(chunks: list[int], data: st.DataObject) -> None:
    before = a_trail(chunks)
    places = [i for i, line in enumerate(before) if not line.is_seal]
    one, other = data.draw(st.lists(st.sampled_from(places), min_size=2, max_size=2, unique=True))
    lines = list(before)
    lines[one], lines[other] = before[other], before[one]
    verdict = looked_at(lines, before)
    assert verdict.problems and "moved to another place" in verdict.problems[0]
    assert named(verdict) & {before[one].number, before[other].number}


@given(CHUNKS, st.data())
def test_what_is_done_to_a_seal_is_found(chunks: list[int], data: st.DataObject) -> None:
    before = a_trail(chunks)
    index = data.draw(st.sampled_from([i for i, line in enumerate(before) if line.is_seal]))
    name = data.draw(st.sampled_from(["at", "previous", "sealed", "seal", "more"]))
    changed = StreamEntry(before[index].stream_id, {**before[index].fields, name: "0" * 64})
    for lines in (
        [*before[:index], *before[index + 1 :]],
        [*before[:index], changed, *before[index + 1 :]],
    ):
        assert looked_at(lines, before).problems


@given(CHUNKS, st.integers(1, 12))
def test_any_tail_is_found_missing_by_what_was_kept_outside(chunks: list[int], count: int) -> None:
    """Counter and newest seal are put back as well, as if nothing had been there."""
    before = a_trail(chunks)
    after = before[:-count] if count < len(before) else []
    gone = before[len(after) :]
    numbered = max((line.number for line in after), default=0)
    sealed = next((line.fields["seal"] for line in reversed(after) if line.is_seal), "")
    kept = exported_trail(to_record(line) for line in before)
    verdict = verify(Trail(after, numbered, numbered, sealed), KEY, kept)
    assert {line.number for line in gone if not line.is_seal} <= named(verdict) and verdict.problems


def test_a_record_that_is_none_is_counted_and_does_no_harm() -> None:
    records: list[Any] = [
        None,
        {},
        {"number": "1", "digest": 5},
        {"seal": "x", "entries": "all"},
        {"number": 1, "digest": "d"},
        {"seal": "x", "entries": [1, "2"]},
    ]
    kept = exported_trail(records)
    assert (kept.entries, kept.seals, kept.unreadable) == ({1: {"d"}}, {"x": [1]}, 4)


def test_numbers_in_words() -> None:
    assert [number_ranges(n) for n in ([3], [3, 4], [1, 2, 3], [9, 5, 6, 7, 3], [2, 2])] == [
        "3",
        "3 and 4",
        "1 to 3",
        "3, 5 to 7 and 9",
        "2",
    ]

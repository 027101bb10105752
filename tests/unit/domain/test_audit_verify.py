"""Whatever is done to a sealed trail is found, and nothing is found in one that was left alone: by rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.audit.seals import Seal, number_ranges, to_record
from bot.domain.audit.verify import (
    ExportedTrail,
    Tampering,
    Trail,
    Verdict,
    exported_trail,
    verify,
)
from bot.domain.records import StreamEntry
from tests.support.memory_trail import KEY

AT = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
CHUNKS = st.lists(st.integers(1, 5), min_size=1, max_size=8)
"""How many entries come under each seal."""


def a_trail(chunks: Sequence[int], unsealed: int = 0, late: int = 0) -> list[StreamEntry]:
    """Return entries and seals as a bot writes them. A seal may come `late` entries after its last."""
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


def verdict_on(
    lines: Sequence[StreamEntry],
    before: Sequence[StreamEntry],
    export: ExportedTrail | None = None,
    key: str = KEY,
) -> Verdict:
    """Return the verdict on `lines`, with the counter and newest seal of `before`."""
    numbered = max(line.number for line in before)
    sealed = [line.fields["seal"] for line in before if line.is_seal][-1]
    return verify(Trail(lines, numbered, numbered, sealed), key, export or ExportedTrail())


def named(verdict: Verdict) -> set[int]:
    """Return every entry that a problem names."""
    return {number for problem in verdict.problems for number in problem.numbers}


@given(CHUNKS, st.integers(0, 4), st.integers(0, 3))
def test_untouched_trail_has_no_problem(chunks: list[int], unsealed: int, late: int) -> None:
    lines = a_trail(chunks, unsealed, late)
    verdict = verdict_on(lines, lines, exported_trail(to_record(line) for line in lines))
    assert verdict.problems == [] and list(verdict.unsealed) == list(
        range(sum(chunks) + 1, sum(chunks) + unsealed + 1)
    )
    assert (verdict.entries, verdict.seals) == (sum(chunks) + unsealed, len(chunks))


@given(CHUNKS, st.data())
def test_tampering_with_one_entry_names_it_alone(chunks: list[int], data: st.DataObject) -> None:
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
    verdict = verdict_on(lines, before)
    assert verdict.problems and named(verdict) == {victim.number}


@given(CHUNKS.filter(lambda chunks: sum(chunks) > 1), st.data())
def test_swapped_entries_are_found(chunks: list[int], data: st.DataObject) -> None:
    before = a_trail(chunks)
    places = [i for i, line in enumerate(before) if not line.is_seal]
    one, other = data.draw(st.lists(st.sampled_from(places), min_size=2, max_size=2, unique=True))
    lines = list(before)
    lines[one], lines[other] = before[other], before[one]
    verdict = verdict_on(lines, before)
    assert verdict.problems and verdict.problems[0].kind is Tampering.ENTRIES_MOVED
    assert named(verdict) & {before[one].number, before[other].number}


@given(CHUNKS, st.data())
def test_tampering_with_a_seal_is_found(chunks: list[int], data: st.DataObject) -> None:
    before = a_trail(chunks)
    index = data.draw(st.sampled_from([i for i, line in enumerate(before) if line.is_seal]))
    name = data.draw(st.sampled_from(["at", "previous", "sealed", "seal", "more"]))
    changed = StreamEntry(before[index].stream_id, {**before[index].fields, name: "0" * 64})
    for lines in (
        [*before[:index], *before[index + 1 :]],
        [*before[:index], changed, *before[index + 1 :]],
    ):
        assert verdict_on(lines, before).problems


@given(CHUNKS, st.integers(1, 12))
def test_export_shows_any_missing_tail(chunks: list[int], count: int) -> None:
    """The counter and the newest seal are put back, too."""
    before = a_trail(chunks)
    after = before[:-count] if count < len(before) else []
    gone = before[len(after) :]
    numbered = max((line.number for line in after), default=0)
    sealed = next((line.fields["seal"] for line in reversed(after) if line.is_seal), "")
    export = exported_trail(to_record(line) for line in before)
    verdict = verify(Trail(after, numbered, numbered, sealed), KEY, export)
    assert {line.number for line in gone if not line.is_seal} <= named(verdict) and verdict.problems


def test_unreadable_records_are_counted() -> None:
    records: list[Any] = [
        None,
        {},
        {"number": "1", "digest": 5},
        {"seal": "x", "entries": "all"},
        {"number": 1, "digest": "d"},
        {"seal": "x", "entries": [1, "2"]},
    ]
    export = exported_trail(records)
    assert (export.entries, export.seals, export.unreadable) == ({1: {"d"}}, {"x": [1]}, 4)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([3], "3"), ([3, 4], "3-4"), ([9, 5, 6, 7, 3], "3, 5-7, 9"), ([2, 2], "2"), ([], "")],
)
def test_numbers_are_shown_as_ranges(numbers: list[int], text: str) -> None:
    assert number_ranges(numbers) == text

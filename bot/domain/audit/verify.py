"""Verify the audit trail.

Compare its entries with its seals, its counter and exported copies.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.audit.seals import Seal, digest, is_seal_valid, is_signature_valid
from bot.domain.records import StreamEntry

SealedEntry = tuple[int, str]
"""An entry under a seal: its number and its digest."""


@dataclass
class ExportedTrail:
    """Copies of the trail outside the database.

    They are digests by number, and the numbers under each seal.
    """

    entries: dict[int, set[str]] = field(default_factory=dict)
    seals: dict[str, list[int]] = field(default_factory=dict)
    unreadable: int = 0


@dataclass(frozen=True)
class Trail:
    """The trail as it was read.

    Entries may be added while the trail is read. So `last_number` and `sealed` (the value of the
    newest seal) are read before `lines`, and `last_number_after` after them.
    """

    lines: Sequence[StreamEntry]
    last_number: int
    last_number_after: int
    sealed: str


class Tampering(StrEnum):
    """A kind of tampering.

    The comments say what `Problem.numbers` are where it is not the entries.
    """

    ENTRIES_CHANGED = "entries_changed"
    ENTRIES_INSERTED = "entries_inserted"
    ENTRIES_REMOVED = "entries_removed"
    ENTRIES_MOVED = "entries_moved"
    ENTRIES_CUT_OFF = "entries_cut_off"
    ENTRIES_UNSEALED = "entries_unsealed"
    ENTRIES_NOT_SIGNED = "entries_not_signed"
    NUMBERS_REPEATED = "numbers_repeated"
    UNNUMBERED_ENTRY_CHANGED = "unnumbered_entry_changed"  # none
    UNNUMBERED_ENTRY_INSERTED = "unnumbered_entry_inserted"  # none
    COUNTER_TURNED_BACK = "counter_turned_back"  # the counter, the last entry
    SEAL_INVALID = "seal_invalid"
    SEAL_OUT_OF_ORDER = "seal_out_of_order"
    NEWEST_SEAL_CUT_OFF = "newest_seal_cut_off"  # none
    EXPORTED_SEAL_MISSING = "exported_seal_missing"
    EXPORT_CONTRADICTS_ITSELF = "export_contradicts_itself"


@dataclass(frozen=True)
class Problem:
    """One kind of tampering, with the numbers of the entries that it concerns."""

    kind: Tampering
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The result of a verification.

    `unsealed` are the numbers of entries without a seal yet.
    """

    problems: Sequence[Problem]
    unsealed: Sequence[int]
    entries: int
    seals: int


def verify(trail: Trail, key: str, export: ExportedTrail) -> Verdict:
    """Return what is wrong with the trail. Without a `key` ("") seals are not checked."""
    entries = [line for line in trail.lines if not line.is_seal]
    seals = [line for line in trail.lines if line.is_seal]
    sealed, problems = (
        _sealed_entries(seals, key, trail.sealed) if key else (Counter[SealedEntry](), [])
    )
    present = Counter((line.number, digest(line)) for line in entries)
    changed, inserted = _compare_with_seals(sealed, present)
    if any(not number for number, _ in sealed - present):
        problems.append(Problem(Tampering.UNNUMBERED_ENTRY_CHANGED))
    changed |= _compare_with_export(export, present)
    loose = _unsealed(entries, seals, sealed) if key else _Unsealed()
    # Where a seal is broken, it may have covered the orphans.
    inserted |= set() if problems else set(loose.orphans)
    numbers, repeated = _unique_numbers(entries, sealed, inserted)
    moved = _out_of_order(numbers)
    inserted |= {n for n in moved if n > trail.last_number_after or not n}
    under_seal = {number for number, _ in sealed}
    numbers = [n for n in numbers if n not in inserted or n in under_seal]
    if problems and loose.orphans:
        problems.append(Problem(Tampering.ENTRIES_UNSEALED, tuple(loose.orphans)))
    known = under_seal | export.entries.keys()
    problems += _entry_problems(trail, known, numbers, changed, inserted, moved - inserted)
    problems += _problem(Tampering.NUMBERS_REPEATED, repeated)
    named = changed | inserted | repeated
    if key:
        foreign = _unsigned_numbers(entries, key) - named
        problems += _problem(Tampering.ENTRIES_NOT_SIGNED, foreign)
    problems += _export_problems(export, {line.fields["seal"] for line in seals})
    unsealed = [n for n in loose.behind if n not in inserted]
    return Verdict(problems, unsealed, len(entries), len(seals))


def _problem(kind: Tampering, numbers: Iterable[int]) -> list[Problem]:
    """Return the problem with its numbers in order, none where there are no numbers."""
    found = tuple(sorted(numbers))
    return [Problem(kind, found)] if found else []


def _sealed_entries(
    seals: Sequence[StreamEntry], key: str, newest: str
) -> tuple[Counter[SealedEntry], list[Problem]]:
    """Return the entries under valid seals, and the problems of the seals themselves."""
    sealed: Counter[SealedEntry] = Counter()
    problems, previous = [], ""
    for line in seals:
        seal = Seal.read(line)
        if not is_seal_valid(line, key):
            problems.append(Problem(Tampering.SEAL_INVALID, tuple(seal.numbers)))
        else:
            if seal.previous != previous:
                problems.append(Problem(Tampering.SEAL_OUT_OF_ORDER, tuple(seal.numbers)))
            sealed.update(entry for entry in seal.entries if entry not in sealed)
        previous = seal.value
    if newest and newest not in {line.fields["seal"] for line in seals}:
        problems.append(Problem(Tampering.NEWEST_SEAL_CUT_OFF))
    return sealed, problems


def _unsigned_numbers(entries: Sequence[StreamEntry], key: str) -> set[int]:
    """Return the numbers of entries that are repeated or not by a bot with this key.

    Entries before the first signed one predate signing, or the key.
    """
    commits: set[str] = set()
    foreign: set[int] = set()
    for line in entries:
        commit = line.fields.get("commit", "")
        if is_signature_valid(line, key) and commit not in commits:
            commits.add(commit)
        elif commits or "mac" in line.fields:
            foreign.add(line.number)
    return foreign


def _compare_with_seals(
    sealed: Counter[SealedEntry], present: Counter[SealedEntry]
) -> tuple[set[int], set[int]]:
    """Return the numbers of entries that differ from sealed ones, and of extra ones."""
    missing = Counter(number for number, _ in (sealed - present).elements())
    numbers = {number for number, _ in sealed}
    extra = Counter(number for number, _ in (present - sealed).elements() if number in numbers)
    return {number for number in missing if number and extra[number]}, set(extra - missing)


@dataclass(frozen=True)
class _Unsealed:
    """Entries under no seal: `behind` the last sealed one, or `orphans` before it."""

    behind: Sequence[int] = ()
    orphans: Sequence[int] = ()


def _unsealed(
    entries: Sequence[StreamEntry], seals: Sequence[StreamEntry], sealed: Counter[SealedEntry]
) -> _Unsealed:
    claimed = {number for seal in seals for number in Seal.read(seal).numbers}
    loose = [n for n in dict.fromkeys(line.number for line in entries) if n not in claimed]
    last = max((number for number, _ in sealed), default=-1)
    return _Unsealed([n for n in loose if n > last], [n for n in loose if n < last])


def _unique_numbers(
    entries: Sequence[StreamEntry], sealed: Counter[SealedEntry], inserted: set[int]
) -> tuple[list[int], set[int]]:
    """Return the numbers in order, each once, and the repeated ones.

    Inserted ones are left out.
    """
    numbers: dict[int, None] = {}  # in their order
    repeated: set[int] = set()
    for line in entries:
        is_sealed = (line.number, digest(line)) in sealed
        if line.number in inserted and not is_sealed:
            continue
        if line.number and line.number in numbers:
            repeated.add(line.number)
        numbers.setdefault(line.number)
    return list(numbers), repeated


def _compare_with_export(export: ExportedTrail, present: Counter[SealedEntry]) -> set[int]:
    """Return the numbers of entries whose content differs from the export."""
    here: dict[int, set[str]] = {}
    for number, text in present:
        here.setdefault(number, set()).add(text)
    return {
        number
        for number, seen in export.entries.items()
        if number in here and not here[number] & seen
    }


def _entry_problems(
    trail: Trail,
    known: Iterable[int],
    numbers: Sequence[int],
    changed: Iterable[int],
    inserted: Iterable[int],
    moved: Iterable[int],
) -> list[Problem]:
    """Return the problems of the entries.

    `known` are the numbers that seals or exports have, `numbers` those in the trail.
    """
    last = max(numbers, default=0)
    missing = set(range(1, max([trail.last_number, last, *known]) + 1)) - set(numbers)
    problems = [
        *_problem(Tampering.ENTRIES_CHANGED, changed),
        *_problem(Tampering.ENTRIES_INSERTED, set(inserted) - {0}),
        *_problem(Tampering.ENTRIES_REMOVED, {n for n in missing if n < last}),
        *_problem(Tampering.ENTRIES_MOVED, moved),
        *_problem(Tampering.ENTRIES_CUT_OFF, {n for n in missing if n > last}),
    ]
    if 0 in inserted:
        problems.append(Problem(Tampering.UNNUMBERED_ENTRY_INSERTED))
    if trail.last_number_after < last:
        problems.append(Problem(Tampering.COUNTER_TURNED_BACK, (trail.last_number_after, last)))
    return problems


def _export_problems(export: ExportedTrail, seals: set[str]) -> list[Problem]:
    problems = [
        Problem(Tampering.EXPORTED_SEAL_MISSING, tuple(numbers))
        for value, numbers in export.seals.items()
        if value not in seals
    ]
    contradictions = [number for number, seen in export.entries.items() if len(seen) > 1]
    return problems + _problem(Tampering.EXPORT_CONTRADICTS_ITSELF, contradictions)


def _out_of_order(numbers: Sequence[int]) -> set[int]:
    """Return the fewest numbers whose removal leaves an ascending sequence."""
    ends: list[int] = []
    positions: list[int] = []
    for number in numbers:
        position = bisect.bisect_right(ends, number)
        ends[position : position + 1] = [number]
        positions.append(position)
    length = len(ends) - 1
    ascending = set()
    for index in range(len(numbers) - 1, -1, -1):
        if positions[index] == length:
            ascending.add(index)
            length -= 1
    return {number for index, number in enumerate(numbers) if index not in ascending}


def exported_trail(records: Iterable[Mapping[str, object] | None]) -> ExportedTrail:
    """Collect an export from records of the log (`seals.to_record`).

    None stands for an unreadable one.
    """
    export = ExportedTrail()
    for record in records:
        if record is None:
            export.unreadable += 1
            continue
        number, text, seal, over = (
            record.get(name) for name in ("number", "digest", "seal", "entries")
        )
        if isinstance(number, int) and isinstance(text, str):
            export.entries.setdefault(number, set()).add(text)
        elif isinstance(seal, str) and isinstance(over, list):
            export.seals[seal] = [one for one in over if isinstance(one, int)]
        else:
            export.unreadable += 1
    return export

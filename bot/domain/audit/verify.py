"""Is the audit trail whole? Compares its entries with its seals, its counter and what was kept of the log."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.audit.seals import (
    Seal,
    digest,
    is_seal_valid,
    is_signature_valid,
    number_ranges,
)
from bot.domain.ports import StreamEntry

SealedEntry = tuple[int, str]
"""An entry as a seal knows it: its number and its digest."""


@dataclass
class ExportedTrail:
    """What somebody kept outside the store: the digests seen of each number, and seals with what they are over."""

    entries: dict[int, set[str]] = field(default_factory=dict)
    seals: dict[str, list[int]] = field(default_factory=dict)
    unreadable: int = 0


@dataclass(frozen=True)
class Trail:
    """The trail as it was read.

    `numbered` and `sealed` (the newest seal's value) were read before the `lines`, `last_number_after` after them:
    entries may be added while one reads.
    """

    lines: Sequence[StreamEntry]
    last_number: int
    last_number_after: int
    sealed: str


@dataclass(frozen=True)
class Verdict:
    """`problems` is a sentence for each kind of tampering, with numbers; `unsealed` are entries without a seal yet."""

    problems: Sequence[str]
    unsealed: Sequence[int]
    entries: int
    seals: int


def verify(trail: Trail, key: str, kept: ExportedTrail) -> Verdict:
    """What is wrong with the trail, as far as it can be told. Without a `key` ("") seals are not looked at."""
    entries = [line for line in trail.lines if not line.is_seal]
    seals = [line for line in trail.lines if line.is_seal]
    vouched, problems = (
        _sealed_entries(seals, key, trail.sealed) if key else (Counter[SealedEntry](), [])
    )
    present = Counter((line.number, digest(line)) for line in entries)
    changed, inserted = _compare_with_seals(vouched, present)
    if any(not number for number, _ in vouched - present):
        problems.append("An entry without a number, of an older version, was changed or removed.")
    changed |= _compare_with_export(kept, present)
    loose = _unsealed(entries, seals, vouched) if key else _Unsealed()
    inserted |= (
        set() if problems else set(loose.orphans)
    )  # where a seal is broken, they may be what it was over
    numbers, twice = _unique_numbers(entries, vouched, inserted)
    astray = _out_of_order(numbers)
    inserted |= {n for n in astray if n > trail.last_number_after or not n}
    under_seal = {number for number, _ in vouched}
    numbers = [n for n in numbers if n not in inserted or n in under_seal]
    if problems and loose.orphans:
        problems.append(f"No seal vouches for {entries_text(loose.orphans)} any more.")
    problems += _problem_texts(
        trail, under_seal | kept.entries.keys(), numbers, changed, inserted, astray - inserted
    )
    if twice:
        problems.append(
            f"{entries_text(sorted(twice), 'Number', 'Numbers')} stand there more than once: the counter "
            "was turned back, or entries were inserted."
        )
    named = changed | inserted | twice
    if key and (foreign := _unsigned_numbers(entries, key) - named):
        problems.append(
            f"{entries_text(sorted(foreign), 'Entry', 'Entries')} {'were' if len(foreign) > 1 else 'was'} "
            "not written by a bot with this AUDIT_KEY: made up, or changed before being sealed."
        )
    problems += _export_problems(kept, {line.fields["seal"] for line in seals})
    return Verdict(
        problems, [n for n in loose.behind if n not in inserted], len(entries), len(seals)
    )


def _sealed_entries(
    seals: Sequence[StreamEntry], key: str, newest: str
) -> tuple[Counter[SealedEntry], list[str]]:
    """What authentic seals say was there, and what is wrong with the seals themselves."""
    vouched: Counter[SealedEntry] = Counter()
    problems, previous = [], ""
    for line in seals:
        seal = Seal.read(line)
        over = f"The seal over {entries_text(seal.numbers)}"
        if not is_seal_valid(line, key):
            problems.append(
                f"{over} was not made with this AUDIT_KEY as it stands: it was changed or made up, so it "
                "vouches for nothing."
            )
        else:
            if seal.previous != previous:
                problems.append(
                    f"{over} does not follow the seal before it: one between them was removed or changed, "
                    "or they were reordered."
                )
            vouched.update(entry for entry in seal.entries if entry not in vouched)
        previous = seal.value
    if newest and newest not in {line.fields["seal"] for line in seals}:
        problems.append(
            "The newest seal was cut off: the store still knows its value, and it is not in the trail."
        )
    return vouched, problems


def _unsigned_numbers(entries: Sequence[StreamEntry], key: str) -> set[int]:
    """The numbers of the entries that no bot with this key has written, or that stand there once more.

    What comes before the first signed one is of a time without signatures, or without the key.
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
    vouched: Counter[SealedEntry], present: Counter[SealedEntry]
) -> tuple[set[int], set[int]]:
    """The numbers of entries that are not what was sealed, and of those that are there besides what was sealed."""
    gone = Counter(number for number, _ in (vouched - present).elements())
    numbers = {number for number, _ in vouched}
    extra = Counter(number for number, _ in (present - vouched).elements() if number in numbers)
    return {number for number in gone if number and extra[number]}, set(extra - gone)


@dataclass(frozen=True)
class _Unsealed:
    """Entries under no seal at all: `behind` all that is sealed (their seal comes), and `orphans` among the sealed."""

    behind: Sequence[int] = ()
    orphans: Sequence[int] = ()


def _unsealed(
    entries: Sequence[StreamEntry], seals: Sequence[StreamEntry], vouched: Counter[SealedEntry]
) -> _Unsealed:
    claimed = {number for seal in seals for number in Seal.read(seal).numbers}
    loose = [n for n in dict.fromkeys(line.number for line in entries) if n not in claimed]
    last = max((number for number, _ in vouched), default=-1)
    return _Unsealed([n for n in loose if n > last], [n for n in loose if n < last])


def _unique_numbers(
    entries: Sequence[StreamEntry], vouched: Counter[SealedEntry], inserted: set[int]
) -> tuple[list[int], set[int]]:
    """The numbers of the entries as they stand, each once and without what was put in; and those found twice."""
    numbers: dict[int, None] = {}  # in their order
    twice: set[int] = set()
    for line in entries:
        sealed = (line.number, digest(line)) in vouched
        if line.number in inserted and not sealed:
            continue
        if line.number and line.number in numbers:
            twice.add(line.number)
        numbers.setdefault(line.number)
    return list(numbers), twice


def _compare_with_export(kept: ExportedTrail, present: Counter[SealedEntry]) -> set[int]:
    """The numbers of entries that are there, but not as the log shows them."""
    here: dict[int, set[str]] = {}
    for number, text in present:
        here.setdefault(number, set()).add(text)
    return {
        number
        for number, seen in kept.entries.items()
        if number in here and not here[number] & seen
    }


def _problem_texts(
    trail: Trail,
    known: Iterable[int],
    numbers: Sequence[int],
    changed: Iterable[int],
    inserted: Iterable[int],
    astray: Iterable[int],
) -> list[str]:
    """What is wrong with the entries; `known` are numbers that seals or log have seen, `numbers` those in the trail."""
    last = max(numbers, default=0)
    missing = set(range(1, max([trail.last_number, last, *known]) + 1)) - set(numbers)
    problems = []
    for found, words in (
        (changed, "changed after being written"),
        (set(inserted) - {0}, "inserted"),
        ({n for n in missing if n < last}, "removed"),
        (astray, "moved to another place in the order"),
        ({n for n in missing if n > last}, "cut off from the end"),
    ):
        if numbered := sorted(found):
            problems.append(
                f"{entries_text(numbered, 'Entry', 'Entries')} {'were' if len(numbered) > 1 else 'was'} "
                f"{words}."
            )
    if 0 in inserted:
        problems.append("An entry without a number was inserted.")
    if trail.last_number_after < last:
        problems.append(
            f"The counter was turned back: it says {trail.last_number_after}, and entry {last} exists."
        )
    return problems


def _export_problems(kept: ExportedTrail, seals: set[str]) -> list[str]:
    problems = [
        f"The seal over {entries_text(numbers)}, which the log shows, was removed or changed."
        for value, numbers in kept.seals.items()
        if value not in seals
    ]
    if twice := sorted(number for number, seen in kept.entries.items() if len(seen) > 1):
        problems.append(
            f"The log shows {entries_text(twice)} with more than one content: numbers were given twice, "
            "so the counter was turned back once."
        )
    return problems


def _out_of_order(numbers: Sequence[int]) -> set[int]:
    """The fewest numbers that must be moved to have the rest ascend: all but a longest ascending subsequence."""
    ends: list[int] = []
    places: list[int] = []
    for number in numbers:
        place = bisect.bisect_right(ends, number)
        ends[place : place + 1] = [number]
        places.append(place)
    wanted = len(ends) - 1
    ascending = set()
    for index in range(len(numbers) - 1, -1, -1):
        if places[index] == wanted:
            ascending.add(index)
            wanted -= 1
    return {number for index, number in enumerate(numbers) if index not in ascending}


def entries_text(numbers: Sequence[int], one: str = "entry", many: str = "entries") -> str:
    """ "entry 3", "entries 3 to 9"."""
    if not numbers:
        return f"no {one}"
    return f"{many if len(set(numbers)) > 1 else one} {number_ranges(numbers)}"


def exported_trail(records: Iterable[Mapping[str, object] | None]) -> ExportedTrail:
    """What was kept, from the log's records (`audit.as_record`); None is one that could not be read."""
    kept = ExportedTrail()
    for record in records:
        if record is None:
            kept.unreadable += 1
            continue
        number, text, seal, over = (
            record.get(name) for name in ("number", "digest", "seal", "entries")
        )
        if isinstance(number, int) and isinstance(text, str):
            kept.entries.setdefault(number, set()).add(text)
        elif isinstance(seal, str) and isinstance(over, list):
            kept.seals[seal] = [one for one in over if isinstance(one, int)]
        else:
            kept.unreadable += 1
    return kept

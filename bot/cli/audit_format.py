"""Format the audit trail as text, CSV or JSON, and word a verdict.

It also reads the audit records of a log.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TextIO

from bot.domain.audit import seals
from bot.domain.audit.seals import number_ranges, to_record
from bot.domain.audit.verify import Problem, Tampering, Verdict
from bot.domain.records import StreamEntry
from bot.runtime.log_config import AUDIT_LOGGER

COLUMNS = {
    "number": "number",
    "time": "at",
    "who": "by",
    "verb": "action",
    "request": "request_id",
    "key": "key_id",
    "from": "from_status",
    "to": "to_status",
    "reason": "reason",
    "code": "code",
    "facts": "facts",
}
"""The headings of the CSV, with the field of each."""

_DURATION = re.compile(r"([0-9]{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Filter:
    """Selects the entries to print. An empty value accepts all."""

    key: str = ""
    request: str = ""
    person: str = ""
    theirs: frozenset[str] = field(default=frozenset())
    earliest: datetime | None = None

    def by(self, person: str, requests: Iterable[str]) -> Filter:
        """Narrow it to entries by this user, or about one of these requests of theirs."""
        return replace(self, person=person, theirs=frozenset(requests))

    def since(self, text: str, now: datetime) -> Filter:
        """Narrow it to entries since a span ("2d") or an ISO date. Raises ValueError."""
        if span := _DURATION.fullmatch(text):
            return replace(self, earliest=now - timedelta(**{_UNITS[span[2]]: int(span[1])}))
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                "--since is not a time. Write 2d, 12h, 30m or a date such as 2026-11-24."
            ) from None
        return replace(self, earliest=at if at.tzinfo else at.replace(tzinfo=UTC))

    def takes(self, line: StreamEntry) -> bool:
        """Return True if the entry is printed."""
        fields = line.fields
        return (
            (not self.key or fields.get("key_id") == self.key)
            and (not self.request or fields.get("request_id") == self.request)
            and (
                not self.person
                or fields.get("by") == self.person
                or fields.get("request_id") in self.theirs
            )
            and (self.earliest is None or self._late_enough(fields.get("at", "")))
        )

    def _late_enough(self, text: str) -> bool:
        """Return True if the time is late enough or unreadable.

        An unreadable time was tampered with, so its entry is shown.
        """
        try:
            at = datetime.fromisoformat(text)
            return (
                self.earliest is None
                or (at if at.tzinfo else at.replace(tzinfo=UTC)) >= self.earliest
            )
        except ValueError:
            return True


def write_text(lines: Iterable[StreamEntry], out: TextIO) -> None:
    """Write a line for each entry.

    It has the time, number, user, verb, request, key, states and reason.
    """
    for line in lines:
        cells = {name: printable(line.fields.get(name, "")) or "-" for name in COLUMNS.values()}
        state = f"{cells['from_status']} -> {cells['to_status']}"
        why = " ".join(filter(None, [line.fields.get("reason", ""), line.detail]))
        print(
            f"{cells['at'][:19]}  {cells['number']:>6}  {cells['by']:<11}  {cells['action']:<14}  "
            f"{cells['request_id']:<30}  {cells['key_id']:<20}  {state}  {printable(why) or '-'}",
            file=out,
        )


def write_csv(lines: Iterable[StreamEntry], out: TextIO) -> None:
    """Write CSV (RFC 4180).

    A cell that looks like a formula begins with an apostrophe (OWASP, "CSV Injection").
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line in lines:
        cells = [line.fields.get(name, "") for name in COLUMNS.values()]
        writer.writerow(["'" + cell if cell.startswith(_FORMULA_START) else cell for cell in cells])


def write_json(lines: Iterable[StreamEntry], out: TextIO) -> None:
    """Write JSON lines with the same names and digests as the log."""
    for line in lines:
        print(
            json.dumps(
                {"event": seals.LOG_EVENT, "logger": AUDIT_LOGGER, **to_record(line)},
                ensure_ascii=False,
            ),
            file=out,
        )


def read_records(log: Iterable[str]) -> Iterator[Mapping[str, object] | None]:
    """Yield the audit records in a log, and None for a broken one.

    A log collector may have put a prefix before each record.
    """
    for text in log:
        if f'"{AUDIT_LOGGER}"' not in text:
            continue
        try:
            record = json.loads(text[text.index("{") :])
        except ValueError:
            yield None
            continue
        if isinstance(record, dict) and (record.get("event"), record.get("logger")) == (
            seals.LOG_EVENT,
            AUDIT_LOGGER,
        ):
            yield record


def printable(text: str) -> str:
    """Return text in one line, with escapes for what could control a terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


_BY_ONE_BOT = "written by a bot with this AUDIT_KEY"
_PROBLEMS = {
    Tampering.ENTRIES_CHANGED: "{Entries} {were} changed after being written.",
    Tampering.ENTRIES_INSERTED: "{Entries} {were} inserted.",
    Tampering.ENTRIES_REMOVED: "{Entries} {were} removed.",
    Tampering.ENTRIES_MOVED: "{Entries} {were} moved to another place in the order.",
    Tampering.ENTRIES_CUT_OFF: "{Entries} {were} cut off from the end.",
    Tampering.ENTRIES_UNSEALED: "{Entries} {were} under a seal that is broken now.",
    Tampering.ENTRIES_NOT_SIGNED: f"{{Entries}} {{were}} not {_BY_ONE_BOT}. They were made up, or "
    "changed before being sealed.",
    Tampering.NUMBERS_REPEATED: "{Entries} {were} found more than once. The counter was turned "
    "back, or entries were inserted.",
    Tampering.UNNUMBERED_ENTRY_CHANGED: "An entry without a number, written by an older version, "
    "was changed or removed.",
    Tampering.UNNUMBERED_ENTRY_INSERTED: "An entry without a number was inserted.",
    Tampering.COUNTER_TURNED_BACK: "The counter was turned back: it says {first}, but entry "
    "{last} exists.",
    Tampering.SEAL_INVALID: "The seal of {entries} was not made with this AUDIT_KEY. It "
    "was changed or made up, so it proves nothing.",
    Tampering.SEAL_OUT_OF_ORDER: "The seal of {entries} does not follow the seal before it. A seal "
    "between them was removed or changed, or they were reordered.",
    Tampering.NEWEST_SEAL_CUT_OFF: "The newest seal was cut off. The database still has its value, "
    "but it is not in the trail.",
    Tampering.EXPORTED_SEAL_MISSING: "The seal of {entries}, which the log has, was removed or "
    "changed.",
    Tampering.EXPORT_CONTRADICTS_ITSELF: "The log has {entries} with more than one "
    "content. Numbers were assigned twice, so the counter was turned back once.",
}


def problem_text(problem: Problem) -> str:
    """Return a problem of the trail in words, for the operator."""
    entries = entries_text(problem.numbers)
    return _PROBLEMS[problem.kind].format(
        Entries=entries[0].upper() + entries[1:],
        entries=entries,
        were="were" if len(set(problem.numbers)) > 1 else "was",
        first=min(problem.numbers, default=0),
        last=max(problem.numbers, default=0),
    )


def entries_text(numbers: Sequence[int]) -> str:
    """Return "entry 3" or "entries 3-9"."""
    if not numbers:
        return "no entry"
    return f"{'entries' if len(set(numbers)) > 1 else 'entry'} {number_ranges(numbers)}"


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """Yield the verdict in words: each problem, the totals, what is not sealed."""
    for problem in verdict.problems:
        yield f"Tampered with: {problem_text(problem)}"
    result = "The trail is NOT intact." if verdict.problems else "The trail is intact."
    yield f"Entries: {verdict.entries}, seals: {verdict.seals}. {result}"
    if verdict.unsealed:
        yield (
            f"Not sealed yet: {entries_text(verdict.unsealed)}. A running bot with AUDIT_KEY seals "
            "new entries within seconds."
        )

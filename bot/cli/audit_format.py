"""How is the audit trail written for people, spreadsheets and programs, and read back from a log? No store in here."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TextIO

from bot.domain.audit import seals
from bot.domain.audit.seals import to_record
from bot.domain.ports import StreamEntry
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
}
"""The headings of the CSV, and the field that stands under each."""

_DURATION = re.compile(r"([0-9]{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Filter:
    """Which entries are wanted; what is empty takes all."""

    key: str = ""
    request: str = ""
    person: str = ""
    theirs: frozenset[str] = field(default=frozenset())
    earliest: datetime | None = None

    def by(self, person: str, requests: Iterable[str]) -> Filter:
        """Of those, the ones by this person or about one of these requests, which are theirs."""
        return replace(self, person=person, theirs=frozenset(requests))

    def since(self, text: str, now: datetime) -> Filter:
        """Of those, the ones not older than a span ("2d") or an ISO date. Raises ValueError, worded for its reader."""
        if span := _DURATION.fullmatch(text):
            return replace(self, earliest=now - timedelta(**{_UNITS[span[2]]: int(span[1])}))
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                "--since is no time. Write 2d, 12h, 30m or a date such as 2026-11-24."
            ) from None
        return replace(self, earliest=at if at.tzinfo else at.replace(tzinfo=UTC))

    def takes(self, line: StreamEntry) -> bool:
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
        """A time that cannot be read was tampered with, so its entry is shown."""
        try:
            at = datetime.fromisoformat(text)
            return (
                self.earliest is None
                or (at if at.tzinfo else at.replace(tzinfo=UTC)) >= self.earliest
            )
        except ValueError:
            return True


def write_text(lines: Iterable[StreamEntry], out: TextIO) -> None:
    """A line for each entry: time, number, who, verb, request, key, from -> to, why."""
    for line in lines:
        cells = {name: printable(line.fields.get(name, "")) or "-" for name in COLUMNS.values()}
        state = f"{cells['from_status']} -> {cells['to_status']}"
        print(
            f"{cells['at'][:19]}  {cells['number']:>6}  {cells['by']:<11}  {cells['action']:<14}  "
            f"{cells['request_id']:<30}  {cells['key_id']:<20}  {state}  {cells['reason']}",
            file=out,
        )


def write_csv(lines: Iterable[StreamEntry], out: TextIO) -> None:
    """CSV (RFC 4180). A cell that a spreadsheet would take for a formula begins with an apostrophe (OWASP)."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line in lines:
        cells = [line.fields.get(name, "") for name in COLUMNS.values()]
        writer.writerow(["'" + cell if cell.startswith(_FORMULA_START) else cell for cell in cells])


def write_json(lines: Iterable[StreamEntry], out: TextIO) -> None:
    """JSON lines, with the names and the digest that the log has, too."""
    for line in lines:
        print(
            json.dumps(
                {"event": seals.LOG_EVENT, "logger": AUDIT_LOGGER, **to_record(line)},
                ensure_ascii=False,
            ),
            file=out,
        )


def read_records(log: Iterable[str]) -> Iterator[Mapping[str, object] | None]:
    """The records of the trail in a log, whatever a log collector put before each; None for one cut to pieces."""
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
    """Text in one line that moves nothing in a terminal: what cannot be printed is written as an escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )

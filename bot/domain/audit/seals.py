"""What does a line of the audit trail say, and how is it sealed? Digests and seals, with the standard library alone.

A seal is an entry of the trail, too: an HMAC-SHA256 by `AUDIT_KEY` over the seal before it and the digests of the
entries since. Each entry has one of its own, made by the bot that wrote it: a seal is over whatever stands there by
then. Whoever can write to the store but has not the key can make neither.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.ports import StreamEntry

REFUSED = "refused"
"""What the entry of a refusal becomes: the state of nothing."""

LOG_EVENT = "audit"
"""The event of each line of the trail in the log."""

_ENTRY_FIELDS = (
    "by",
    "action",
    "request_id",
    "key_id",
    "from_status",
    "to_status",
    "reason",
    "code",
    "facts",
)
_SEALED_ENTRY = re.compile(r"([0-9]{1,15}):([0-9a-f]{64})")


def canonical(fields: Mapping[str, str]) -> str:
    """One text for the same fields, whoever writes it: JSON in ASCII, names in order, no space."""
    return json.dumps(dict(fields), sort_keys=True, separators=(",", ":"))


def digest(line: StreamEntry) -> str:
    """SHA-256 of everything that stands in an entry, in hex."""
    return hashlib.sha256(canonical(line.fields).encode()).hexdigest()


def sign(fields: Mapping[str, str], key: str, commit: str) -> dict[str, str]:
    """An entry's fields with the ID of its commit and an HMAC by `key` over all of them ("": as they are).

    The entry's number is not among them, since the store gives it: seals are over numbers, and no ID comes twice.
    """
    if not key:
        return dict(fields)
    whole = {**fields, "commit": commit}
    return {**whole, "mac": _hmac(key, whole)}


def is_signature_valid(line: StreamEntry, key: str) -> bool:
    """Was this entry written by a bot with `key`, just as it stands, its number aside?"""
    whole = {name: text for name, text in line.fields.items() if name not in ("number", "mac")}
    return hmac.compare_digest(_hmac(key, whole).encode(), line.fields.get("mac", "").encode())


@dataclass(frozen=True)
class Seal:
    """A seal over `entries`, each a number and a digest, in their order. `value` is the HMAC, in hex."""

    at: str
    previous: str
    entries: tuple[tuple[int, str], ...]
    value: str

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.entries]

    def fields(self) -> dict[str, str]:
        """The seal as a line's fields."""
        return {**_unsigned(self.at, self.previous, self.entries), "seal": self.value}

    @classmethod
    def make(cls, key: str, previous: str, lines: Sequence[StreamEntry], at: datetime) -> Seal:
        """A seal by `key` over the seal with the value `previous` ("": the first one) and the entries in `lines`."""
        entries = tuple((line.number, digest(line)) for line in lines)
        return cls(
            at.isoformat(),
            previous,
            entries,
            _hmac(key, _unsigned(at.isoformat(), previous, entries)),
        )

    @classmethod
    def read(cls, line: StreamEntry) -> Seal:
        """The seal in a line, as far as it can be read: it may have been tampered with."""
        found = _SEALED_ENTRY.findall(line.fields.get("sealed", ""))
        return cls(
            line.fields.get("at", ""),
            line.fields.get("previous", ""),
            tuple((int(number), text) for number, text in found),
            line.fields.get("seal", ""),
        )


def is_seal_valid(line: StreamEntry, key: str) -> bool:
    """Was this seal made with `key`, just as it stands?"""
    unsigned = {name: text for name, text in line.fields.items() if name != "seal"}
    return hmac.compare_digest(_hmac(key, unsigned).encode(), line.fields.get("seal", "").encode())


def to_record(line: StreamEntry) -> dict[str, object]:
    """A line as it is written down outside the store: in the log, and by `python -m bot audit --json`.

    An entry comes with its digest, a seal with what it is over: that is what `verify` compares.
    """
    when = line.fields.get("at", "")
    if line.is_seal:
        seal = Seal.read(line)
        return {
            "number": None,
            "when": when,
            "action": "seal",
            "seal": seal.value,
            "previous": seal.previous,
            "entries": seal.numbers,
        }
    return {
        "number": line.number,
        "when": when,
        **{name: line.fields.get(name, "") for name in _ENTRY_FIELDS},
        "digest": digest(line),
    }


def number_ranges(numbers: Sequence[int]) -> str:
    """Numbers in words: "3", "3 and 4", "3, 5 to 9 and 12"."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [
        part
        for run in runs
        for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))
    ]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _unsigned(at: str, previous: str, entries: Sequence[tuple[int, str]]) -> dict[str, str]:
    return {
        "at": at,
        "previous": previous,
        "sealed": " ".join(f"{number}:{text}" for number, text in entries),
    }


def _hmac(key: str, fields: Mapping[str, str]) -> str:
    return hmac.new(key.encode(), canonical(fields).encode(), hashlib.sha256).hexdigest()

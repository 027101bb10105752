"""Make digests, signatures and seals of the audit trail.

A seal is an entry of the stream: an HMAC-SHA256 with `AUDIT_KEY` over the previous seal and the
digests of the entries since. A signature is an HMAC over one entry, made by the bot that writes it.
A seal covers whatever is there when it is made, so it needs both. Without the key neither can be
forged.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.records import StreamEntry

REFUSED = "refused"
"""The `to_status` of a refusal's entry."""

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
    """Return the same text for the same fields.

    It is JSON in ASCII, with the names in order and without spaces.
    """
    return json.dumps(dict(fields), sort_keys=True, separators=(",", ":"))


def digest(line: StreamEntry) -> str:
    """Return the SHA-256 of all fields of an entry, in hex."""
    return hashlib.sha256(canonical(line.fields).encode()).hexdigest()


def sign(fields: Mapping[str, str], key: str, commit: str) -> dict[str, str]:
    """Return an entry's fields with the ID of its commit and an HMAC over all.

    Without a key ("") they are returned as they are. The number is not covered, since the database
    assigns it. Seals cover numbers, and no commit ID may appear twice.
    """
    if not key:
        return dict(fields)
    whole = {**fields, "commit": commit}
    return {**whole, "mac": _hmac(key, whole)}


def is_signature_valid(line: StreamEntry, key: str) -> bool:
    """Return True if a bot with `key` wrote this entry, apart from its number."""
    whole = {name: text for name, text in line.fields.items() if name not in ("number", "mac")}
    return hmac.compare_digest(_hmac(key, whole).encode(), line.fields.get("mac", "").encode())


@dataclass(frozen=True)
class Seal:
    """A seal over `entries`, which are numbers and digests, in order.

    `value` is the HMAC, in hex.
    """

    at: str
    previous: str
    entries: tuple[tuple[int, str], ...]
    value: str

    @property
    def numbers(self) -> list[int]:
        """The numbers of the entries under this seal."""
        return [number for number, _ in self.entries]

    def fields(self) -> dict[str, str]:
        """Return the seal as the fields of a stream entry."""
        return {**_unsigned(self.at, self.previous, self.entries), "seal": self.value}

    @classmethod
    def make(cls, key: str, previous: str, lines: Sequence[StreamEntry], at: datetime) -> Seal:
        """Make a seal with `key` over the seal `previous` ("": none) and the entries."""
        entries = tuple((line.number, digest(line)) for line in lines)
        return cls(
            at.isoformat(),
            previous,
            entries,
            _hmac(key, _unsigned(at.isoformat(), previous, entries)),
        )

    @classmethod
    def read(cls, line: StreamEntry) -> Seal:
        """Read the seal in a line, as far as possible.

        It may have been tampered with.
        """
        found = _SEALED_ENTRY.findall(line.fields.get("sealed", ""))
        return cls(
            line.fields.get("at", ""),
            line.fields.get("previous", ""),
            tuple((int(number), text) for number, text in found),
            line.fields.get("seal", ""),
        )


def is_seal_valid(line: StreamEntry, key: str) -> bool:
    """Return True if this seal was made with `key` as it is."""
    unsigned = {name: text for name, text in line.fields.items() if name != "seal"}
    return hmac.compare_digest(_hmac(key, unsigned).encode(), line.fields.get("seal", "").encode())


def to_record(line: StreamEntry) -> dict[str, object]:
    """Return a line as the log and `python -m bot audit --json` show it.

    `verify` compares the digest of an entry, and the numbers under a seal.
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
    """Return numbers as ranges, in order: "3, 5-9, 12"."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _unsigned(at: str, previous: str, entries: Sequence[tuple[int, str]]) -> dict[str, str]:
    return {
        "at": at,
        "previous": previous,
        "sealed": " ".join(f"{number}:{text}" for number, text in entries),
    }


def _hmac(key: str, fields: Mapping[str, str]) -> str:
    return hmac.new(key.encode(), canonical(fields).encode(), hashlib.sha256).hexdigest()

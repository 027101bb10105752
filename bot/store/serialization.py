"""Turn values, audit entries and whole commits into what Redis stores, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import TypeAdapter

from bot.domain.codes import Detail
from bot.domain.keys import ManagedKey
from bot.domain.outside_errors import StoredFormatTooNew, StoredValueUnreadable
from bot.domain.rate_limits import Usage
from bot.domain.records import AuditEntry, Change, Record, SlackMessage
from bot.domain.requests import KeyRequest
from bot.domain.states import Status

T = TypeVar("T")

FORMAT = 1
"""The format of stored requests, keys, messages and audit entries.

Raise it when their shape or meaning changes.
"""

Sign = Callable[[Mapping[str, str], str], Mapping[str, str]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_REQUEST = TypeAdapter(KeyRequest)
_KEY = TypeAdapter(ManagedKey)
_MESSAGE = TypeAdapter(SlackMessage)
_ENTRY = TypeAdapter(AuditEntry)
_DETAIL_FIELDS = ("code", "facts", "format")
_TEXT_FIELDS = ("by", "action", "request_id", "key_id", "from_status", "to_status", "reason")


def value_to_json(value: Record) -> str:
    """Return a request or key as one JSON object, with its `format`.

    The scripts compare its `version`.
    """
    adapter: TypeAdapter[Any] = _REQUEST if isinstance(value, KeyRequest) else _KEY
    return json.dumps({"format": FORMAT, **adapter.dump_python(value, mode="json")})


def request_from_json(text: str, key: str) -> KeyRequest:
    """Return the request stored under a Redis key. Raises as `key_from_json`."""
    return _read(_REQUEST, text, key)


def key_from_json(text: str, key: str) -> ManagedKey:
    """Return the managed key that is stored under a Redis key.

    Raises:
        StoredFormatTooNew: A newer version of Keydesk wrote it.
        StoredValueUnreadable: It is damaged, or has fields that would be lost at the next write.
    """
    return _read(_KEY, text, key)


def _read(adapter: TypeAdapter[T], text: str, key: str) -> T:
    try:
        stored = json.loads(text)
        _check_format(stored, key)
        fields = {name: field for name, field in stored.items() if name != "format"}
        value = adapter.validate_python(fields)
        known = adapter.dump_python(value, mode="json")
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise StoredValueUnreadable(key) from None
    if not _has_all(known, fields):
        raise StoredValueUnreadable(key)
    return value


def _check_format(stored: Mapping[str, Any], key: str) -> None:
    """Raise StoredFormatTooNew for a newer format, ValueError for none."""
    number = int(stored.get("format") or 0)
    if number > FORMAT:
        raise StoredFormatTooNew(key, number)
    if number < 1:
        raise ValueError("no format")


def _has_all(known: Any, stored: Any) -> bool:
    """Return True if `known` has every field of `stored`, at any depth."""
    if isinstance(stored, dict):
        return isinstance(known, dict) and all(
            name in known and _has_all(known[name], field) for name, field in stored.items()
        )
    if isinstance(stored, list):
        return isinstance(known, list) and all(map(_has_all, known, stored))
    return True


def message_to_json(message: SlackMessage) -> str:
    """Return where a message is in Slack as one JSON object, with its `format`."""
    return json.dumps({"format": FORMAT, **_MESSAGE.dump_python(message, mode="json")})


def message_from_json(text: str, key: str) -> SlackMessage:
    """Return the message stored under a Redis key. Raises as `key_from_json`."""
    return _read(_MESSAGE, text, key)


def entry_to_fields(entry: AuditEntry) -> dict[str, str]:
    """Return an audit entry as the fields of a stream entry.

    They are its attributes by name, `at` in ISO 8601 and `format`. A detail becomes two fields:
    `code`, and `facts` as JSON with its names in order.
    """
    fields = {name: str(getattr(entry, name)) for name in _TEXT_FIELDS}
    detail = entry.detail or Detail("")
    facts = json.dumps(dict(detail.facts), sort_keys=True) if detail.facts else ""
    return fields | {
        "at": entry.at.isoformat(),
        "code": detail.code,
        "facts": facts,
        "format": str(FORMAT),
    }


def entry_from_fields(fields: Mapping[str, str]) -> AuditEntry:
    """Return the audit entry again.

    Raises StoredFormatTooNew for a newer format, ValueError for any other fields.
    """
    _check_format(fields, "audit")
    facts = json.loads(fields["facts"]) if fields.get("facts") else {}
    detail = Detail(fields["code"], facts) if fields.get("code") else None
    texts = {name: text for name, text in fields.items() if name not in _DETAIL_FIELDS}
    return _ENTRY.validate_python({**texts, "detail": detail})


def floor_ms(at: datetime) -> int:
    """Return the last whole millisecond at or before `at`, since 1970 (UTC)."""
    return (at - _EPOCH) // _MILLISECOND


def ceil_ms(at: datetime) -> int:
    """Return the first whole millisecond at or after `at`, since 1970 (UTC).

    Nothing is then found too early.
    """
    return -((_EPOCH - at) // _MILLISECOND)


def commit_plan(
    changes: Sequence[Change],
    entry: AuditEntry | None,
    commit_id: str,
    key: Callable[[str], str],
    usage: Usage | None = None,
    sign: Sign = lambda fields, commit: fields,
) -> tuple[list[str], str]:
    """Return the KEYS of `scripts.COMMIT` for one commit, and its plan as JSON.

    Args:
        changes: The values before and after. They need an entry.
        entry: The audit entry, or None to count a usage alone.
        commit_id: The ID of this commit.
        key: Makes a Redis key of a name.
        usage: A limited action to count.
        sign: Signs an entry's fields, given the commit's ID. It is a function because an error
            report may show the variables of this frame.

    Raises:
        ValueError: A change does not raise the version of one value.
    """
    keys: dict[str, int] = {}

    def place(name: str) -> int:
        return keys.setdefault(key(name), len(keys) + 1)  # Lua counts from 1

    def write(command: str, name: str, *args: object) -> None:
        plan["write"].append(
            {"command": command, "key": place(name), "args": [str(arg) for arg in args]}
        )

    plan: dict[str, Any] = {"expect": [], "give": [], "take": [], "write": []}
    plan["mark"] = place(f"commit:{commit_id}")
    if usage:
        plan["usage"] = _usage_counters(usage, place)
    if entry is None:
        return list(keys), json.dumps(plan)
    for change in changes:
        _plan_change(change, plan, place)
        _write_value(change.after, entry.at, write)
    plan["audit"] = {
        "counter": place("audit:count"),
        "stream": place("audit"),
        "fields": [
            word for field in sign(entry_to_fields(entry), commit_id).items() for word in field
        ],
    }
    return list(keys), json.dumps(plan)


def _plan_change(change: Change, plan: dict[str, Any], place: Callable[[str], int]) -> None:
    """Add a change to a plan: the expected version, and the locks to give and take."""
    before, after = change.before, change.after
    version = before.version if before else 0
    if (before and before.name != after.name) or after.version <= version:
        raise ValueError(f"{after.name}: version {after.version} does not follow version {version}")
    plan["expect"].append({"key": place(after.name), "name": after.name, "version": version})
    for name in sorted(_locks(before) - _locks(after)):
        plan["give"].append({"key": place(f"lock:{name}"), "holder": after.id})
    for name in sorted(_locks(after) - _locks(before)):
        plan["take"].append({"key": place(f"lock:{name}"), "name": name, "holder": after.id})


def _usage_counters(usage: Usage, place: Callable[[str], int]) -> dict[str, object]:
    """Return the counters of a limited action.

    Lua has no null, so a missing limit is left out.
    """
    prefix = f"usage:{usage.limited_action}"
    counters: dict[str, object] = {
        "own": place(f"{prefix}:{usage.person}:{usage.hour}"),
        "all": place(f"{prefix}:all:{usage.hour}"),
        "refused": place(f"{prefix}:{usage.person}:{usage.hour}:refused"),
        "most": usage.limit.person,
        "free": usage.free,
    }
    return counters if usage.limit.overall is None else counters | {"most_all": usage.limit.overall}


def _write_value(value: Record, at: datetime, write: Callable[..., None]) -> None:
    write("SET", value.name, value_to_json(value))
    if value.next_run is None:
        write("ZREM", "due", value.name)
    else:
        write("ZADD", "due", ceil_ms(value.next_run), value.name)
    write("HDEL", "rescheduled", value.name)
    # LT: a value that waits to be rendered keeps its turn.
    write("ZADD", "render", "LT", floor_ms(at), value.name)
    if isinstance(value, KeyRequest):
        requested_at = floor_ms(value.requested_at)
        write("ZADD", f"requests:{value.requester}", requested_at, value.id)
        if value.status is Status.PENDING:
            write("ZADD", "pending", requested_at, value.id)
        else:
            write("ZREM", "pending", value.id)


def _locks(value: Record | None) -> frozenset[str]:
    return value.locks if isinstance(value, KeyRequest) else frozenset()

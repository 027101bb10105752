"""How do values, audit entries and whole commits look in Redis? Pure code, both ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from bot.domain.codes import Detail
from bot.domain.keys import ManagedKey
from bot.domain.ports import (
    AuditEntry,
    Change,
    Record,
    SlackMessage,
)
from bot.domain.rate_limits import Usage
from bot.domain.requests import KeyRequest
from bot.domain.states import Status

Sign = Callable[[Mapping[str, str], str], Mapping[str, str]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_REQUEST = TypeAdapter(KeyRequest)
_KEY = TypeAdapter(ManagedKey)
_COPY = TypeAdapter(SlackMessage)
_ENTRY = TypeAdapter(AuditEntry)
_TEXT_FIELDS = ("by", "action", "request_id", "key_id", "from_status", "to_status", "reason")


def value_to_json(value: Record) -> str:
    """A request or key as one JSON object; its `version` is what the scripts compare."""
    adapter: TypeAdapter[Any] = _REQUEST if isinstance(value, KeyRequest) else _KEY
    return adapter.dump_json(value).decode()


def request_from_json(text: str) -> KeyRequest:
    """The request again. Raises pydantic.ValidationError for what `value_to_json` did not write."""
    return _REQUEST.validate_json(text)


def key_from_json(text: str) -> ManagedKey:
    """The managed key again. Raises pydantic.ValidationError for what `value_to_json` did not write."""
    return _KEY.validate_json(text)


def copy_to_json(copy: SlackMessage) -> str:
    return _COPY.dump_json(copy).decode()


def copy_from_json(text: str) -> SlackMessage:
    return _COPY.validate_json(text)


def entry_to_fields(entry: AuditEntry) -> dict[str, str]:
    """Return an audit entry as the fields of a stream entry: its attributes by name, `at` in ISO 8601.

    A detail becomes two fields: `code`, and `facts` as JSON with its names in order.
    """
    fields = {name: str(getattr(entry, name)) for name in _TEXT_FIELDS}
    detail = entry.detail or Detail("")
    facts = json.dumps(dict(detail.facts), sort_keys=True) if detail.facts else ""
    return fields | {"at": entry.at.isoformat(), "code": detail.code, "facts": facts}


def entry_from_fields(fields: Mapping[str, str]) -> AuditEntry:
    """Return the audit entry again. Raises ValueError for what `entry_to_fields` did not write."""
    facts = json.loads(fields["facts"]) if fields.get("facts") else {}
    detail = Detail(fields["code"], facts) if fields.get("code") else None
    return _ENTRY.validate_python(
        {**{k: v for k, v in fields.items() if k not in ("code", "facts")}, "detail": detail}
    )


def floor_ms(at: datetime) -> int:
    """The last whole millisecond at or before `at`, since 1970 (UTC)."""
    return (at - _EPOCH) // _MILLISECOND


def ceil_ms(at: datetime) -> int:
    """The first whole millisecond at or after `at`: nothing that is due then is found before its time."""
    return -((_EPOCH - at) // _MILLISECOND)


def commit_plan(
    changes: Sequence[Change],
    entry: AuditEntry | None,
    commit_id: str,
    key: Callable[[str], str],
    usage: Usage | None = None,
    sign: Sign = lambda fields, commit: fields,
) -> tuple[list[str], str]:
    """What `scripts.COMMIT` is given for one commit: its KEYS, and the plan as JSON. Changes need an entry.

    `key` makes a Redis key of a name; `sign` signs an entry's fields, with the commit's ID: a function, since an
    error may show the variables of this frame. Raises ValueError for a change that is no step forward of one value.
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
        before, after = change.before, change.after
        version = before.version if before else 0
        if (before and before.name != after.name) or after.version <= version:
            raise ValueError(
                f"{after.name}: version {after.version} does not follow version {version}"
            )
        plan["expect"].append({"key": place(after.name), "name": after.name, "version": version})
        for name in sorted(_locks(before) - _locks(after)):
            plan["give"].append({"key": place(f"held:{name}"), "holder": after.id})
        for name in sorted(_locks(after) - _locks(before)):
            plan["take"].append({"key": place(f"held:{name}"), "name": name, "holder": after.id})
        _write_value(after, entry.at, write)
    plan["audit"] = {
        "counter": place("audit:count"),
        "stream": place("audit"),
        "fields": [
            word for field in sign(entry_to_fields(entry), commit_id).items() for word in field
        ],
    }
    return list(keys), json.dumps(plan)


def _usage_counters(usage: Usage, stream_id: Callable[[str], int]) -> dict[str, object]:
    """The counters of one deed. JSON's null is no nil in Lua: what is not there is left out."""
    begun = f"counted:{usage.limited_action}"
    counters: dict[str, object] = {
        "own": stream_id(f"{begun}:{usage.person}:{usage.hour}"),
        "all": stream_id(f"{begun}:all:{usage.hour}"),
        "refused": stream_id(f"{begun}:{usage.person}:{usage.hour}:refused"),
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
    write("HDEL", "postponed", value.name)
    write(
        "ZADD", "redraw", "LT", floor_ms(at), value.name
    )  # LT: it keeps its turn among what is undrawn
    if isinstance(value, KeyRequest):
        asked = floor_ms(value.requested_at)
        write("ZADD", f"requests:{value.requester}", asked, value.id)
        if value.status is Status.PENDING:
            write("ZADD", "pending", asked, value.id)
        else:
            write("ZREM", "pending", value.id)


def _locks(value: Record | None) -> frozenset[str]:
    return value.locks if isinstance(value, KeyRequest) else frozenset()

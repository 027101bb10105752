"""Example requests and keys for a store, and how to commit one change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.keys import DesiredState, ManagedKey, Origin
from bot.domain.records import AuditEntry, Change, Record
from bot.domain.requests import KeyRequest
from bot.domain.store_ports import RequestStore

START = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_request(id_: str = "r1", **fields: Any) -> KeyRequest:
    """Return a pending request of ana's, after its reminders, due in an hour."""
    usual: dict[str, Any] = {
        "verb": "create",
        "requester": "U1",
        "dm": "D1",
        "account": "111122223333",
        "iam_user": "Ana",
        "iam_user_id": "AIDA1",
        "reason": "deploy",
        "keys": (),
        "requested_at": START,
        "deadline": START + 60 * MINUTE,
        "reminders": ("2",),
    }
    return KeyRequest(id=id_, **usual | fields)


def a_key(id_: str = "AKIAIOSFODNN7EXAMPLE", **fields: Any) -> ManagedKey:
    """Return a key that r1 made for ana, to be checked in an hour."""
    usual: dict[str, Any] = {
        "account": "111122223333",
        "iam_user": "Ana",
        "owner": "U1",
        "request_id": "r1",
        "origin": Origin.ISSUED,
        "created_at": START,
        "desired": DesiredState.ACTIVE,
        "check_at": START + 60 * MINUTE,
    }
    return ManagedKey(id=id_, **usual | fields)


def put(store: RequestStore, before: Record | None, after: Record, at: datetime = START) -> Any:
    """Commit one change, and return the value after it."""
    store.commit(Change(before, after), entry=AuditEntry(at, "U1", "test", request_id=after.id))
    return after

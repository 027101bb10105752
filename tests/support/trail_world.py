"""What do the tests of `python -m bot audit` work with? A trail in a real server, sealed, with its log kept outside."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.cli import audit
from bot.domain.records import AuditEntry
from bot.runtime.audit_publisher import AuditPublisher
from bot.store.redis_store import RedisStore
from tests.support.logged import Log
from tests.support.memory_store import FakeClock
from tests.support.memory_trail import KEY

STREAM, COUNTER, SEALED = "{keydesk}:audit", "{keydesk}:audit:count", "{keydesk}:audit:sealed"
START = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
REQUEST = "0123456789abcdef0123456789abcd"
A_KEY = "AKIAIOSFODNN7EXAMPLE"


@dataclass
class TrailWorld:
    """A store at `url` with a desk's trail in it; `raw` is whoever can write to the store.

    `unsigned` is the store as a bot without AUDIT_KEY has it.
    """

    store: RedisStore
    unsigned: RedisStore
    raw: Any
    url: str
    folder: Path
    log: Log
    capture: pytest.CaptureFixture[str]

    # -- the desk

    def note(self, count: int = 1, **fields: Any) -> None:
        """So many entries, a minute apart from each other."""
        for _ in range(count):
            at = START + timedelta(minutes=self.store.trail().last_number())
            usual = {
                "at": at,
                "by": "U0ALICE",
                "action": "approve",
                "request_id": REQUEST,
                "reason": "deploy",
            }
            self.store.commit(entry=AuditEntry(**usual | fields))

    def seal(self, key: str = KEY) -> None:
        """The auditor comes by."""
        AuditPublisher(self.store.trail(), FakeClock(), "a", key=key).run_once()

    def sealed(self, *counts: int) -> None:
        """So many entries under each seal."""
        for count in counts:
            self.note(count)
            self.seal()

    def keep_log(self) -> Path:
        """What the bot has written until now, as an operator keeps it."""
        path = self.folder / "kept.log"
        path.write_text(self.log.text)
        return path

    # -- whoever tampers

    def entries(self) -> list[tuple[str, dict[str, str]]]:
        """All lines of the stream: ID and fields."""
        found: list[tuple[str, dict[str, str]]] = self.raw.xrange(STREAM)
        return found

    def stream_id(self, number: int) -> str:
        return next(id_ for id_, fields in self.entries() if fields.get("number") == str(number))

    def rebuild(self, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
        """Writes the whole stream anew, with the old IDs as far as they reach."""
        lines = self.entries()
        fields = change([dict(one) for _, one in lines])
        self.raw.delete(STREAM)
        places = [id_ for id_, _ in lines]
        for index, one in enumerate(fields):
            self.raw.xadd(STREAM, one, id=places[index] if len(fields) <= len(places) else "*")

    # -- whoever looks

    def run(self, *arguments: str, **environ: str) -> int:
        parser = argparse.ArgumentParser()
        audit.add_options(parser)
        settings: Mapping[str, str] = {"REDIS_URL": self.url, "AUDIT_KEY": KEY, **environ}
        self.capture.readouterr()
        return audit.run(parser.parse_args(arguments), settings, self.folder / ".env")

    def said(self) -> str:
        out, _ = self.capture.readouterr()
        return out

    def verify(self, *arguments: str, **environ: str) -> tuple[int, str]:
        """The exit code of --verify, and what it says."""
        code = self.run("--verify", *arguments, **environ)
        return code, self.said()

"""A sealed trail in a real server, with its log, for tests of the audit command."""

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
    """A store at `url` with a trail in it. `raw` is a client without the key.

    `unsigned` is the store as a bot without AUDIT_KEY has it.
    """

    store: RedisStore
    unsigned: RedisStore
    raw: Any
    url: str
    folder: Path
    log: Log
    capture: pytest.CaptureFixture[str]

    # -- a bot

    def note(self, count: int = 1, **fields: Any) -> None:
        """Write so many entries, a minute apart from each other."""
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
        """Run the audit publisher once."""
        AuditPublisher(self.store.trail(), FakeClock(), "a", key=key).run_once()

    def sealed(self, *counts: int) -> None:
        """Write so many entries under each seal."""
        for count in counts:
            self.note(count)
            self.seal()

    def keep_log(self) -> Path:
        """Keep what the bot has written until now in a file, as an operator does."""
        path = self.folder / "kept.log"
        path.write_text(self.log.text)
        return path

    # -- an attacker

    def entries(self) -> list[tuple[str, dict[str, str]]]:
        """Return all lines of the stream: ID and fields."""
        found: list[tuple[str, dict[str, str]]] = self.raw.xrange(STREAM)
        return found

    def stream_id(self, number: int) -> str:
        return next(id_ for id_, fields in self.entries() if fields.get("number") == str(number))

    def rebuild(self, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
        """Write the whole stream again, with the old IDs as far as they reach."""
        lines = self.entries()
        fields = change([dict(one) for _, one in lines])
        self.raw.delete(STREAM)
        places = [id_ for id_, _ in lines]
        for index, one in enumerate(fields):
            self.raw.xadd(STREAM, one, id=places[index] if len(fields) <= len(places) else "*")

    # -- an operator

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
        """Return the exit code of --verify, and its output."""
        code = self.run("--verify", *arguments, **environ)
        return code, self.said()

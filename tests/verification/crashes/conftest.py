"""Run each crash test with its own bot process, workspace and AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.verification.crashes.crash_world import CrashWorld, crash_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CrashWorld]:
    with crash_world(tmp_path, monkeypatch.setenv) as made:
        yield made

"""The fixture of the audit command: a trail in a real database, and its log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from tests.support.logged import logged
from tests.support.memory_trail import KEY
from tests.support.trail_world import TrailWorld


@pytest.fixture
def trail(
    valkey: EmbeddedServer,
    redis_store: RedisStore,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[TrailWorld]:
    client: Any = connect(valkey.url)
    signs = RedisStore(connect(valkey.url), audit_key=KEY)
    with logged() as log:
        yield TrailWorld(signs, redis_store, client, valkey.url, tmp_path, log, capsys)
    signs.close()
    client.close()

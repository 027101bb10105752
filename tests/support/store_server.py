"""A Valkey server that a test can stop and start again."""

from __future__ import annotations

from pathlib import Path

import redis

from bot.store import embedded
from bot.store.connection import connect


class StoreServer:
    """A Valkey server of a test's own, which can stop and start again with its data."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.server = embedded.start(data_dir)

    @property
    def url(self) -> str:
        return self.server.url

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        was = self.url
        self.server = embedded.start(self._data_dir)
        assert self.url == was, "the server is to be found where it was"

    def client(self) -> redis.Redis:
        return connect(self.url)

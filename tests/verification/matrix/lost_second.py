"""How does a store lose its last second? It is started again from its append-only file as that was a moment before.

Redis with `appendfsync everysec`, or a replica that is promoted, acknowledges writes and then forgets them; the
embedded server (`always`) does not.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.verification.matrix.harness import Workshop

FILES = "appendonlydir"


class Moment:
    """The store as it was when this was made; `back()` has the server forget everything since."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._data = shop.folder / "data"
        self._kept = shop.folder / "kept"
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self._data / FILES, self._kept)

    def back(self) -> None:
        """The server ends, and starts again with the older file."""
        self._shop.server.stop()
        here: Path = self._data / FILES
        shutil.rmtree(here)
        shutil.copytree(self._kept, here)
        self._shop.server.start()

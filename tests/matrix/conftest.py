"""What do the cells of a test process share? One workshop: a Valkey, an IAM and a server that bots are forked from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.matrix.harness import Workshop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with Workshop(tmp_path_factory.mktemp("matrix")) as shop:
        yield shop

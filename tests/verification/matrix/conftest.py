"""What do the cells of a test process share, and what does a run of the matrices say at its end?

One workshop for each file: a Valkey, an IAM and a server that bots are forked from. It does not outlive its file, since
the end of any local AWS in the same process takes what all of them keep (moto's state is the process's). Each test
that runs cells records its counts (`count`). The summary adds up those of all workers (`tests/support/call_counts.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.call_counts import COUNT
from tests.support.canary import forms
from tests.verification.matrix.harness import Workshop

Count = Callable[..., None]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    folder = tmp_path_factory.mktemp("matrix")
    with Workshop(folder) as shop:
        yield shop
        secrets = [form for secret in shop.aws.secrets.values() for form in forms(secret)]
    kept = b"".join(path.read_bytes() for path in (folder / "data").rglob("*") if path.is_file())
    assert b"{keydesk}:audit" in kept, "the search looks in the wrong place"
    assert not [form for form in secrets if form.encode() in kept], (
        "a secret is in the store's files"
    )


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Count:
    """Adds to the summary: `count("crash", "ask", kills=40, missed=1)`; the numbers of one row are added up."""

    def add(matrix: str, row: str, **numbers: int) -> None:
        record_property(COUNT, [matrix, row, numbers])

    return add

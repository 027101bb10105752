"""Share one workshop among the cells of a file, and count what was run.

A workshop does not outlive its file: the end of any local AWS in the process clears what all of
them keep (moto's state belongs to the process). The summary adds up the counts of all workers
(`tests/support/call_counts.py`).
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
    stored = b"".join(path.read_bytes() for path in (folder / "data").rglob("*") if path.is_file())
    assert b"{keydesk}:audit" in stored, "the search looks in the wrong place"
    assert not [form for form in secrets if form.encode() in stored], (
        "a secret is in Valkey's files"
    )


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Count:
    """Return a function that adds to the summary: `count("crash", "deny", kills=4)`."""

    def add(matrix: str, row: str, **numbers: int) -> None:
        record_property(COUNT, [matrix, row, numbers])

    return add

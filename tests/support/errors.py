"""Assertions about refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError


@contextmanager
def refuses(code: Code, **facts: Any) -> Iterator[None]:
    """Assert that the block raises the error of this code, with at least these facts."""
    with pytest.raises(KeydeskError) as caught:
        yield
    assert caught.value.code is code
    assert {name: caught.value.facts.get(name) for name in facts} == facts


def refusal(check: Callable[..., object], *arguments: Any) -> Code | None:
    """Return the code of the error that a check raises, or None."""
    try:
        check(*arguments)
    except KeydeskError as error:
        return error.code
    return None

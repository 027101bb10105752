"""Which of redis-py's errors mean that the store is not there, or will not write?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.exceptions import (
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)

from bot.domain.errors import StoreUnavailable

_UNAVAILABLE = (
    redis.ConnectionError,
    redis.TimeoutError,
    ReadOnlyError,
    OutOfMemoryError,
    ClusterDownError,
    TryAgainError,
    NoPermissionError,
)
_UNAVAILABLE_CODES = (
    "MISCONF",
    "NOREPLICAS",
    "BUSY",
)  # these have no class of their own in redis-py


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turns what redis-py raises when the server is not there, or will not write, into StoreUnavailable.

    It has neither cause nor context: the frames of redis-py's errors hold the store's password.
    """
    try:
        yield
        return
    except _UNAVAILABLE as error:
        problem = StoreUnavailable(_why(error))
    except redis.ResponseError as error:
        if not str(error).startswith(_UNAVAILABLE_CODES):
            raise
        problem = StoreUnavailable(_why(error))
    try:
        raise problem
    finally:
        problem.__context__ = None


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"

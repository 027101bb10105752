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

from bot.core.errors import StoreUnavailable

_UNAVAILABLE = (redis.ConnectionError, redis.TimeoutError, ReadOnlyError, OutOfMemoryError, ClusterDownError,
                TryAgainError, NoPermissionError)
_UNAVAILABLE_CODES = ("MISCONF", "NOREPLICAS", "BUSY")  # these have no class of their own in redis-py


@contextmanager
def reaching() -> Iterator[None]:
    """Turns what redis-py raises when the server is not there, or will not write, into StoreUnavailable."""
    try:
        yield
    except _UNAVAILABLE as error:
        raise StoreUnavailable() from error
    except redis.ResponseError as error:
        if str(error).startswith(_UNAVAILABLE_CODES):
            raise StoreUnavailable() from error
        raise

"""Define the errors of an unusable server, and translate redis-py's errors."""

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

from bot.domain.outside_errors import StoreUnavailable

_UNAVAILABLE = (
    redis.ConnectionError,
    redis.TimeoutError,
    ReadOnlyError,
    OutOfMemoryError,
    ClusterDownError,
    TryAgainError,
    NoPermissionError,
)
_UNAVAILABLE_CODES = ("MISCONF", "NOREPLICAS", "BUSY", "ACL failure in script")
"""Beginnings of answers without a class in redis-py (Redis documentation, "Redis error codes")."""

_CANNOT_WRITE = (ReadOnlyError, ClusterDownError, TryAgainError)
_CANNOT_WRITE_CODES = ("MISCONF", "NOREPLICAS")
"""Answers of a server that is not the primary, or that cannot write now."""


class EmbeddedServerError(Exception):
    """The embedded server cannot be used. The text says what to do."""


class UnfitServer(Exception):
    """The server cannot store what Keydesk needs. The text says why and what to do."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise Keydesk's errors instead of redis-py's.

    What is raised has neither cause nor context: the frames of redis-py's errors hold the password.

    Raises:
        StoreUnavailable: The server did not answer, or refuses to write.
    """
    try:
        yield
        return
    except _UNAVAILABLE as error:
        problem = _from_answer(error)
    except redis.ResponseError as error:
        if not str(error).startswith(_UNAVAILABLE_CODES):
            raise
        problem = _from_answer(error)
    try:
        raise problem
    finally:
        problem.__context__ = None


def cannot_write(error: redis.ResponseError) -> bool:
    """Return True if this server cannot write now. Another may be the primary."""
    return isinstance(error, _CANNOT_WRITE) or str(error).startswith(_CANNOT_WRITE_CODES)


def _from_answer(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"{type(error).__name__}: {error}")

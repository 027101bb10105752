"""Collect what crash reporters show of an error: Sentry and Rich print variables.

Every frame of an error and of its causes is searched, whether or not it would be printed.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Set
from types import FrameType, TracebackType

from rich.console import Console
from rich.traceback import Traceback

from bot.domain.secret import Secret

DEEP = 12


def shown(error: BaseException, *, but: str, by_rich: bool = True) -> str:
    """Return all that crash reporters could show, without frames of the file `but`."""
    parts = [
        part
        for one in chain(error)
        for part in (str(one), repr(one), repr(vars(one)), repr(one.args))
    ]
    for frame in frames(error, but):
        for name, value in frame.f_locals.items():
            parts += [name, *_renderings(value)]
    error.__traceback__ = _without(error.__traceback__, but)
    parts += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    return "\n".join([*parts, _by_rich(error) if by_rich else ""])


class Reporter(logging.Handler):
    """A crash reporter: sees the current error whenever the bot or gunicorn logs."""

    def __init__(self, *, but: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._but = but

    def emit(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if error is not None and record.name.startswith(("keydesk", "bot", "gunicorn")):
            self.seen.append(shown(error, but=self._but))


def chain(error: BaseException) -> Iterator[BaseException]:
    """Return the error with its causes and contexts, hidden ones too."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
            yield one


def frames(error: BaseException, but: str) -> Iterator[FrameType]:
    """Return every frame that the error and its causes hold."""
    for one in chain(error):
        trace = one.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename != but:
                yield trace.tb_frame
            trace = trace.tb_next


def secrets_held(error: BaseException, but: str) -> list[Secret]:
    """Return the Secrets in variables of the frames and in closures."""
    values = [value for frame in frames(error, but) for value in frame.f_locals.values()]
    cells = [
        cell.cell_contents for value in values for cell in getattr(value, "__closure__", None) or ()
    ]
    return [value for value in (*values, *cells) if isinstance(value, Secret)]


def _renderings(value: object, depth: int = 0) -> Iterator[str]:
    """Return a value as Sentry renders it: containers part by part, else its repr."""
    try:
        yield repr(value)
    except Exception as failure:  # a repr that fails shows nothing
        yield f"no repr: {type(failure).__name__}"
    yield from (
        part for one in _parts(value) if depth < DEEP for part in _renderings(one, depth + 1)
    )


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | Set):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, one.name) for one in dataclasses.fields(value) if one.repr]
    return ()


def _without(trace: TracebackType | None, but: str) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename == but:
        trace = trace.tb_next
    return trace


def _by_rich(error: BaseException) -> str:
    rendered = Traceback.from_exception(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        word_wrap=True,
        locals_max_length=None,
        locals_max_string=None,
        max_frames=0,
    )
    out = io.StringIO()
    Console(file=out, width=400).print(rendered)
    return out.getvalue()

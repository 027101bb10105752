"""Configure the logs of Keydesk and its libraries.

There is one structured line for each event, without secrets:

    log = get_logger()
    log.info("create", request="r1", user="U0ALICE", outcome="done", ms=12)

`LOG_LEVEL` is for Keydesk's own events. Libraries never log below INFO, since at DEBUG they log
whole messages and answers, keys among them.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.runtime.redaction import redact

OWN_LOGGERS = ("bot", "keydesk")
"""The roots of the names of Keydesk's own loggers."""

AUDIT_LOGGER = "keydesk.audit"
"""The logger of the audit trail. It is part of the log at every LOG_LEVEL."""

LIBRARIES = (
    "slack_sdk",
    "slack_bolt",
    "botocore",
    "boto3",
    "urllib3",
    "s3transfer",
    "werkzeug",
    "gunicorn",
    "redis",
)


def configure(level: str, format: str, stream: TextIO) -> None:
    """Log events from `level` (debug, info, …) up to `stream`, as `json` or `console`.

    It may be called again. The last call counts.
    """
    own = logging.getLevelNamesMapping()[level.upper()]
    others = max(own, logging.INFO)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # As plain text, so that values of local variables are never shown.
                structlog.processors.format_exc_info,
                _redact_and_order,
                _renderer(format, stream),
            ],
        )
    )
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(others)  # Bolt copies this level into loggers of its own
    for names, least in ((OWN_LOGGERS, own), (LIBRARIES, others)):
        for name in names:
            logging.getLogger(name).setLevel(least)
    logging.getLogger(AUDIT_LOGGER).setLevel(min(own, logging.INFO))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def silence_libraries() -> None:
    """Raise every logger of a library to INFO.

    Call it once the libraries' objects exist. Bolt gives its loggers (`slack_bolt.App`, and one for
    each listener) a level when they are made.
    """
    for name, logger in list(logging.root.manager.loggerDict.items()):
        ours = name.split(".")[0] in OWN_LOGGERS
        if isinstance(logger, logging.Logger) and not ours and 0 < logger.level < logging.INFO:
            logger.setLevel(logging.INFO)


def get_logger(name: str = OWN_LOGGERS[0]) -> structlog.stdlib.BoundLogger:
    """Return a logger for events with fields.

    structlog.contextvars binds shared fields.
    """
    return structlog.stdlib.get_logger(name)


def log_uncaught_exceptions() -> None:
    """Log uncaught exceptions of all threads, instead of printing them on stderr."""
    log = get_logger()

    def in_main(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            log.info("interrupted")
        else:
            log.critical("uncaught", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value or args.exc_type()
        where = args.thread.name if args.thread else "?"
        log.critical("uncaught", thread=where, exc_info=(args.exc_type, error, args.exc_traceback))

    sys.excepthook = in_main
    threading.excepthook = in_thread


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to the stream.

    For a failure, logging's own report would show the arguments.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # the name is logging's
        kind = sys.exc_info()[0]
        sys.stderr.write(
            f"a log record of {record.name} ({record.module}:{record.lineno}) could not be "
            f"written: {kind.__name__ if kind else 'unknown'}\n"
        )


def _redact_and_order(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Hide secrets in the whole event, and put the fields that every line has first."""
    first = {name: event.pop(name) for name in ("at", "level", "event", "logger") if name in event}
    return cast(EventDict, redact({**first, **event}))


def _renderer(format: str, stream: TextIO) -> Processor:
    if format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        timestamp_key="at",
        exception_formatter=structlog.dev.plain_traceback,
    )

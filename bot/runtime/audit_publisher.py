"""Publish the audit trail: write it to the log, seal it, and post it to Slack.

It runs in every process, and a lock in the database elects one leader. Each reader of the trail
(log, channel, seal) has its own cursor there, which moves after the work. So a process that dies
repeats lines at most, and an outage of Slack delays neither log nor seals.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from datetime import timedelta

import structlog

from bot.domain.audit import seals
from bot.domain.audit.seals import Seal
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.ports import AuditChannel, Clock
from bot.domain.records import StreamEntry
from bot.domain.store_ports import AuditTrail

INTERVAL = timedelta(seconds=3)
BUSY_INTERVAL = timedelta(seconds=1.1)
"""Between two runs while more is left. Slack takes about one message a second in a channel."""

LEADERSHIP_SECONDS = 30
"""How long a leader that dies blocks the others. Longer than one run takes."""

BATCH_SIZE = 200
"""Lines read at once, and the maximum of entries under one seal."""

LOG_READER, CHANNEL_READER = "log", "channel"
"""The readers that have a cursor in the store."""

FOREIGN_WRITER = "another program writes to the database, or the database lost writes"


class AuditPublisher:
    """Publishes what is new every `every`, in its own thread.

    `key` makes the seals ("": none). `channel` gets the trail, if there is one. `token` identifies
    this process as the leader.
    """

    def __init__(
        self,
        trail: AuditTrail,
        clock: Clock,
        token: str,
        *,
        key: str = "",
        channel: AuditChannel | None = None,
        every: timedelta = INTERVAL,
    ) -> None:
        self._trail, self._clock, self._token = trail, clock, token
        self._key, self._channel, self._every = key, channel, every
        self._post_at = 0.0  # by the monotonic clock
        self._led_at: float | None = None  # by the monotonic clock, or None if it is not the leader
        self._left: dict[
            str, str
        ] = {}  # the readers' cursors as this leader left them, while it leads without a gap
        self._signed = False  # whether it has seen a signed entry
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._lines = structlog.get_logger("keydesk.audit")
        self._log = structlog.get_logger("keydesk.audit_publisher")

    def start(self) -> None:
        """Start, and at once continue where a dead process stopped."""
        self._thread = threading.Thread(target=self._run, name="audit_publisher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after a last run without Slack, and give up leadership."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
            self.run_once(post=False)
            self._resign()

    def run_once(self, *, post: bool = True) -> bool:
        """Publish what is new. Returns True if more is left. Raises nothing."""
        try:
            if not self._lead():
                return False
            more = self.write_log()
            if self.seal():
                more |= self.write_log()
            return (post and self.post()) | more
        except StoreUnavailable as failure:
            self._log.warning("audit trail", outcome="database unavailable", error=failure.error)
        except Exception:
            self._log.exception("audit trail", outcome="failed")
        return False

    def write_log(self) -> bool:
        """Write new lines to the log. Returns True if more are left."""
        before = self._trail.cursor(LOG_READER)
        start = self._start_of(LOG_READER, before)
        lines = self._trail.lines(start, BATCH_SIZE)
        for line in lines:
            self._lines.info(seals.LOG_EVENT, **seals.to_record(line))
        self._move(LOG_READER, before, lines[-1].stream_id if lines else start)
        return len(lines) == BATCH_SIZE

    def seal(self) -> bool:
        """Seal the entries without a seal. Returns True if this process made one now."""
        if not self._key:
            return False
        previous, last_id = self._trail.last_seal()
        entries = self._unsealed(last_id)
        if not entries:
            return False
        self._check_signatures(entries)
        seal = Seal.make(self._key, previous, entries, self._clock.now())
        return self._trail.seal(seal.fields(), previous=previous, stream_id=entries[-1].stream_id)

    def post(self) -> bool:
        """Post new lines to the audit channel, in one message.

        Returns True if more are left.
        """
        before = self._trail.cursor(CHANNEL_READER)
        if self._channel is None:  # a channel that is set later gets only later lines
            log = self._trail.cursor(LOG_READER)
            if log != before:
                self._trail.move_cursor(CHANNEL_READER, before, log)
            return False
        if self._clock.monotonic() < self._post_at:
            return False
        start = self._start_of(CHANNEL_READER, before)
        lines = self._trail.lines(start, BATCH_SIZE)
        posted, wait = self._channel.post(lines) if lines else (0, 0.0)
        self._post_at = self._clock.monotonic() + wait
        self._move(CHANNEL_READER, before, lines[posted - 1].stream_id if posted else start)
        return 0 < posted < len(lines) or len(lines) == BATCH_SIZE

    def _check_signatures(self, entries: Sequence[StreamEntry]) -> None:
        """Log each entry that no bot with this key wrote.

        An unsigned one may be from an older bot.
        """
        for line in entries:
            if seals.is_signature_valid(line, self._key):
                self._signed = True
            elif self._signed or "mac" in line.fields:
                self._log.error(
                    "audit trail",
                    outcome="entry not signed",
                    number=line.number,
                    reason=FOREIGN_WRITER,
                )

    def _lead(self) -> bool:
        """Acquire or extend leadership.

        Forget the cursors if another process may have led meanwhile.
        """
        now = self._clock.monotonic()
        leads = self._trail.acquire_leadership(self._token, LEADERSHIP_SECONDS)
        if not leads or not self._has_led_alone():
            self._left.clear()
        self._led_at = now if leads else None
        return leads

    def _has_led_alone(self) -> bool:
        """Return True if this process has led alone since it acquired leadership."""
        return (
            self._led_at is not None and self._clock.monotonic() - self._led_at < LEADERSHIP_SECONDS
        )

    def _start_of(self, reader: str, cursor: str) -> str:
        """Return where a reader continues: at its cursor, unless that was moved ahead."""
        left = self._left.get(reader) if self._has_led_alone() else None
        if left is None:
            ahead = _stream_order(cursor) > _stream_order(self._trail.last_stream_id())
            left = ""  # the previous leader's cursor is unknown, so everything is read again
        else:
            ahead = _stream_order(cursor) > _stream_order(left)
        if ahead:
            self._log.error(
                "audit trail", outcome="cursor moved ahead", reader=reader, reason=FOREIGN_WRITER
            )
        return left if ahead else cursor

    def _move(self, reader: str, before: str, stream_id: str) -> None:
        """Move a cursor, and remember where it was left unless another process moved it."""
        if stream_id == before or self._trail.move_cursor(reader, before, stream_id):
            self._left[reader] = stream_id
        else:
            self._left.pop(reader, None)

    def _unsealed(self, stream_id: str) -> Sequence[StreamEntry]:
        """Return the next entries after a stream ID, without the seals."""
        while lines := self._trail.lines(stream_id, BATCH_SIZE):
            if entries := [line for line in lines if not line.is_seal]:
                return entries
            stream_id = lines[-1].stream_id
        return ()

    def _resign(self) -> None:
        try:
            self._trail.release_leadership(self._token)
        except StoreUnavailable as failure:
            self._log.warning("audit trail", outcome="database unavailable", error=failure.error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            more = self.run_once()
            self._stopping.wait(
                min(self._every, BUSY_INTERVAL if more else self._every).total_seconds()
            )


def _stream_order(stream_id: str) -> tuple[float, ...]:
    """Return the sort key of a stream ID: its two numbers (Redis, "Streams").

    Other text sorts last.
    """
    found = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", stream_id)
    return (
        (float(found[1]), float(found[2] or 0)) if found else (float("inf"),) if stream_id else ()
    )

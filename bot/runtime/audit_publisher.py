"""Who carries the audit trail out of the store? A loop that writes it to the log, seals it, and posts it to Slack.

It runs in every process; a lock in the store lets one at a time work. Each reader of the trail (log, channel, seal)
has a place of its own in the store, which moves on after its work is done: a process that dies repeats lines at
most, and an outage of Slack keeps neither log nor seals waiting.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from datetime import timedelta

import structlog

from bot.domain.audit import seals
from bot.domain.audit.seals import Seal
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import (
    AuditChannel,
    AuditTrail,
    Clock,
    StreamEntry,
)

INTERVAL = timedelta(seconds=3)
BUSY_INTERVAL = timedelta(seconds=1.1)
"""Between two rounds while more is left to do; Slack takes about one message a second in a channel."""

LEADERSHIP_SECONDS = 30
"""How long a process that leads and dies keeps the others from it. More than one round may take."""

BATCH_SIZE = 200
"""Lines read at once, and entries under one seal at most."""

LOG_READER, CHANNEL_READER = "log", "channel"
"""The readers that have a cursor in the store."""

FOREIGN_WRITER = "somebody who is no Keydesk writes to the store, or it lost what it had"


class AuditPublisher:
    """Goes round every `every`, in a thread of its own, from `start` until `stop`.

    `key` makes the seals ("": none are made); `channel` is where the trail is posted, if anywhere; `token` is this
    process's own, under which it leads.
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
        self._led_at: float | None = None  # likewise; None: it does not lead
        self._left: dict[
            str, str
        ] = {}  # where the readers' cursors were left, as long as it leads without a gap
        self._signed = False  # has it seen an entry that is?
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._lines = structlog.get_logger("keydesk.audit")
        self._log = structlog.get_logger("keydesk.auditor")

    def start(self) -> None:
        """Begins at once: what a dead process left behind is carried on first."""
        self._thread = threading.Thread(target=self._run, name="audit_publisher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends after a last look without Slack, and lets another process lead."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
            self.round(post=False)
            self._resign()

    def round(self, *, post: bool = True) -> bool:
        """Carries on wherever the last round has ended; returns whether more is left. Raises nothing."""
        try:
            if not self._leads():
                return False
            more = self.write_down()
            if self.seal():
                more |= self.write_down()
            return (post and self.post()) | more
        except StoreUnavailable as failure:
            self._log.warning("audit trail", outcome="store unavailable", error=failure.error)
        except Exception:
            self._log.exception("audit trail", outcome="failed")
        return False

    def write_down(self) -> bool:
        """Writes what is new to the log, a line for each. Returns whether more is left."""
        before = self._trail.cursor(LOG_READER)
        start = self._from(LOG_READER, before)
        lines = self._trail.lines(start, BATCH_SIZE)
        for line in lines:
            self._lines.info(seals.LOG_EVENT, **seals.to_record(line))
        self._move(LOG_READER, before, lines[-1].stream_id if lines else start)
        return len(lines) == BATCH_SIZE

    def seal(self) -> bool:
        """Seals the entries that no seal is over yet. Returns whether a seal was made: by this process, now."""
        if not self._key:
            return False
        previous, place = self._trail.last_seal()
        entries = self._unsealed(place)
        if not entries:
            return False
        self._look_at_signatures(entries)
        seal = Seal.make(self._key, previous, entries, self._clock.now())
        return self._trail.seal(seal.fields(), previous=previous, stream_id=entries[-1].stream_id)

    def post(self) -> bool:
        """Posts what is new to the audit channel, one message at most. Returns whether more is left."""
        before = self._trail.cursor(CHANNEL_READER)
        if self._channel is None:  # a channel that is set later begins with what comes then
            log = self._trail.cursor(LOG_READER)
            if log != before:
                self._trail.move_cursor(CHANNEL_READER, before, log)
            return False
        if self._clock.monotonic() < self._post_at:
            return False
        start = self._from(CHANNEL_READER, before)
        lines = self._trail.lines(start, BATCH_SIZE)
        posted, wait = self._channel.post(lines) if lines else (0, 0.0)
        self._post_at = self._clock.monotonic() + wait
        self._move(CHANNEL_READER, before, lines[posted - 1].stream_id if posted else start)
        return 0 < posted < len(lines) or len(lines) == BATCH_SIZE

    def _look_at_signatures(self, entries: Sequence[StreamEntry]) -> None:
        """Says of each entry that no bot with this key has written; one without a signature may be of an older bot."""
        for line in entries:
            if seals.is_signature_valid(line, self._key):
                self._signed = True
            elif self._signed or "mac" in line.fields:
                self._log.error(
                    "audit trail",
                    outcome="not written with this AUDIT_KEY",
                    number=line.number,
                    why=FOREIGN_WRITER,
                )

    def _leads(self) -> bool:
        """Does this process lead? What it left is its own as long as nobody can have led in between."""
        now = self._clock.monotonic()
        leads = self._trail.acquire_leadership(self._token, LEADERSHIP_SECONDS)
        if not leads or not self._has_led_alone():
            self._left.clear()
        self._led_at = now if leads else None
        return leads

    def _has_led_alone(self) -> bool:
        """Has its lead lasted until now? One that stood still for longer does not know who led meanwhile."""
        return (
            self._led_at is not None and self._clock.monotonic() - self._led_at < LEADERSHIP_SECONDS
        )

    def _from(self, reader: str, cursor: str) -> str:
        """Where a reader goes on: at its cursor, unless somebody has moved that over lines that nobody has read."""
        left = self._left.get(reader) if self._has_led_alone() else None
        if left is None:
            passed = _stream_order(cursor) > _stream_order(self._trail.last_stream_id())
            left = ""  # who led before may have left it anywhere: then all is read once more
        else:
            passed = _stream_order(cursor) > _stream_order(left)
        if passed:
            self._log.error("audit trail", outcome="passed over", reader=reader, why=FOREIGN_WRITER)
        return left if passed else cursor

    def _move(self, reader: str, before: str, stream_id: str) -> None:
        """Moves a cursor; one that stayed is where it was found, one that another moved is not known."""
        if stream_id == before or self._trail.move_cursor(reader, before, stream_id):
            self._left[reader] = stream_id
        else:
            self._left.pop(reader, None)

    def _unsealed(self, stream_id: str) -> Sequence[StreamEntry]:
        """The next entries behind `place`; what else stands there is passed over."""
        while lines := self._trail.lines(stream_id, BATCH_SIZE):
            if entries := [line for line in lines if not line.is_seal]:
                return entries
            stream_id = lines[-1].stream_id
        return ()

    def _resign(self) -> None:
        try:
            self._trail.release_leadership(self._token)
        except StoreUnavailable as failure:
            self._log.warning("audit trail", outcome="store unavailable", error=failure.error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            more = self.round()
            self._stopping.wait(
                min(self._every, BUSY_INTERVAL if more else self._every).total_seconds()
            )


def _stream_order(stream_id: str) -> tuple[float, ...]:
    """Places in their order: the two numbers of a stream's ID ("Streams", Redis documentation). What is none is
    last."""
    found = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", stream_id)
    return (
        (float(found[1]), float(found[2] or 0)) if found else (float("inf"),) if stream_id else ()
    )

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

from bot.core import audit
from bot.core.audit import Seal
from bot.core.errors import StoreUnavailable
from bot.core.ports import AuditChannel, AuditTrail, Clock, Line

EVERY = timedelta(seconds=3)
SOON = timedelta(seconds=1.1)
"""Between two rounds while more is left to do; Slack takes about one message a second in a channel."""

LEAD_SECONDS = 30
"""How long a process that leads and dies keeps the others from it. More than one round may take."""

SLICE = 200
"""Lines read at once, and entries under one seal at most."""

LOG, CHANNEL = "log", "channel"
"""The readers that have a cursor in the store."""

SOMEBODY_ELSE = "somebody who is no Keydesk writes to the store, or it lost what it had"


class Auditor:
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
        every: timedelta = EVERY,
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
        self._thread = threading.Thread(target=self._run, name="auditor", daemon=True)
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
            self._log.warning("audit trail", outcome="store unavailable", error=failure.why)
        except Exception:
            self._log.exception("audit trail", outcome="failed")
        return False

    def write_down(self) -> bool:
        """Writes what is new to the log, a line for each. Returns whether more is left."""
        before = self._trail.cursor(LOG)
        start = self._from(LOG, before)
        lines = self._trail.lines(start, SLICE)
        for line in lines:
            self._lines.info(audit.EVENT, **audit.as_record(line))
        self._move(LOG, before, lines[-1].place if lines else start)
        return len(lines) == SLICE

    def seal(self) -> bool:
        """Seals the entries that no seal is over yet. Returns whether a seal was made: by this process, now."""
        if not self._key:
            return False
        previous, place = self._trail.sealed()
        entries = self._unsealed(place)
        if not entries:
            return False
        self._look_at_signatures(entries)
        seal = Seal.make(self._key, previous, entries, self._clock.now())
        return self._trail.seal(seal.fields(), previous=previous, place=entries[-1].place)

    def post(self) -> bool:
        """Posts what is new to the audit channel, one message at most. Returns whether more is left."""
        before = self._trail.cursor(CHANNEL)
        if self._channel is None:  # a channel that is set later begins with what comes then
            log = self._trail.cursor(LOG)
            if log != before:
                self._trail.move(CHANNEL, before, log)
            return False
        if self._clock.monotonic() < self._post_at:
            return False
        start = self._from(CHANNEL, before)
        lines = self._trail.lines(start, SLICE)
        posted, wait = self._channel.post(lines) if lines else (0, 0.0)
        self._post_at = self._clock.monotonic() + wait
        self._move(CHANNEL, before, lines[posted - 1].place if posted else start)
        return 0 < posted < len(lines) or len(lines) == SLICE

    def _look_at_signatures(self, entries: Sequence[Line]) -> None:
        """Says of each entry that no bot with this key has written; one without a signature may be of an older bot."""
        for line in entries:
            if audit.is_signed(line, self._key):
                self._signed = True
            elif self._signed or "mac" in line.fields:
                self._log.error(
                    "audit trail",
                    outcome="not written with this AUDIT_KEY",
                    number=line.number,
                    why=SOMEBODY_ELSE,
                )

    def _leads(self) -> bool:
        """Does this process lead? What it left is its own as long as nobody can have led in between."""
        now = self._clock.monotonic()
        leads = self._trail.lead(self._token, LEAD_SECONDS)
        if not leads or not self._has_led_alone():
            self._left.clear()
        self._led_at = now if leads else None
        return leads

    def _has_led_alone(self) -> bool:
        """Has its lead lasted until now? One that stood still for longer does not know who led meanwhile."""
        return self._led_at is not None and self._clock.monotonic() - self._led_at < LEAD_SECONDS

    def _from(self, reader: str, cursor: str) -> str:
        """Where a reader goes on: at its cursor, unless somebody has moved that over lines that nobody has read."""
        left = self._left.get(reader) if self._has_led_alone() else None
        if left is None:
            passed = _order(cursor) > _order(self._trail.end())
            left = ""  # who led before may have left it anywhere: then all is read once more
        else:
            passed = _order(cursor) > _order(left)
        if passed:
            self._log.error("audit trail", outcome="passed over", reader=reader, why=SOMEBODY_ELSE)
        return left if passed else cursor

    def _move(self, reader: str, before: str, place: str) -> None:
        """Moves a cursor; one that stayed is where it was found, one that another moved is not known."""
        if place == before or self._trail.move(reader, before, place):
            self._left[reader] = place
        else:
            self._left.pop(reader, None)

    def _unsealed(self, place: str) -> Sequence[Line]:
        """The next entries behind `place`; what else stands there is passed over."""
        while lines := self._trail.lines(place, SLICE):
            if entries := [line for line in lines if not line.is_seal]:
                return entries
            place = lines[-1].place
        return ()

    def _resign(self) -> None:
        try:
            self._trail.resign(self._token)
        except StoreUnavailable as failure:
            self._log.warning("audit trail", outcome="store unavailable", error=failure.why)

    def _run(self) -> None:
        while not self._stopping.is_set():
            more = self.round()
            self._stopping.wait(min(self._every, SOON if more else self._every).total_seconds())


def _order(place: str) -> tuple[float, ...]:
    """Places in their order: the two numbers of a stream's ID ("Streams", Redis documentation). What is none is
    last."""
    found = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", place)
    return (float(found[1]), float(found[2] or 0)) if found else (float("inf"),) if place else ()

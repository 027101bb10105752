"""What makes time pass? A loop that looks for what is due and for what is not drawn yet, in every process alike."""

from __future__ import annotations

import threading
from datetime import timedelta

import structlog

from bot.domain.errors import (
    ClockSkewed,
    Conflict,
    KeydeskError,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.operations import approvers, detect_rollback, run_due
from bot.operations.detect_rollback import RollbackDetector
from bot.operations.services import Services

BATCH_SIZE = 100
MAX_BATCHES = 20
"""Names read at once, and slices in one sweep: what is left over comes with the next."""

CHECK_APPROVERS_EVERY = 120.0
"""Seconds after which each process looks again who may approve (usergroups.users.list: 20 a minute, Tier 2)."""

ERROR_AFTER_TRIES = 5
MAX_WAIT = timedelta(hours=1)


class Scheduler:
    """Sweeps every `every`, in a thread of its own, from `start` until `stop`; several processes may sweep at once.

    `watch` notices a store that has forgotten something (none: nobody looks).
    """

    def __init__(
        self, services: Services, every: timedelta, watch: RollbackDetector | None = None
    ) -> None:
        self._services, self._every, self._watch = services, every, watch
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._looked: float | None = None
        self._log = structlog.get_logger("keydesk.sweeper")

    def start(self) -> None:
        """Begins to sweep, at once: whatever a dead process left behind is finished first."""
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends after the sweep that is under way."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def run_once(self) -> None:
        """Does everything that is due, then asks for what is not drawn. Raises nothing."""
        try:
            self._services.check_clock()
            self._look_whether_it_went_back()
            for _ in range(MAX_BATCHES):
                if self._slice() < BATCH_SIZE or self._stopping.is_set():
                    break
            for name in self._services.store.unrendered(self._services.clock.now(), BATCH_SIZE):
                self._services.messenger.render(name)
            self._look_who_approves()
        except ClockSkewed as off:
            self._log.error("sweep", outcome="clock is off", seconds=off.seconds)
        except StoreUnavailable as failure:
            self._log.warning("sweep", outcome="store unavailable", error=failure.error)
        except Exception:
            self._log.exception("sweep", outcome="failed")

    def _look_whether_it_went_back(self) -> None:
        """A store that has forgotten what it had acknowledged is an error for the operator, and put right first."""
        if self._watch is None or not self._watch.went_back():
            return
        self._log.error(
            "store",
            outcome="went back",
            why="it has forgotten entries that it had acknowledged",
            mend="let it write each change to disk (appendfsync always), and wait for replicas",
        )
        left = detect_rollback.repair(self._services)
        self._watch.begin_anew()
        if left:
            self._log.error(
                "store",
                outcome="not all is put right",
                names=left,
                mend="look at these in IAM: keys that nobody has on record, or that ought to be off",
            )

    def _look_who_approves(self) -> None:
        """At the start and every few minutes; Slack's outage is no change, and is said in the log alone."""
        now = self._services.clock.monotonic()
        if self._looked is not None and now - self._looked < CHECK_APPROVERS_EVERY:
            return
        self._looked = now
        try:
            approvers.check_for_changes(self._services)
        except SlackUnavailable as failure:
            self._log.warning("approvers", outcome="unknown", why=failure.error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.run_once()
            self._stopping.wait(self._every.total_seconds())

    def _slice(self) -> int:
        """Ticks one slice of what is due; returns how many names it had."""
        names = self._services.store.due(self._services.clock.now(), BATCH_SIZE)
        for name in names:
            if self._stopping.is_set():
                break
            self._tick(name)
        return len(names)

    def _tick(self, name: str) -> None:
        try:
            run_due.run(self._services, name)
        except Conflict:
            return  # somebody was faster
        except StoreUnavailable:
            raise
        except Exception as failure:
            self._put_off(name, failure)

    def _put_off(self, name: str, failure: Exception) -> None:
        """What fails comes back later and later; from the fifth time on it is an error for the operator."""
        wait = min(
            MAX_WAIT, self._every * 2 ** min(self._services.store.reschedule_count(name), 12)
        )
        tries = self._services.store.reschedule(name, self._services.clock.now() + wait)
        report = self._log.error if tries >= ERROR_AFTER_TRIES else self._log.warning
        why = failure.code if isinstance(failure, KeydeskError) else type(failure).__name__
        report(
            "tick",
            name=name,
            outcome="put off",
            tries=tries,
            seconds=wait.total_seconds(),
            error=why,
        )

"""Run what is due, and render what is not rendered yet, in every process."""

from __future__ import annotations

import threading
from datetime import timedelta

import structlog

from bot.domain.errors import ClockSkewed, KeydeskError
from bot.domain.outside_errors import Conflict, SlackUnavailable, StoreUnavailable
from bot.operations import approvers, detect_rollback, run_due
from bot.operations.detect_rollback import RollbackDetector
from bot.operations.services import Services

BATCH_SIZE = 100
MAX_BATCHES = 20
"""Names read at once, and batches in one run. The next run does what is left."""

CHECK_APPROVERS_EVERY = 120.0
"""Seconds between two checks for changed approvers (usergroups.users.list: 20 a minute, Tier 2)."""

ERROR_AFTER_TRIES = 5
"""Failures of one name before it is logged as an error."""

MAX_WAIT = timedelta(hours=1)
"""The longest wait between two tries of a name that fails."""


class Scheduler:
    """Runs what is due every `every`, in its own thread.

    Several processes may run at once.
    `rollback` detects a database that lost acknowledged writes (None: not checked).
    """

    def __init__(
        self, services: Services, every: timedelta, rollback: RollbackDetector | None = None
    ) -> None:
        self._services, self._every, self._rollback = services, every, rollback
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._checked_at: float | None = None
        self._log = structlog.get_logger("keydesk.scheduler")

    def start(self) -> None:
        """Start, and at once finish what a dead process left behind."""
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current run."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def run_once(self) -> None:
        """Run everything that is due, then request the missing renderings. Raises nothing."""
        try:
            self._services.check_clock()
            self._repair_after_rollback()
            for _ in range(MAX_BATCHES):
                if self._run_batch() < BATCH_SIZE or self._stopping.is_set():
                    break
            for name in self._services.store.unrendered(self._services.clock.now(), BATCH_SIZE):
                self._services.messenger.render(name)
            self._check_approvers()
        except ClockSkewed as skewed:
            self._log.error("scheduler", outcome="clock skewed", seconds=skewed.seconds)
        except StoreUnavailable as failure:
            self._log.warning("scheduler", outcome="database unavailable", error=failure.error)
        except Exception:
            self._log.exception("scheduler", outcome="failed")

    def _repair_after_rollback(self) -> None:
        """Log and repair lost writes of the database before anything else runs."""
        if self._rollback is None or not self._rollback.went_back():
            return
        self._log.error(
            "database",
            outcome="lost writes",
            reason="it lost audit entries that it had acknowledged",
            hint="write each change to disk (appendfsync always), and wait for replicas",
        )
        left = detect_rollback.repair(self._services)
        self._rollback.restart()
        if left:
            self._log.error(
                "database",
                outcome="repair incomplete",
                names=left,
                hint="check these keys in IAM: they are unrecorded, or should be inactive",
            )

    def _check_approvers(self) -> None:
        """Check for changed approvers, at the start and every few minutes.

        Log an outage of Slack.
        """
        now = self._services.clock.monotonic()
        if self._checked_at is not None and now - self._checked_at < CHECK_APPROVERS_EVERY:
            return
        self._checked_at = now
        try:
            approvers.check_for_changes(self._services)
        except SlackUnavailable as failure:
            self._log.warning("approvers", outcome="unknown", error=failure.error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.run_once()
            self._stopping.wait(self._every.total_seconds())

    def _run_batch(self) -> int:
        """Run one batch of what is due. Returns how many names it had."""
        names = self._services.store.due(self._services.clock.now(), BATCH_SIZE)
        for name in names:
            if self._stopping.is_set():
                break
            self._run_due(name)
        return len(names)

    def _run_due(self, name: str) -> None:
        try:
            run_due.run(self._services, name)
        except Conflict:
            return  # another process was faster
        except StoreUnavailable:
            raise
        except Exception as failure:
            self._reschedule(name, failure)

    def _reschedule(self, name: str, failure: Exception) -> None:
        """Run a failed name later, with growing waits.

        Log an error from the fifth failure on.
        """
        wait = min(
            MAX_WAIT, self._every * 2 ** min(self._services.store.reschedule_count(name), 12)
        )
        tries = self._services.store.reschedule(name, self._services.clock.now() + wait)
        report = self._log.error if tries >= ERROR_AFTER_TRIES else self._log.warning
        cause = type(failure).__name__
        code = str(failure.code) if isinstance(failure, KeydeskError) else cause
        report(
            "run_due",
            name=name,
            outcome="rescheduled",
            tries=tries,
            seconds=wait.total_seconds(),
            error=cause,
            code=code,
        )

"""Detect a database that lost acknowledged writes, and repair keys and messages.

This happens to a database that writes to its disk once a second and dies, and to a replica that is
promoted. The decisions of that second are lost, as if they had not been made. But a key that was
delivered in it must not stay active beside another one, and no message may show what is no longer
true.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain.codes import Code
from bot.domain.keys import DesiredState, ManagedKey, ObservedState
from bot.domain.outside_errors import (
    Conflict,
    IamRefused,
    OutcomeUnknown,
    StoreUnavailable,
    Unavailable,
)
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.domain.store_ports import AuditTrail
from bot.operations import expire_keys, reconcile, recover_delivery
from bot.operations.services import KEYDESK, Services

BATCH_SIZE = 200
MAX_RECORDS = 10_000
"""How many requests and keys are repaired at most: those that are still due for something."""


class RollbackDetector:
    """Remembers the newest audit entry, and notices when the database lost it."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._newest = ""
        self._before: str | None = None

    def went_back(self) -> bool:
        """Return True if the database lost an entry that this process saw.

        It stays True until `restart`.

        Raises StoreUnavailable.
        """
        if self._before is None:
            self._before = self._trail.cursor("log")
        entries = self._trail.lines(self._before, BATCH_SIZE)
        if self._newest and not (entries and entries[0].stream_id == self._newest):
            return True
        while entries:
            self._before, self._newest = (
                (entries[-2].stream_id if len(entries) > 1 else self._before),
                entries[-1].stream_id,
            )
            if len(entries) < BATCH_SIZE:
                break
            entries = self._trail.lines(self._before, BATCH_SIZE)
        return False

    def restart(self) -> None:
        """Take what is in the database now as the new beginning."""
        self._newest, self._before = "", None


def repair(services: Services) -> list[str]:
    """Repair every request and key that is still due for something.

    Keys that were created for an approved request and are not on record are disabled, as after a
    lost answer. What IAM shows of a key counts more than what the database holds. Every message is
    rendered again. Safe to run twice, and in several processes.

    Returns:
        The names that could not be repaired: IAM did not answer, or they were changed meanwhile.

    Raises:
        StoreUnavailable: The database does not answer.
    """
    not_repaired = []
    for name in services.store.due(services.clock.now() + reconcile.FOREVER, MAX_RECORDS):
        kind, _, id_ = name.partition(":")
        try:
            if kind == "key":
                _accept_iam_state(services, services.store.key(id_))
            else:
                _disable_orphans(services, services.store.request(id_))
        except StoreUnavailable:
            raise
        except (Conflict, IamRefused, Unavailable, OutcomeUnknown):
            not_repaired.append(name)  # Its messages are rendered again all the same.
        _render_again(services, name)
    return not_repaired


def _render_again(services: Services, name: str) -> None:
    """Have every message about `name` rendered again, as if it showed no version."""
    for message in services.store.messages(name):
        if message.is_readable:
            services.store.record_message(name, replace(message, version=0))
    services.store.schedule_render(name, services.clock.now())
    services.messenger.render(name)


def _accept_iam_state(services: Services, key: ManagedKey | None) -> None:
    """Record what IAM shows of a key, like a change in the AWS console.

    A change by Keydesk that the database lost is not undone.
    """
    if key is None or key.observed is ObservedState.UNKNOWN or key.desired is DesiredState.DELETED:
        return
    observed = reconcile.observe(services, key)
    if (
        observed is not ObservedState.UNKNOWN
        and observed.value != key.desired.value
        and not key.must_stay_off
    ):
        expire_keys.record_console_change(services, key, observed)


def _disable_orphans(services: Services, request: KeyRequest | None) -> None:
    """Disable keys that were created for an approved request and then lost.

    The database lost their records.
    """
    if request is None or request.status is not Status.APPROVED or not request.delivers_secret:
        return
    since = (request.decided_at or request.requested_at) - recover_delivery.CLOCK_TOLERANCE
    keys = recover_delivery.list_keys(services, request) or ()
    changes = [
        recover_delivery.orphan_change(services, request, key)
        for key in recover_delivery.orphan_candidates(services, request, keys, since)
    ]
    orphans = [change.after for change in changes if isinstance(change.after, ManagedKey)]
    if not orphans:
        return
    detail = recover_delivery.orphan_detail(Code.ROLLBACK_ORPHAN_FOUND, orphans, keys)
    refreshed = request.transition(
        Event.REFRESH,
        KEYDESK,
        services.clock.now(),
        detail=detail,
        reveal_round=request.reveal_round + 1,
    )
    services.commit_transition(request, refreshed, *changes, detail=detail)
    for key in orphans:
        reconcile.apply(services, key)

"""What if the store forgets what it has acknowledged? That is noticed, and what Slack and IAM show is put right.

It happens to a store that writes to its disk once a second and dies, and to a replica that is promoted. Nothing is
promised of the decisions in that second: they are as if nobody had made them. But a key that was handed over in it must
not live beside another, and no message may go on saying what is not so any more.
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.errors import (
    Conflict,
    IamRefused,
    OutcomeUnknown,
    StoreUnavailable,
    Unavailable,
)
from bot.domain.keys import DesiredState, ManagedKey, ObservedState
from bot.domain.ports import AuditTrail, SlackMessage
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import expire_keys, reconcile, recover_delivery
from bot.operations.services import KEYDESK, Services

BATCH_SIZE = 200
MAX_RECORDS = 10_000
"""Requests and keys that are looked at, at most: those that time must still do something with."""
FOREVER = timedelta(days=36_500)


class RollbackDetector:
    """Remembers the newest line of the audit trail that this process saw; a store without it has gone back."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._newest = ""
        self._before: str | None = None

    def went_back(self) -> bool:
        """Has the store forgotten a line that was there? Says so until `begin_anew`. Raises StoreUnavailable."""
        if self._before is None:
            self._before = self._trail.cursor("log")
        lines = self._trail.lines(self._before, BATCH_SIZE)
        if self._newest and not (lines and lines[0].stream_id == self._newest):
            return True
        while lines:
            self._before, self._newest = (
                (lines[-2].stream_id if len(lines) > 1 else self._before),
                lines[-1].stream_id,
            )
            if len(lines) < BATCH_SIZE:
                break
            lines = self._trail.lines(self._before, BATCH_SIZE)
        return False

    def begin_anew(self) -> None:
        """What is there now counts from here on."""
        self._newest, self._before = "", None


def repair(services: Services) -> list[str]:
    """Looks at every request and key that is not over. May run twice, in several processes. Raises StoreUnavailable.

    Keys that were made for an approved request and are on no record are made inactive, as after a lost answer. What
    IAM shows of a key counts, not what the store remembers. Every message is drawn anew. Returns the names about which
    IAM did not answer, or that others changed at that moment.
    """
    left = []
    for name in services.store.due(services.clock.now() + FOREVER, MAX_RECORDS):
        kind, _, id_ = name.partition(":")
        try:
            if kind == "key":
                _accept_iam_state(services, services.store.key(id_))
            else:
                _find_orphans(services, services.store.request(id_))
        except StoreUnavailable:
            raise
        except (Conflict, IamRefused, Unavailable, OutcomeUnknown):
            left.append(name)  # its messages are drawn anew all the same
        _render_again(services, name)
    return left


def _render_again(services: Services, name: str) -> None:
    for copy in services.store.messages(name):
        services.store.record_message(
            name, SlackMessage(copy.kind, copy.channel, copy.ts, version=0)
        )
    services.store.schedule_render(name, services.clock.now())
    services.messenger.render(name)


def _accept_iam_state(services: Services, key: ManagedKey | None) -> None:
    """What was done with a key and is forgotten is noticed like a change in the console: recorded, not undone."""
    if key is None or key.observed is ObservedState.UNKNOWN or key.desired is DesiredState.DELETED:
        return
    shown = reconcile.observe(services, key)
    if (
        shown is not ObservedState.UNKNOWN
        and shown.value != key.desired.value
        and not key.must_stay_off
    ):
        expire_keys.record_console_change(services, key, shown)


def _find_orphans(services: Services, request: KeyRequest | None) -> None:
    """A key that was made for this request, says the store now, never was: it is found, and made inactive."""
    if request is None or request.status is not Status.APPROVED or not request.delivers_secret:
        return
    since = (request.decided_at or request.requested_at) - recover_delivery.CLOCK_TOLERANCE
    listed = recover_delivery.list_keys(services, request) or ()
    changes = [
        recover_delivery.orphan_change(services, request, key)
        for key in recover_delivery.orphan_candidates(services, request, listed, since)
    ]
    found = [change.after for change in changes if isinstance(change.after, ManagedKey)]
    if not found:
        return
    names = ", ".join(key.id for key in found)
    note = (
        f"The desk's memory has lost its last moments. {names} was made in them and is on no record, so I am "
        f"making it inactive; the approvers decide what becomes of it. {recover_delivery.reveal_hint(listed)}"
    )
    moved = request.transition(
        Event.REFRESH,
        KEYDESK,
        services.clock.now(),
        note=note,
        reveal_round=request.reveal_round + 1,
    )
    services.commit_transition(
        request, moved, *changes, reason=f"the store went back; found {names}"
    )
    for key in found:
        reconcile.apply(services, key)

"""What if the store forgets what it has acknowledged? That is noticed, and what Slack and IAM show is put right.

It happens to a store that writes to its disk once a second and dies, and to a replica that is promoted. Nothing is
promised of the decisions in that second: they are as if nobody had made them. But a key that was handed over in it must
not live beside another, and no message may go on saying what is not so any more.
"""

from __future__ import annotations

from datetime import timedelta

from bot.core.access_key import ManagedKey, Shown, Wanted
from bot.core.errors import Conflict, IamRefused, OutcomeUnknown, StoreUnavailable, Unavailable
from bot.core.moves import Action, Status
from bot.core.ports import AuditTrail, Copy
from bot.core.request import KeyRequest
from bot.core.workflow import ageing, intent, recovery
from bot.core.workflow.desk import KEYDESK, Desk

SLICE = 200
MOST = 10_000
"""Requests and keys that are looked at, at most: those that time must still do something with."""
EVER = timedelta(days=36_500)


class Watch:
    """Remembers the newest line of the audit trail that this process saw; a store without it has gone back."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._newest = ""
        self._before: str | None = None

    def went_back(self) -> bool:
        """Has the store forgotten a line that was there? Says so until `begin_anew`. Raises StoreUnavailable."""
        if self._before is None:
            self._before = self._trail.cursor("log")
        lines = self._trail.lines(self._before, SLICE)
        if self._newest and not (lines and lines[0].place == self._newest):
            return True
        while lines:
            self._before, self._newest = (
                (lines[-2].place if len(lines) > 1 else self._before),
                lines[-1].place,
            )
            if len(lines) < SLICE:
                break
            lines = self._trail.lines(self._before, SLICE)
        return False

    def begin_anew(self) -> None:
        """What is there now counts from here on."""
        self._newest, self._before = "", None


def put_right(desk: Desk) -> list[str]:
    """Looks at every request and key that is not over. May run twice, in several processes. Raises StoreUnavailable.

    Keys that were made for an approved request and are on no record are made inactive, as after a lost answer. What
    IAM shows of a key counts, not what the store remembers. Every message is drawn anew. Returns the names about which
    IAM did not answer, or that others changed at that moment.
    """
    left = []
    for name in desk.store.due(desk.clock.now() + EVER, MOST):
        kind, _, id_ = name.partition(":")
        try:
            if kind == "key":
                _as_iam_shows(desk, desk.store.key(id_))
            else:
                _look_for_keys(desk, desk.store.request(id_))
        except StoreUnavailable:
            raise
        except (Conflict, IamRefused, Unavailable, OutcomeUnknown):
            left.append(name)  # its messages are drawn anew all the same
        _draw_anew(desk, name)
    return left


def _draw_anew(desk: Desk, name: str) -> None:
    for copy in desk.store.copies(name):
        desk.store.record_copy(name, Copy(copy.kind, copy.channel, copy.ts, version=0))
    desk.store.put_off_drawing(name, desk.clock.now())
    desk.messenger.draw(name)


def _as_iam_shows(desk: Desk, key: ManagedKey | None) -> None:
    """What was done with a key and is forgotten is noticed like a change in the console: recorded, not undone."""
    if key is None or key.shown is Shown.UNKNOWN or key.wanted is Wanted.DELETED:
        return
    shown = intent.read(desk, key)
    if shown is not Shown.UNKNOWN and shown.value != key.wanted.value and not key.stays_off:
        ageing.notice(desk, key, shown)


def _look_for_keys(desk: Desk, request: KeyRequest | None) -> None:
    """A key that was made for this request, says the store now, never was: it is found, and made inactive."""
    if request is None or request.status is not Status.APPROVED or not request.has_secret:
        return
    since = (request.decided_at or request.asked_at) - recovery.CLOCKS_DIFFER
    listed = recovery.listed(desk, request) or ()
    changes = [
        recovery.found_change(desk, request, key)
        for key in recovery.candidates(desk, request, listed, since)
    ]
    found = [change.after for change in changes if isinstance(change.after, ManagedKey)]
    if not found:
        return
    names = ", ".join(key.id for key in found)
    note = (
        f"The desk's memory has lost its last moments. {names} was made in them and is on no record, so I am "
        f"making it inactive; the approvers decide what becomes of it. {recovery.then(listed)}"
    )
    moved = request.move(
        Action.REFRESH, KEYDESK, desk.clock.now(), note=note, turn=request.turn + 1
    )
    desk.write(request, moved, *changes, why=f"the store went back; found {names}")
    for key in found:
        intent.carry_out(desk, key)

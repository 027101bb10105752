"""Read who may approve at this moment, and announce each change once."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.codes import Code, Detail
from bot.domain.outside_errors import SlackUnavailable, Unavailable
from bot.domain.records import AuditEntry
from bot.operations.services import KEYDESK, Services

LOCK = "approvers"
LOCK_SECONDS = 60
MAX_IDS = 20
"""Approvers named as added or removed in one announcement. The others are counted."""


def read_approvers(services: Services) -> frozenset[str]:
    """Return the Slack user IDs that may approve now, and announce a change.

    Raises SlackUnavailable.
    """
    seen = services.directory.approvers()
    announce_change(services, seen)
    return seen


def check_for_changes(services: Services) -> None:
    """Announce a change of the approvers, if there is one.

    Called at the start and every few minutes. Raises SlackUnavailable.
    """
    announce_change(services, services.directory.approvers(fresh=True))


def announce_change(services: Services, seen: frozenset[str]) -> None:
    """Announce how the approvers differ from those that were announced last.

    Never raises Unavailable, since a decision must not fail because of it. One process at a time
    announces, and reads them again: what it saw before it had the lock may be older than what
    another process has announced. The next call repeats what failed. The first set is no change.
    """
    try:
        if services.store.announced_approvers() == seen:
            return
        token = services.new_id()
        if not services.store.acquire_lock(LOCK, token, LOCK_SECONDS):
            return
        try:
            _announce(services)
        finally:
            services.store.release_lock(LOCK, token)
    except Unavailable:
        return


def _announce(services: Services) -> None:
    seen, before = services.directory.approvers(fresh=True), services.store.announced_approvers()
    if seen == before:
        return
    if before is not None:
        change = change_detail(added=seen - before, removed=before - seen)
        if not services.messenger.announce(services.settings.approval_channel, change):
            raise SlackUnavailable("chat.postMessage", "not posted")
        services.store.commit(
            entry=AuditEntry(services.clock.now(), KEYDESK, "approvers", detail=change)
        )
    services.store.set_announced_approvers(seen)


def change_detail(*, added: Iterable[str], removed: Iterable[str]) -> Detail:
    """Return the change: the Slack user IDs `added` and `removed`.

    `added_others` and `removed_others` count those beyond MAX_IDS.
    """
    facts = {}
    for name, user_ids in (("added", sorted(added)), ("removed", sorted(removed))):
        if user_ids:
            facts[name] = " ".join(user_ids[:MAX_IDS])
        if len(user_ids) > MAX_IDS:
            facts[f"{name}_others"] = str(len(user_ids) - MAX_IDS)
    return Detail(Code.APPROVERS_CHANGED, facts)

"""Who may approve at this moment, and who is told when that changes? Asked of Slack, noticed by anyone, posted once."""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.errors import SlackUnavailable, Unavailable
from bot.domain.ports import AuditEntry
from bot.operations.services import KEYDESK, Services

LOCK = "approvers"
LOCK_SECONDS = 60
MAX_NAMES = 20
"""People named in a line of each kind; the rest are counted."""


def read_approvers(services: Services) -> frozenset[str]:
    """The Slack user IDs that may approve at this moment, asked anew; a change is posted. Raises SlackUnavailable."""
    seen = services.directory.approvers()
    announce_change(services, seen)
    return seen


def check_for_changes(services: Services) -> None:
    """Looks whether who may approve has changed, at start and every few minutes. Raises SlackUnavailable."""
    announce_change(services, services.directory.approvers(fresh=True))


def announce_change(services: Services, seen: frozenset[str]) -> None:
    """Posts a change against what was told last, which the store keeps; nothing here keeps a decision from being made.

    One process at a time posts it, after asking anew: what it saw before it had the lock may be older than what
    another has told meanwhile. A post that fails is made by whoever looks next; the first set ever seen is no change.
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
        return  # an outage is no change; the next look finds it all the same


def _announce(services: Services) -> None:
    seen, told = services.directory.approvers(fresh=True), services.store.announced_approvers()
    if seen == told:
        return
    if told is not None:
        words = change_text(may=seen - told, may_not=told - seen)
        if not services.messenger.say(
            services.settings.approval_channel, f"Who may approve here has changed: {words}."
        ):
            raise SlackUnavailable("chat.postMessage", "not posted")
        services.store.commit(
            entry=AuditEntry(services.clock.now(), KEYDESK, "approvers", reason=words)
        )
    services.store.set_announced_approvers(seen)


def change_text(*, may: Iterable[str], may_not: Iterable[str]) -> str:
    """The change in words: "<@U1> may, <@U2> may not any more"."""
    parts = [
        f"{_names_text(people)} {words}"
        for people, words in ((may, "may"), (may_not, "may not any more"))
        if people
    ]
    return ", ".join(parts)


def _names_text(people: Iterable[str]) -> str:
    names = [f"<@{person}>" for person in sorted(people)]
    rest = [f"{len(names) - MAX_NAMES} others"] if len(names) > MAX_NAMES else []
    return " and ".join([*names[:MAX_NAMES], *rest])

"""Who may approve at this moment, and who is told when that changes? Asked of Slack, noticed by anyone, posted once."""

from __future__ import annotations

from collections.abc import Iterable

from bot.core.errors import SlackUnavailable, Unavailable
from bot.core.ports import Entry
from bot.core.workflow.desk import KEYDESK, Desk

LOCK = "approvers"
LOCK_SECONDS = 60
NAMED = 20
"""People named in a line of each kind; the rest are counted."""


def approvers(desk: Desk) -> frozenset[str]:
    """The Slack user IDs that may approve at this moment, asked anew; a change is posted. Raises SlackUnavailable."""
    seen = desk.directory.approvers()
    notice(desk, seen)
    return seen


def look(desk: Desk) -> None:
    """Looks whether who may approve has changed, at start and every few minutes. Raises SlackUnavailable."""
    notice(desk, desk.directory.approvers(fresh=True))


def notice(desk: Desk, seen: frozenset[str]) -> None:
    """Posts a change against what was told last, which the store keeps; nothing here keeps a decision from being made.

    One process at a time posts it, after asking anew: what it saw before it had the lock may be older than what
    another has told meanwhile. A post that fails is made by whoever looks next; the first set ever seen is no change.
    """
    try:
        if desk.store.approvers_told() == seen:
            return
        token = desk.new_id()
        if not desk.store.lock_drawing(LOCK, token, LOCK_SECONDS):
            return
        try:
            _tell(desk)
        finally:
            desk.store.unlock_drawing(LOCK, token)
    except Unavailable:
        return  # an outage is no change; the next look finds it all the same


def _tell(desk: Desk) -> None:
    seen, told = desk.directory.approvers(fresh=True), desk.store.approvers_told()
    if seen == told:
        return
    if told is not None:
        words = change_words(may=seen - told, may_not=told - seen)
        if not desk.messenger.say(
            desk.rules.approval_channel, f"Who may approve here has changed: {words}."
        ):
            raise SlackUnavailable("chat.postMessage", "not posted")
        desk.store.commit(entry=Entry(desk.clock.now(), KEYDESK, "approvers", why=words))
    desk.store.tell_approvers(seen)


def change_words(*, may: Iterable[str], may_not: Iterable[str]) -> str:
    """The change in words: "<@U1> may, <@U2> may not any more"."""
    parts = [
        f"{_named(people)} {words}"
        for people, words in ((may, "may"), (may_not, "may not any more"))
        if people
    ]
    return ", ".join(parts)


def _named(people: Iterable[str]) -> str:
    names = [f"<@{person}>" for person in sorted(people)]
    rest = [f"{len(names) - NAMED} others"] if len(names) > NAMED else []
    return " and ".join([*names[:NAMED], *rest])

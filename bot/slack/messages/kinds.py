"""List a request's or key's lasting messages, and where each is posted.

Each message is rendered from the store. It is never edited from its old text, nor read back.

A kind is a word. A suffix after a colon makes it one of several (`outcome:1` after the first
return to `approved`). A suffix after `#` is the `ts` of a second message, posted because Slack's
answer to the first was lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.keys import ManagedKey
from bot.domain.records import Record
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.slack import action_ids
from bot.slack.messages import keys, request_card, requester
from bot.slack.messages.blocks import Message

CARD, REQUESTED, OUTCOME, REMINDER, UNCLAIMED, EXPIRED, REVOKED = (
    "card",
    "asked",
    "outcome",
    "reminder",
    "unclaimed",
    "ended",
    "revoked",
)
FOR_APPROVERS = {CARD, *request_card.IN_CARDS_THREAD, *keys.FOR_APPROVERS}
REMINDERS = {REMINDER, *request_card.IN_CARDS_THREAD, *keys.REMINDERS}
"""Kinds of messages that no user waits for."""

_CARD_ACTIONS = {
    action_ids.APPROVE,
    action_ids.DENY,
    action_ids.TAKE_BACK,
    action_ids.REVOKE,
    action_ids.ON_IT,
}


@dataclass(frozen=True)
class Destinations:
    """Where messages go, and whom the card mentions (mrkdwn: `<!subteam^S…> <@U…>`)."""

    approval_channel: str
    mentions: str


def word_of(kind: str) -> str:
    """Return a kind's word, without what makes it one of several."""
    return kind.partition("#")[0].partition(":")[0]


def expected_kinds(record: Record) -> tuple[str, ...]:
    """Return the messages that should exist now, oldest first.

    A new kind notifies its reader.
    """
    if isinstance(record, ManagedKey):
        return keys.expected_kinds(record)
    kinds = [CARD, REQUESTED]
    if record.decided_at:
        kinds.append(f"{OUTCOME}:{record.reveal_round}")
    if record.reminded_at and record.status is Status.DELIVERED:
        kinds.append(f"{REMINDER}:{record.access_key_id}")
    if record.status is Status.UNCLAIMED:
        kinds.append(f"{UNCLAIMED}:{record.access_key_id}")
    if record.last_event is Event.REVOKE:
        kinds.append(REVOKED)
    closed = record.last_event in (Event.OWNER_DELETED, Event.CLOSE)
    if record.status is Status.EXPIRED and not closed:
        kinds.append(EXPIRED)
    return (*kinds, *request_card.thread_kinds(record))


def channel(record: Record, kind: str, destinations: Destinations) -> str:
    """Return the channel that a message of this kind is posted in."""
    return destinations.approval_channel if word_of(kind) in FOR_APPROVERS else record.dm


def thread_kind(kind: str) -> str:
    """Return the kind of message in whose thread this one is posted, "" for none."""
    word, colon, which = kind.partition("#")[0].partition(":")
    if word in request_card.IN_CARDS_THREAD:
        return CARD
    return f"{keys.IN_THREAD_OF[word]}{colon}{which}" if word in keys.IN_THREAD_OF else ""


def is_final(record: Record, kind: str) -> bool:
    """Return True if a message, as rendered now, never changes again.

    It then needs no record.
    """
    return isinstance(record, KeyRequest) and request_card.is_final(record, kind)


def kind_of_action(record: Record, action_id: str) -> str:
    """Return the kind of message that carries this button in the state of `record`."""
    if isinstance(record, ManagedKey):
        return keys.kind_of_action(record, action_id)
    if action_id in _CARD_ACTIONS:
        return CARD
    cancel_pending = action_id == action_ids.CANCEL and not record.decided_at
    if action_id == action_ids.NUDGE or cancel_pending:
        return REQUESTED
    if action_id in (action_ids.ENABLE_UNCLAIMED, action_ids.REPLACE):
        return f"{UNCLAIMED}:{record.access_key_id}"
    return f"{OUTCOME}:{record.reveal_round}"


def render(record: Record, kind: str, destinations: Destinations) -> Message:
    """Return a message about `record` as its state is now."""
    kind = kind.partition("#")[0]
    if isinstance(record, ManagedKey):
        return keys.render(record, kind)
    word, _, which = kind.partition(":")
    if word in request_card.IN_CARDS_THREAD:
        return request_card.thread_message(record, kind, destinations.mentions)
    match word:
        case "card":
            return request_card.card(record, destinations.mentions)
        case "asked":
            return requester.requested(record)
        case "outcome" if which == str(record.reveal_round):
            return requester.outcome(record)
        case "ended":
            return requester.expired(record)
        case "revoked" if record.last_event is Event.REVOKE:
            return requester.revoked(record)
        case "reminder" if which == record.access_key_id:
            return requester.receipt_reminder(record)
        case "unclaimed" if which == record.access_key_id:
            return requester.unclaimed(record)
        case _:
            return requester.superseded(record)

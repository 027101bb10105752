"""Handle the buttons of a key's delivery, and of an orphaned key."""

from __future__ import annotations

from bot.domain.errors import Refused
from bot.domain.identity import Member
from bot.domain.keys import DesiredState
from bot.operations import confirm_receipt, decide_orphan, reveal_key
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.responder import Responder
from bot.slack.messages import replies
from bot.slack.payload import Payload


def reveal(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Reveal my key**. The ephemeral with the key is the answer."""
    reveal_key.reveal(context.services, member, payload.value)


def saved(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """Handle **I saved it**, and remove the ephemeral with the button."""
    try:
        confirm_receipt.confirm(context.services, member, payload.value)
    except Refused:
        responder.remove()  # the key shown there is not the one that counts
        raise
    if not responder.remove():
        responder.show(replies.saved(payload.value))


def have_it(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **I have it**."""
    confirm_receipt.confirm(context.services, member, payload.value)
    responder.show(replies.confirmed(payload.value))


def did_not_get(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **I did not get it**."""
    request = confirm_receipt.did_not_get(context.services, member, payload.value)
    responder.show(replies.key_deleted(payload.value, request))


def replace(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Replace it**."""
    request = confirm_receipt.replace_key(context.services, member, payload.value)
    responder.show(replies.key_deleted(payload.value, request))


def enable_unclaimed(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **I have it, enable it**."""
    confirm_receipt.confirm(context.services, member, payload.value)
    record = context.services.store.key(payload.value)
    active = record is not None and record.desired is DesiredState.ACTIVE
    reported = record is not None and record.reported_at is not None
    responder.show(replies.claimed(payload.value, active=active, reported=reported))


def orphan_delete(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Delete it**, on an orphaned key."""
    decide_orphan.decide(context.services, member, payload.value, DesiredState.DELETED)
    responder.show(replies.orphan_deleted(payload.value))


def orphan_enable(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **It is ours, enable it**, on an orphaned key."""
    decide_orphan.decide(context.services, member, payload.value, DesiredState.ACTIVE)
    responder.show(replies.turned_on(payload.value))

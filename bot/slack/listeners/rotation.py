"""Handle the buttons that follow a rotation."""

from __future__ import annotations

from bot.domain.identity import Member
from bot.domain.keys import InactiveReason
from bot.operations import finish_rotation
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.responder import Responder
from bot.slack.messages import replies
from bot.slack.payload import Payload


def check_last_use(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Check again**. The message is also rendered again."""
    finish_rotation.check_last_use(context.services, member, payload.value)
    responder.show(replies.last_use_checked())


def not_yet(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Not yet**."""
    key = finish_rotation.not_yet(context.services, member, payload.value)
    responder.show(replies.old_key_stays(key.replaces))


def disable_old(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Disable the old key**."""
    key = finish_rotation.disable_old(context.services, member, payload.value)
    old = context.services.store.key(key.replaces)
    undo = old is None or (old.inactive_reason is InactiveReason.ROTATED and not old.reported_at)
    responder.show(replies.old_key_disabled(key.replaces, can_undo=undo))


def undo(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """Handle **Undo**."""
    finish_rotation.undo(context.services, member, payload.value)
    responder.show(replies.turned_on(payload.value))

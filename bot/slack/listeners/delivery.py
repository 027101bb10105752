"""Handle the buttons of a key's delivery: reveal it, confirm it, replace it, decide about an orphan."""

from __future__ import annotations

from bot.domain.errors import Refused
from bot.domain.identity import Member
from bot.domain.keys import DesiredState
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import confirm_receipt, decide_orphan, reveal_key
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.responder import Responder
from bot.slack.messages.blocks import escape_sentence
from bot.slack.payload import Payload


def reveal(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Reveal my key**: the ephemeral with the key is the answer."""
    reveal_key.reveal(context.services, member, payload.value)


def saved(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """**I saved it**, which also removes the ephemeral it stands in."""
    try:
        confirm_receipt.confirm(context.services, member, payload.value)
    except Refused:
        responder.remove()  # the key shown there is not the one that counts
        raise
    if not responder.remove():
        responder.say(
            f"Good. {payload.value} is yours. Slack did not take the message with the secret away: reload "
            "Slack, and it is gone."
        )


def have_it(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**I have it**."""
    confirm_receipt.confirm(context.services, member, payload.value)
    responder.say(f"Good. {payload.value} is yours. `/key list` shows it.")


def did_not_get(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**I did not get it**."""
    responder.say(
        _key_deleted_text(
            payload.value, confirm_receipt.did_not_get(context.services, member, payload.value)
        )
    )


def replace(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Replace it**."""
    responder.say(
        _key_deleted_text(
            payload.value, confirm_receipt.replace_key(context.services, member, payload.value)
        )
    )


def enable_unclaimed(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**I have it, enable it**."""
    confirm_receipt.confirm(context.services, member, payload.value)
    record = context.services.store.key(payload.value)
    if record and record.desired is DesiredState.ACTIVE:
        responder.say(f"Good. {payload.value} is active again; it may take a minute to work.")
    else:
        why = (
            "It was reported as leaked, so it stays off:"
            if record and record.reported_at
            else ("It stays off: `/key list` says why, and")
        )
        responder.say(
            escape_sentence(
                f"Noted: you have {payload.value}. {why} `/key enable {payload.value} <reason>` asks for it back."
            )
        )


def orphan_delete(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Delete it**, of a key found after a lost answer."""
    decide_orphan.decide(context.services, member, payload.value, DesiredState.DELETED)
    responder.say(f"{payload.value} is deleted.")


def orphan_enable(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**It is ours, enable it**."""
    decide_orphan.decide(context.services, member, payload.value, DesiredState.ACTIVE)
    responder.say(f"{payload.value} is active again.")


def _key_deleted_text(key_id: str, request: KeyRequest) -> str:
    left = request.reveals_left > 0
    if request.status is Status.DELETING:
        more = " *Reveal my key* comes back here after that." if left else ""
        return (
            f"{key_id} is being withdrawn, which AWS takes a few minutes for: do not use it.{more}"
        )
    if request.stopped_by:
        return f"{key_id} is withdrawn. <@{request.stopped_by}> had turned it off, so this request is closed."
    more = (
        "*Reveal my key* is back in your newest message."
        if left
        else "That was the last of three reveals."
    )
    return f"{key_id} is withdrawn. {more}"

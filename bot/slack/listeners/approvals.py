"""Deciding and handing over, in Slack: the buttons from **Approve** to the receipt, and a rotation's after it."""

from __future__ import annotations

from bot.domain.errors import Refused
from bot.domain.identity import Member
from bot.domain.keys import DesiredState, InactiveReason
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.operations import (
    confirm_receipt,
    decide_orphan,
    decide_request,
    finish_rotation,
    remind_approvers,
    reveal_key,
)
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.dispatch import Responder
from bot.slack.messages import modals
from bot.slack.messages.modals import FormInput
from bot.slack.messages.request_card import approvals_text
from bot.slack.payload import Payload


def approve(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Approve**."""
    request = decide_request.approve(context.services, member, payload.value)
    if request.status is Status.PENDING:
        responder.say(f"Your approval is noted. {approvals_text(request)}")
    elif request.status is Status.EXPIRED:
        responder.say(f"Approved, but it cannot be done any more: {request.note}")
    elif request.delivers_secret:
        responder.say(f"Approved. I have told <@{request.requester}>: the key can be revealed now.")
    elif request.status is Status.CONFIRMED:
        responder.say(f"Approved and done. I have told <@{request.requester}>.")
    else:
        responder.say(f"You approved it, but it was not done. {request.story()}")


def deny(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """**Deny**: a form asks why."""
    context.open_with(
        payload,
        modals.TITLES["deny"],
        lambda: modals.deny_form(
            decide_request.check_may_deny(context.services, member, payload.value)
        ),
    )


def submit_deny(
    context: ListenerContext, member: Member, responder: Responder, form_input: FormInput
) -> None:
    """The form in which an approver says why."""
    request = decide_request.deny(
        context.services, member, form_input.request_id, form_input.reason
    )
    responder.say(f"Denied. I have told <@{request.requester}>, with your reason.")


def toggle_review(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**I'm on it**."""
    request = remind_approvers.toggle_review(context.services, member, payload.value)
    if request.review_ends_at:
        responder.say(
            "The others see that you are looking at it, for 15 minutes or until you click again. Everybody may "
            "still decide."
        )
    else:
        responder.say("Taken back: you are not looking at it any more.")


def nudge(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """**Nudge**."""
    remind_approvers.nudge(context.services, member, payload.value)
    responder.say("I have asked the approvers again. *Nudge* works once an hour.")


def withdraw_approval(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Take back my approval**."""
    request = decide_request.withdraw_approval(context.services, member, payload.value)
    responder.say(f"Your approval is taken back. {approvals_text(request)}")


def revoke(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Revoke**."""
    request = decide_request.revoke(context.services, member, payload.value)
    then = "there is nothing to reveal any more" if request.delivers_secret else "nothing was done"
    responder.say(f"Revoked. I have told <@{request.requester}>: {then}.")


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
            f"Noted: you have {payload.value}. {why} `/key enable {payload.value} <reason>` asks for it back."
        )


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


def check_last_use(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Check again**: the message itself is drawn anew."""
    finish_rotation.check_last_use(context.services, member, payload.value)
    responder.say("I have asked AWS again; the message above shows what it says.")


def not_yet(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Not yet**."""
    key = finish_rotation.not_yet(context.services, member, payload.value)
    responder.say(
        f"Then {key.replaces} stays on for now. I look at it again when its grace is over."
    )


def disable_old(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Disable the old key**."""
    key = finish_rotation.disable_old(context.services, member, payload.value)
    old = context.services.store.key(key.replaces)
    undo = old is None or (old.inactive_reason is InactiveReason.ROTATED and not old.reported_at)
    back = (
        "If something breaks, *Undo* brings it back."
        if undo
        else "`/key list` says why it stays off."
    )
    responder.say(f"{key.replaces} is turned off. {back}")


def undo(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """**Undo**."""
    finish_rotation.undo(context.services, member, payload.value)
    responder.say(f"{payload.value} is active again; it may take a minute to work.")


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

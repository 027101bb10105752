"""Handle the buttons by which approvers decide about a request."""

from __future__ import annotations

from bot.domain.identity import Member
from bot.domain.states import Status
from bot.operations import decide_request, remind_approvers
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.responder import Responder
from bot.slack.messages import modals
from bot.slack.messages.errors import detail_text
from bot.slack.messages.modals import FormInput
from bot.slack.messages.request_card import approvals_text
from bot.slack.messages.request_text import story
from bot.slack.payload import Payload


def approve(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Approve**."""
    request = decide_request.approve(context.services, member, payload.value)
    if request.status is Status.PENDING:
        responder.say(f"Your approval is noted. {approvals_text(request)}")
    elif request.status is Status.EXPIRED:
        reason = detail_text(request.detail) if request.detail else ""
        responder.say(f"Approved, but the change is no longer possible. {reason}".rstrip())
    elif request.delivers_secret:
        responder.say(f"Approved. I have told <@{request.requester}>: the key can be revealed now.")
    elif request.status is Status.CONFIRMED:
        responder.say(f"Approved and done. I have told <@{request.requester}>.")
    else:
        responder.say(f"You approved it, but it was not done. {story(request)}")


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

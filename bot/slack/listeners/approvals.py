"""Handle the buttons by which approvers decide about a request."""

from __future__ import annotations

from bot.domain.identity import Member
from bot.operations import decide_request, remind_approvers
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.responder import Responder
from bot.slack.messages import modals, replies
from bot.slack.messages.form_input import FormInput
from bot.slack.payload import Payload


def approve(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Approve**."""
    request = decide_request.approve(context.services, member, payload.value)
    responder.show(replies.approved(request))


def deny(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """Handle **Deny**: open the form that asks for a reason."""
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
    """Handle the form with an approver's reason to deny a request."""
    request = decide_request.deny(
        context.services, member, form_input.request_id, form_input.reason
    )
    responder.show(replies.denied(request))


def withdraw_approval(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Withdraw my approval**."""
    request = decide_request.withdraw_approval(context.services, member, payload.value)
    responder.show(replies.approval_withdrawn(request))


def revoke(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Revoke**."""
    request = decide_request.revoke(context.services, member, payload.value)
    responder.show(replies.revoked(request))


def toggle_review(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **I'm on it**."""
    request = remind_approvers.toggle_review(context.services, member, payload.value)
    responder.show(replies.review_toggled(request))

"""Deciding and handing over, in Slack: the buttons from **Approve** to the receipt, and a rotation's after it."""

from __future__ import annotations

from bot.domain.errors import Refused
from bot.domain.identity import Member
from bot.domain.keys import DesiredState, InactiveReason
from bot.operations import (
    confirm_receipt,
    decide_request,
    disable_key,
    expire_keys,
    remind_approvers,
    reveal_key,
)
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.dispatch import Responder
from bot.slack.messages import modals, replies
from bot.slack.messages.modals import FormInput
from bot.slack.payload import Payload


def approve(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Approve**."""
    request = decide_request.approve(context.services, member, payload.value)
    responder.show(replies.approved(request))


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
    responder.show(replies.denied(request))


def toggle_review(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**I'm on it**."""
    request = remind_approvers.toggle_review(context.services, member, payload.value)
    responder.show(replies.review_toggled(request))


def nudge(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """**Nudge**."""
    remind_approvers.nudge(context.services, member, payload.value)
    responder.show(replies.nudged())


def withdraw_approval(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Take back my approval**."""
    request = decide_request.withdraw_approval(context.services, member, payload.value)
    responder.show(replies.approval_withdrawn(request))


def revoke(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Revoke**."""
    request = decide_request.revoke(context.services, member, payload.value)
    responder.show(replies.revoked(request))


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
        responder.show(replies.saved(payload.value))


def have_it(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**I have it**."""
    confirm_receipt.confirm(context.services, member, payload.value)
    responder.show(replies.confirmed(payload.value))


def enable_unclaimed(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**I have it, enable it**."""
    confirm_receipt.confirm(context.services, member, payload.value)
    record = context.services.store.key(payload.value)
    active = record is not None and record.desired is DesiredState.ACTIVE
    reported = record is not None and record.reported_at is not None
    responder.show(replies.claimed(payload.value, active=active, reported=reported))


def did_not_get(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**I did not get it**."""
    request = confirm_receipt.did_not_get(context.services, member, payload.value)
    responder.show(replies.key_deleted(payload.value, request))


def replace(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Replace it**."""
    request = confirm_receipt.replace_key(context.services, member, payload.value)
    responder.show(replies.key_deleted(payload.value, request))


def orphan_delete(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Delete it**, of a key found after a lost answer."""
    disable_key.decide_orphan(context.services, member, payload.value, DesiredState.DELETED)
    responder.show(replies.orphan_deleted(payload.value))


def orphan_enable(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**It is ours, enable it**."""
    disable_key.decide_orphan(context.services, member, payload.value, DesiredState.ACTIVE)
    responder.show(replies.turned_on(payload.value))


def check_last_use(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Check again**: the message itself is drawn anew."""
    expire_keys.check_last_use(context.services, member, payload.value)
    responder.show(replies.last_use_checked())


def not_yet(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Not yet**."""
    key = expire_keys.not_yet(context.services, member, payload.value)
    responder.show(replies.old_key_stays(key.replaces))


def disable_old(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """**Disable the old key**."""
    key = expire_keys.disable_old(context.services, member, payload.value)
    old = context.services.store.key(key.replaces)
    undo = old is None or (old.inactive_reason is InactiveReason.ROTATED and not old.reported_at)
    responder.show(replies.old_key_disabled(key.replaces, can_undo=undo))


def undo(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """**Undo**."""
    expire_keys.undo(context.services, member, payload.value)
    responder.show(replies.turned_on(payload.value))

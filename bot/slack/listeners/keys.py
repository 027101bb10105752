"""Handle the commands and buttons for keys, `/key requests` and `/key help`."""

from __future__ import annotations

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.commands import Command
from bot.domain.errors import NoIamUser, NotAllowed
from bot.domain.identity import Member
from bot.domain.outside_errors import IamUserNotFound
from bot.operations import disable_key, identify, key_owner
from bot.slack.listeners.context import ListenerContext, checked_key_id
from bot.slack.listeners.responder import Responder
from bot.slack.messages import lists, modals, replies
from bot.slack.messages.form_input import FormInput
from bot.slack.payload import Payload


def list_keys(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key list`.

    It lists the user's own keys, a service user's or, for approvers, another user's.
    """
    if command.person and command.person != member.id:
        _list_for_approver(context, member, responder, command.person)
        return
    keys = key_owner.keys_of(context.services, member, command.user)
    records = context.records([key.id for key in keys])
    responder.show(lists.key_list(keys, records, context.services.clock.now(), command.user))


def used(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key used`, for the user's own key or, for approvers, any key."""
    key = disable_key.last_use(context.services, member, command.key_id, command.user)
    responder.show(lists.last_use_message(key, context.services.clock.now()))


def disable(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key disable`."""
    _disable(context, member, responder, command.key_id, command.user)


def delete(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key delete`: ask for confirmation."""
    key = key_owner.owned_key(context.services, member, command.key_id, command.user)
    disable_key.check_may_delete(key)
    responder.show(replies.delete_question(key, context.services.clock.now()))


def requests(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key requests`."""
    approver = member.id in context.services.directory.approvers()
    waiting = context.services.store.pending(100) if approver else ()
    responder.show(
        lists.request_list(
            context.services.store.requests_of(member.id, 50), waiting, approver=approver
        )
    )


def help_(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key help` and `/key` without a verb."""
    responder.show(lists.help_text(context.defaults.instead))


def disable_button(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Disable**, on the user's own key."""
    _disable(context, member, responder, checked_key_id(payload.value))


def delete_button(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Delete**, on the user's own inactive key."""
    disable_key.delete(context.services, member, checked_key_id(payload.value))
    responder.show(replies.deleted(payload.value), replace=True)


def disable_for_button(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Disable**, by an approver: open the form that asks for a reason."""
    context.open(payload, modals.disable_for_form(checked_key_id(payload.value)))


def submit_disable_for(
    context: ListenerContext, member: Member, responder: Responder, form_input: FormInput
) -> None:
    """Handle the form with an approver's reason to disable a key."""
    retired = disable_key.disable_for(
        context.services, member, checked_key_id(form_input.key_id), form_input.reason
    )
    responder.show(
        replies.disabled_for(
            form_input.key_id,
            retired.key.iam_user,
            already=retired.already,
            updated=retired.reason_stored,
            owner_told=bool(retired.notified_owner),
        )
    )


def _disable(
    context: ListenerContext, member: Member, responder: Responder, key: str, user: str = ""
) -> None:
    retired = disable_key.disable(context.services, member, key, user)
    if retired.already:
        responder.show(replies.already_off(key), replace=True)
    else:
        responder.show(replies.disabled(retired.key), replace=True)


def _list_for_approver(
    context: ListenerContext, member: Member, responder: Responder, person: str
) -> None:
    services = context.services
    policy.check_approver(member, services.directory.approvers())
    try:
        keys = services.issuer.keys(
            identify.identify(services, services.directory.member(person)).name
        )
    except (NoIamUser, IamUserNotFound, NotAllowed):
        raise NotAllowed(Code.MEMBER_WITHOUT_USER, member=person) from None
    responder.show(
        lists.keys_for_approver(
            person, keys, context.records([key.id for key in keys]), services.clock.now()
        )
    )

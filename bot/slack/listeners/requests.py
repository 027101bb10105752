"""Handle the commands, forms and buttons that make, cancel or nudge a request."""

from __future__ import annotations

from dataclasses import replace

import structlog

from bot.domain.codes import Code
from bot.domain.commands import Command
from bot.domain.errors import NotAllowed, NotYourKey, Refused
from bot.domain.identity import Member
from bot.domain.keys import KEY_ID, AccessKey
from bot.domain.outside_errors import SlackUnavailable
from bot.domain.requests import KeyRequest
from bot.operations import create_request, key_owner, remind_approvers
from bot.operations.create_request import RequestOptions
from bot.slack.listeners.context import ListenerContext, checked_key_id
from bot.slack.listeners.responder import Responder
from bot.slack.messages import modals, replies
from bot.slack.messages.blocks import Message
from bot.slack.messages.form_input import FormInput
from bot.slack.messages.modals import FormDefaults
from bot.slack.payload import Payload


def create(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key create`. Without a reason, open a form that asks for it."""
    if not command.reason:
        chosen = command.lifetime is not None or command.forever
        defaults = (
            replace(context.defaults, lifetime=command.lifetime) if chosen else context.defaults
        )
        _open_create(context, member, payload, defaults, command.user, urgent=command.urgent)
        return
    responder.show(
        _request_sent(
            context,
            create_request.create(context.services, member, command.reason, _options(command)),
        )
    )


def rotate(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key rotate`. Without a key ID, open a form.

    Where both key slots are taken, the command must say which key to delete first.
    """
    if not command.key_id:
        _open_rotate(context, member, payload, user=command.user)
        return
    responder.show(
        _request_sent(
            context,
            create_request.rotate(
                context.services,
                member,
                command.key_id,
                command.reason,
                command.delete_first,
                _options(command),
            ),
        )
    )


def enable(
    context: ListenerContext,
    member: Member,
    responder: Responder,
    payload: Payload,
    command: Command,
) -> None:
    """Handle `/key enable`. Without a reason, open a form that asks for it."""
    if not command.reason:
        _open_enable(context, member, payload, command.key_id, command.user)
        return
    responder.show(
        _enabled_or_sent(
            context,
            command.key_id,
            create_request.enable(
                context.services, member, command.key_id, command.reason, _options(command)
            ),
        )
    )


def request_button(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Request a key**.

    On a message about a service user's key, the form is for that service user.
    """
    if not (context.defaults.service_users and KEY_ID.fullmatch(payload.value)):
        context.open(payload, modals.create_form(context.defaults))
        return

    def make() -> dict[str, object]:
        try:
            return modals.create_form(
                context.defaults, key_owner.service_user_of(context.services, member, payload.value)
            )
        except Refused:  # the key is gone or has another owner, and the user may still request one
            return modals.create_form(context.defaults)

    context.open_with(payload, modals.TITLES["create"], make)


def rotate_button(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Rotate**: open the form with this key chosen."""
    _open_rotate(context, member, payload, checked_key_id(payload.value))


def enable_button(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Enable** and **Ask for it back**: open the form with this key chosen."""
    _open_enable(context, member, payload, checked_key_id(payload.value))


def extend_button(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Ask for 7 more days**."""
    responder.show(
        _request_sent(
            context, create_request.extend(context.services, member, checked_key_id(payload.value))
        )
    )


def cancel(
    context: ListenerContext, member: Member, responder: Responder, payload: Payload
) -> None:
    """Handle **Cancel request**."""
    request = create_request.cancel(context.services, member, payload.value)
    responder.show(replies.cancelled(request))


def nudge(context: ListenerContext, member: Member, responder: Responder, payload: Payload) -> None:
    """Handle **Nudge**."""
    remind_approvers.nudge(context.services, member, payload.value)
    responder.show(replies.nudged())


def submit_create(
    context: ListenerContext, member: Member, responder: Responder, form_input: FormInput
) -> None:
    """Handle the form of `/key create`."""
    responder.show(
        _request_sent(
            context,
            create_request.create(
                context.services, member, form_input.reason, _options(form_input)
            ),
        )
    )


def submit_rotate(
    context: ListenerContext, member: Member, responder: Responder, form_input: FormInput
) -> None:
    """Handle the form of `/key rotate`."""
    responder.show(
        _request_sent(
            context,
            create_request.rotate(
                context.services,
                member,
                form_input.key_id,
                form_input.reason,
                form_input.delete_first,
                _options(form_input),
            ),
        )
    )


def submit_enable(
    context: ListenerContext, member: Member, responder: Responder, form_input: FormInput
) -> None:
    """Handle the form of `/key enable`."""
    responder.show(
        _enabled_or_sent(
            context,
            form_input.key_id,
            create_request.enable(
                context.services, member, form_input.key_id, form_input.reason, _options(form_input)
            ),
        )
    )


def _open_create(
    context: ListenerContext,
    member: Member,
    payload: Payload,
    defaults: FormDefaults,
    user: str = "",
    *,
    urgent: bool = False,
) -> None:
    """Open the form of `/key create`.

    An urgent request is offered only to users who may make one, which takes a call to Slack.
    """
    if defaults.urgent_life is None and not urgent:
        context.open(payload, modals.create_form(defaults, user))
        return

    def make() -> dict[str, object]:
        try:
            create_request.check_may_break_glass(context.services, member)
        except (NotAllowed, SlackUnavailable):
            if urgent:
                raise
            return modals.create_form(replace(defaults, urgent_life=None), user)
        return modals.create_form(defaults, user, urgent=urgent)

    context.open_with(payload, modals.TITLES["create"], make)


def _open_rotate(
    context: ListenerContext, member: Member, payload: Payload, chosen: str = "", user: str = ""
) -> None:
    def make() -> dict[str, object]:
        whose, keys = _keys(context, member, chosen, user)
        if not keys:
            raise NotYourKey(Code.NO_KEY_TO_ROTATE)
        return modals.rotate_form(
            context.defaults, keys, context.services.clock.now(), chosen, whose
        )

    context.open_with(payload, modals.TITLES["rotate"], make)


def _open_enable(
    context: ListenerContext, member: Member, payload: Payload, chosen: str = "", user: str = ""
) -> None:
    def make() -> dict[str, object]:
        whose, keys = _keys(context, member, chosen, user)
        inactive = [key for key in keys if not key.active]
        if not inactive:
            raise NotYourKey(Code.NO_INACTIVE_KEY)
        return modals.enable_form(inactive, context.services.clock.now(), chosen, whose)

    context.open_with(payload, modals.TITLES["enable"], make)


def _keys(
    context: ListenerContext, member: Member, chosen: str, user: str
) -> tuple[str, tuple[AccessKey, ...]]:
    """Return the service user, "" for none, and the keys to choose from."""
    if chosen and not user:
        user = key_owner.service_user_of(context.services, member, chosen)
    return user, key_owner.keys_of(context.services, member, user)


def _options(form_input: Command | FormInput) -> RequestOptions:
    return RequestOptions(
        form_input.lifetime, form_input.forever, form_input.user, form_input.urgent
    )


def _request_sent(context: ListenerContext, request: KeyRequest) -> Message:
    """Return the message that a request waits for approval.

    It also says what the operator recommends instead of a new key.
    """
    structlog.contextvars.bind_contextvars(request=request.id)
    instead = context.defaults.instead if request.verb == "create" else ""
    return replies.request_sent(request, instead)


def _enabled_or_sent(context: ListenerContext, key: str, request: KeyRequest | None) -> Message:
    return _request_sent(context, request) if request else replies.turned_on(key)

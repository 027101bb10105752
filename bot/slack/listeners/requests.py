"""Handle the commands, forms and buttons that make, cancel or nudge a request."""

from __future__ import annotations

from dataclasses import replace

import structlog

from bot.domain.codes import Code
from bot.domain.commands import Command
from bot.domain.errors import NotAllowed, NotYourKey, Refused
from bot.domain.keys import KEY_ID, AccessKey
from bot.domain.outside_errors import SlackUnavailable
from bot.domain.requests import KeyRequest
from bot.operations import create_request, key_owner, remind_approvers
from bot.operations.create_request import RequestOptions
from bot.slack.listeners.context import Click, Interaction, Submission, TypedCommand, View
from bot.slack.messages import modals, replies
from bot.slack.messages.form_input import FormInput
from bot.slack.messages.modals import FormDefaults


def create(typed: TypedCommand) -> None:
    """Handle `/key create`. Without a reason, open a form that asks for it."""
    command, defaults = typed.command, typed.context.defaults
    if command.reason:
        options = _options(command)
        request = create_request.create(typed.services, typed.member, command.reason, options)
        _show_sent(typed, request)
        return
    if command.lifetime is not None or command.forever:
        defaults = replace(defaults, lifetime=command.lifetime)
    _open_create(typed, defaults, command.user, urgent=command.urgent)


def rotate(typed: TypedCommand) -> None:
    """Handle `/key rotate`. Without a key ID, open a form.

    Where both key slots are taken, the command must say which key to delete first.
    """
    if typed.command.key_id:
        _rotate(typed, typed.command)
    else:
        _open_rotate(typed, user=typed.command.user)


def enable(typed: TypedCommand) -> None:
    """Handle `/key enable`. Without a reason, open a form that asks for it."""
    if typed.command.reason:
        _enable(typed, typed.command)
    else:
        _open_enable(typed, typed.command.key_id, typed.command.user)


def request_button(click: Click) -> None:
    """Handle **Request a key**.

    On a message about a service user's key, the form is for that service user.
    """
    defaults = click.context.defaults
    if not (defaults.service_users and KEY_ID.fullmatch(click.value)):
        click.open(modals.create_form(defaults))
        return

    def make() -> View:
        try:
            user = key_owner.service_user_of(click.services, click.member, click.value)
        except Refused:  # the key is gone or has another owner, and the user may still request one
            user = ""
        return modals.create_form(defaults, user)

    click.open_with(modals.TITLES["create"], make)


def rotate_button(click: Click) -> None:
    """Handle **Rotate**: open the form with this key chosen."""
    _open_rotate(click, click.key_id)


def enable_button(click: Click) -> None:
    """Handle **Enable** and **Ask for it back**: open the form with this key chosen."""
    _open_enable(click, click.key_id)


def extend_button(click: Click) -> None:
    """Handle **Ask for 7 more days**."""
    _show_sent(click, create_request.extend(click.services, click.member, click.key_id))


def cancel(click: Click) -> None:
    """Handle **Cancel request**."""
    request = create_request.cancel(click.services, click.member, click.value)
    click.show(replies.cancelled(request))


def nudge(click: Click) -> None:
    """Handle **Nudge**."""
    remind_approvers.nudge(click.services, click.member, click.value)
    click.show(replies.nudged())


def submit_create(form: Submission) -> None:
    """Handle the form of `/key create`."""
    typed = form.form_input
    request = create_request.create(form.services, form.member, typed.reason, _options(typed))
    _show_sent(form, request)


def submit_rotate(form: Submission) -> None:
    """Handle the form of `/key rotate`."""
    _rotate(form, form.form_input)


def submit_enable(form: Submission) -> None:
    """Handle the form of `/key enable`."""
    _enable(form, form.form_input)


def _rotate(by: Interaction, typed: Command | FormInput) -> None:
    request = create_request.rotate(
        by.services, by.member, typed.key_id, typed.reason, typed.delete_first, _options(typed)
    )
    _show_sent(by, request)


def _enable(by: Interaction, typed: Command | FormInput) -> None:
    request = create_request.enable(
        by.services, by.member, typed.key_id, typed.reason, _options(typed)
    )
    if request:
        _show_sent(by, request)
    else:
        by.show(replies.turned_on(typed.key_id))


def _open_create(
    by: Interaction, defaults: FormDefaults, user: str = "", *, urgent: bool = False
) -> None:
    """Open the form of `/key create`.

    An urgent request is offered only to users who may make one, which takes a call to Slack.
    """
    if defaults.urgent_life is None and not urgent:
        by.open(modals.create_form(defaults, user))
        return

    def make() -> View:
        try:
            create_request.check_may_break_glass(by.services, by.member)
        except (NotAllowed, SlackUnavailable):
            if urgent:
                raise
            return modals.create_form(replace(defaults, urgent_life=None), user)
        return modals.create_form(defaults, user, urgent=urgent)

    by.open_with(modals.TITLES["create"], make)


def _open_rotate(by: Interaction, chosen: str = "", user: str = "") -> None:
    def make() -> View:
        service_user, keys = _keys(by, chosen, user)
        if not keys:
            raise NotYourKey(Code.NO_KEY_TO_ROTATE)
        now = by.services.clock.now()
        return modals.rotate_form(by.context.defaults, keys, now, chosen, service_user)

    by.open_with(modals.TITLES["rotate"], make)


def _open_enable(by: Interaction, chosen: str = "", user: str = "") -> None:
    def make() -> View:
        service_user, keys = _keys(by, chosen, user)
        inactive = [key for key in keys if not key.active]
        if not inactive:
            raise NotYourKey(Code.NO_INACTIVE_KEY)
        return modals.enable_form(inactive, by.services.clock.now(), chosen, service_user)

    by.open_with(modals.TITLES["enable"], make)


def _keys(by: Interaction, chosen: str, user: str) -> tuple[str, tuple[AccessKey, ...]]:
    """Return the service user, "" for none, and the keys to choose from."""
    if chosen and not user:
        user = key_owner.service_user_of(by.services, by.member, chosen)
    return user, key_owner.keys_of(by.services, by.member, user)


def _options(typed: Command | FormInput) -> RequestOptions:
    return RequestOptions(typed.lifetime, typed.forever, typed.user, typed.urgent)


def _show_sent(by: Interaction, request: KeyRequest) -> None:
    """Answer that a request waits for approval.

    The answer also says what the operator recommends instead of a new key.
    """
    structlog.contextvars.bind_contextvars(request=request.id)
    instead = by.context.defaults.instead if request.verb == "create" else ""
    by.show(replies.request_sent(request, instead))

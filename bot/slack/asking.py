"""Asking, in Slack: the commands, forms and buttons for a new key, a rotation, an inactive key back, more time."""

from __future__ import annotations

from dataclasses import replace

import structlog

from bot.core.access_key import KEY_ID, AccessKey
from bot.core.command import USAGE, Command
from bot.core.errors import NotAllowed, NotYourKey, Refused, SlackUnavailable, at_words
from bot.core.people import Member
from bot.core.policy import span_words
from bot.core.request import KeyRequest
from bot.core.workflow import ask, ownership
from bot.core.workflow.ask import Terms
from bot.slack import forms
from bot.slack.approvals import waits_for
from bot.slack.blocks import Drawn, draw, operators, section, worded
from bot.slack.boundary import Answer
from bot.slack.context import Context
from bot.slack.forms import Typed, Usual
from bot.slack.payload import Payload
from bot.slack.request_buttons import cancelled


def create(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key create`: with a reason the request is made, without one a form asks for it."""
    if not command.reason:
        chosen = command.lifetime is not None or command.forever
        usual = replace(context.usual, lifetime=command.lifetime) if chosen else context.usual
        _open_create(context, member, payload, usual, command.user, urgent=command.urgent)
        return
    answer.show(_asked(context, ask.create(context.desk, member, command.reason, _terms(command))))


def rotate(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key rotate`: a form without a key ID; with both slots taken and no choice made, the choice in a sentence."""
    if not command.key_id:
        _open_rotate(context, member, payload, user=command.user)
        return
    answer.show(
        _asked(
            context,
            ask.rotate(
                context.desk,
                member,
                command.key_id,
                command.reason,
                command.let_go,
                _terms(command),
            ),
        )
    )


def enable(
    context: Context, member: Member, answer: Answer, payload: Payload, command: Command
) -> None:
    """`/key enable`: a form without a reason."""
    if not command.reason:
        _open_enable(context, member, payload, command.key_id, command.user)
        return
    answer.show(
        _enabled(
            context,
            command.key_id,
            ask.enable(context.desk, member, command.key_id, command.reason, _terms(command)),
        )
    )


def ask_button(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Request a key**; below a message about a service user's key, for that user."""
    if not (context.usual.service_users and KEY_ID.fullmatch(payload.value)):
        context.open(payload, forms.create_form(context.usual))
        return

    def make() -> dict[str, object]:
        try:
            return forms.create_form(
                context.usual, ownership.service_user_of(context.desk, member, payload.value)
            )
        except (
            Refused
        ):  # the key is gone, or is no longer theirs: they may ask for one all the same
            return forms.create_form(context.usual)

    context.open_with(payload, forms.TITLES["create"], make)


def rotate_button(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Rotate**: the form, with this key chosen."""
    _open_rotate(context, member, payload, key_id(payload.value))


def enable_button(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Enable**, **Ask for it back**: the form, with this key chosen."""
    _open_enable(context, member, payload, key_id(payload.value))


def extend_button(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Ask for 7 more days**."""
    answer.show(_asked(context, ask.extend(context.desk, member, key_id(payload.value))))


def cancel(context: Context, member: Member, answer: Answer, payload: Payload) -> None:
    """**Cancel request**."""
    request = ask.cancel(context.desk, member, payload.value)
    again = f" `/key {request.verb}` asks again." if request.verb in USAGE else ""
    answer.say(f"Cancelled. {cancelled(request)}{again}")


def submit_create(context: Context, member: Member, answer: Answer, typed: Typed) -> None:
    """The form of `/key create`."""
    answer.show(_asked(context, ask.create(context.desk, member, typed.reason, _terms(typed))))


def submit_rotate(context: Context, member: Member, answer: Answer, typed: Typed) -> None:
    """The form of `/key rotate`."""
    answer.show(
        _asked(
            context,
            ask.rotate(
                context.desk, member, typed.key_id, typed.reason, typed.let_go, _terms(typed)
            ),
        )
    )


def submit_enable(context: Context, member: Member, answer: Answer, typed: Typed) -> None:
    """The form of `/key enable`."""
    answer.show(
        _enabled(
            context,
            typed.key_id,
            ask.enable(context.desk, member, typed.key_id, typed.reason, _terms(typed)),
        )
    )


def key_id(value: str) -> str:
    """A button's value as an access key ID. Raises NotYourKey for anything else."""
    if not KEY_ID.fullmatch(value):
        raise NotYourKey
    return value


def _open_create(
    context: Context,
    member: Member,
    payload: Payload,
    usual: Usual,
    user: str = "",
    *,
    urgent: bool = False,
) -> None:
    """The form of `/key create`. Breaking glass is offered to those who may, which is asked of Slack now."""
    if usual.urgent_life is None and not urgent:
        context.open(payload, forms.create_form(usual, user))
        return

    def make() -> dict[str, object]:
        try:
            ask.may_be_urgent(context.desk, member)
        except (NotAllowed, SlackUnavailable):
            if urgent:
                raise
            return forms.create_form(replace(usual, urgent_life=None), user)
        return forms.create_form(usual, user, urgent=urgent)

    context.open_with(payload, forms.TITLES["create"], make)


def _open_rotate(
    context: Context, member: Member, payload: Payload, chosen: str = "", user: str = ""
) -> None:
    def make() -> dict[str, object]:
        whose, keys = _keys(context, member, chosen, user)
        if not keys:
            raise NotYourKey(
                "You have no access key to rotate. `/key create <reason>` asks for one."
            )
        return forms.rotate_form(context.usual, keys, context.desk.clock.now(), chosen, whose)

    context.open_with(payload, forms.TITLES["rotate"], make)


def _open_enable(
    context: Context, member: Member, payload: Payload, chosen: str = "", user: str = ""
) -> None:
    def make() -> dict[str, object]:
        whose, keys = _keys(context, member, chosen, user)
        inactive = [key for key in keys if not key.active]
        if not inactive:
            raise NotYourKey("You have no inactive access key. `/key list` shows your keys.")
        return forms.enable_form(inactive, context.desk.clock.now(), chosen, whose)

    context.open_with(payload, forms.TITLES["enable"], make)


def _keys(
    context: Context, member: Member, chosen: str, user: str
) -> tuple[str, tuple[AccessKey, ...]]:
    """The keys to choose from, and the service user they are of, where they are of one."""
    if chosen and not user:
        user = ownership.service_user_of(context.desk, member, chosen)
    return user, ownership.keys_of(context.desk, member, user)


def _terms(typed: Command | Typed) -> Terms:
    return Terms(typed.lifetime, typed.forever, typed.user, typed.urgent)


def _asked(context: Context, request: KeyRequest) -> Drawn:
    """The request waits. What the operator would rather see used than keys comes first, as they wrote it (mrkdwn)."""
    structlog.contextvars.bind_contextvars(request=request.id)
    until = f" until {at_words(request.deadline)}" if request.deadline else ""
    brief = (
        f" The key will live {span_words(request.lifetime)}."
        if request.urgent and request.lifetime
        else ""
    )
    words = worded(
        f"Asked. Your request waits for {waits_for(request)}{until}; I will tell you in your direct "
        f"message with me, where you can also cancel it.{brief}"
    )
    instead = context.usual.instead if request.verb == "create" else ""
    return draw(
        f"{instead}\n{words}".strip(), [operators(instead) if instead else None, section(words)]
    )


def _enabled(context: Context, key: str, request: KeyRequest | None) -> Drawn:
    words = f"{key} is active again; it may take a minute to work."
    return _asked(context, request) if request else draw(words, [section(words)])

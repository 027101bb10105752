"""Build the forms.

Pure functions. No view ever holds a secret. `form_input.py` reads what was typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.models.blocks import (
    CheckboxesElement,
    InputBlock,
    InputInteractiveElement,
    Option,
    PlainTextInputElement,
    StaticSelectElement,
)

from bot.domain.commands import REASON_MAX
from bot.domain.keys import AccessKey
from bot.domain.policy import KEYS_PER_USER
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from bot.slack.messages.blocks import operator_section, section
from bot.slack.messages.request_status import reason_block, wish_text
from bot.slack.messages.text import age_text, duration_text, last_used_plain

TITLES = {
    "create": "Request an access key",
    "rotate": "Rotate an access key",
    "enable": "Turn a key on again",
    "disable": "Turn a key off",
    "deny": "Deny a request",
}

MAX_OPTION_TEXT = 75
"""Maximum characters of an option's description ("Option object", Slack documentation)."""


@dataclass(frozen=True)
class FormDefaults:
    """The defaults of forms.

    They are the usual lifetime (None: keys never expire) and the service users. `longest` is the
    longest lifetime that may be requested (None: no limit). `urgent_life` is the lifetime of an
    urgently requested key, None where urgent requests are not set up.
    """

    lifetime: timedelta | None = None
    service_users: bool = False
    instead: str = ""
    longest: timedelta | None = None
    urgent_life: timedelta | None = None


def create_form(defaults: FormDefaults, user: str = "", *, urgent: bool = False) -> dict[str, Any]:
    """Return the form for a new key.

    Args:
        defaults: the defaults. `instead` is shown first (mrkdwn), and an urgent request is offered
            where `urgent_life` is set.
        user: the service user that is filled in, "" for none.
        urgent: whether the urgent option is chosen already.
    """
    fields = [
        _reason("What is the key for?", "Deploy script of the billing job"),
        _lifetime(defaults),
    ]
    if defaults.service_users or user:
        fields.append(_service_user(user))
    if defaults.urgent_life is not None:
        fields.append(_urgent(defaults.urgent_life, chosen=urgent))
    return _form("create", action_ids.CREATE_FORM, "Ask", fields, instead=defaults.instead)


def rotate_form(
    defaults: FormDefaults,
    keys: Sequence[AccessKey],
    now: datetime,
    key_id: str = "",
    user: str = "",
) -> dict[str, Any]:
    """Return the form for a rotation.

    It asks which key to replace and, at AWS's limit, which to delete.
    """
    fields = [
        _key(
            "Which key do you want to replace?",
            action_ids.KEY_BLOCK,
            action_ids.KEY_INPUT,
            keys,
            now,
            key_id,
        )
    ]
    if len(keys) >= KEYS_PER_USER:
        fields.append(
            _key(
                "You have two keys, the AWS limit. Which one should be deleted when you reveal "
                "the new one?",
                action_ids.LET_GO_BLOCK,
                action_ids.LET_GO_INPUT,
                keys,
                now,
            )
        )
    fields += [_reason("Why?", "It is 95 days old", optional=True), _lifetime(defaults)]
    return _form("rotate", action_ids.ROTATE_FORM, "Ask", fields, meta=user)


def enable_form(
    keys: Sequence[AccessKey], now: datetime, key_id: str = "", user: str = ""
) -> dict[str, Any]:
    """Return the form that asks which inactive key to turn on again, and why."""
    fields = [
        _key("Which key?", action_ids.KEY_BLOCK, action_ids.KEY_INPUT, keys, now, key_id),
        _reason("Why do you need it again?", "The nightly job still uses it"),
    ]
    return _form("enable", action_ids.ENABLE_FORM, "Ask", fields, meta=user)


def disable_for_form(key_id: str) -> dict[str, Any]:
    """Return the form in which an approver says why another user's key is turned off."""
    reason = _reason("Why?", "It is in a public file", hint="Its owner will read this.")
    form = _form("disable", action_ids.DISABLE_FOR_FORM, "Disable", [reason], meta=key_id)
    return {**form, "blocks": [section(f"Turn off `{key_id}`?").to_dict(), *form["blocks"]]}


def deny_form(request: KeyRequest) -> dict[str, Any]:
    """Return the form in which an approver says why a request is denied."""
    why = _reason(
        "Why do you deny it?",
        "Use the role of the build server",
        hint="The requester will read this.",
    )
    form = _form("deny", action_ids.DENY_FORM, "Deny", [why], meta=request.id)
    lead = section(f"<@{request.requester}> wants {wish_text(request) or 'an access key'}:")
    typed = reason_block(request)
    shown = typed if isinstance(typed, dict) else typed.to_dict()
    return {**form, "blocks": [lead.to_dict(), shown, *form["blocks"]]}


def message_view(text: str, name: str = "", title: str = "Keydesk") -> dict[str, Any]:
    """Return a form that only shows a text (mrkdwn): "Checking…", then the outcome.

    `name` is the `external_id` by which it can be found again, "" for none.
    """
    named = {"external_id": name} if name else {}
    return {
        "type": "modal",
        "title": _plain(title),
        "close": _plain("Close"),
        "blocks": [section(text).to_dict()],
        **named,
    }


def _form(
    verb: str,
    callback_id: str,
    submit: str,
    fields: Sequence[InputBlock],
    *,
    meta: str = "",
    instead: str = "",
) -> dict[str, Any]:
    first = [operator_section(instead).to_dict()] if instead else []
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": _plain(TITLES[verb]),
        "submit": _plain(submit),
        "close": _plain("Cancel"),
        "private_metadata": meta,
        "blocks": [*first, *(one.to_dict() for one in fields)],
    }


def _reason(
    label: str,
    example: str,
    *,
    optional: bool = False,
    hint: str = "The approvers will read this.",
) -> InputBlock:
    return _input(
        label,
        action_ids.REASON_BLOCK,
        PlainTextInputElement(
            action_id=action_ids.REASON_INPUT,
            multiline=True,
            max_length=REASON_MAX,
            placeholder=example,
        ),
        hint=hint,
        optional=optional,
    )


def _lifetime(defaults: FormDefaults) -> InputBlock:
    return _input(
        "How long should the key last?",
        action_ids.LIFETIME_BLOCK,
        PlainTextInputElement(
            action_id=action_ids.LIFETIME_INPUT,
            initial_value=_lifetime_text(defaults.lifetime),
            max_length=10,
        ),
        hint="For example 12h, 30d or 2w",
        optional=True,
    )


def _lifetime_text(span: timedelta | None) -> str | None:
    """Return a lifetime as users type it: `30d`, `36h`, `never`.

    Returns:
        None for a lifetime without such a form. The field is then empty, which means the usual
        lifetime.
    """
    if span is None:
        return "never"
    hours, rest = divmod(span, timedelta(hours=1))
    if rest or not hours:
        return None
    return f"{hours}h" if hours % 24 else f"{hours // 24}d"


def _service_user(user: str) -> InputBlock:
    return _input(
        "For which service user?",
        action_ids.USER_BLOCK,
        PlainTextInputElement(
            action_id=action_ids.USER_INPUT,
            initial_value=user or None,
            max_length=64,
            placeholder="ci-deploy",
        ),
        hint="Leave this empty for a key of your own.",
        optional=True,
    )


def _urgent(life: timedelta, *, chosen: bool) -> InputBlock:
    option = Option(
        value="urgent",
        text="Urgent (break glass)",
        description=f"One approval is enough. The key will last {duration_text(life)} at most.",
    )
    return _input(
        "Is it urgent?",
        action_ids.URGENT_BLOCK,
        CheckboxesElement(
            action_id=action_ids.URGENT_INPUT,
            options=[option],
            initial_options=[option] if chosen else None,
        ),
        hint="All approvers are notified, and it is marked in the audit trail.",
        optional=True,
    )


def _key(
    label: str,
    block_id: str,
    action_id: str,
    keys: Sequence[AccessKey],
    now: datetime,
    chosen: str = "",
) -> InputBlock:
    """Return a select of keys. A single key is already chosen."""
    options = [
        Option(
            value=key.id,
            text=f"{key.id} ({key.status.lower()}, {age_text(key, now)})",
            description=last_used_plain(key)[:MAX_OPTION_TEXT],
        )
        for key in keys
    ]
    chosen = options[0].value or "" if len(options) == 1 else chosen
    first = next((option for option in options if option.value == chosen), None)
    return _input(
        label,
        block_id,
        StaticSelectElement(
            action_id=action_id, options=options, initial_option=first, placeholder="Choose a key"
        ),
    )


def _input(
    label: str,
    block_id: str,
    element: InputInteractiveElement,
    *,
    hint: str = "",
    optional: bool = False,
) -> InputBlock:
    return InputBlock(
        block_id=block_id, label=label, hint=hint or None, element=element, optional=optional
    )


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}

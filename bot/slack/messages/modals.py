"""What do forms look like, and what was typed into them? Pure functions; no secret ever stands in a view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

from bot.domain.codes import Code
from bot.domain.commands import (
    IAM_NAME,
    REASON_MAX,
    check_reason,
    parse_lifetime,
)
from bot.domain.errors import BadCommand, LooksLikeSecret, NotAllowed
from bot.domain.keys import AccessKey
from bot.domain.policy import (
    KEYS_PER_USER,
    check_lifetime,
)
from bot.domain.requests import KeyRequest
from bot.domain.secret import looks_like_secret
from bot.slack import action_ids
from bot.slack.messages import errors as error_messages
from bot.slack.messages.blocks import (
    age_text,
    operator_section,
    reason,
    section,
)
from bot.slack.messages.text import duration_text, last_used_plain

TITLES = {
    "create": "Ask for an access key",
    "rotate": "Rotate an access key",
    "enable": "Turn a key on again",
    "disable": "Turn a key off",
    "deny": "Deny a request",
}

MAX_OPTION_TEXT = 75
"""Letters of an option's description ("Option object", Slack documentation)."""


@dataclass(frozen=True)
class FormDefaults:
    """What forms offer: how long keys live here (None: for ever), and whether there are service users.

    `longest` is the longest life that may be asked for (None: no limit); `urgent_life` is how long a key lives that is
    asked for urgently, None where that is not set up.
    """

    lifetime: timedelta | None = None
    service_users: bool = False
    instead: str = ""
    longest: timedelta | None = None
    urgent_life: timedelta | None = None


@dataclass(frozen=True)
class FormInput:
    """What was typed into a form and is right, as far as can be told without asking anybody."""

    reason: str = ""
    lifetime: timedelta | None = None
    forever: bool = False
    user: str = ""
    key_id: str = ""
    delete_first: str = ""
    urgent: bool = False
    request_id: str = ""


class FieldErrors(Exception):
    """Something typed is wrong: `errors` is what to say at which field (block ID)."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__()


def create_form(defaults: FormDefaults, user: str = "", *, urgent: bool = False) -> dict[str, Any]:
    """The form that asks what a key is for. `usual.instead` is shown first ("People: use SSO"); it is mrkdwn.

    Where `usual` has a life of urgent keys, it offers to break glass; `urgent` has that chosen already.
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
    """The form that asks which key another is to replace and, with both slots taken, which one is to go for it."""
    fields = [
        _key(
            "Which key is to be replaced?",
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
                "Both slots at AWS are taken. Which key is deleted when the new one is revealed?",
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
    """The form that asks which inactive key is to be turned on again, and why."""
    fields = [
        _key("Which key?", action_ids.KEY_BLOCK, action_ids.KEY_INPUT, keys, now, key_id),
        _reason("Why is it needed again?", "The nightly job still uses it"),
    ]
    return _form("enable", action_ids.ENABLE_FORM, "Ask", fields, meta=user)


def disable_for_form(key_id: str) -> dict[str, Any]:
    """The form in which an approver says why somebody's key is turned off."""
    reason = _reason("Why?", "It is in a public file", hint="Its owner is told.")
    form = _form("disable", action_ids.DISABLE_FOR_FORM, "Disable", [reason], meta=key_id)
    return {**form, "blocks": [section(f"Turn off `{key_id}`?").to_dict(), *form["blocks"]]}


def deny_form(request: KeyRequest) -> dict[str, Any]:
    """The form in which an approver says why a request is denied."""
    why = _reason(
        "Why not?",
        "Use the role of the build server",
        hint="Its requester reads this, and it is kept.",
    )
    form = _form("deny", action_ids.DENY_FORM, "Deny", [why], meta=request.id)
    asked, for_what = (
        section(f"<@{request.requester}> asks (*{request.verb}*) for:"),
        reason(request),
    )
    shown = for_what if isinstance(for_what, dict) else for_what.to_dict()
    return {**form, "blocks": [asked.to_dict(), shown, *form["blocks"]]}


def message_view(text: str, name: str = "", title: str = "Keydesk") -> dict[str, Any]:
    """A form that only says something: "Checking…", then what came of it. `text` is mrkdwn.

    `name` is the `external_id` by which it can be found again.
    """
    named = {"external_id": name} if name else {}
    return {
        "type": "modal",
        "title": _plain(title),
        "close": _plain("Close"),
        "blocks": [section(text).to_dict()],
        **named,
    }


def read_input(view: Mapping[str, Any], longest: timedelta | None = None) -> FormInput:
    """What a submitted form holds. Raises FieldErrors, worded for the field each stands at."""
    form, wrong = view.get("callback_id"), {}
    reason = _value(view, action_ids.REASON_BLOCK, action_ids.REASON_INPUT)
    life = _value(view, action_ids.LIFETIME_BLOCK, action_ids.LIFETIME_INPUT)
    lifetime, forever = None, False
    try:
        verb = "create" if form == action_ids.CREATE_FORM else "enable"
        reason = (
            check_reason(reason, verb) if reason.strip() or form != action_ids.ROTATE_FORM else ""
        )
    except (BadCommand, LooksLikeSecret) as refusal:
        wrong[action_ids.REASON_BLOCK] = _field_text(refusal)
    try:
        lifetime = parse_lifetime(life) if life.strip() else None
        forever = bool(life.strip()) and lifetime is None
        if life.strip():
            check_lifetime(lifetime, longest)
    except (BadCommand, NotAllowed) as refusal:
        wrong[action_ids.LIFETIME_BLOCK] = _field_text(refusal)
    user = _value(view, action_ids.USER_BLOCK, action_ids.USER_INPUT).strip()
    if looks_like_secret(user):
        wrong[action_ids.USER_BLOCK] = _field_text(LooksLikeSecret())
    elif user and not IAM_NAME.fullmatch(user):
        wrong[action_ids.USER_BLOCK] = error_messages.text(Code.BAD_USER_NAME, {})
    if wrong:
        raise FieldErrors(wrong)
    meta = view.get("private_metadata")
    meta = meta if isinstance(meta, str) else ""
    if form == action_ids.DENY_FORM:
        return FormInput(reason, request_id=meta)
    about_key = form == action_ids.DISABLE_FOR_FORM
    return FormInput(
        reason,
        lifetime,
        forever,
        user="" if about_key else user or meta,
        key_id=meta if about_key else _value(view, action_ids.KEY_BLOCK, action_ids.KEY_INPUT),
        delete_first=_value(view, action_ids.LET_GO_BLOCK, action_ids.LET_GO_INPUT),
        urgent=bool(
            _part(view, action_ids.URGENT_BLOCK, action_ids.URGENT_INPUT).get("selected_options")
        ),
    )


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
    hint: str = "An approver reads this and decides.",
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
        "How long is it to live?",
        action_ids.LIFETIME_BLOCK,
        PlainTextInputElement(
            action_id=action_ids.LIFETIME_INPUT,
            initial_value=_lifetime_text(defaults.lifetime),
            max_length=10,
        ),
        hint="12h, 30d, 2w",
        optional=True,
    )


def _lifetime_text(span: timedelta | None) -> str | None:
    """A key's life as people type it: `30d`, `36h`, `never`; None for one that has no such form.

    Left empty, the field then counts as the desk's own life.
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
        hint="Leave it empty for a key of your own.",
        optional=True,
    )


def _urgent(life: timedelta, *, chosen: bool) -> InputBlock:
    option = Option(
        value="urgent",
        text="It cannot wait: break glass",
        description=f"One approval is enough; the key lives {duration_text(life)} at most.",
    )
    return _input(
        "Is it urgent?",
        action_ids.URGENT_BLOCK,
        CheckboxesElement(
            action_id=action_ids.URGENT_INPUT,
            options=[option],
            initial_options=[option] if chosen else None,
        ),
        hint="All approvers are called, and it is marked in the record.",
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
    """A select of keys; the only one there is, is chosen already."""
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


def _value(view: Mapping[str, Any], block_id: str, action_id: str) -> str:
    """A field's text or chosen value, "" where there is none or the payload is not as Slack sends it."""
    part = _part(view, block_id, action_id)
    chosen = part.get("selected_option")
    value = chosen.get("value") if isinstance(chosen, dict) else part.get("value")
    return value if isinstance(value, str) else ""


def _part(view: Mapping[str, Any], block_id: str, action_id: str) -> Mapping[str, Any]:
    """What the payload says of a field."""
    part: Any = view
    for name in ("state", "values", block_id, action_id):
        part = part.get(name) if isinstance(part, dict) else None
    return part if isinstance(part, dict) else {}


def _field_text(refusal: BadCommand | LooksLikeSecret | NotAllowed) -> str:
    """What Slack shows at a field, which is plain text."""
    words = refusal.sentence or error_messages.text(refusal.code, refusal.facts)
    return words.replace("`", "").replace("--for ", "")  # a form has a field for that


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}

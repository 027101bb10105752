"""Read what was typed into a form, and say what is wrong in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.domain.commands import IAM_NAME, check_reason, parse_lifetime
from bot.domain.errors import BadCommand, LooksLikeSecret, NotAllowed
from bot.domain.policy import check_lifetime
from bot.domain.secret import looks_like_secret
from bot.slack import action_ids
from bot.slack.messages import errors as error_messages


@dataclass(frozen=True)
class FormInput:
    """What was typed into a form, valid as far as the text alone shows."""

    reason: str = ""
    lifetime: timedelta | None = None
    forever: bool = False
    user: str = ""
    key_id: str = ""
    delete_first: str = ""
    urgent: bool = False
    request_id: str = ""


class FieldErrors(Exception):
    """Raised for invalid input. `errors` maps a block ID to what is wrong there."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__()


def read_input(view: Mapping[str, Any], longest: timedelta | None = None) -> FormInput:
    """Return what a submitted form holds.

    Raises:
        FieldErrors: Input is invalid. It has a text for each invalid field.
    """
    form, errors = view.get("callback_id"), {}
    reason = _value(view, action_ids.REASON_BLOCK, action_ids.REASON_INPUT)
    life = _value(view, action_ids.LIFETIME_BLOCK, action_ids.LIFETIME_INPUT)
    lifetime, forever = None, False
    try:
        verb = "create" if form == action_ids.CREATE_FORM else "enable"
        reason = (
            check_reason(reason, verb) if reason.strip() or form != action_ids.ROTATE_FORM else ""
        )
    except (BadCommand, LooksLikeSecret) as refusal:
        errors[action_ids.REASON_BLOCK] = _field_text(refusal)
    try:
        lifetime = parse_lifetime(life) if life.strip() else None
        forever = bool(life.strip()) and lifetime is None
        if life.strip():
            check_lifetime(lifetime, longest)
    except (BadCommand, NotAllowed) as refusal:
        errors[action_ids.LIFETIME_BLOCK] = _field_text(refusal)
    user = _value(view, action_ids.USER_BLOCK, action_ids.USER_INPUT).strip()
    if looks_like_secret(user):
        errors[action_ids.USER_BLOCK] = _field_text(LooksLikeSecret())
    elif user and not IAM_NAME.fullmatch(user):
        errors[action_ids.USER_BLOCK] = "This is not an IAM user name."
    if errors:
        raise FieldErrors(errors)
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


def _value(view: Mapping[str, Any], block_id: str, action_id: str) -> str:
    """Return a field's text or choice, "" for none or a malformed payload."""
    part = _part(view, block_id, action_id)
    chosen = part.get("selected_option")
    value = chosen.get("value") if isinstance(chosen, dict) else part.get("value")
    return value if isinstance(value, str) else ""


def _part(view: Mapping[str, Any], block_id: str, action_id: str) -> Mapping[str, Any]:
    """Return the payload's state of a field."""
    part: Any = view
    for name in ("state", "values", block_id, action_id):
        part = part.get(name) if isinstance(part, dict) else None
    return part if isinstance(part, dict) else {}


def _field_text(refusal: BadCommand | LooksLikeSecret | NotAllowed) -> str:
    """Return what Slack shows at a field, which is plain text."""
    words = error_messages.text(refusal.code, refusal.facts)
    return words.replace("`", "").replace("--for ", "")  # a form has a field for that

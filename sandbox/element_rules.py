"""Define which texts, options, dialogs and elements Slack accepts, and where.

Source: Slack's "Block Kit" reference: composition objects and block elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.shapes import (
    Rule,
    anything,
    boolean,
    both,
    by_type,
    exactly_one,
    items,
    number,
    one_of,
    shape,
    string,
)  # fmt: skip

ID = string(255)


def plain(longest: int) -> Rule:
    """Accept a plain_text object."""
    fields = shape({"text": string(longest)}, {"emoji": boolean()})
    return by_type({"plain_text": fields})


def text(longest: int) -> Rule:
    """Accept a text object, plain_text or mrkdwn."""
    return by_type(
        {
            "plain_text": shape({"text": string(longest)}, {"emoji": boolean()}),
            "mrkdwn": shape({"text": string(longest)}, {"verbatim": boolean()}),
        }
    )


CONFIRM = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)


def option(*, rich: bool = False, link: bool = False) -> Rule:
    """Accept an option.

    `rich` ones (checkboxes, radio buttons) may use mrkdwn, overflow ones a link.
    """
    kind = text if rich else plain
    return shape(
        {"text": kind(75), "value": string(150)},
        {"description": kind(75)} | ({"url": string(3000)} if link else {}),
    )


def initial_among_options(problems: list[str], at: str, value: Any) -> None:
    """Refuse an initial option that is not among the options."""
    if not isinstance(value, Mapping):
        return
    groups = value.get("option_groups") or []
    options = [
        *(value.get("options") or []),
        *(one for group in groups for one in group.get("options") or []),
    ]
    initial = [
        *(value.get("initial_options") or []),
        *([value["initial_option"]] if "initial_option" in value else []),
    ]
    for one in initial:
        if one not in options:
            problems.append(f"the initial option is not among the options [json-pointer:{at}]")


_ACT = {"action_id": ID}
_PLACED = {**_ACT, "placeholder": plain(150), "focus_on_load": boolean()}
_ASKS = {**_PLACED, "confirm": CONFIRM}
_OPTIONS = items(option(), 1, 100)
_GROUPS = items(shape({"label": plain(75), "options": items(option(), 1, 100)}), 1, 100)
_TYPED = {**_PLACED, "dispatch_action_config": anything(), "initial_value": string(3000, 0)}


def _select(single: Mapping[str, Rule], *checks: Rule) -> Rule:
    return both(shape({}, {**_ASKS, **single}), *checks)


def _selects() -> dict[str, Rule]:
    chosen = {"options": _OPTIONS, "option_groups": _GROUPS}
    found = (exactly_one("options", "option_groups"), initial_among_options)
    most = {"max_selected_items": number(1, 100)}
    here = {"default_to_current_conversation": boolean(), "filter": anything()}
    asked = {"response_url_enabled": boolean()}
    ids = items(ID, 0, 100)
    return {
        "static_select": _select({**chosen, "initial_option": option()}, *found),
        "external_select": _select(
            {"initial_option": option(), "min_query_length": number(0, 100)}
        ),
        "users_select": _select({"initial_user": ID}),
        "conversations_select": _select({"initial_conversation": ID, **here, **asked}),
        "channels_select": _select({"initial_channel": ID, **asked}),
        "multi_static_select": _select(
            {**chosen, **most, "initial_options": items(option(), 1, 100)}, *found
        ),
        "multi_external_select": _select(
            {**most, "initial_options": items(option(), 1, 100), "min_query_length": number(0, 100)}
        ),
        "multi_users_select": _select({**most, "initial_users": ids}),
        "multi_conversations_select": _select({**most, "initial_conversations": ids, **here}),
        "multi_channels_select": _select({**most, "initial_channels": ids}),
    }


def _choices() -> dict[str, Rule]:
    ten = items(option(rich=True), 1, 10)
    asks = {**_ACT, "confirm": CONFIRM, "focus_on_load": boolean()}
    one, several = (
        {"initial_option": option(rich=True)},
        {"initial_options": items(option(rich=True), 1, 10)},
    )
    return {
        "checkboxes": both(shape({"options": ten}, {**asks, **several}), initial_among_options),
        "radio_buttons": both(shape({"options": ten}, {**asks, **one}), initial_among_options),
        "overflow": shape(
            {"options": items(option(link=True), 1, 5)}, {**_ACT, "confirm": CONFIRM}
        ),
        "datepicker": shape({}, {**_ASKS, "initial_date": string(10, 10)}),
        "timepicker": shape({}, {**_ASKS, "initial_time": string(5, 5), "timezone": string(255)}),
        "datetimepicker": shape({}, {**asks, "initial_date_time": number(10**9, 10**10 - 1)}),
    }


def _typed() -> dict[str, Rule]:
    limits = {"multiline": boolean(), "min_length": number(0, 3000), "max_length": number(1, 3000)}
    bounds = {"min_value": string(30), "max_value": string(30)}
    return {
        "plain_text_input": both(shape({}, {**_TYPED, **limits}), _initial_fits),
        "email_text_input": shape({}, _TYPED),
        "url_text_input": shape({}, _TYPED),
        "number_input": shape({"is_decimal_allowed": boolean()}, {**_TYPED, **bounds}),
        "file_input": shape(
            {}, {**_ACT, "filetypes": items(string(50), 1, 100), "max_files": number(1, 10)}
        ),
        "rich_text_input": shape(
            {"action_id": ID},
            {**_PLACED, "dispatch_action_config": anything(), "initial_value": anything()},
        ),
    }


def _initial_fits(problems: list[str], at: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        return
    low, high = value.get("min_length", 0), value.get("max_length", 3000)
    if isinstance(low, int) and isinstance(high, int) and low > high:
        problems.append(f"min_length is more than max_length [json-pointer:{at}]")
    initial = value.get("initial_value")
    if isinstance(initial, str) and isinstance(high, int) and len(initial) > high:
        problems.append(
            f"initial_value is longer than max_length [json-pointer:{at}/initial_value]"
        )


BUTTON = shape(
    {"text": plain(75)},
    {
        "action_id": ID,
        "value": string(2000),
        "url": string(3000),
        "style": one_of("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": string(75),
        "agent_prompt": string(4000),
    },
)

IMAGE = both(
    shape({"alt_text": string(2000)}, {"image_url": string(3000), "slack_file": anything()}),
    exactly_one("image_url", "slack_file"),
)

FEEDBACK = shape(
    {"positive_button": anything(), "negative_button": anything()},
    _ACT,
)

ICON_BUTTON = shape(
    {"icon": string(255), "text": plain(75)},
    {
        "action_id": ID,
        "value": string(2000),
        "confirm": CONFIRM,
        "accessibility_label": string(75),
        "visible_to_user_ids": items(ID, 1, 10),
    },
)

ELEMENTS: dict[str, Rule] = {
    "button": BUTTON, "image": IMAGE, "feedback_buttons": FEEDBACK, "icon_button": ICON_BUTTON,
    **_selects(), **_choices(), **_typed(),
}  # fmt: skip

_SINGLE = {
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
}
_MULTI = {f"multi_{name}" for name in _SINGLE}
_PICK = {"checkboxes", "radio_buttons", "datepicker", "timepicker"}

IN_ACTIONS = _SINGLE | _PICK | {"button", "overflow", "datetimepicker"}
IN_SECTION = _SINGLE | _MULTI | _PICK | {"button", "overflow", "image"}
IN_INPUT = _SINGLE | _MULTI | _PICK | {"datetimepicker"} | set(_typed())

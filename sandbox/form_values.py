"""Compute a modal's state after typing, and what Slack's client refuses to send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Values = dict[str, dict[str, dict[str, Any]]]
_TYPED = {"plain_text_input", "email_text_input", "url_text_input", "number_input"}
_FIELDS = {
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "multi_static_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_users_select": ("selected_users", "initial_users"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}


def inputs(view: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the input blocks of a view."""
    return [block for block in view["blocks"] if block.get("type") == "input"]


def field_of(kind: str) -> tuple[str, str]:
    """Return under which names an element keeps its value and its initial value."""
    return (
        ("value", "initial_value")
        if kind in _TYPED
        else _FIELDS.get(kind, ("value", "initial_value"))
    )


def initial_values(view: Mapping[str, Any]) -> Values:
    """Return the state of an untouched view."""
    values: Values = {}
    for block in inputs(view):
        element = block["element"]
        name, initial = field_of(element["type"])
        empty: Any = [] if name.endswith("s") else None
        held = {"type": element["type"], name: element.get(initial, empty)}
        values.setdefault(block["block_id"], {})[element["action_id"]] = held
    return values


def typed_values(view: Mapping[str, Any], typed: Mapping[str, Any]) -> Values:
    """Return the state once these values, by block ID, are typed or chosen.

    Raises KeyError for others. Options are named by their value or their visible text. Checkboxes
    take a list of them.
    """
    values = initial_values(view)
    by_block = {block["block_id"]: block["element"] for block in inputs(view)}
    for block_id, value in typed.items():
        element = by_block[block_id]
        name, _ = field_of(element["type"])
        held: Any = value
        if name == "selected_option":
            held = _option(element, value) if isinstance(value, str) else value
        elif name == "selected_options":
            held = [_option(element, one) if isinstance(one, str) else one for one in value]
        values[block_id][element["action_id"]][name] = held
    return values


def merged_values(view: Mapping[str, Any], given: Mapping[str, Any]) -> Values:
    """Return the untouched state overlaid with values given as Slack's state has them."""
    values = initial_values(view)
    for block_id, held in given.items():
        if block_id in values:
            for action_id, value in held.items():
                values[block_id][action_id] = {**values[block_id].get(action_id, {}), **value}
    return values


def client_errors(view: Mapping[str, Any], values: Values) -> dict[str, str]:
    """Return, by block ID, what Slack's client itself refuses to send.

    That is empty required fields, and texts of a wrong length.
    """
    errors: dict[str, str] = {}
    for block in inputs(view):
        element = block["element"]
        held = values[block["block_id"]][element["action_id"]]
        value = held.get(field_of(element["type"])[0])
        if not value:
            if not block.get("optional"):
                errors[block["block_id"]] = "Please complete this required field."
            continue
        if element["type"] == "plain_text_input":
            if len(value) > element.get("max_length", 3000):
                errors[block["block_id"]] = (
                    f"Please use at most {element.get('max_length', 3000)} characters."
                )
            elif len(value) < element.get("min_length", 0):
                errors[block["block_id"]] = (
                    f"Please use at least {element['min_length']} characters."
                )
    return errors


def option_named(element: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return the option with that value or visible text."""
    groups = element.get("option_groups", [])
    options = [*element.get("options", []), *(one for group in groups for one in group["options"])]
    return next((one for one in options if name in (one["value"], one["text"]["text"])), None)


def _option(element: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = option_named(element, name)
    if found is None:
        raise KeyError(f"no option {name!r} in {element['action_id']}")
    return found

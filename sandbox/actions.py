"""Find buttons and elements, and make the action of a click or a choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.form_values import field_of, option_named
from sandbox.workspace import elements_of

Element = Mapping[str, Any]


def find_element(
    blocks: Sequence[Mapping[str, Any]], block_id: str | None, action_id: str
) -> tuple[str, Element]:
    """Return block ID and element of an action.

    Raises KeyError when nothing like it is there.
    """
    for block in blocks:
        for element in elements_of(block):
            if element.get("action_id") == action_id and block_id in (None, block["block_id"]):
                return block["block_id"], element
    raise KeyError(action_id)


def find_button(blocks: Sequence[Mapping[str, Any]], name: str) -> tuple[str, Element]:
    """Return block ID and element of the button with that name. Raises KeyError.

    A button's names are its text, its action ID, and its action ID with its value: "approve 0a1b".
    """
    shown = []
    for block in blocks:
        for element in elements_of(block):
            if element.get("type") == "button":
                action = element["action_id"]
                if name in (element["text"]["text"], action, f"{action} {element.get('value')}"):
                    return block["block_id"], element
                shown.append(element["text"]["text"])
    raise KeyError(f"no button {name!r}; the buttons are {shown}")


def action_of(block_id: str, element: Element, selected: Any = None) -> dict[str, Any]:
    """Return the `actions` entry for a click or a choice (`selected`).

    Raises KeyError for no such option. Options are named by value or visible text, several as a
    list.
    """
    action = {"type": element["type"], "block_id": block_id, "action_id": element["action_id"]}
    if element["type"] == "button":
        action |= {name: element[name] for name in ("text", "value", "style") if name in element}
        return action
    if element["type"] == "overflow":
        return action | {"selected_option": _option(element, selected)}
    name, _ = field_of(element["type"])
    if name == "selected_option":
        return action | {name: _option(element, selected)}
    if name == "selected_options":
        return action | {name: [_option(element, one) for one in selected or []]}
    return action | {name: selected}


def _option(element: Element, selected: Any) -> dict[str, Any]:
    if isinstance(selected, Mapping):
        selected = selected["value"]
    found = option_named(element, str(selected))
    if found is None:
        raise KeyError(f"no option {selected!r}")
    return found

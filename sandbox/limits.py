"""Check messages and views as Slack does: raise Refused, or return nothing.

Source: Slack's "Block Kit" reference, and the pages of chat.postMessage, chat.postEphemeral and
views.open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sandbox.block_rules import BLOCKS, SURFACES, table_text
from sandbox.element_rules import plain
from sandbox.errors import Refused
from sandbox.shapes import Rule, boolean, by_type, items, shape, string

__all__ = ["Refused", "check_message", "check_view"]

Surface = Literal["message", "modal", "home"]

MOST_BLOCKS: dict[Surface, int] = {"message": 50, "modal": 100, "home": 100}
TEXT_LIMIT = 40_000
UPDATE_TEXT_LIMIT = 4_000
EPHEMERAL_TEXT_BYTES = 4_000
VIEW_BYTES = 250_000

_ID = string(255, 0)
_COMMON = {
    "private_metadata": string(3000, 0),
    "callback_id": _ID,
    "external_id": _ID,
    "blocks": lambda *_: None,
}
_VIEW: dict[str, Rule] = {
    "modal": shape(
        {"title": plain(24), "blocks": lambda *_: None},
        {
            **_COMMON, "close": plain(24), "submit": plain(24), "clear_on_close": boolean(),
            "notify_on_close": boolean(), "submit_disabled": boolean(),
        },
    ),
    "home": shape({"blocks": lambda *_: None}, _COMMON),
}  # fmt: skip


def check_message(text: Any, blocks: Any, *, ephemeral: bool = False, update: bool = False) -> None:
    """Check a message as Slack does.

    Raises Refused (no_text, msg_too_long, invalid_blocks…).
    """
    if text is not None and not isinstance(text, str):
        raise Refused("invalid_arguments", ["text must be a string"])
    if not text and not blocks:
        raise Refused("no_text")
    _check_text_length(text or "", ephemeral=ephemeral, update=update)
    if blocks is None or blocks == []:
        return
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format")
    problems = block_problems(blocks, "message", "/blocks")
    if problems:
        raise Refused("invalid_blocks", problems)


def check_view(view: Any, allowed: Surface | None = None) -> None:
    """Check a modal or Home tab as Slack does.

    Raises Refused (invalid_arguments, view_too_large).
    """
    if not isinstance(view, Mapping):
        raise Refused("invalid_arguments", ["view must be an object [json-pointer:/view]"])
    kind = view.get("type")
    if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
        raise Refused("view_too_large")
    problems: list[str] = []
    by_type(_VIEW, None if allowed is None else {allowed})(problems, "/view", view)
    if kind in ("modal", "home") and "blocks" in view:
        problems += block_problems(view["blocks"], kind, "/view/blocks")
        problems += _view_problems(view)
    if problems:
        raise Refused("invalid_arguments", problems)


def block_problems(blocks: Any, surface: Surface, at: str) -> list[str]:
    """Return what is wrong with these blocks on that surface, in Slack's words."""
    problems: list[str] = []
    items(by_type(BLOCKS, SURFACES[surface]), 0, MOST_BLOCKS[surface])(problems, at, blocks)
    if isinstance(blocks, list):
        known = [one for one in blocks if isinstance(one, Mapping)]
        problems += (
            _same_block_ids(known, at) + _same_action_ids(known, at) + _too_much_together(known, at)
        )
    return problems


def _check_text_length(text: str, *, ephemeral: bool, update: bool) -> None:
    too_long = len(text) > (UPDATE_TEXT_LIMIT if update else TEXT_LIMIT)
    if too_long or (ephemeral and len(text.encode()) > EPHEMERAL_TEXT_BYTES):
        raise Refused("msg_too_long")


def _same_block_ids(blocks: Sequence[Mapping[str, Any]], at: str) -> list[str]:
    seen: set[Any] = set()
    problems = []
    for block in blocks:
        block_id = block.get("block_id")
        if isinstance(block_id, str) and block_id in seen:
            problems.append(f"`block_id` already exists: {block_id} [json-pointer:{at}]")
        seen.add(block_id if isinstance(block_id, str) else None)
    return problems


def _same_action_ids(blocks: Sequence[Mapping[str, Any]], at: str) -> list[str]:
    problems = []
    for place, block in enumerate(blocks):
        elements = (
            block.get("elements") if block.get("type") in ("actions", "context_actions") else None
        )
        if not isinstance(elements, list):
            continue
        named = [
            one["action_id"] for one in elements if isinstance(one, Mapping) and "action_id" in one
        ]
        if len({str(name) for name in named}) != len(named):
            problems.append(
                f"`action_id` already exists for another element "
                f"[json-pointer:{at}/{place}/elements]"
            )
    return problems


def _too_much_together(blocks: Sequence[Mapping[str, Any]], at: str) -> list[str]:
    problems = []
    markdown = sum(len(str(one.get("text", ""))) for one in blocks if one.get("type") == "markdown")
    if markdown > 12_000:
        problems.append(f"markdown blocks may hold 12000 characters together [json-pointer:{at}]")
    tables = [
        one for one in blocks if one.get("type") == "table" and isinstance(one.get("rows"), list)
    ]
    if (
        sum(table_text(one) for one in tables if all(isinstance(row, list) for row in one["rows"]))
        > 10_000
    ):
        problems.append(f"tables may hold 10000 characters together [json-pointer:{at}]")
    if sum(one.get("type") == "data_visualization" for one in blocks) > 2:
        problems.append(f"no more than 2 data_visualization blocks allowed [json-pointer:{at}]")
    return problems


def _view_problems(view: Mapping[str, Any]) -> list[str]:
    problems = []
    blocks = (
        [one for one in view["blocks"] if isinstance(one, Mapping)]
        if isinstance(view["blocks"], list)
        else []
    )
    inputs = [one for one in blocks if one.get("type") == "input"]
    if view["type"] == "modal" and inputs and "submit" not in view:
        problems.append("a view with an input block needs `submit` [json-pointer:/view/submit]")
    elements = [
        one[name]
        for one in blocks
        for name in ("element", "accessory")
        if isinstance(one.get(name), Mapping)
    ]
    elements += [
        one
        for block in blocks
        for one in (block["elements"] if isinstance(block.get("elements"), list) else [])
        if isinstance(one, Mapping)
    ]
    if sum(bool(one.get("focus_on_load")) for one in elements) > 1:
        problems.append("only one element may have focus_on_load [json-pointer:/view/blocks]")
    if view["type"] == "home" and any(
        one["element"].get("type") == "file_input" for one in inputs if "element" in one
    ):
        problems.append("file_input is for modals only [json-pointer:/view/blocks]")
    return problems

"""Define which blocks Slack accepts, with what in them, and on which surface.

Source: Slack's "Block Kit" reference: blocks, and its table of surfaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.element_rules import (
    BUTTON,
    ELEMENTS,
    IMAGE,
    IN_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    plain,
    text,
)  # fmt: skip
from sandbox.shapes import (
    Rule,
    anything,
    at_least_one,
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

_STYLE = shape(
    {}, {name: boolean() for name in ("bold", "italic", "strike", "code", "underline", "highlight")}
)


def _with_id(required: Mapping[str, Rule], optional: Mapping[str, Rule] | None = None) -> Rule:
    return shape(required, {"block_id": string(255), **(optional or {})})


def _rich_text() -> Rule:
    styled = {"style": _STYLE}
    words: dict[str, Rule] = {
        "text": shape({"text": string(40_000)}, styled),
        "link": shape(
            {"url": string(3000)}, {"text": string(40_000, 0), "unsafe": boolean(), **styled}
        ),
        "user": shape({"user_id": string(255)}, styled),
        "usergroup": shape({"usergroup_id": string(255)}, styled),
        "channel": shape({"channel_id": string(255)}, styled),
        "emoji": shape(
            {"name": string(255)}, {"unicode": string(255), "url": string(3000), **styled}
        ),
        "date": shape(
            {"timestamp": number(0, 10**11), "format": string(255)},
            {"url": string(3000), "fallback": string(3000), **styled},
        ),
        "broadcast": shape({"range": one_of("here", "channel", "everyone")}, styled),
        "color": shape({"value": string(255)}),
    }
    flow = items(by_type(words), 0, 10_000)
    verbatim = items(by_type(words, {"text", "link"}), 0, 10_000)
    section = shape({"elements": flow})
    border = {"border": number(0, 1)}
    parts: dict[str, Rule] = {
        "rich_text_section": section,
        "rich_text_preformatted": shape(
            {"elements": verbatim}, {**border, "language": string(255)}
        ),
        "rich_text_quote": shape({"elements": flow}, border),
        "rich_text_list": shape(
            {
                "style": one_of("bullet", "ordered"),
                "elements": items(by_type({"rich_text_section": section}), 1, 500),
            },
            {"indent": number(0, 8), "offset": number(0, 10**6), **border},
        ),
    }
    return _with_id({"elements": items(by_type(parts), 1, 500)})


def _table() -> Rule:
    cell = by_type(
        {
            "raw_text": shape({"text": string(10_000, 0)}),
            "raw_number": shape({"value": anything()}, {"text": string(10_000, 0)}),
            "rich_text": shape({"elements": anything()}),
        }
    )
    columns = items(
        shape({}, {"align": one_of("left", "center", "right"), "is_wrapped": boolean()}), 0, 20
    )
    return _with_id({"rows": items(items(cell, 1, 20), 1, 100)}, {"column_settings": columns})


def _data_table() -> Rule:
    rows = items(items(anything(), 1, 20), 2, 201)
    return shape(
        {"caption": anything(), "rows": rows},
        {"block_id": string(255), "page_size": number(1, 100)},
        open_ended=True,
    )


def _card() -> Rule:
    return both(
        _with_id(
            {},
            {
                "hero_image": IMAGE,
                "icon": IMAGE,
                "slack_icon": anything(),
                "title": text(150),
                "subtitle": text(150),
                "body": text(200),
                "subtext": text(200),
                "actions": items(by_type({"button": BUTTON}), 1, 3),
            },
        ),
        at_least_one("hero_image", "title", "body", "actions"),
    )


def _newer_blocks() -> dict[str, Rule]:
    statuses = one_of("pending", "in_progress", "complete", "error")
    levels = one_of("default", "info", "warning", "error", "success")
    card = _card()
    return {
        "markdown": _with_id({"text": string(12_000)}),
        "alert": _with_id({"text": text(200)}, {"level": levels}),
        "table": _table(),
        "data_table": _data_table(),
        "data_visualization": shape(
            {}, {"block_id": string(255), "title": string(50)}, open_ended=True
        ),
        "card": card,
        "carousel": _with_id({"elements": items(by_type({"card": card}), 1, 10)}),
        "container": shape(
            {"child_blocks": items(anything(), 1, 10)},
            {"block_id": string(255), "width": one_of("narrow", "standard", "wide", "full")},
            open_ended=True,
        ),
        "task_card": shape(
            {"task_id": string(255), "title": string(255)},
            {"status": statuses, "block_id": string(255)},
            open_ended=True,
        ),
        "plan": shape({"title": string(255)}, {"tasks": items(anything(), 0, 50)}, open_ended=True),
        "context_actions": _with_id(
            {"elements": items(by_type(ELEMENTS, {"feedback_buttons", "icon_button"}), 1, 5)}
        ),
    }


def _section() -> Rule:
    return both(
        _with_id(
            {},
            {
                "text": text(3000),
                "fields": items(text(2000), 1, 10),
                "expand": boolean(),
                "accessory": by_type(ELEMENTS, IN_SECTION),
            },
        ),
        at_least_one("text", "fields"),
    )


def _context() -> Rule:
    words = {
        "plain_text": shape({"text": string(3000)}, {"emoji": boolean()}),
        "mrkdwn": shape({"text": string(3000)}, {"verbatim": boolean()}),
    }
    return _with_id({"elements": items(by_type({**words, "image": IMAGE}), 1, 10)})


BLOCKS: dict[str, Rule] = {
    "section": _section(),
    "divider": _with_id({}),
    "header": _with_id({"text": plain(150)}, {"level": number(1, 4)}),
    "image": both(
        _with_id(
            {"alt_text": string(2000)},
            {"image_url": string(3000), "slack_file": anything(), "title": plain(2000)},
        ),
        exactly_one("image_url", "slack_file"),
    ),
    "actions": _with_id({"elements": items(by_type(ELEMENTS, IN_ACTIONS), 1, 25)}),
    "context": _context(),
    "input": _with_id(
        {"label": plain(2000), "element": by_type(ELEMENTS, IN_INPUT)},
        {"hint": plain(2000), "optional": boolean(), "dispatch_action": boolean()},
    ),
    "rich_text": _rich_text(),
    "video": _with_id(
        {
            "alt_text": string(2000), "title": plain(200), "thumbnail_url": string(3000),
            "video_url": string(3000),
        },
        {
            "author_name": string(50), "description": plain(200), "provider_icon_url": string(3000),
            "provider_name": string(50), "title_url": string(3000),
        },
    ),
    **_newer_blocks(),
}  # fmt: skip

_EVERYWHERE = {
    "actions",
    "card",
    "context",
    "divider",
    "header",
    "image",
    "input",
    "rich_text",
    "section",
    "video",
}
_LASTING = {"carousel", "container", "data_table", "table"}

SURFACES: dict[str, set[str]] = {
    "message": _EVERYWHERE | _LASTING
    | {"context_actions", "data_visualization", "markdown", "plan", "task_card"},
    "home": _EVERYWHERE | _LASTING,
    "modal": _EVERYWHERE | {"alert"},
}  # fmt: skip


def table_text(block: Mapping[str, Any]) -> int:
    """Return how many characters stand in a table's cells."""
    return sum(
        len(str(cell.get("text", "")))
        for row in block.get("rows", [])
        for cell in row
        if isinstance(cell, dict)
    )

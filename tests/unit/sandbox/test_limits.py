"""Refuse the blocks, texts and views that Slack refuses."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.limits import Refused, check_message, check_view

Block = dict[str, Any]


def plain(text: str | int = "x") -> Block:
    """Return a plain_text object with this text, or with a text of this length."""
    return {"type": "plain_text", "text": "x" * text if isinstance(text, int) else text}


def mrkdwn(text: str = "x") -> Block:
    return {"type": "mrkdwn", "text": text}


def section(text: str | int = "x", **more: Any) -> Block:
    return {
        "type": "section",
        "text": mrkdwn("x" * text if isinstance(text, int) else text),
        **more,
    }


def fields(count: int, length: int = 1) -> Block:
    return {"type": "section", "fields": [plain(length)] * count}


def header(text: Block) -> Block:
    return {"type": "header", "text": text}


def button(**more: Any) -> Block:
    return {"type": "button", "text": plain("Go"), "action_id": "go", **more}


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def buttons(count: int) -> Block:
    return actions(*(button(action_id=f"go{n}") for n in range(count)))


def confirmed(**more: Any) -> list[Block]:
    """Return blocks with a button that asks for a confirmation."""
    usual = {"title": plain(), "text": plain(), "confirm": plain(), "deny": plain()}
    return [actions(button(confirm=usual | more))]


def option(n: int = 1) -> Block:
    return {"text": plain(f"option {n}"), "value": str(n)}


def options(count: int) -> list[Block]:
    return [option(n) for n in range(count)]


def select(*of: Block, **more: Any) -> list[Block]:
    """Return blocks with a select of these options."""
    element = {"type": "static_select", "action_id": "s", "options": list(of), **more}
    return [section(accessory=element)]


def overflow(count: int) -> list[Block]:
    menu = {"type": "overflow", "action_id": "o", "options": options(count)}
    return [section(accessory=menu)]


def context(*elements: Block) -> Block:
    return {"type": "context", "elements": list(elements)}


def asks(element: Block) -> Block:
    return {"type": "input", "label": plain("Label"), "element": element}


def table(rows: int = 1, columns: int = 1) -> Block:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * columns] * rows}


def markdown(length: int = 1) -> Block:
    return {"type": "markdown", "text": "x" * length}


def preformatted(element: Block) -> Block:
    inner = {"type": "rich_text_preformatted", "elements": [element]}
    return {"type": "rich_text", "elements": [inner]}


def modal(*blocks: Block, **more: Any) -> Block:
    return {"type": "modal", "title": plain("Title"), "blocks": list(blocks), **more}


TYPED = {"type": "plain_text_input", "action_id": "t", "max_length": 3000}
FOCUSED = asks({**TYPED, "focus_on_load": True})
ALERT = {"type": "alert", "text": plain()}
CONFIRM = confirmed(style="danger")[0]["elements"][0]["confirm"]

ACCEPTED = {
    "50 blocks": [section()] * 50,
    "the longest section": [section(3000)],
    "ten fields": [fields(10, 2000)],
    "a header": [header(plain(150))],
    "25 buttons": [buttons(25)],
    "a full button": [actions(button(value="v" * 2000, style="danger", confirm=CONFIRM))],
    "a select": select(*options(100)),
    "preformatted text": [preformatted({"type": "text", "text": "AKIA"})],
    "an overflow menu": overflow(1),
    "a context": [context(*[plain()] * 10)],
    "an input": [asks(TYPED)],
    "the same action_id in different blocks": [actions(button()), actions(button())],
    "a table": [table(100, 20)],
    "markdown": [markdown(12_000)],
}

REFUSED = {
    "51 blocks": [section()] * 51,
    "an unknown block": [{"type": "sektion"}],
    "a block that is no object": ["section"],
    "an unknown field": [section(colour="red")],
    "a section without text": [{"type": "section"}],
    "an empty text": [section("")],
    "a section too long": [section(3001)],
    "eleven fields": [fields(11)],
    "a long field": [fields(1, 2001)],
    "a header too long": [header(plain(151))],
    "a header in mrkdwn": [header(mrkdwn())],
    "26 buttons": [buttons(26)],
    "no buttons": [actions()],
    "a button text too long": [actions(button(text=plain(76)))],
    "a button text in mrkdwn": [actions(button(text=mrkdwn()))],
    "a button value too long": [actions(button(value="x" * 2001))],
    "an unknown button style": [actions(button(style="warning"))],
    "an action_id too long": [actions(button(action_id="x" * 256))],
    "a block_id too long": [section(block_id="x" * 256)],
    "the same block_id twice": [section(block_id="b"), section(block_id="b")],
    "the same action_id twice in one block": [actions(button(), button())],
    "a confirm title too long": confirmed(title=plain(101)),
    "a confirm text too long": confirmed(text=plain(301)),
    "a confirm button too long": confirmed(confirm=plain(31)),
    "a deny button too long": confirmed(deny=plain(31)),
    "a confirm without deny": [actions(button(confirm={"title": plain(), "text": plain()}))],
    "101 options": select(*options(101)),
    "no options": select(),
    "an option text too long": select({"text": plain(76), "value": "v"}),
    "an option value too long": select({"text": plain(), "value": "v" * 151}),
    "an initial option that is no option": select(*options(9), initial_option=option(777)),
    "six overflow options": overflow(6),
    "eleven checkboxes": [actions({"type": "checkboxes", "options": options(11)})],
    "an input as accessory": [section(accessory=TYPED)],
    "an input among actions": [actions(TYPED)],
    "a button as input": [asks(button())],
    "max_length over 3000": [asks({**TYPED, "max_length": 3001})],
    "eleven context elements": [context(*[plain()] * 11)],
    "a button in a context": [context(button())],
    "an alert in a message": [ALERT],
    "too much markdown together": [markdown(6001)] * 2,
    "a table with 101 rows": [table(101)],
    "an image without alt text": [{"type": "image", "image_url": "https://example.com/x.png"}],
    "a mention in preformatted text": [preformatted({"type": "user", "user_id": "U1"})],
    "a data visualization too many": [{"type": "data_visualization", "title": "t"}] * 3,
}


@pytest.mark.parametrize("blocks", ACCEPTED.values(), ids=ACCEPTED)
def test_blocks_within_the_limits_are_accepted(blocks: list[Block]) -> None:
    check_message("text", blocks)


@pytest.mark.parametrize("blocks", REFUSED.values(), ids=REFUSED)
def test_blocks_over_the_limits_are_refused(blocks: list[Block]) -> None:
    """One bad block refuses the whole message, and the answer says where it is."""
    with pytest.raises(Refused) as refused:
        check_message("text", blocks)
    assert refused.value.error == "invalid_blocks"
    assert all("json-pointer:/blocks" in line for line in refused.value.messages)


@pytest.mark.parametrize(
    ("text", "blocks", "options", "error"),
    [
        ("", None, {}, "no_text"),
        ("", [], {}, "no_text"),
        ("x" * 40_001, None, {}, "msg_too_long"),
        ("x" * 4_001, None, {"update": True}, "msg_too_long"),
        ("é" * 2_001, None, {"ephemeral": True}, "msg_too_long"),
        ("x", "blocks", {}, "invalid_blocks_format"),
        ("x", {"type": "section"}, {}, "invalid_blocks_format"),
        (5, None, {}, "invalid_arguments"),
    ],
    ids=range(8),
)
def test_texts_over_the_limits_are_refused(
    text: Any, blocks: Any, options: dict[str, bool], error: str
) -> None:
    """Text has a limit of its own for each method."""
    with pytest.raises(Refused) as refused:
        check_message(text, blocks, **options)
    assert refused.value.error == error


REFUSED_VIEWS = {
    "a title too long": modal(title=plain(25)),
    "no title": {"type": "modal", "blocks": []},
    "no blocks": {"type": "modal", "title": plain()},
    "an unknown type": {"type": "dialog", "title": plain(), "blocks": []},
    "101 blocks": modal(*[section()] * 101),
    "a submit too long": modal(submit=plain(25)),
    "a close too long": modal(close=plain(25)),
    "private metadata too long": modal(private_metadata="x" * 3001),
    "a callback_id too long": modal(callback_id="x" * 256),
    "an input without submit": modal(asks(TYPED)),
    "a table in a modal": modal(table()),
    "markdown in a modal": modal(markdown()),
    "an unknown field": modal(colour="red"),
    "a home tab with a title": {"type": "home", "title": plain(), "blocks": []},
    "a home tab with an alert": {"type": "home", "blocks": [ALERT]},
    "two with focus": modal(FOCUSED, FOCUSED, submit=plain("Go")),
}


@pytest.mark.parametrize("view", REFUSED_VIEWS.values(), ids=REFUSED_VIEWS)
def test_views_over_the_limits_are_refused(view: Block) -> None:
    """The reason is in the messages."""
    with pytest.raises(Refused) as refused:
        check_view(view)
    assert refused.value.error == "invalid_arguments"
    assert refused.value.messages


def test_a_view_over_250_kilobytes_is_too_large() -> None:
    """Its size counts even where each block is within its limits."""
    with pytest.raises(Refused) as refused:
        check_view(modal(*[section(3000)] * 100))
    assert refused.value.error == "view_too_large"


def test_views_within_the_limits_are_accepted() -> None:
    check_view(modal(asks(TYPED), ALERT, submit=plain("Send"), close=plain("No")))
    check_view({"type": "home", "blocks": [table()]})

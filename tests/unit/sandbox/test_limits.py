"""Does the sandbox refuse the blocks, texts and views that Slack refuses?"""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.limits import Refused, check_message, check_view

Block = dict[str, Any]


def plain(text: str) -> Block:
    """Return a plain_text object."""
    return {"type": "plain_text", "text": text}


def section(text: str = "x", **more: Any) -> Block:
    """Return a section."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(**more: Any) -> Block:
    """Return a button."""
    return {"type": "button", "text": plain("Go"), "action_id": "go", **more}


def actions(*elements: Block, **more: Any) -> Block:
    """Return a block of actions."""
    return {"type": "actions", "elements": list(elements), **more}


def option(n: int = 1) -> Block:
    """Return an option."""
    return {"text": plain(f"option {n}"), "value": str(n)}


def asks(element: Block) -> Block:
    """Return an input block."""
    return {"type": "input", "label": plain("Label"), "element": element}


def modal(*blocks: Block, **more: Any) -> Block:
    """Return a modal."""
    return {"type": "modal", "title": plain("Title"), "blocks": list(blocks), **more}


def confirm(**more: Any) -> Block:
    """Return a confirm dialog."""
    return {
        "title": plain("t"),
        "text": plain("t"),
        "confirm": plain("y"),
        "deny": plain("n"),
        **more,
    }


def select(*options: Block) -> Block:
    """Return a select with these options."""
    return {"type": "static_select", "action_id": "s", "options": list(options)}


SELECT = {"type": "static_select", "action_id": "s", "options": [option(n) for n in range(100)]}
TYPED = {"type": "plain_text_input", "action_id": "t", "max_length": 3000}
PREFORMATTED = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "AKIA"}]}

ACCEPTED = {
    "50 blocks": [section()] * 50,
    "the longest section": [section("x" * 3000)],
    "ten fields": [{"type": "section", "fields": [plain("x" * 2000)] * 10}],
    "a header": [{"type": "header", "text": plain("x" * 150)}],
    "25 buttons": [actions(*(button(action_id=f"go{n}") for n in range(25)))],
    "a button with everything": [
        actions(button(value="v" * 2000, style="danger", confirm=confirm(style="danger")))
    ],
    "a select": [section(accessory=SELECT)],
    "preformatted text": [{"type": "rich_text", "elements": [PREFORMATTED]}],
    "an overflow menu": [
        section(accessory={"type": "overflow", "action_id": "o", "options": [option()]})
    ],
    "a context": [{"type": "context", "elements": [plain("x")] * 10}],
    "an input": [asks(TYPED)],
    "buttons with the same action_id in different blocks": [actions(button()), actions(button())],
    "a table": [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 20] * 100}],
    "markdown": [{"type": "markdown", "text": "x" * 12_000}],
}

REFUSED = {
    "51 blocks": [section()] * 51,
    "a block that is not there": [{"type": "sektion"}],
    "a block that is no object": ["section"],
    "a field that is not there": [section(colour="red")],
    "a section without text": [{"type": "section"}],
    "an empty text": [section("")],
    "a section too long": [section("x" * 3001)],
    "eleven fields": [{"type": "section", "fields": [plain("x")] * 11}],
    "a long field": [{"type": "section", "fields": [plain("x" * 2001)]}],
    "a header too long": [{"type": "header", "text": plain("x" * 151)}],
    "a header in mrkdwn": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
    "26 buttons": [actions(*(button(action_id=f"go{n}") for n in range(26)))],
    "no buttons": [actions()],
    "a button text too long": [actions(button(text=plain("x" * 76)))],
    "a button text in mrkdwn": [actions(button(text={"type": "mrkdwn", "text": "x"}))],
    "a button value too long": [actions(button(value="x" * 2001))],
    "a button style that is not there": [actions(button(style="warning"))],
    "an action_id too long": [actions(button(action_id="x" * 256))],
    "a block_id too long": [section(block_id="x" * 256)],
    "the same block_id twice": [section(block_id="b"), section(block_id="b")],
    "the same action_id twice in one block": [actions(button(), button())],
    "a confirm title too long": [actions(button(confirm=confirm(title=plain("x" * 101))))],
    "a confirm text too long": [actions(button(confirm=confirm(text=plain("x" * 301))))],
    "a confirm button too long": [actions(button(confirm=confirm(confirm=plain("x" * 31))))],
    "a deny button too long": [actions(button(confirm=confirm(deny=plain("x" * 31))))],
    "a confirm without deny": [actions(button(confirm={"title": plain("t"), "text": plain("t")}))],
    "101 options": [section(accessory={**SELECT, "options": [option(n) for n in range(101)]})],
    "no options": [section(accessory={**SELECT, "options": []})],
    "an option text too long": [section(accessory=select({"text": plain("x" * 76), "value": "v"}))],
    "an option value too long": [section(accessory=select({"text": plain("x"), "value": "v" * 151}))],
    "an initial option that is no option": [section(accessory={**SELECT, "initial_option": option(777)})],
    "six overflow options": [
        section(accessory={"type": "overflow", "action_id": "o", "options": [option(n) for n in range(6)]})
    ],
    "eleven checkboxes": [actions({"type": "checkboxes", "options": [option(n) for n in range(11)]})],
    "an input as accessory": [section(accessory=TYPED)],
    "an input among actions": [actions(TYPED)],
    "a button as input": [asks(button())],
    "max_length over 3000": [asks({**TYPED, "max_length": 3001})],
    "eleven context elements": [{"type": "context", "elements": [plain("x")] * 11}],
    "a button in a context": [{"type": "context", "elements": [button()]}],
    "an alert in a message": [{"type": "alert", "text": plain("x")}],
    "too much markdown together": [{"type": "markdown", "text": "x" * 6001}] * 2,
    "a table with 101 rows": [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * 101}],
    "an image without alt text": [{"type": "image", "image_url": "https://example.com/x.png"}],
    "a mention in preformatted text": [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "user", "user_id": "U1"}]}],
        }
    ],
    "a data visualization too many": [{"type": "data_visualization", "title": "t"}] * 3,
}  # fmt: skip


@pytest.mark.parametrize("blocks", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_blocks_within_the_limits_are_accepted(blocks: list[Block]) -> None:
    """What Slack takes, the sandbox takes."""
    check_message("text", blocks)


@pytest.mark.parametrize("blocks", REFUSED.values(), ids=REFUSED.keys())
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
)
def test_texts_over_the_limits_are_refused(
    text: Any, blocks: Any, options: dict[str, bool], error: str
) -> None:
    """Text has a limit of its own for each method."""
    with pytest.raises(Refused) as refused:
        check_message(text, blocks, **options)
    assert refused.value.error == error


REFUSED_VIEWS = {
    "a title too long": modal(title=plain("x" * 25)),
    "no title": {"type": "modal", "blocks": []},
    "no blocks": {"type": "modal", "title": plain("x")},
    "a type that is not there": {"type": "dialog", "title": plain("x"), "blocks": []},
    "101 blocks": modal(*[section()] * 101),
    "a submit too long": modal(submit=plain("x" * 25)),
    "a close too long": modal(close=plain("x" * 25)),
    "private metadata too long": modal(private_metadata="x" * 3001),
    "a callback_id too long": modal(callback_id="x" * 256),
    "an input without submit": modal(asks(TYPED)),
    "a table in a modal": modal({"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}),
    "markdown in a modal": modal({"type": "markdown", "text": "x"}),
    "an unknown field": modal(colour="red"),
    "a home tab with a title": {"type": "home", "title": plain("x"), "blocks": []},
    "a home tab with an alert": {"type": "home", "blocks": [{"type": "alert", "text": plain("x")}]},
    "two with focus": modal(
        asks({**TYPED, "focus_on_load": True}),
        asks({**TYPED, "focus_on_load": True}),
        submit=plain("Go"),
    ),
}


@pytest.mark.parametrize("view", REFUSED_VIEWS.values(), ids=REFUSED_VIEWS.keys())
def test_views_over_the_limits_are_refused(view: Block) -> None:
    """A view is refused as invalid_arguments, with the reason."""
    with pytest.raises(Refused) as refused:
        check_view(view)
    assert refused.value.error == "invalid_arguments"
    assert refused.value.messages


def test_a_view_over_250_kilobytes_is_too_large() -> None:
    """Size counts even where each block is within its limits."""
    with pytest.raises(Refused) as refused:
        check_view(modal(*[section("x" * 3000)] * 100))
    assert refused.value.error == "view_too_large"


def test_views_within_the_limits_are_accepted() -> None:
    """A modal with an input and an alert, and a Home tab with a table."""
    check_view(
        modal(
            asks(TYPED),
            {"type": "alert", "text": plain("x")},
            submit=plain("Send"),
            close=plain("No"),
        )
    )
    check_view(
        {
            "type": "home",
            "blocks": [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}],
        }
    )

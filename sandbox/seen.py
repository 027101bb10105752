"""Return what a person reads in a message or modal, and can press, for tests."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.people import dm_id
from sandbox.views import Views
from sandbox.workspace import Blocks, Message, Workspace, elements_of

NameOf = Callable[[str], str]
_CONTROL = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_MARKS = re.compile(r"(?<![\w*_~])([*_~])(?=\S)([^\n]*?)(?<=\S)\1(?![\w*_~])")


@dataclass(frozen=True)
class Button:
    """A button a person sees."""

    text: str
    action_id: str
    value: str
    style: str | None
    confirm: Mapping[str, Any] | None
    block_id: str


@dataclass(frozen=True)
class SeenMessage:
    """A message as a person saw it. `words` is everything they could read in it."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: Blocks
    ephemeral: bool
    thread_ts: str | None
    edited: bool
    words: str
    stored: Message

    @property
    def buttons(self) -> list[Button]:
        """Return the buttons, in order."""
        return buttons_of(self.blocks)

    def has_button(self, name: str) -> bool:
        """Say whether a button with that text or action ID is there."""
        return any(name in (button.text, button.action_id) for button in self.buttons)


def seen_message(message: Message, name_of: NameOf) -> SeenMessage:
    """Return what a person sees of a stored message.

    The text counts only where there are no blocks.
    """
    words = words_of(message.blocks, name_of) if message.blocks else readable(message.text, name_of)
    return SeenMessage(
        message.ts,
        message.channel,
        message.user,
        message.text,
        message.blocks,
        message.only_for is not None,
        message.thread_ts,
        message.edited,
        words,
        message,
    )


def buttons_of(blocks: Sequence[Mapping[str, Any]]) -> list[Button]:
    """Return the buttons in these blocks."""
    return [
        Button(
            one["text"]["text"],
            one["action_id"],
            one.get("value", ""),
            one.get("style"),
            one.get("confirm"),
            block["block_id"],
        )
        for block in blocks
        for one in elements_of(block)
        if one.get("type") == "button"
    ]


def names_in(workspace: Workspace) -> NameOf:
    """Return the function that turns the ID in a mention into what people read."""

    def name_of(some_id: str) -> str:
        if some_id in workspace.people:
            return workspace.people[some_id].name
        if some_id in workspace.groups:
            return workspace.groups[some_id].handle
        return workspace.channels[some_id].name if some_id in workspace.channels else some_id

    return name_of


def words_of(blocks: Any, name_of: NameOf) -> str:
    """Return all readable text of blocks, a line for each piece.

    Buttons and options are included.
    """
    return "\n".join(piece for piece in _pieces(blocks, name_of) if piece)


def view_words(view: Mapping[str, Any], name_of: NameOf) -> str:
    """Return all readable text of a modal or Home tab."""
    return words_of(
        [view.get("title"), view["blocks"], view.get("submit"), view.get("close")], name_of
    )


def readable(text: str, name_of: NameOf) -> str:
    """Return mrkdwn text as it reads.

    It has mentions by name, links by label, decoded entities and no marks.
    """

    def control(match: re.Match[str]) -> str:
        sign, target, label = match[1], match[2], match[3]
        if sign == "!":
            if target.startswith("subteam^"):
                return "@" + name_of(target.removeprefix("subteam^"))
            return label if label is not None else "@" + target.split("^")[0]
        if sign:
            return sign + name_of(target)
        return label if label is not None else target

    pieces = re.split(r"(```.*?```|`[^`\n]+`)", text, flags=re.DOTALL)
    shown = [
        piece.strip("`")
        if piece.startswith("`")
        else _MARKS.sub(r"\2", _CONTROL.sub(control, piece))
        for piece in pieces
    ]
    return html.unescape("".join(shown))


def what_everybody_sees(workspace: Workspace, views: Views) -> list[str]:
    """Return lines to be read by a person: each person's conversations and modal."""
    name_of, lines = names_in(workspace), []
    for user_id, person in workspace.people.items():
        lines.append(f"== {person.name}")
        for channel in workspace.channels_of(user_id):
            for message in workspace.seen(user_id, channel.id):
                kind = "ephemeral" if message.only_for else message.user
                words = seen_message(message, name_of).words.replace("\n", " / ")
                place = "dm" if channel.id == dm_id(user_id) else channel.name
                lines.append(f"  [{place}] {kind}: {words}")
        view = views.top(user_id)
        if view is not None:
            lines.append("  modal: " + view_words(view, name_of).replace("\n", " / "))
    return lines


def _pieces(part: Any, name_of: NameOf) -> Iterator[str]:
    if isinstance(part, list):
        for one in part:
            yield from _pieces(one, name_of)
        return
    if not isinstance(part, Mapping):
        return
    kind = str(part.get("type", ""))
    if kind in ("mrkdwn", "plain_text", "markdown", "raw_text"):
        yield readable(part["text"], name_of) if kind == "mrkdwn" else part["text"]
    elif kind in ("rich_text_section", "rich_text_preformatted", "rich_text_quote"):
        yield "".join(_rich(one, name_of) for one in part["elements"])
    else:
        if "alt_text" in part:
            yield part["alt_text"]
        if isinstance(part.get("initial_value"), str):
            yield part["initial_value"]
        for name, one in part.items():
            if name not in ("confirm", "initial_option", "initial_options", "state"):
                yield from _pieces(one, name_of)


def _rich(element: Mapping[str, Any], name_of: NameOf) -> str:
    kind = element["type"]
    if kind in ("user", "usergroup"):
        return "@" + name_of(element[f"{kind}_id"])
    if kind == "channel":
        return "#" + name_of(element["channel_id"])
    if kind == "broadcast":
        return f"@{element['range']}"
    if kind == "emoji":
        return f":{element['name']}:"
    return str(element.get("text") or element.get("fallback") or element.get("url") or "")

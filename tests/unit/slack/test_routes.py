"""Buttons, forms, fields, verbs and their routes match."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.domain import commands
from bot.slack import action_ids
from bot.slack.listeners.routes import BUTTONS, COMMANDS, FORMS, Listeners, register
from bot.slack.messages.blocks import Message
from tests.support import example_messages
from tests.support.example_keys import MANAGED
from tests.support.example_request_variants import ALL_REQUESTS
from tests.support.example_requests import found_keys
from tests.support.message_parts import buttons, parts

VIEWS = example_messages.views()
FORM_VIEWS = [view for view in VIEWS.values() if view.get("callback_id")]
RECORDS = {**ALL_REQUESTS, **MANAGED, **dict(found_keys())}


def lasting() -> Iterator[tuple[str, Message]]:
    """Yield every lasting message with the name of the record it shows."""
    for state, _, message in example_messages.lasting():
        yield RECORDS[state].name, message


def own_ids() -> set[str]:
    """Return every action ID but those of fields and the command."""
    return {
        value
        for name, value in vars(action_ids).items()
        if name.isupper() and name != "COMMAND" and not name.endswith(("_BLOCK", "_INPUT"))
    }


def test_buttons_and_their_routes_match() -> None:
    messages = [message for _, message in lasting()]
    shown = [*messages, *example_messages.answers().values(), *VIEWS.values()]
    assert {action_id for one in shown for action_id in buttons(one)} == set(BUTTONS)


def test_forms_and_their_routes_match() -> None:
    assert {view["callback_id"] for view in FORM_VIEWS} == set(FORMS)
    opened = {f"{verb.name}_form" for verb in commands.VERBS.values() if verb.opens_form}
    assert opened <= set(FORMS)


def test_every_action_id_is_a_route_of_buttons_or_of_forms() -> None:
    assert own_ids() == set(BUTTONS) | set(FORMS) and not set(BUTTONS) & set(FORMS)


def test_fields_and_their_ids_match() -> None:
    known = {value for name, value in vars(action_ids).items() if name.endswith("_BLOCK")}
    assert {one["block_id"] for view in FORM_VIEWS for one in parts(view, "input")} == known


def test_every_verb_has_a_handler() -> None:
    assert set(COMMANDS) == set(commands.VERBS)


def test_a_button_is_about_the_record_its_message_shows() -> None:
    """A click records its message as one of that request or key."""
    for name, message in lasting():
        for action_id in buttons(message):
            assert BUTTONS[action_id].about_key is name.startswith("key:"), action_id


class Routes:
    """Remembers what is registered, in place of Bolt's App."""

    def __init__(self) -> None:
        self.routes: list[tuple[str, Any]] = []

    def __getattr__(self, kind: str) -> Any:
        def route(pattern: Any) -> Any:
            self.routes.append((kind, pattern))
            return lambda listener: listener

        return route


def test_unknown_ids_are_registered_last() -> None:
    app: Any = Routes()
    nothing: Any = None
    register(app, Listeners(nothing, nothing, nothing, nothing))
    named = [route for route in app.routes if isinstance(route[1], str)]
    assert set(named) == {
        ("command", action_ids.COMMAND),
        ("event", "app_home_opened"),
        *(("view", form) for form in FORMS),
        *(("action", button) for button in BUTTONS),
    }
    everything_else = re.compile(".*")
    assert app.routes[len(named) :] == [("action", everything_else), ("view", everything_else)]

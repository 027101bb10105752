"""Every ID that is drawn leads somewhere, and everything that leads somewhere is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from bot.domain import commands
from bot.domain.secret import Secret
from bot.slack import action_ids
from bot.slack.listeners.routes import (
    BUTTONS,
    COMMANDS,
    FORMS,
    Listeners,
    register,
)
from bot.slack.messages import home, kinds, leaks, lists, modals, replies
from bot.slack.messages.blocks import Message
from bot.slack.messages.modals import FormDefaults
from tests.support.example_keys import MANAGED
from tests.support.example_requests import KEY, KEYS, NOW, PLACES, REQUESTS, VERBS, buttons, parts

USUAL = FormDefaults(timedelta(days=90), service_users=True, urgent_life=timedelta(hours=4))
FORM_VIEWS = [
    modals.create_form(USUAL),
    modals.rotate_form(USUAL, KEYS, NOW),
    modals.enable_form(KEYS, NOW),
    modals.disable_for_form(KEY),
    modals.deny_form(REQUESTS["pending"]),
]


def lasting() -> Iterator[tuple[str, Message]]:
    """Every lasting message that ought to be there in any state, with the name of what it is a copy of."""
    for kept in (*REQUESTS.values(), *VERBS.values(), *MANAGED.values()):
        for kind in kinds.expected_kinds(kept):
            yield kept.name, kinds.render(kept, kind, PLACES)


def answers() -> list[Any]:
    """Everything else that has buttons."""
    waiting = [REQUESTS["pending"]]
    shown = home.Home(KEYS, {}, waiting, NOW, approver=True, waiting=waiting, waiting_in_all=1)
    return [
        lists.key_list(KEYS, {}, NOW),
        lists.keys_for_approver("U0ALICE", KEYS, {}, NOW),
        home.view(shown),
        replies.delete_question(KEYS[1], NOW),
        replies.secret_message(KEYS[0], Secret("s")),
        lists.request_list(waiting, waiting, approver=True),
        leaks.leak_question(KEYS[0], NOW),
    ]


def own_ids() -> set[str]:
    """Every ID in ids.py but those of form fields and the command."""
    return {
        value
        for name, value in vars(action_ids).items()
        if name.isupper()
        and isinstance(value, str)
        and name != "COMMAND"
        and not name.endswith(("_BLOCK", "_INPUT"))
    }


def test_every_button_is_a_registered_route_and_every_route_has_a_button() -> None:
    messages = [*answers(), *(message for _, message in lasting())]
    shown = {action_id for message in messages for action_id in buttons(message)}
    assert shown == set(BUTTONS)


def test_every_form_is_a_registered_route_and_every_route_has_a_form() -> None:
    assert {view["callback_id"] for view in FORM_VIEWS} == set(FORMS)


def test_every_id_is_a_route_of_buttons_or_of_forms() -> None:
    assert own_ids() == set(BUTTONS) | set(FORMS) and not set(BUTTONS) & set(FORMS)


def test_every_field_of_a_form_is_one_of_the_known_and_each_is_in_some_form() -> None:
    known = {value for name, value in vars(action_ids).items() if name.endswith("_BLOCK")}
    assert {one["block_id"] for view in FORM_VIEWS for one in parts(view, "input")} == known


def test_every_verb_is_carried_out() -> None:
    assert set(COMMANDS) == set(commands.VERBS)


def test_every_verb_that_may_open_a_form_has_one() -> None:
    assert {f"{verb.name}_form" for verb in commands.VERBS.values() if verb.opens_form} <= set(
        FORMS
    )


def test_a_lasting_message_leads_back_to_the_request_or_key_it_is_a_copy_of() -> None:
    """A click makes its message known as a copy of that one."""
    for name, message in lasting():
        for action_id in buttons(message):
            assert BUTTONS[action_id].about_key is name.startswith("key:"), action_id


class Routes:
    """Stands where Bolt's App does, and notes what is registered."""

    def __init__(self) -> None:
        self.routes: list[tuple[str, Any]] = []

    def _route(self, kind: str, pattern: Any) -> Any:
        self.routes.append((kind, pattern))
        return lambda listener: listener

    def command(self, pattern: Any) -> Any:
        return self._route("command", pattern)

    def action(self, pattern: Any) -> Any:
        return self._route("action", pattern)

    def view(self, pattern: Any) -> Any:
        return self._route("view", pattern)

    def event(self, pattern: Any) -> Any:
        return self._route("event", pattern)


def test_register_routes_every_id_and_whatever_is_unknown_last() -> None:
    app: Any = Routes()
    nothing: Any = None
    register(app, Listeners(nothing, nothing, nothing, nothing))
    named = [route for route in app.routes if isinstance(route[1], str)]
    assert set(named) == {
        ("command", action_ids.COMMAND),
        ("event", "app_home_opened"),
        *(("view", one) for one in FORMS),
        *(("action", one) for one in BUTTONS),
    }
    rest = [(kind, pattern.pattern) for kind, pattern in app.routes[len(named) :]]
    assert rest == [("action", ".*"), ("view", ".*")] and all(
        isinstance(pattern, re.Pattern) for _, pattern in app.routes[len(named) :]
    )

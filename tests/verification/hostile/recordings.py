"""What does Slack send for each command, button, form and event? One real payload of each route, in a desk's story."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bot.slack import action_ids
from bot.slack.listeners.routes import BUTTONS, COMMANDS, FORMS
from bot.slack.messages import modals
from sandbox import payloads
from sandbox.people import TEAM_ID, Channel, Person
from sandbox.workspace import Message
from tests.verification.hostile.inside import MEMBERS, Inside, dm_of

Payload = dict[str, Any]
APPROVALS = Channel("C0APPROVALS", "key-approvals", frozenset(MEMBERS))

WHO_MAY: dict[str, tuple[str, str]] = {
    action_ids.APPROVE: ("carol", "pending"),
    action_ids.DENY: ("carol", "pending"),
    action_ids.TAKE_BACK: ("carol", "pending"),
    action_ids.REVOKE: ("carol", "approved"),
    action_ids.ON_IT: ("carol", "pending"),
    action_ids.NUDGE: ("alice", "pending"),
    action_ids.CANCEL: ("alice", "pending"),
    action_ids.REVEAL: ("erin", "approved"),
    action_ids.SAVED: ("bob", "key"),
    action_ids.HAVE_IT: ("bob", "key"),
    action_ids.DID_NOT_GET: ("bob", "key"),
    action_ids.ENABLE_UNCLAIMED: ("bob", "key"),
    action_ids.REPLACE: ("bob", "key"),
    action_ids.FOUND_DELETE: ("carol", "key"),
    action_ids.FOUND_ENABLE: ("carol", "key"),
    action_ids.CHECK: ("frank", "new"),
    action_ids.NOT_YET: ("frank", "new"),
    action_ids.DISABLE_OLD: ("frank", "new"),
    action_ids.UNDO: ("frank", "old"),
    action_ids.ASK: ("alice", "key"),
    action_ids.ROTATE: ("bob", "key"),
    action_ids.ENABLE: ("gina", "off"),
    action_ids.EXTEND: ("frank", "new"),
    action_ids.DISABLE: ("bob", "key"),
    action_ids.DELETE: ("gina", "off"),
    action_ids.DISABLE_FOR: ("carol", "key"),
    action_ids.LEAKED_DISABLE: ("carol", "key"),
}
"""Each button: who clicks it, on what, where it is done by who may."""

TYPED = {
    "create": ("gina", "create nightly backup"),
    "rotate": ("bob", "rotate {key} old"),
    "enable": ("gina", "enable {off} again"),
    "list": ("bob", "list"),
    "used": ("bob", "used {key}"),
    "disable": ("bob", "disable {key}"),
    "delete": ("gina", "delete {off}"),
    "leaked": ("dave", "leaked {key}"),
    "requests": ("carol", "requests"),
    "help": ("bob", "help"),
}

SUBMITTED = {
    action_ids.CREATE_FORM: ("gina", ""),
    action_ids.ROTATE_FORM: ("bob", "key"),
    action_ids.ENABLE_FORM: ("gina", "off"),
    action_ids.DISABLE_FOR_FORM: ("carol", "key"),
    action_ids.DENY_FORM: ("carol", "pending"),
}


def recordings(services: Inside) -> dict[str, Payload]:
    """A payload of each route by its name: "command create", "click approve", "form deny_form", "event home"."""
    assert (set(WHO_MAY), set(TYPED), set(SUBMITTED)) == (
        set(BUTTONS),
        set(COMMANDS),
        set(FORMS),
    )
    return dict(
        sorted(
            [
                *_commands(services),
                *_clicks(services),
                *_forms(services),
                ("event home", _home("alice")),
            ]
        )
    )


def click(person: str, action_id: str, value: str, trigger: str, *, team: str = TEAM_ID) -> Payload:
    """A click on a button in a lasting message of the bot's."""
    channel = (
        APPROVALS
        if person == "carol"
        else Channel(dm_of(_id(person)), "dm", frozenset(), user=_id(person))
    )
    action = {
        "action_id": action_id,
        "block_id": "b1",
        "type": "button",
        "value": value,
        "action_ts": "1764.1",
        "text": {"type": "plain_text", "text": action_id},
    }
    message = Message(
        "1764000000.000001",
        channel.id,
        "U0KEYDESK",
        "shown",
        [{"type": "actions", "elements": [action]}],
        1764000000.0,
    )
    return payloads.message_click(
        replace(_person(person), team_id=team), channel, message, action, "", trigger
    )


def typed(who: str, text: str, trigger: str = "trigger-typed") -> Payload:
    """A command typed in the approval channel."""
    return dict(
        payloads.command_payload(_person(who), APPROVALS, action_ids.COMMAND, text, "", trigger)
    )


def _commands(services: Inside) -> Iterator[tuple[str, Payload]]:
    for verb, (who, text) in TYPED.items():
        yield f"command {verb}", typed(who, text.format(**services.names), f"trigger-{verb}")


def _clicks(services: Inside) -> Iterator[tuple[str, Payload]]:
    for action_id, (who, what) in WHO_MAY.items():
        yield (
            f"click {action_id}",
            click(who, action_id, services.names[what], f"trigger-{action_id}"),
        )


def _forms(services: Inside) -> Iterator[tuple[str, Payload]]:
    reason = {
        action_ids.REASON_BLOCK: {
            action_ids.REASON_INPUT: {"type": "plain_text_input", "value": "it is needed"}
        }
    }
    for form, (who, what) in SUBMITTED.items():
        named = services.names.get(what, "")
        key = {
            action_ids.KEY_BLOCK: {
                action_ids.KEY_INPUT: {"type": "static_select", "selected_option": {"value": named}}
            },
            action_ids.LIFETIME_BLOCK: {
                action_ids.LIFETIME_INPUT: {"type": "plain_text_input", "value": "30d"}
            },
        }
        chosen = key if form in (action_ids.ROTATE_FORM, action_ids.ENABLE_FORM) else {}
        meta = "" if chosen else named
        drawn = modals.disable_for_form(named)  # its frame is every form's
        view = {
            **drawn,
            "id": "V0FORM",
            "hash": "1764.aa",
            "team_id": TEAM_ID,
            "app_installed_team_id": TEAM_ID,
            "bot_id": "B0KEYDESK",
            "root_view_id": "V0FORM",
            "previous_view_id": None,
            "external_id": "",
            "callback_id": form,
            "private_metadata": meta,
            "state": {"values": {**reason, **chosen}},
        }
        yield f"form {form}", payloads.view_submission(_person(who), view, f"trigger-{form}")


def _home(who: str) -> Payload:
    return payloads.home_opened(_person(who), dm_of(_id(who)), "Ev0HOME", "1764000000.000002", None)


def _person(name: str) -> Person:
    return Person(_id(name), name, name.title(), f"{name}@example.com")


def _id(name: str) -> str:
    return f"U0{name.upper()}"

"""What does Slack send for each command, button, form and event? One real payload of each route, in a desk's story."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bot.slack import forms, ids
from bot.slack.listeners import CLICKS, COMMANDS, FORMS
from sandbox import payloads
from sandbox.people import TEAM_ID, Channel, Person
from sandbox.workspace import Message
from tests.hostile.inside import MEMBERS, Inside, dm_of

Payload = dict[str, Any]
APPROVALS = Channel("C0APPROVALS", "key-approvals", frozenset(MEMBERS))

WHO_MAY: dict[str, tuple[str, str]] = {
    ids.APPROVE: ("carol", "pending"),
    ids.DENY: ("carol", "pending"),
    ids.TAKE_BACK: ("carol", "pending"),
    ids.REVOKE: ("carol", "approved"),
    ids.ON_IT: ("carol", "pending"),
    ids.NUDGE: ("alice", "pending"),
    ids.CANCEL: ("alice", "pending"),
    ids.REVEAL: ("erin", "approved"),
    ids.SAVED: ("bob", "key"),
    ids.HAVE_IT: ("bob", "key"),
    ids.DID_NOT_GET: ("bob", "key"),
    ids.ENABLE_UNCLAIMED: ("bob", "key"),
    ids.REPLACE: ("bob", "key"),
    ids.FOUND_DELETE: ("carol", "key"),
    ids.FOUND_ENABLE: ("carol", "key"),
    ids.CHECK: ("frank", "new"),
    ids.NOT_YET: ("frank", "new"),
    ids.DISABLE_OLD: ("frank", "new"),
    ids.UNDO: ("frank", "old"),
    ids.ASK: ("alice", "key"),
    ids.ROTATE: ("bob", "key"),
    ids.ENABLE: ("gina", "off"),
    ids.EXTEND: ("frank", "new"),
    ids.DISABLE: ("bob", "key"),
    ids.DELETE: ("gina", "off"),
    ids.DISABLE_FOR: ("carol", "key"),
    ids.LEAKED_DISABLE: ("carol", "key"),
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
    ids.CREATE_FORM: ("gina", ""),
    ids.ROTATE_FORM: ("bob", "key"),
    ids.ENABLE_FORM: ("gina", "off"),
    ids.DISABLE_FOR_FORM: ("carol", "key"),
    ids.DENY_FORM: ("carol", "pending"),
}


def recordings(desk: Inside) -> dict[str, Payload]:
    """A payload of each route by its name: "command create", "click approve", "form deny_form", "event home"."""
    assert (set(WHO_MAY), set(TYPED), set(SUBMITTED)) == (set(CLICKS), set(COMMANDS), set(FORMS))
    return dict(
        sorted([*_commands(desk), *_clicks(desk), *_forms(desk), ("event home", _home("alice"))])
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
    return dict(payloads.command_payload(_person(who), APPROVALS, ids.COMMAND, text, "", trigger))


def _commands(desk: Inside) -> Iterator[tuple[str, Payload]]:
    for verb, (who, text) in TYPED.items():
        yield f"command {verb}", typed(who, text.format(**desk.names), f"trigger-{verb}")


def _clicks(desk: Inside) -> Iterator[tuple[str, Payload]]:
    for action_id, (who, what) in WHO_MAY.items():
        yield f"click {action_id}", click(who, action_id, desk.names[what], f"trigger-{action_id}")


def _forms(desk: Inside) -> Iterator[tuple[str, Payload]]:
    reason = {
        ids.REASON_BLOCK: {ids.REASON_INPUT: {"type": "plain_text_input", "value": "it is needed"}}
    }
    for form, (who, what) in SUBMITTED.items():
        named = desk.names.get(what, "")
        key = {
            ids.KEY_BLOCK: {
                ids.KEY_INPUT: {"type": "static_select", "selected_option": {"value": named}}
            },
            ids.LIFETIME_BLOCK: {ids.LIFETIME_INPUT: {"type": "plain_text_input", "value": "30d"}},
        }
        chosen = key if form in (ids.ROTATE_FORM, ids.ENABLE_FORM) else {}
        meta = "" if chosen else named
        drawn = forms.disable_for_form(named)  # its frame is every form's
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

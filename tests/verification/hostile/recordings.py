"""Record one real payload of each command, button, form and event, about a target."""

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
from tests.verification.hostile.target import MEMBERS, Target, dm_of

Payload = dict[str, Any]
APPROVALS = Channel("C0APPROVALS", "key-approvals", frozenset(MEMBERS))

CLICKED: dict[str, tuple[str, str]] = {
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
"""Each button, with a user who may click it and the request or key that it is about."""

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
CHOOSE_A_KEY = (action_ids.ROTATE_FORM, action_ids.ENABLE_FORM)


def recordings(target: Target) -> dict[str, Payload]:
    """Return a payload of each route by its name, such as "click approve"."""
    assert (set(CLICKED), set(TYPED), set(SUBMITTED)) == (set(BUTTONS), set(COMMANDS), set(FORMS))
    return dict(sorted(_recordings(target)))


def _recordings(target: Target) -> Iterator[tuple[str, Payload]]:
    names = target.names
    for verb, (who, text) in TYPED.items():
        yield f"command {verb}", typed(who, text.format(**names), f"trigger-{verb}")
    for action_id, (who, what) in CLICKED.items():
        yield f"click {action_id}", click(who, action_id, names[what], f"trigger-{action_id}")
    for form, (who, what) in SUBMITTED.items():
        yield f"form {form}", submitted(form, who, names.get(what, ""))
    opened = payloads.home_opened(
        _person("alice"), dm_of("U0ALICE"), "Ev0HOME", "1764000000.000002", None
    )
    yield "event home", opened


def click(person: str, action_id: str, value: str, trigger: str, *, team: str = TEAM_ID) -> Payload:
    """Return a click on a button in a lasting message of the bot's."""
    channel = APPROVALS
    if person != "carol":
        channel = Channel(dm_of(_id(person)), "dm", frozenset(), user=_id(person))
    action = {
        "action_id": action_id,
        "block_id": "b1",
        "type": "button",
        "value": value,
        "action_ts": "1764.1",
        "text": {"type": "plain_text", "text": action_id},
    }
    blocks = [{"type": "actions", "elements": [action]}]
    sent_at = 1764000000.0
    message = Message("1764000000.000001", channel.id, "U0KEYDESK", "shown", blocks, sent_at)
    user = replace(_person(person), team_id=team)
    return payloads.message_click(user, channel, message, action, "", trigger)


def typed(who: str, text: str, trigger: str = "trigger-typed") -> Payload:
    """Return a command typed in the approval channel."""
    return dict(
        payloads.command_payload(_person(who), APPROVALS, action_ids.COMMAND, text, "", trigger)
    )


def submitted(form: str, who: str, subject: str) -> Payload:
    """Return a submitted form about a request or key."""
    values: dict[str, Any] = {
        action_ids.REASON_BLOCK: {
            action_ids.REASON_INPUT: {"type": "plain_text_input", "value": "it is needed"}
        }
    }
    if form in CHOOSE_A_KEY:
        option = {"type": "static_select", "selected_option": {"value": subject}}
        values[action_ids.KEY_BLOCK] = {action_ids.KEY_INPUT: option}
        lifetime = {"type": "plain_text_input", "value": "30d"}
        values[action_ids.LIFETIME_BLOCK] = {action_ids.LIFETIME_INPUT: lifetime}
    view = {
        **modals.disable_for_form(subject),  # its frame is every form's
        "id": "V0FORM",
        "hash": "1764.aa",
        "team_id": TEAM_ID,
        "app_installed_team_id": TEAM_ID,
        "bot_id": "B0KEYDESK",
        "root_view_id": "V0FORM",
        "previous_view_id": None,
        "external_id": "",
        "callback_id": form,
        "private_metadata": "" if form in CHOOSE_A_KEY else subject,
        "state": {"values": values},
    }
    return payloads.view_submission(_person(who), view, f"trigger-{form}")


def _person(name: str) -> Person:
    return Person(_id(name), name, name.title(), f"{name}@example.com")


def _id(name: str) -> str:
    return f"U0{name.upper()}"

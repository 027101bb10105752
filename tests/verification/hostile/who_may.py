"""Who may move what? Read from a payload and the desk's story by rules of the tests' own, not by the product's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.slack import action_ids
from sandbox.people import TEAM_ID
from tests.verification.hostile.inside import MEMBERS, OUTSIDERS
from tests.verification.hostile.recordings import SUBMITTED, TYPED

OF_REQUESTS = {"pending": "U0ALICE", "given": "U0BOB", "approved": "U0ERIN", "rotated": "U0FRANK"}
OF_KEYS = {"key": "U0BOB", "new": "U0FRANK", "old": "U0FRANK", "off": "U0GINA"}
BY_APPROVERS = {action_ids.APPROVE, action_ids.REVOKE, action_ids.ON_IT, action_ids.TAKE_BACK}
BY_REQUESTERS = {action_ids.NUDGE, action_ids.CANCEL, action_ids.REVEAL}
BY_OWNERS = {
    action_ids.SAVED,
    action_ids.HAVE_IT,
    action_ids.DID_NOT_GET,
    action_ids.ENABLE_UNCLAIMED,
    action_ids.REPLACE,
    action_ids.CHECK,
    action_ids.NOT_YET,
    action_ids.DISABLE_OLD,
    action_ids.UNDO,
    action_ids.EXTEND,
    action_ids.DISABLE,
    action_ids.DELETE,
    action_ids.LEAKED_DISABLE,
}
"""Buttons that move something. The others open a form, or are for keys that this story does not have."""


def may_move(payload: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    """May this payload move anything at all? Who it is from and what it is about decide, nothing else in it."""
    if "command" in payload:
        return payload["command"] == action_ids.COMMAND and _command(payload, names)
    person, team = _at(payload, "user", "id"), _at(payload, "user", "team_id")
    if person not in MEMBERS or team != TEAM_ID:
        return False
    if payload.get("type") == "block_actions":
        return _click(
            person,
            _at(payload, "actions", 0, "action_id"),
            _at(payload, "actions", 0, "value"),
            names,
        )
    return payload.get("type") == "view_submission" and _form(person, payload, names)


def _click(person: str, action: Any, value: Any, names: Mapping[str, str]) -> bool:
    what = (
        {named: name for name, named in names.items()}.get(value)
        if isinstance(value, str)
        else None
    )
    if what in OF_REQUESTS:
        own = OF_REQUESTS[what] == person
        return action in BY_REQUESTERS if own else person == "U0CAROL" and action in BY_APPROVERS
    if what in OF_KEYS:
        return (OF_KEYS[what] == person and action in BY_OWNERS) or (
            person == "U0CAROL" and action == action_ids.LEAKED_DISABLE
        )
    return False


def _form(person: str, payload: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    form, meta = _at(payload, "view", "callback_id"), _at(payload, "view", "private_metadata")
    if form in (action_ids.DENY_FORM, action_ids.DISABLE_FOR_FORM):
        about = OF_REQUESTS if form == action_ids.DENY_FORM else OF_KEYS
        return person == "U0CAROL" and meta in {names[name] for name in about}
    if form == action_ids.CREATE_FORM:
        return person != "U0CAROL"  # anybody with an IAM user; it makes a request of their own
    chosen = _at(
        payload,
        "view",
        "state",
        "values",
        action_ids.KEY_BLOCK,
        action_ids.KEY_INPUT,
        "selected_option",
        "value",
    )
    return form in SUBMITTED and chosen in {
        names[name] for name, owner in OF_KEYS.items() if owner == person
    }


def _command(payload: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    person, text = payload.get("user_id"), payload.get("text")
    if payload.get("team_id") != TEAM_ID or not isinstance(text, str):
        return False
    known = {
        verb: (f"U0{who.upper()}", typed.format(**names)) for verb, (who, typed) in TYPED.items()
    }
    if text == known["leaked"][1]:  # anybody present may report a key
        return person in MEMBERS or person == "U0DAVE"
    if person in MEMBERS and person != "U0CAROL" and text == known["create"][1]:
        return True
    return (person, text) in known.values() and person not in OUTSIDERS


def _at(payload: Any, *stream_id: str | int) -> Any:
    for name in stream_id:
        try:
            payload = payload[name] if isinstance(payload, dict | list) else None
        except (KeyError, IndexError, TypeError):
            return None
    return payload

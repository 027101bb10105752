"""Say what a payload may change, by the tests' own rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.slack import action_ids
from sandbox.people import TEAM_ID
from tests.verification.hostile.recordings import SUBMITTED, TYPED
from tests.verification.hostile.target import MEMBERS, OUTSIDERS

CAROL, DAVE = "U0CAROL", "U0DAVE"
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
"""Buttons that change something. The others open a form, or are for other kinds of keys."""


def is_permitted(payload: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    """Say whether a payload may change anything, by its user and its subject alone."""
    if "command" in payload:
        return payload["command"] == action_ids.COMMAND and _command(payload, names)
    person, team = _at(payload, "user", "id"), _at(payload, "user", "team_id")
    if person not in MEMBERS or team != TEAM_ID:
        return False
    if payload.get("type") == "block_actions":
        action, value = (_at(payload, "actions", 0, name) for name in ("action_id", "value"))
        return _click(person, action, value, names)
    return payload.get("type") == "view_submission" and _form(person, payload, names)


def may_click(person: str, owner: str, action: Any, *, request: bool) -> bool:
    """Say whether a user may click on a request or key of this owner."""
    if request:
        return action in BY_REQUESTERS if owner == person else _is_approvers(person, action)
    leaked = person == CAROL and action == action_ids.LEAKED_DISABLE
    return leaked or (owner == person and action in BY_OWNERS)


def _is_approvers(person: str, action: Any) -> bool:
    return person == CAROL and action in BY_APPROVERS


def _click(person: str, action: Any, value: Any, names: Mapping[str, str]) -> bool:
    what = next((name for name, id_ in names.items() if id_ == value), "")
    owner = OF_REQUESTS.get(what) or OF_KEYS.get(what)
    return owner is not None and may_click(person, owner, action, request=what in OF_REQUESTS)


def _form(person: str, payload: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    form, subject = _at(payload, "view", "callback_id"), _at(payload, "view", "private_metadata")
    if form in (action_ids.DENY_FORM, action_ids.DISABLE_FOR_FORM):
        known = OF_REQUESTS if form == action_ids.DENY_FORM else OF_KEYS
        return person == CAROL and subject in [names[name] for name in known]
    if form == action_ids.CREATE_FORM:
        return person != CAROL  # anyone with an IAM user may make a request of their own
    values = _at(payload, "view", "state", "values")
    key = _at(values, action_ids.KEY_BLOCK, action_ids.KEY_INPUT, "selected_option", "value")
    return form in SUBMITTED and key in [
        names[name] for name, owner in OF_KEYS.items() if owner == person
    ]


def _command(payload: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    person, text = payload.get("user_id"), payload.get("text")
    if payload.get("team_id") != TEAM_ID or not isinstance(text, str):
        return False
    known = {
        verb: (f"U0{who.upper()}", line.format(**names)) for verb, (who, line) in TYPED.items()
    }
    if text == known["leaked"][1]:  # a guest may report a key, too
        return person in MEMBERS or person == DAVE
    if person in MEMBERS and person != CAROL and text == known["create"][1]:
        return True
    return (person, text) in known.values() and person not in OUTSIDERS


def _at(payload: Any, *path: str | int) -> Any:
    for name in path:
        try:
            payload = payload[name] if isinstance(payload, dict | list) else None
        except (KeyError, IndexError, TypeError):
            return None
    return payload

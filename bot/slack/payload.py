"""Read the payloads that Slack sends, without any I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.keys import KEY_ID


@dataclass(frozen=True)
class Payload:
    """The fields of a command, click, submission or event, as Slack signed them.

    `delivery` tells a repeated delivery from a new one. `response_url` is a bearer secret: it is
    not stored, logged, or shown by this value's repr.
    """

    user: str
    team: str
    delivery: str
    trigger: str = ""
    channel: str = ""
    ts: str = ""
    ephemeral: bool = False
    action_id: str = ""
    value: str = ""
    view_id: str = ""
    response_url: str = ""

    @property
    def form_name(self) -> str:
        """The `external_id` of the form with which a submission is acknowledged."""
        return f"checking:{self.view_id}"[:255]

    def __repr__(self) -> str:
        return f"Payload(user={self.user!r}, action_id={self.action_id!r}, value={self.value!r})"

    def about(self) -> dict[str, str]:
        """Return the request or key that a button stands for, for the log.

        A value of any other shape is left out.
        """
        if KEY_ID.fullmatch(self.value):
            return {"key": self.value}
        return {"request": self.value} if re.fullmatch(r"[0-9a-f]{30}", self.value) else {}

    @classmethod
    def command(cls, body: Mapping[str, Any]) -> Payload:
        """Read a slash command."""
        return cls(
            user=_text(body, "user_id"),
            team=_text(body, "team_id"),
            delivery=_delivery(body, "trigger_id"),
            trigger=_text(body, "trigger_id"),
            channel=_text(body, "channel_id"),
            response_url=_text(body, "response_url"),
        )

    @classmethod
    def click(cls, body: Mapping[str, Any]) -> Payload:
        """Read a click on a button."""
        actions = body.get("actions")
        action = (
            actions[0]
            if isinstance(actions, list) and actions and isinstance(actions[0], dict)
            else {}
        )
        user, container = _part(body, "user"), _part(body, "container")
        return cls(
            user=_text(user, "id"),
            team=_text(user, "team_id"),
            delivery=_delivery(body, "trigger_id"),
            trigger=_text(body, "trigger_id"),
            channel=_text(container, "channel_id"),
            ts=_text(container, "message_ts"),
            ephemeral=container.get("is_ephemeral") is True,
            action_id=_text(action, "action_id"),
            value=_text(action, "value"),
            response_url=_text(body, "response_url"),
        )

    @classmethod
    def submission(cls, body: Mapping[str, Any]) -> Payload:
        """Read a submitted form."""
        user, view = _part(body, "user"), _part(body, "view")
        delivery = _text(body, "trigger_id") or f"{_text(view, 'id')}:{_text(view, 'hash')}"
        return cls(
            user=_text(user, "id"),
            team=_text(user, "team_id"),
            delivery=delivery,
            trigger=_text(body, "trigger_id"),
            view_id=_text(view, "id"),
        )

    @classmethod
    def event(cls, body: Mapping[str, Any]) -> Payload:
        """Read an event, such as an opened Home tab."""
        return cls(
            user=_text(_part(body, "event"), "user"),
            team=_text(body, "team_id"),
            delivery=_delivery(body, "event_id"),
        )


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _delivery(body: Mapping[str, Any], name: str) -> str:
    """Return Slack's ID of the delivery, or a hash of a payload without one."""
    given = _text(body, name)
    return given if 0 < len(given) <= 255 else hashlib.sha256(json.dumps(body).encode()).hexdigest()


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""

"""Make the payloads that Slack sends for commands, clicks, forms and events.

Source: Slack's pages on slash commands, interaction payloads and the Events API. Pure functions.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from sandbox.people import APP_ID, BOT_USER, TEAM_DOMAIN, TEAM_ID, Channel, Person
from sandbox.workspace import Message, Workspace

Payload = dict[str, Any]
_TEAM = {"id": TEAM_ID, "domain": TEAM_DOMAIN}
_APP = {
    "api_app_id": APP_ID,
    "token": "verification-token",
    "is_enterprise_install": False,
    "enterprise": None,
}


def command_payload(
    person: Person, channel: Channel, command: str, text: str, response_url: str, trigger_id: str
) -> dict[str, str]:
    """Return the form fields of a slash command."""
    return {
        "token": "verification-token",
        "team_id": TEAM_ID,
        "team_domain": TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def message_click(
    person: Person,
    channel: Channel,
    message: Message,
    action: Mapping[str, Any],
    response_url: str,
    trigger_id: str,
) -> Payload:
    """Return block_actions for a message.

    One for an ephemeral message holds none of its content.
    """
    ephemeral = message.only_for is not None
    container: Payload = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    payload = _click(person, container, action, trigger_id) | {
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "response_url": response_url,
    }
    return payload if ephemeral else payload | {"message": message.as_slack()}


def view_click(
    person: Person, view: Mapping[str, Any], action: Mapping[str, Any], trigger_id: str
) -> Payload:
    """Return block_actions for a modal or Home tab. It has no response URL."""
    container = {"type": "view", "view_id": view["id"]}
    return _click(person, container, action, trigger_id) | {"view": copy.deepcopy(dict(view))}


def _click(
    person: Person, container: Payload, action: Mapping[str, Any], trigger_id: str
) -> Payload:
    block, name = action["block_id"], action["action_id"]
    chosen = {
        key: value for key, value in action.items() if key.startswith("selected_") or key == "type"
    }
    values = {block: {name: chosen}} if len(chosen) > 1 else {}
    return {
        "type": "block_actions",
        "user": user_of(person),
        **_APP,
        "container": container,
        "trigger_id": trigger_id,
        "team": dict(_TEAM),
        "state": {"values": values},
        "actions": [dict(action)],
    }


def view_submission(person: Person, view: Mapping[str, Any], trigger_id: str) -> Payload:
    """Return view_submission for a view whose state holds what was typed."""
    return {
        "type": "view_submission",
        "team": dict(_TEAM),
        "user": user_of(person),
        **_APP,
        "trigger_id": trigger_id,
        "view": copy.deepcopy(dict(view)),
        "response_urls": [],
    }


def view_closed(person: Person, view: Mapping[str, Any]) -> Payload:
    """Return view_closed for a view with notify_on_close."""
    return {
        "type": "view_closed",
        "team": dict(_TEAM),
        "user": user_of(person),
        **_APP,
        "view": copy.deepcopy(dict(view)),
        "is_cleared": False,
    }


def home_opened(
    person: Person, dm: str, event_id: str, ts: str, view: Mapping[str, Any] | None
) -> Payload:
    """Return the app_home_opened event."""
    event: Payload = {
        "type": "app_home_opened",
        "user": person.id,
        "channel": dm,
        "tab": "home",
        "event_ts": ts,
    }
    if view is not None:
        event["view"] = copy.deepcopy(dict(view))
    return {
        "type": "event_callback",
        "token": "verification-token",
        "team_id": TEAM_ID,
        "api_app_id": APP_ID,
        "event": event,
        "event_id": event_id,
        "event_time": int(float(ts)),
        "is_ext_shared_channel": False,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM_ID,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
    }


def user_of(person: Person) -> dict[str, str]:
    """Return the `user` of an interaction."""
    return {
        "id": person.id,
        "username": person.name,
        "name": person.name,
        "team_id": person.team_id,
    }


def channel_name(channel: Channel) -> str:
    """Return the name that payloads give a channel.

    Private channels and direct messages have a general one.
    """
    if channel.is_im:
        return "directmessage"
    return "privategroup" if channel.is_private else channel.name


def escape(text: str) -> str:
    """Return text with Slack's three control characters as entities.

    Source: "Formatting message text", Slack documentation.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def command_text(typed: str, workspace: Workspace, *, should_escape: bool) -> str:
    """Return a command's text as it is sent.

    Entities are escaped and, if so wanted, names are mentions.
    """
    text = escape(typed.strip())
    if not should_escape:
        return text
    handles = {person.name: person for person in workspace.people.values()}
    groups = {group.handle: group for group in workspace.groups.values()}

    def name(match: re.Match[str]) -> str:
        if found := handles.get(match[1]):
            return f"<@{found.id}|{found.name}>"
        group = groups.get(match[1])
        return f"<!subteam^{group.id}|@{group.handle}>" if group else match[0]

    def room(match: re.Match[str]) -> str:
        channel = workspace.find_channel(match[1])
        if channel is None or channel.is_im:
            return match[0]
        return f"<#{channel.id}|{'' if channel.is_private else channel.name}>"

    text = re.sub(r"(?<!\S)(https?://[^\s|]+)", r"<\1>", text)
    text = re.sub(r"(?<![\w@])@([\w.-]*\w)", name, text)
    return re.sub(r"(?<![\w#&;])#([\w-]+)", room, text)

"""Return what the page shows: the workspace as one session sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.manifest import Manifest
from sandbox.people import BOT_USER, SLACKBOT, TEAM_ID, TEAM_NAME, Person
from sandbox.views import Views
from sandbox.workspace import Message, Workspace


@dataclass(frozen=True)
class Programs:
    """What uses access keys here, when the page asks for it.

    `keys` gives each key that works: its "id" and whose it is, "user". `use` uses one. Raises
    LookupError.
    """

    keys: Callable[[], Sequence[Mapping[str, str]]]
    use: Callable[[str], None]


def page_state(
    workspace: Workspace, views: Views, manifest: Manifest, programs: Programs | None, session: str
) -> dict[str, Any]:
    """Return the state the page draws, for every person."""
    people = [person for person in workspace.people.values() if not person.deleted]
    commands = [
        {"command": one.command, "description": one.description, "usage_hint": one.usage_hint}
        for one in manifest.commands
    ]
    return {
        "team": {"id": TEAM_ID, "name": TEAM_NAME},
        "bot": {"id": BOT_USER, "name": manifest.bot_name},
        "home_tab": manifest.home_tab,
        "people": [_person(workspace, person) for person in people],
        "groups": [{"id": group.id, "handle": group.handle} for group in workspace.groups.values()],
        "commands": commands,
        "clock": {"ahead": int(workspace.clock.ahead)} if workspace.clock.is_followed else None,
        "keys": list(programs.keys()) if programs else None,
        "views": {
            person.id: _seen_by(workspace, views, manifest, person, session) for person in people
        },
    }


def _person(workspace: Workspace, person: Person) -> dict[str, Any]:
    approver = any(person.id in group.users for group in workspace.groups.values())
    guest = person.is_restricted or person.is_ultra_restricted or person.team_id != TEAM_ID
    return {
        "id": person.id,
        "name": person.name,
        "real_name": person.real_name,
        "role": "guest" if guest else "approver" if approver else "engineer",
        "away": person.id in workspace.away,
    }


def _seen_by(
    workspace: Workspace, views: Views, manifest: Manifest, person: Person, session: str
) -> dict[str, Any]:
    channels = workspace.channels_of(person.id)
    return {
        "channels": [
            {
                "id": one.id,
                "name": manifest.bot_name if one.is_im else one.name,
                "kind": "dm" if one.is_im else "channel",
            }
            for one in channels
        ],
        "messages": {
            one.id: [
                _message(workspace, manifest, seen)
                for seen in workspace.seen(person.id, one.id, session)
            ]
            for one in channels
        },
        "modal": views.top(person.id),
        "home": views.home(person.id),
    }


def _message(workspace: Workspace, manifest: Manifest, message: Message) -> dict[str, Any]:
    author = workspace.people.get(message.user)
    not_a_person = "Slackbot" if message.user == SLACKBOT else manifest.bot_name
    return {
        "ts": message.ts,
        "user": message.user,
        "name": author.real_name if author else not_a_person,
        "text": message.text,
        "blocks": message.blocks,
        "ephemeral": message.only_for is not None,
        "edited": message.edited,
        "thread_ts": message.thread_ts,
        "at": message.at,
    }

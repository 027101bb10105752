"""Define the people, channels and groups with which the workspace starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TEAM_ID = "T0KEYDESK"
TEAM_NAME = "Keydesk Sandbox"
TEAM_DOMAIN = "keydesk-sandbox"
BOT_USER = "U0KEYDESK"
BOT_ID = "B0KEYDESK"
APP_ID = "A0KEYDESK"
SLACKBOT = "USLACKBOT"
"""The workspace's own voice: it is no member and does nothing."""


@dataclass(frozen=True)
class Person:
    """A user as `users.info` shows them (Slack: "User object"). `name` is the handle."""

    id: str
    name: str
    real_name: str
    email: str
    email_confirmed: bool = True
    deleted: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    team_id: str = TEAM_ID


@dataclass(frozen=True)
class Channel:
    """A conversation. `user` is the person a direct message with the bot belongs to."""

    id: str
    name: str
    members: frozenset[str]
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    is_org_shared: bool = False
    user: str | None = None

    @property
    def is_im(self) -> bool:
        """Say whether this is a direct message with the bot."""
        return self.user is not None


@dataclass(frozen=True)
class UserGroup:
    """A user group: what `usergroups.list` shows of it."""

    id: str
    handle: str
    users: tuple[str, ...]


PEOPLE: tuple[Person, ...] = (
    Person("U0ALICE", "alice", "Alice Adams", "alice@example.com"),
    Person("U0BOB", "bob", "Bob Brown", "bob@example.com"),
    Person("U0CAROL", "carol", "Carol Clark", "carol@example.com"),
    Person("U0DAVE", "dave", "Dave Doe", "dave@example.com", is_restricted=True),
)

CHANNELS: tuple[Channel, ...] = (
    Channel("C0GENERAL", "general", frozenset(person.id for person in PEOPLE)),
    Channel("C0APPROVALS", "key-approvals", frozenset({"U0CAROL", "U0ALICE", "U0BOB", BOT_USER})),
    Channel("C0AUDIT", "key-audit", frozenset({"U0CAROL", BOT_USER})),
)

USER_GROUPS: Mapping[str, Mapping[str, object]] = {
    "S0APPROVERS": {"handle": "key-approvers", "users": ["U0CAROL"]},
}


def dm_id(user_id: str) -> str:
    """Return the ID of a person's direct message with the bot: U0ALICE has D0ALICE."""
    return "D0" + user_id.removeprefix("U0")

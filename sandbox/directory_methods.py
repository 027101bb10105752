"""Answer the methods about people, groups and conversations."""

from __future__ import annotations

from typing import Any

from sandbox.errors import Refused
from sandbox.people import APP_ID, BOT_ID, BOT_USER, TEAM_ID, Channel, Person, UserGroup, dm_id
from sandbox.web_api import Answer, Args, Method, Office, needs, required


def user_object(office: Office, person: Person) -> dict[str, Any]:
    """Return a person as Slack's "User object".

    The e-mail only with the scope users:read.email.
    """
    profile = {"real_name": person.real_name, "display_name": person.name, "team": person.team_id}
    if "users:read.email" in office.manifest.scopes and not person.is_bot:
        profile["email"] = person.email
    shown: dict[str, Any] = {
        "id": person.id, "team_id": person.team_id, "name": person.name, "deleted": person.deleted,
        "profile": profile, "is_bot": person.is_bot, "is_app_user": False, "updated": 0,
    }  # fmt: skip
    if person.deleted:
        return shown
    shown |= {
        "real_name": person.real_name,
        "tz": "Europe/London",
        "tz_offset": 0,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_email_confirmed": person.email_confirmed,
    }
    if person.team_id != TEAM_ID:
        shown["is_stranger"] = person.is_stranger
    return shown


def _bot_person(office: Office) -> Person:
    name = office.manifest.bot_name
    return Person(BOT_USER, name.lower(), name, "", is_bot=True)


def users_info(office: Office, args: Args) -> Answer:
    """Answer users.info."""
    required(args, "user")
    if args["user"] == BOT_USER:
        return {"user": user_object(office, _bot_person(office))}
    person = office.workspace.people.get(args["user"])
    if person is None:
        raise Refused("user_not_found")
    return {"user": user_object(office, person)}


def users_lookup_by_email(office: Office, args: Args) -> Answer:
    """Answer users.lookupByEmail."""
    required(args, "email")
    wanted = str(args["email"]).lower()
    found = [
        one
        for one in office.workspace.people.values()
        if one.email.lower() == wanted and not one.deleted
    ]
    if not found:
        raise Refused("users_not_found")
    return {"user": user_object(office, found[0])}


def users_get_presence(office: Office, args: Args) -> Answer:
    """Answer users.getPresence."""
    required(args, "user")
    if args["user"] not in office.workspace.people:
        raise Refused("user_not_found")
    return {"presence": "away" if args["user"] in office.workspace.away else "active"}


def bots_info(office: Office, args: Args) -> Answer:
    """Answer bots.info for the app's own bot."""
    if args.get("bot") != BOT_ID:
        raise Refused("bot_not_found")
    bot = {
        "id": BOT_ID,
        "deleted": False,
        "name": office.manifest.bot_name,
        "app_id": APP_ID,
        "user_id": BOT_USER,
    }
    return {"bot": bot}


def usergroups_list(office: Office, args: Args) -> Answer:
    """Answer usergroups.list. The members only with include_users."""
    with_users = str(args.get("include_users", "")).lower() in ("1", "true")
    return {"usergroups": [_group(group, with_users) for group in office.workspace.groups.values()]}


def usergroups_users_list(office: Office, args: Args) -> Answer:
    """Answer usergroups.users.list."""
    required(args, "usergroup")
    group = office.workspace.groups.get(args["usergroup"])
    if group is None:
        raise Refused("no_such_subteam")
    return {"users": list(group.users)}


def _group(group: UserGroup, with_users: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": group.id, "team_id": TEAM_ID, "is_usergroup": True, "name": group.handle,
        "handle": group.handle, "description": "", "date_delete": 0, "user_count": len(group.users),
    }  # fmt: skip
    return shown | {"users": list(group.users)} if with_users else shown


def conversations_open(office: Office, args: Args) -> Answer:
    """Answer conversations.open for one person or a known direct message."""
    users = args.get("users") or ""
    wanted = users if isinstance(users, list) else [one for one in str(users).split(",") if one]
    if not wanted and args.get("channel"):
        channel = office.workspace.channels.get(args["channel"])
        if channel is None or not channel.is_im:
            raise Refused("channel_not_found")
        return {"channel": _opened(office, channel, args)}
    if len(wanted) != 1:
        raise Refused(
            "users_list_not_supplied" if not wanted else "method_not_supported_for_channel_type"
        )
    person = office.workspace.people.get(wanted[0])
    if person is None:
        raise Refused("user_not_found")
    if person.deleted:
        raise Refused("user_disabled")
    return {"channel": _opened(office, office.workspace.channels[dm_id(person.id)], args)}


def _opened(office: Office, channel: Channel, args: Args) -> dict[str, Any]:
    full = str(args.get("return_im", "")).lower() in ("1", "true")
    return channel_object(channel) if full else {"id": channel.id}


def conversations_info(office: Office, args: Args) -> Answer:
    """Answer conversations.info."""
    return {"channel": channel_object(_visible(office, args))}


def conversations_members(office: Office, args: Args) -> Answer:
    """Answer conversations.members, in pages of `limit` (default 100)."""
    members = sorted(_visible(office, args).members)
    size, begin = int(args.get("limit") or 100), int(args.get("cursor") or 0)
    following = str(begin + size) if begin + size < len(members) else ""
    return {
        "members": members[begin : begin + size],
        "response_metadata": {"next_cursor": following},
    }


def channel_object(channel: Channel) -> dict[str, Any]:
    """Return a channel as Slack's "Conversation object"."""
    if channel.is_im:
        return {
            "id": channel.id, "is_im": True, "user": channel.user, "is_archived": False,
            "is_org_shared": False, "is_user_deleted": False, "created": 0,
        }  # fmt: skip
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "created": 0,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_general": False,
        "is_shared": channel.is_ext_shared or channel.is_org_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_org_shared": channel.is_org_shared,
        "is_pending_ext_shared": False,
        "is_member": BOT_USER in channel.members,
        "num_members": len(channel.members),
    }


def _visible(office: Office, args: Args) -> Channel:
    required(args, "channel")
    channel = office.workspace.channels.get(args["channel"])
    if channel is None or (channel.is_private and BOT_USER not in channel.members):
        raise Refused("channel_not_found")
    return channel


def _reading_scope(office: Office, args: Args) -> str:
    channel = office.workspace.channels.get(str(args.get("channel", "")))
    if channel is not None and channel.is_im:
        return "im:read"
    return "groups:read" if channel is not None and channel.is_private else "channels:read"


METHODS = {
    "users.info": Method(users_info, needs("users:read")),
    "users.lookupByEmail": Method(users_lookup_by_email, needs("users:read.email")),
    "users.getPresence": Method(users_get_presence, needs("users:read")),
    "bots.info": Method(bots_info, needs("users:read")),
    "usergroups.list": Method(usergroups_list, needs("usergroups:read")),
    "usergroups.users.list": Method(usergroups_users_list, needs("usergroups:read")),
    "conversations.open": Method(conversations_open, needs("im:write")),
    "conversations.info": Method(conversations_info, _reading_scope),
    "conversations.members": Method(conversations_members, _reading_scope),
}

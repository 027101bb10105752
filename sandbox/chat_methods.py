"""Answer the chat.* and views.* methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refused
from sandbox.limits import check_message
from sandbox.people import BOT_USER, TEAM_DOMAIN, Channel, dm_id
from sandbox.web_api import Answer, Args, Method, Office, needs, required
from sandbox.workspace import Message


def writable(office: Office, channel_id: Any, *, person_will_do: bool = False) -> Channel:
    """Return the channel the bot may post to.

    Raises Refused (channel_not_found, not_in_channel, …).
    """
    wanted = str(channel_id or "")
    if (
        person_will_do
        and wanted in office.workspace.people
        and not office.workspace.people[wanted].deleted
    ):
        wanted = dm_id(wanted)
    channel = office.workspace.channels.get(wanted)
    if channel is None or (channel.is_private and BOT_USER not in channel.members):
        raise Refused("channel_not_found")
    if channel.is_archived:
        raise Refused("is_archived")
    if channel.is_im and not office.manifest.messages_tab:
        raise Refused("messages_tab_disabled")
    return channel


def post_message(office: Office, args: Args) -> Answer:
    """Answer chat.postMessage.

    A user ID as channel means the direct message with that person.
    """
    required(args, "channel")
    channel = writable(office, args["channel"], person_will_do=True)
    if BOT_USER not in channel.members and "chat:write.public" not in office.manifest.scopes:
        raise Refused("not_in_channel")
    check_message(args.get("text"), args.get("blocks"))
    message = office.workspace.post(
        channel.id, BOT_USER, args.get("text") or "", args.get("blocks") or [],
        thread_ts=args.get("thread_ts") or None, metadata=args.get("metadata"),
    )  # fmt: skip
    return {"channel": channel.id, "ts": message.ts, "message": message.as_slack()}


def post_ephemeral(office: Office, args: Args) -> Answer:
    """Answer chat.postEphemeral.

    The answer is ok even when the person is away. The message is then lost.
    """
    required(args, "channel", "user")
    channel = writable(office, args["channel"])
    if BOT_USER not in channel.members:
        raise Refused("not_in_channel")
    person = office.workspace.people.get(args["user"])
    if person is None or person.deleted or person.id not in channel.members:
        raise Refused("user_not_in_channel")
    check_message(args.get("text"), args.get("blocks"), ephemeral=True)
    message = office.workspace.post(
        channel.id, BOT_USER, args.get("text") or "", args.get("blocks") or [],
        thread_ts=args.get("thread_ts") or None, only_for=person.id,
    )  # fmt: skip
    return {"message_ts": message.ts}


def update(office: Office, args: Args) -> Answer:
    """Answer chat.update.

    Text without blocks drops the blocks. Ephemeral messages cannot be changed.
    """
    required(args, "channel", "ts")
    message = _own_message(office, args, "cant_update_message")
    check_message(args.get("text"), args.get("blocks"), update=True)
    blocks = args.get("blocks") or []
    changed = office.workspace.rewrite(message, args.get("text") or "", blocks, edited=not blocks)
    return {
        "channel": message.channel,
        "ts": message.ts,
        "text": changed.text,
        "message": changed.as_slack(),
    }


def delete(office: Office, args: Args) -> Answer:
    """Answer chat.delete for the bot's own lasting messages."""
    required(args, "channel", "ts")
    message = _own_message(office, args, "cant_delete_message")
    office.workspace.remove(message)
    return {"channel": message.channel, "ts": message.ts}


def get_permalink(office: Office, args: Args) -> Answer:
    """Answer chat.getPermalink."""
    required(args, "channel", "message_ts")
    channel = office.workspace.channels.get(args["channel"])
    if channel is None:
        raise Refused("channel_not_found")
    message = office.workspace.find(channel.id, str(args["message_ts"]))
    if message is None or message.only_for is not None:
        raise Refused("message_not_found")
    place = f"{channel.id}/p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": f"https://{TEAM_DOMAIN}.slack.com/archives/{place}"}


def _own_message(office: Office, args: Args, foreign: str) -> Message:
    channel = writable(office, args["channel"])
    message = office.workspace.find(channel.id, str(args["ts"]))
    if message is None or message.only_for is not None:
        raise Refused("message_not_found")
    if message.user != BOT_USER:
        raise Refused(foreign)
    return message


def open_view(office: Office, args: Args) -> Answer:
    """Answer views.open."""
    _no_view_in_args(args)
    return {"view": office.views.open(_trigger(args), args["view"])}


def push_view(office: Office, args: Args) -> Answer:
    """Answer views.push."""
    _no_view_in_args(args)
    return {"view": office.views.push(_trigger(args), args["view"])}


def update_view(office: Office, args: Args) -> Answer:
    """Answer views.update, by view_id or external_id."""
    _no_view_in_args(args)
    view_id, external_id = args.get("view_id"), args.get("external_id")
    if not view_id and not external_id:
        raise Refused("invalid_arguments", ["view_id or external_id is needed"])
    changed = office.views.update(
        args["view"], view_id=view_id, external_id=external_id, known_hash=args.get("hash")
    )
    return {"view": changed}


def publish_view(office: Office, args: Args) -> Answer:
    """Answer views.publish for the Home tab."""
    _no_view_in_args(args)
    required(args, "user_id")
    if not office.manifest.home_tab:
        raise Refused("not_enabled")
    if args["user_id"] not in office.workspace.people:
        raise Refused("invalid_arguments", ["unknown user_id"])
    return {"view": office.views.publish(args["user_id"], args["view"], args.get("hash"))}


def _no_view_in_args(args: Args) -> None:
    if not isinstance(args.get("view"), Mapping):
        raise Refused("invalid_arguments", ["missing required field: view"])


def _trigger(args: Args) -> str:
    required(args, "trigger_id")
    return str(args["trigger_id"])


METHODS = {
    "chat.postMessage": Method(post_message, needs("chat:write")),
    "chat.postEphemeral": Method(post_ephemeral, needs("chat:write")),
    "chat.update": Method(update, needs("chat:write")),
    "chat.delete": Method(delete, needs("chat:write")),
    "chat.getPermalink": Method(get_permalink),
    "views.open": Method(open_view),
    "views.push": Method(push_view),
    "views.update": Method(update_view),
    "views.publish": Method(publish_view),
}

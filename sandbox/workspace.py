"""Keep the workspace: people, channels, and who sees which messages."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.errors import Refused
from sandbox.people import BOT_ID, BOT_USER, TEAM_ID, Channel, Person, UserGroup, dm_id

Blocks = list[dict[str, Any]]


@dataclass(frozen=True)
class Message:
    """A message.

    One with `only_for` is ephemeral, and only the sessions in `audience` still show it.
    """

    ts: str
    channel: str
    user: str
    text: str
    blocks: Blocks
    at: float
    thread_ts: str | None = None
    edited: bool = False
    only_for: str | None = None
    audience: frozenset[str] = frozenset()
    metadata: dict[str, Any] | None = None

    def as_slack(self) -> dict[str, Any]:
        """Return the message object of Slack's answers and payloads."""
        shown: dict[str, Any] = {
            "type": "message",
            "user": self.user,
            "ts": self.ts,
            "text": self.text,
        }
        if self.user == BOT_USER:
            shown |= {"bot_id": BOT_ID, "team": TEAM_ID}
        if self.blocks:
            shown["blocks"] = copy.deepcopy(self.blocks)
        if self.thread_ts:
            shown["thread_ts"] = self.thread_ts
        if self.edited:
            shown["edited"] = {"user": self.user, "ts": self.ts}
        if self.metadata:
            shown["metadata"] = self.metadata
        return shown


class Clock:
    """The workspace's time (Unix seconds), which may be moved forward.

    With a `file`, others follow it: the file holds by how many whole seconds this clock runs ahead.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._ahead = 0.0
        self._file = file

    @property
    def ahead(self) -> float:
        """Return by how many seconds this clock runs ahead of the machine's."""
        return self._ahead

    @property
    def is_followed(self) -> bool:
        """Say whether others follow this clock."""
        return self._file is not None

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time() + self._ahead

    def pass_time(self, seconds: float) -> None:
        """Move forward."""
        self._ahead += seconds
        if self._file is not None:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(str(int(self._ahead)), encoding="utf-8")
            fresh.replace(self._file)  # in one step: who reads half a number is back in the past


class Workspace:
    """The state of one workspace. Owned by the server's loop: call it from there only."""

    def __init__(
        self,
        people: Iterable[Person],
        channels: Iterable[Channel],
        groups: Iterable[UserGroup],
        clock: Clock,
    ) -> None:
        self.clock = clock
        self.people: dict[str, Person] = {}
        self.channels = {channel.id: channel for channel in channels}
        self.groups = {group.id: group for group in groups}
        self.away: set[str] = set()
        self.sessions: set[str] = set()
        self.lasting_log: list[str] = []
        self._reloads: dict[str, int] = {}
        self._messages: dict[str, list[Message]] = {}
        self._drawn: dict[str, list[Blocks]] = {}
        self._watchers: list[Callable[[], None]] = []
        self._last_ts = 0
        self._ids = 0
        for person in people:
            self.add_person(person)

    # -- change and time
    # -------------------------------------------------------------------------------

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` after each change."""
        self._watchers.append(watcher)

    def changed(self) -> None:
        """Tell everybody who watches."""
        for watcher in self._watchers:
            watcher()

    def new_ts(self) -> str:
        """Return a unique message timestamp (Unix seconds with microseconds)."""
        self._last_ts = max(int(self.clock.now() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        """Return an ID that looks like Slack's."""
        self._ids += 1
        return f"{prefix}0{self._ids:08X}"

    # -- people
    # ----------------------------------------------------------------------------------------

    def add_person(self, person: Person) -> None:
        """Let a person in. Members of the team get their direct message with the bot."""
        self.people[person.id] = person
        dm = dm_id(person.id)
        self.channels[dm] = Channel(
            dm, "directmessage", frozenset({person.id, BOT_USER}), user=person.id
        )
        self.changed()

    def change_person(self, user_id: str, **changes: Any) -> None:
        """Change fields of a person. Raises KeyError when there is none."""
        self.people[user_id] = replace(self.people[user_id], **changes)
        self.changed()

    def change_channel(self, channel_id: str, **changes: Any) -> None:
        """Change fields of a channel. Raises KeyError when there is none."""
        self.channels[channel_id] = replace(self.channels[channel_id], **changes)
        self.changed()

    def own_session(self, user_id: str) -> str:
        """Return the session a person has without any page: that of the tests."""
        return f"own:{user_id}:{self._reloads.get(user_id, 0)}"

    def reload(self, user_id: str) -> None:
        """Begin the person's own session again: its ephemeral messages are gone."""
        self._reloads[user_id] = self._reloads.get(user_id, 0) + 1
        self.changed()

    def set_away(self, user_id: str, away: bool) -> None:
        """Say whether a person has closed Slack."""
        if away:
            self.away.add(user_id)
        else:
            self.away.discard(user_id)
        self.changed()

    def find_channel(self, name_or_id: str) -> Channel | None:
        """Return the channel with that ID or name."""
        if name_or_id in self.channels:
            return self.channels[name_or_id]
        return next(
            (one for one in self.channels.values() if one.name == name_or_id and not one.is_im),
            None,
        )

    # -- messages
    # --------------------------------------------------------------------------------------

    def post(
        self,
        channel: str,
        user: str,
        text: str,
        blocks: Sequence[Mapping[str, Any]] = (),
        *,
        thread_ts: str | None = None,
        only_for: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Message:
        """Store a message. An ephemeral one reaches only the sessions of now."""
        audience: frozenset[str] = frozenset()
        if only_for is not None and only_for not in self.away:
            audience = frozenset({*self.sessions, self.own_session(only_for)})
        message = Message(
            ts=self.new_ts(),
            channel=channel,
            user=user,
            text=text,
            blocks=with_ids(blocks, self.new_id),
            at=self.clock.now(),
            thread_ts=thread_ts,
            only_for=only_for,
            audience=audience,
            metadata=metadata,
        )
        self._messages.setdefault(channel, []).append(message)
        self._note(message)
        self.changed()
        return message

    def find(self, channel: str, ts: str) -> Message | None:
        """Return the message, ephemeral ones included."""
        return next((one for one in self._messages.get(channel, []) if one.ts == ts), None)

    def rewrite(
        self, old: Message, text: str, blocks: Sequence[Mapping[str, Any]], **changes: Any
    ) -> Message:
        """Replace the text and blocks of a message. Raises Refused when it is gone."""
        kept = self._messages.get(old.channel, [])
        place = next((i for i, one in enumerate(kept) if one.ts == old.ts), None)
        if place is None:
            raise Refused("message_not_found")
        new = replace(kept[place], text=text, blocks=with_ids(blocks, self.new_id), **changes)
        kept[place] = new
        self._note(new)
        self.changed()
        return new

    def remove(self, message: Message) -> None:
        """Take a message away."""
        kept = self._messages.get(message.channel, [])
        self._messages[message.channel] = [one for one in kept if one.ts != message.ts]
        self.changed()

    def seen(self, user_id: str, channel: str, session: str | None = None) -> list[Message]:
        """Return what a person sees in a channel, oldest first.

        `session` is the one in which they look (default: their own).
        """
        here = self.channels.get(channel)
        session = session or self.own_session(user_id)
        member = here is not None and user_id in here.members
        return [
            one
            for one in self._messages.get(channel, [])
            if (member and one.only_for is None)
            or (one.only_for == user_id and session in one.audience)
        ]

    def channels_of(self, user_id: str) -> list[Channel]:
        """Return the person's channels, and last their direct message with the bot."""
        mine = [
            one for one in self.channels.values() if user_id in one.members and not one.is_archived
        ]
        return sorted(mine, key=lambda one: one.is_im)

    def ephemerals(self) -> list[Message]:
        """Return every ephemeral message that some session still shows."""
        live = {*self.sessions, *(self.own_session(user_id) for user_id in self.people)}
        return [
            one
            for kept in self._messages.values()
            for one in kept
            if one.only_for and one.audience & live
        ]

    def note_drawn(self, thing_id: str, blocks: Blocks) -> None:
        """Remember what a message (its ts) or view (its ID) shows from now on."""
        self._drawn.setdefault(thing_id, []).append(blocks)

    def drawn(self, thing_id: str) -> Blocks:
        """Return all blocks that a message or view has shown, the newest first.

        Who clicks may be looking at older ones: a rewritten message has other block IDs.
        """
        return [block for blocks in reversed(self._drawn.get(thing_id, [])) for block in blocks]

    def note_lasting(self, thing: Mapping[str, Any]) -> None:
        """Remember a message, view or Home tab for searches, even after changes."""
        self.lasting_log.append(json.dumps(thing, ensure_ascii=False, default=sorted))

    def _note(self, message: Message) -> None:
        self.note_drawn(message.ts, message.blocks)
        if message.only_for is None:
            self.note_lasting(asdict(message))


def with_ids(blocks: Sequence[Mapping[str, Any]], new_id: Callable[[str], str]) -> Blocks:
    """Return a copy in which all blocks and interactive elements have IDs.

    Slack gives IDs to those without one.
    """
    copied: Blocks = copy.deepcopy([dict(block) for block in blocks])
    for block in copied:
        block.setdefault("block_id", new_id("b"))
        for element in elements_of(block):
            if element.get("type") not in ("image", "mrkdwn", "plain_text"):
                element.setdefault("action_id", new_id("a"))
    return copied


def elements_of(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the elements of a block on which a person can act."""
    if block.get("type") in ("actions", "context_actions", "context"):
        return [one for one in block.get("elements", []) if isinstance(one, dict)]
    return [block[name] for name in ("accessory", "element") if isinstance(block.get(name), dict)]

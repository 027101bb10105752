"""Run a whole Slack workspace in a test's process, synchronous and thread-safe."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sandbox.delivery import Delivery
from sandbox.faults import Faults
from sandbox.local_person import WITHIN_SECONDS, LocalPerson
from sandbox.page_state import Programs
from sandbox.people import CHANNELS, PEOPLE, USER_GROUPS, Channel, Person, UserGroup
from sandbox.seen import what_everybody_sees
from sandbox.server import Sandbox
from sandbox.web_api import Call
from sandbox.workspace import Clock

T = TypeVar("T")
LOOK_AGAIN_SECONDS = 0.1
PATIENCE_SECONDS = 60


class LocalSlack:
    """A workspace in a thread on a free loopback port, from `with` to its end.

    With a `clock_file` its page can move the clock on, and readers of the file follow (see
    `Clock`). With `programs` it can let one of them use an access key. Its loop owns the state.
    Every method here may be called from any other thread.
    """

    def __init__(
        self,
        manifest: Path,
        people: Iterable[Person] = PEOPLE,
        channels: Iterable[Channel] = CHANNELS,
        groups: Mapping[str, Mapping[str, Any]] = USER_GROUPS,
        port: int = 0,
        clock_file: Path | None = None,
        programs: Programs | None = None,
    ) -> None:
        self._clock = Clock(clock_file)
        self._groups = [
            UserGroup(key, one["handle"], tuple(one["users"])) for key, one in groups.items()
        ]
        self._box = Sandbox(manifest, people, channels, self._groups, self._clock, programs)
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="local-slack", daemon=True
        )
        self._change = threading.Condition()
        self._changes = 0
        self._outsiders = 0
        self._box.workspace.watch(self._note_change)

    def __enter__(self) -> LocalSlack:
        self._thread.start()
        self.do(lambda box: box.start(self._port))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.do(lambda box: box.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- addresses and credentials
    # ---------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Return the page's address."""
        return self._box.url

    @property
    def api_url(self) -> str:
        """Return the base URL of the Web API."""
        return f"{self._box.url}/api/"

    @property
    def bot_token(self) -> str:
        """Return the bot's token."""
        return self._box.tokens.bot

    @property
    def app_token(self) -> str:
        """Return the app-level token, for Socket Mode."""
        return self._box.tokens.app

    @property
    def signing_secret(self) -> str:
        """Return the secret that signs deliveries by HTTP."""
        return self._box.tokens.signing_secret

    @property
    def faults(self) -> Faults:
        """Return where faults are put in."""
        return self._box.faults

    def keep_to_limits(self, on: bool = True) -> None:
        """Take no more calls than Slack does (`sandbox.rates`), from now on."""
        self.look(lambda box: setattr(box.rates, "on", on))

    # -- the bot
    # ---------------------------------------------------------------------------------------

    def deliver_by_socket(self) -> None:
        """Deliver over Socket Mode (the default)."""
        self.look(lambda box: box.deliver_by_socket())

    def deliver_to(self, address: str) -> None:
        """Deliver by signed HTTP requests to this address."""
        self.look(lambda box: box.deliver_to(address))

    def wait_for_bot(self, timeout: float = WITHIN_SECONDS) -> None:
        """Wait until a Socket Mode connection is there, or the HTTP address answers."""
        self.wait_until(
            lambda: self.do(lambda box: box.bot_is_there()), timeout, "the bot is there"
        )

    def deliver_again(self, delivery: Delivery) -> Delivery:
        """Send the same payload once more, as a repeated delivery."""
        kind = delivery.kind
        if kind is None:
            raise ValueError("that was never sent to the bot")
        return self.do(lambda box: box.postman.send(kind, delivery.payload))

    def cut_sockets(self) -> None:
        """Drop every Socket Mode connection without a close frame."""
        self.look(lambda box: box.sockets.cut())

    def ask_to_reconnect(self, reason: str = "refresh_requested") -> None:
        """Send the disconnect message that makes the bot open new connections."""
        self.do(lambda box: box.sockets.disconnect(reason))

    @property
    def connections(self) -> int:
        """Return how many Socket Mode connections are open."""
        return self.look(lambda box: box.sockets.count)

    def calls(self, method: str | None = None) -> list[Call]:
        """Return the bot's calls (of that method), in the order of their effects.

        "response_url" counts as a method.
        """
        return self.look(lambda box: [one for one in box.calls if method in (None, one.method)])

    # -- people and places
    # -----------------------------------------------------------------------------

    def person(self, name_or_id: str) -> LocalPerson:
        """Return the person with that handle or ID. Raises KeyError when there is none."""
        people = self.look(lambda box: list(box.workspace.people.values()))
        found = next((one for one in people if name_or_id in (one.name, one.id)), None)
        if found is None:
            raise KeyError(name_or_id)
        return LocalPerson(self, found.id)

    def add_person(self, person: Person, channels: Iterable[str] = ()) -> LocalPerson:
        """Add a person, and make them a member of these channels (by ID)."""
        self.look(lambda box: box.workspace.add_person(person))
        for channel in channels:
            self.join(person.id, channel)
        return LocalPerson(self, person.id)

    def change_person(self, user_id: str, **changes: Any) -> None:
        """Change fields of a person: rename, deactivate, new e-mail address."""
        self.look(lambda box: box.workspace.change_person(user_id, **changes))

    def outsider(
        self, team_id: str = "T0OTHER", channel: str = "C0APPROVALS", name: str = "olga"
    ) -> LocalPerson:
        """Return a person of another workspace who is in a channel shared with it."""
        self._outsiders += 1
        user_id = f"U0OUTSIDER{self._outsiders}"
        self.share_channel(channel)
        person = Person(user_id, name, "Olga Outside", f"{name}@other.example.com", team_id=team_id)
        return self.add_person(person, [channel])

    def set_group(self, group_id: str, users: Iterable[str]) -> None:
        """Set the members of a user group. Raises KeyError when there is none."""

        def change(box: Sandbox) -> None:
            box.workspace.groups[group_id] = replace(
                box.workspace.groups[group_id], users=tuple(users)
            )
            box.workspace.changed()

        self.look(change)

    def join(self, user_id: str, channel_id: str) -> None:
        """Make a person or the bot a member of a channel."""
        self._set_members(channel_id, lambda members: members | {user_id})

    def leave(self, user_id: str, channel_id: str) -> None:
        """Take a person or the bot out of a channel."""
        self._set_members(channel_id, lambda members: members - {user_id})

    def share_channel(self, channel_id: str) -> None:
        """Share a channel with another workspace."""
        self.change_channel(channel_id, is_ext_shared=True)

    def change_channel(self, channel_id: str, **changes: Any) -> None:
        """Change fields of a channel: archive it, make it private."""
        self.look(lambda box: box.workspace.change_channel(channel_id, **changes))

    def pass_time(self, seconds: float) -> None:
        """Move Slack's clock forward: trigger IDs and response URLs grow old."""
        self.look(lambda box: self._clock.pass_time(seconds))

    @property
    def ahead(self) -> timedelta:
        """Return by how much Slack's clock runs ahead of the machine's."""
        return timedelta(seconds=self._clock.ahead)

    # -- looking
    # ---------------------------------------------------------------------------------------

    def lasting_text(self) -> str:
        """Return every message, modal and Home tab that ever was, as JSON lines.

        Changed and deleted ones included: a secret that stood there for a second has leaked.
        """
        return self.look(lambda box: "\n".join(box.workspace.lasting_log))

    def ephemeral_text(self) -> str:
        """Return as JSON lines the ephemeral messages that are still seen."""

        def read(box: Sandbox) -> str:
            seen = [{"to": one.only_for, **one.as_slack()} for one in box.workspace.ephemerals()]
            return "\n".join(json.dumps(one, ensure_ascii=False) for one in seen)

        return self.look(read)

    def wait_until(
        self, condition: Callable[[], T | None], timeout: float = WITHIN_SECONDS, why: str = ""
    ) -> T:
        """Return the condition's first truthy value.

        It is evaluated again at each change of the workspace. Raises AssertionError after `timeout`
        seconds, with `why` and what everybody sees.
        """
        until = time.monotonic() + timeout
        while True:
            with self._change:
                known = self._changes
            value = condition()
            if value:
                return value
            left = until - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not within {timeout} s: {why}\n{self.describe()}")
            with self._change:
                if self._changes == known:
                    self._change.wait(min(left, LOOK_AGAIN_SECONDS))

    def describe(self) -> str:
        """Return what everybody sees, and the bot's last calls, to be read by a person."""
        return self.look(_describe)

    # -- the server's loop
    # -----------------------------------------------------------------------------

    def do(self, work: Callable[[Sandbox], Awaitable[T]]) -> T:
        """Run a coroutine in the server's loop and return its result."""

        async def run() -> T:
            return await work(self._box)

        return self._submit(run())

    def look(self, work: Callable[[Sandbox], T]) -> T:
        """Run a function in the server's loop and return its result."""

        async def run() -> T:
            return work(self._box)

        return self._submit(run())

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)

    def _set_members(
        self, channel_id: str, change: Callable[[frozenset[str]], frozenset[str]]
    ) -> None:
        self.look(
            lambda box: box.workspace.change_channel(
                channel_id, members=frozenset(change(box.workspace.channels[channel_id].members))
            )
        )

    def _note_change(self) -> None:
        with self._change:
            self._changes += 1
            self._change.notify_all()


def _describe(box: Sandbox) -> str:
    calls = [
        f"  {one.method} ok={one.answer.get('ok', one.answer)} {one.answer.get('error', '')}"
        for one in box.calls[-15:]
    ]
    return "\n".join(
        [*what_everybody_sees(box.workspace, box.views), "== the bot's last calls", *calls]
    )

"""How does a test look at drawing alone? A store with one request, and messengers that draw it in a workspace."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from slack_sdk import WebClient

from bot.core.moves import Action
from bot.core.ports import Change, Entry
from bot.core.request import KeyRequest
from bot.slack import copies
from bot.slack.copies import Places
from bot.slack.messenger import SlackMessenger
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from sandbox.seen import SeenMessage
from tests.fakes import FakeClock
from tests.slack import facts
from tests.slack.facts import buttons

PLACES = Places("C0APPROVALS", "<!subteam^S0APPROVERS>")
ALICE, CAROL = "U0ALICE", "U0CAROL"
PENDING = replace(facts.PENDING, requester=ALICE, dm="D0ALICE", keys=())
ENTRY = Entry(at=facts.NOW, by=ALICE, action="test")
PATIENCE = 10


class Drawing:
    """A store with one request, and messengers that draw it."""

    def __init__(self, slack: LocalSlack, web: WebClient, store: RedisStore) -> None:
        self.slack, self.web, self.store = slack, web, store
        self.clock = FakeClock(facts.NOW)
        self._ids = itertools.count(1)
        self.request = PENDING
        store.commit(Change(None, PENDING), entry=ENTRY)

    @property
    def name(self) -> str:
        return self.request.name

    def messenger(
        self, submit: Callable[[Callable[[], None]], bool] | None = None, **more: Any
    ) -> SlackMessenger:
        def at_once(work: Callable[[], None]) -> bool:
            work()
            return True

        return SlackMessenger(
            self.web,
            self.web,
            self.store,
            self.clock,
            PLACES,
            submit=submit or at_once,
            new_id=lambda: f"token{next(self._ids)}",
            **more,
        )

    def move(self, action: Action, by: str = CAROL, **more: Any) -> KeyRequest:
        before, self.request = self.request, self.request.move(action, by, facts.NOW, **more)
        self.store.commit(Change(before, self.request), entry=ENTRY)
        return self.request

    def approve(self) -> KeyRequest:
        return self.move(Action.APPROVE, decided_by=CAROL, decided_at=facts.NOW)

    def come_back(self) -> None:
        """The sweeper comes by until nothing is left to be drawn."""
        for _ in range(20):
            self.clock.advance(timedelta(seconds=60))
            for name in self.store.undrawn(self.clock.now()):
                self.messenger().draw_now(name)
            if not self.undrawn():
                return
        raise AssertionError("still undrawn after 20 rounds")

    def undrawn(self) -> bool:
        return bool(self.store.undrawn(self.clock.now() + timedelta(days=1)))

    def posted(self) -> list[SeenMessage]:
        """Every lasting message of the bot, in the approval channel and then in Alice's direct message."""
        carol, alice = self.slack.person(CAROL), self.slack.person(ALICE)
        return [*carol.messages("key-approvals"), *alice.messages("dm")]

    def shows_the_state(self) -> bool:
        """Every wanted copy stands where the store says, and shows the request as it is."""
        posted = {message.ts: message for message in self.posted()}
        known = {copy.kind: copy for copy in self.store.copies(self.name)}
        for kind in {*copies.wanted(self.request), *known}:
            drawn = copies.drawn(self.request, kind, PLACES)
            message = posted[known[kind].ts]
            if message.text != drawn.text or buttons(message.blocks) != buttons(drawn):
                return False
        return True

"""A store with one request, and messengers that render it in the sandbox."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from slack_sdk import WebClient

from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event
from bot.slack.delivery.messenger import SlackMessenger
from bot.slack.messages import kinds
from bot.slack.messages.kinds import Destinations
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from sandbox.seen import SeenMessage
from tests.support import example_requests as facts
from tests.support.memory_store import FakeClock
from tests.support.message_parts import buttons

PLACES = Destinations("C0APPROVALS", "<!subteam^S0APPROVERS>")
ALICE, CAROL = "U0ALICE", "U0CAROL"
PENDING = replace(facts.PENDING, requester=ALICE, dm="D0ALICE", keys=())
ENTRY = AuditEntry(at=facts.NOW, by=ALICE, action="test")
PATIENCE = 10


class Drawing:
    """A store with one request, and messengers that render it."""

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

    def transition(self, event: Event, by: str = CAROL, **more: Any) -> KeyRequest:
        before, self.request = self.request, self.request.transition(event, by, facts.NOW, **more)
        self.store.commit(Change(before, self.request), entry=ENTRY)
        return self.request

    def approve(self) -> KeyRequest:
        return self.transition(Event.APPROVE, decided_by=CAROL, decided_at=facts.NOW)

    def come_back(self) -> None:
        """Run the scheduler's rendering until nothing is left to be rendered."""
        for _ in range(20):
            self.clock.advance(timedelta(seconds=60))
            for name in self.store.unrendered(self.clock.now()):
                self.messenger().render_now(name)
            if not self.unrendered():
                return
        raise AssertionError("still not rendered after 20 rounds")

    def unrendered(self) -> bool:
        return bool(self.store.unrendered(self.clock.now() + timedelta(days=1)))

    def posted(self) -> list[SeenMessage]:
        """Return every lasting message: those of the channel, then Alice's."""
        carol, alice = self.slack.person(CAROL), self.slack.person(ALICE)
        return [*carol.messages("key-approvals"), *alice.messages("dm")]

    def shows_the_state(self) -> bool:
        """Return True if every expected message shows the request as it is now."""
        posted = {message.ts: message for message in self.posted()}
        known = {copy.kind: copy for copy in self.store.messages(self.name)}
        for kind in {*kinds.expected_kinds(self.request), *known}:
            expected = kinds.render(self.request, kind, PLACES)
            message = posted[known[kind].ts]
            if message.text != expected.text or buttons(message.blocks) != buttons(expected):
                return False
        return True

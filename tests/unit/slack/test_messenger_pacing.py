"""Messages beyond a rate limit are rendered later, decisions first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.domain.records import Change, Record
from bot.domain.requests import KeyRequest
from bot.domain.states import Event
from bot.slack.delivery.rate_limiter import POST, UPDATE, Budget, RateLimiter
from bot.slack.messages.kinds import CARD
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from sandbox.seen import SeenMessage
from tests.support.render_world import ALICE, ENTRY, PENDING, Drawing


class Paced(Drawing):
    """One messenger, whose rate limiter and timer follow the test's clock."""

    def __init__(self, slack: LocalSlack, web: WebClient, store: RedisStore) -> None:
        super().__init__(slack, web, store)
        self.timers: list[tuple[float, Callable[[], object]]] = []
        self.limit({POST: Budget(240, 60), UPDATE: Budget(50, 60)}, Budget(100, 100))

    def limit(self, methods: dict[str, Budget], channel: Budget | None = None) -> None:
        """From now on, allow so many calls."""
        self.limiter = RateLimiter(self.clock.monotonic, methods, channel)
        self.paced = self.messenger(rate_limiter=self.limiter, after=self.after)

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        self.timers.append((self.clock.monotonic() + seconds, do))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and run each timer when it is due."""
        until = self.clock.monotonic() + seconds
        while self.timers and (timer := min(self.timers, key=lambda one: one[0]))[0] <= until:
            self.timers.remove(timer)
            self._advance_to(timer[0])
            timer[1]()
        self._advance_to(until)

    def _advance_to(self, moment: float) -> None:
        self.clock.advance(timedelta(seconds=max(0.0, moment - self.clock.monotonic())))

    def render(self, name: str = "") -> None:
        self.paced.render(name or self.name)

    def another(self, number: int) -> KeyRequest:
        request = replace(PENDING, id=f"other{number}", iam_user=f"user{number}")
        self.store.commit(Change(None, request), entry=ENTRY)
        return request

    def change(self, request: KeyRequest) -> KeyRequest:
        """Store the next version of a request that nothing else happened to."""
        changed = replace(request, version=request.version + 1)
        self.store.commit(Change(request, changed), entry=ENTRY)
        return changed

    def calls(self, method: str) -> int:
        return len(self.slack.calls(method))

    def up_to_date(self) -> bool:
        return self.shows_the_state() and not self.unrendered()

    def card(self) -> SeenMessage:
        [ts] = [one.ts for one in self.store.messages(self.name) if one.kind == CARD]
        return next(one for one in self.posted() if one.ts == ts)


@pytest.fixture
def paced(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> Iterator[Paced]:
    yield Paced(slack, web, redis_store)
    slack.faults.clear()


def test_a_full_budget_delays_that_method_alone(paced: Paced) -> None:
    """The decision's card goes first. What the requester read before waits for it."""
    paced.render()
    paced.limit({UPDATE: Budget(1, 10)})
    paced.approve()
    paced.render()
    assert paced.calls(UPDATE) == 1 and paced.unrendered()
    assert paced.slack.person(ALICE).last(button="Reveal my key")
    assert not paced.card().has_button("Approve")
    assert paced.slack.person(ALICE).messages()[0].has_button("Cancel request")
    paced.pass_time(10)
    assert paced.calls(UPDATE) == 2 and paced.up_to_date()


def test_another_process_renders_what_waited(paced: Paced) -> None:
    paced.limit({POST: Budget(1, 10)})
    paced.render()
    paced.timers.clear()  # this process ends
    assert paced.unrendered() and len(paced.posted()) == 1
    paced.come_back()
    assert paced.shows_the_state() and len(paced.posted()) == 2


def test_several_transitions_are_rendered_as_one(paced: Paced) -> None:
    paced.render()
    paced.limit({UPDATE: Budget(2, 10)})
    paced.limiter.limited(UPDATE, "", 5)
    paced.approve()
    for _ in range(6):
        paced.render()
        paced.request = paced.change(paced.request)
    paced.transition(Event.CANCEL, ALICE)
    paced.render()
    before = paced.calls(UPDATE)
    paced.pass_time(60)
    assert paced.up_to_date()
    assert paced.calls(UPDATE) - before <= 3, "the card and the requester's messages, once each"


def test_a_rate_limit_loses_and_doubles_no_message(paced: Paced) -> None:
    def refused() -> int:
        return sum(not call.answer["ok"] for call in paced.slack.calls(POST))

    others = [paced.another(number) for number in range(6)]
    paced.slack.faults.status(POST, 429, retry_after=20)
    for one in (paced.request, *others):
        paced.render(one.name)
    assert refused() == 1 and not any(one.has_button("Approve") for one in paced.posted())
    paced.pass_time(19)
    assert refused() == 1
    paced.pass_time(20)
    assert paced.up_to_date() and len(paced.posted()) == 2 * 7


@pytest.mark.parametrize("code", [500, 503])
def test_after_an_outage_decisions_are_rendered_first(paced: Paced, code: int) -> None:
    """During the outage, Slack is called seldom."""
    waiting = [paced.another(number) for number in range(8)]
    for one in (paced.request, *waiting):
        paced.render(one.name)
    paced.limit({UPDATE: Budget(1, 1), POST: Budget(1, 1)})
    paced.slack.faults.status(UPDATE, code, times=10**6)
    before = paced.calls(UPDATE)
    for one in waiting:
        paced.render(paced.change(one).name)
    paced.approve()
    paced.render()
    paced.pass_time(30)
    assert paced.calls(UPDATE) - before < 12
    paced.slack.faults.clear()
    before = paced.calls(UPDATE)
    paced.pass_time(60)
    assert paced.up_to_date() and len(paced.posted()) == 2 * 9 + 1
    first = [call.args["ts"] for call in paced.slack.calls(UPDATE)[before : before + 2]]
    assert paced.card().ts in first


def test_a_decision_may_use_the_whole_budget(paced: Paced) -> None:
    """A card that had to wait is rendered at once when it is decided."""
    paced.render()
    paced.limit({UPDATE: Budget(10, 60)})
    for one in [paced.another(number) for number in range(4)]:
        paced.render(one.name)
        paced.render(paced.change(one).name)
    paced.request = paced.change(paced.request)
    paced.render()
    assert paced.unrendered()
    paced.approve()
    paced.render()
    assert not paced.card().has_button("Approve")
    assert paced.slack.person(ALICE).last(button="Reveal my key")


def test_a_watcher_is_told_once_of_each_version(paced: Paced) -> None:
    seen: list[Record] = []
    paced.limit({POST: Budget(1, 10)})
    paced.paced.watch(seen.append)
    for _ in range(3):
        paced.render()
    paced.render("request:gone")
    assert seen == [paced.request] and paced.unrendered()
    paced.approve()
    paced.render()
    assert [one.version for one in seen] == [1, 2]

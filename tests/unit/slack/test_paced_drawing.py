"""Copies wait their turn without a thread waiting for it, and come by themselves: decisions first, each copy once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.domain.records import Change, Record
from bot.domain.requests import KeyRequest
from bot.domain.states import Event
from bot.runtime.timer import Timer
from bot.runtime.worker_pool import WorkPool
from bot.slack.delivery.messenger import SlackMessenger
from bot.slack.delivery.rate_limiter import (
    POST,
    UPDATE,
    Budget,
    RateLimiter,
)
from bot.slack.delivery.render_queue import MAX_WORKERS, RenderQueue
from bot.slack.messages import kinds
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from sandbox.seen import SeenMessage
from tests.support.render_world import ALICE, CAROL, ENTRY, PATIENCE, PENDING, Drawing


class Paced(Drawing):
    """A desk's drawing with one messenger, whose pacer and alarm follow the test's clock."""

    def __init__(self, slack: LocalSlack, web: WebClient, store: RedisStore) -> None:
        super().__init__(slack, web, store)
        self.alarms: list[tuple[float, Callable[[], object]]] = []
        self.paced = self.with_budgets(
            {POST: Budget(240, 60), UPDATE: Budget(50, 60)}, Budget(100, 100)
        )

    def with_budgets(
        self, methods: dict[str, Budget], channel: Budget | None = None
    ) -> SlackMessenger:
        self.rate_limiter = RateLimiter(self.clock.monotonic, methods, channel)
        self.paced = self.messenger(rate_limiter=self.rate_limiter, after=self.after)
        return self.paced

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        self.alarms.append((self.clock.monotonic() + seconds, do))

    def pass_time(self, seconds: float) -> None:
        """Time passes, and what was to be done later is done when it is due."""
        until = self.clock.monotonic() + seconds
        while self.alarms and min(self.alarms, key=lambda one: one[0])[0] <= until:
            at, do = min(self.alarms, key=lambda one: one[0])
            self.alarms.remove((at, do))
            self.clock.advance(timedelta(seconds=max(0.0, at - self.clock.monotonic())))
            do()
        self.clock.advance(timedelta(seconds=max(0.0, until - self.clock.monotonic())))

    def another(self, number: int) -> KeyRequest:
        request = replace(PENDING, id=f"other{number}", iam_user=f"user{number}")
        self.store.commit(Change(None, request), entry=ENTRY)
        return request

    def calls(self, method: str) -> int:
        return len(self.slack.calls(method))


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> Iterator[Paced]:
    yield Paced(slack, web, redis_store)
    slack.faults.clear()


def test_what_has_no_room_waits_and_keeps_nothing_else_waiting(services: Paced) -> None:
    services.paced.render(services.name)
    services.with_budgets({UPDATE: Budget(1, 10)})
    services.approve()
    services.paced.render(services.name)
    assert [services.calls(UPDATE), services.unrendered()] == [1, True]
    assert services.slack.person(ALICE).last(button="Reveal my key"), (
        "what is posted has a budget of its own"
    )
    assert not any(
        message.has_button("Approve")
        for message in services.slack.person(CAROL).messages("key-approvals")
    )
    services.pass_time(10)
    assert [services.calls(UPDATE), services.unrendered(), services.shows_the_state()] == [
        2,
        False,
        True,
    ]


def test_what_waits_is_marked_in_the_store_so_that_another_process_draws_it(
    services: Paced,
) -> None:
    services.with_budgets({POST: Budget(1, 10)})
    services.paced.render(services.name)
    services.alarms.clear()  # this process ends
    assert services.unrendered() and len(services.posted()) == 1
    services.come_back()
    assert services.shows_the_state() and len(services.posted()) == 2


def test_several_moves_within_the_time_of_one_slot_are_drawn_once(services: Paced) -> None:
    services.paced.render(services.name)
    services.with_budgets({UPDATE: Budget(2, 10)})
    services.rate_limiter.limited(UPDATE, "", 5)
    for _ in range(6):
        services.transition(
            Event.APPROVE, decided_by=CAROL
        ) if services.request.version == 1 else services.store.commit(
            Change(
                services.request, replace(services.request, version=services.request.version + 1)
            ),
            entry=ENTRY,
        )
        services.request = services.store.request(services.request.id) or services.request
        services.paced.render(services.name)
    services.transition(Event.CANCEL, ALICE)
    services.paced.render(services.name)
    before = services.calls(UPDATE)
    services.pass_time(60)
    assert services.shows_the_state() and not services.unrendered()
    assert services.calls(UPDATE) - before <= 3, "the card and the requester's messages, once each"


def test_a_rate_limit_holds_every_call_of_that_method_back_and_loses_and_doubles_none(
    services: Paced,
) -> None:
    others = [services.another(number) for number in range(6)]
    services.slack.faults.status(POST, 429, retry_after=20)
    for one in (services.request, *others):
        services.paced.render(one.name)
    refused = [call for call in services.slack.calls(POST) if not call.answer["ok"]]
    assert len(refused) == 1 and "Approve" not in str([one.buttons for one in services.posted()])
    services.pass_time(19)
    assert len([call for call in services.slack.calls(POST) if not call.answer["ok"]]) == 1
    services.pass_time(20)
    assert (
        services.shows_the_state() and not services.unrendered() and len(services.posted()) == 2 * 7
    )


@pytest.mark.parametrize("code", [500, 503])
def test_during_an_outage_slack_is_hardly_asked_and_afterwards_decisions_come_first(
    services: Paced, code: int
) -> None:
    waiting = [services.another(number) for number in range(8)]
    for one in (services.request, *waiting):
        services.paced.render(one.name)
    services.with_budgets({UPDATE: Budget(1, 1), POST: Budget(1, 1)})
    services.slack.faults.status(UPDATE, code, times=10**6)
    before = services.calls(UPDATE)
    for one in waiting:  # their facts have arrived, say
        services.store.commit(Change(one, replace(one, version=2)), entry=ENTRY)
        services.paced.render(one.name)
    services.approve()
    services.paced.render(services.name)
    services.pass_time(30)
    assert services.calls(UPDATE) - before < 12
    services.slack.faults.clear()
    before = services.calls(UPDATE)
    services.pass_time(60)
    assert (
        services.shows_the_state()
        and not services.unrendered()
        and len(services.posted()) == 2 * 9 + 1
    )
    [card] = [copy.ts for copy in services.store.messages(services.name) if copy.kind == kinds.CARD]
    assert card in [call.args["ts"] for call in services.slack.calls(UPDATE)[before : before + 2]]


def test_an_undecided_card_without_room_is_drawn_at_once_when_it_is_decided(
    services: Paced,
) -> None:
    """Part of what Slack takes is kept for decisions."""
    services.paced.render(services.name)
    services.with_budgets({UPDATE: Budget(10, 60)})
    facts_ = [services.another(number) for number in range(4)]
    for one in facts_:
        services.paced.render(one.name)
        services.store.commit(Change(one, replace(one, version=2)), entry=ENTRY)
        services.paced.render(one.name)
    before = services.request
    services.request = replace(before, version=2)
    services.store.commit(Change(before, services.request), entry=ENTRY)
    services.paced.render(services.name)
    assert services.unrendered()
    services.approve()
    services.paced.render(services.name)
    assert "Approved by" in decided_card(services).words and services.slack.person(ALICE).last(
        button="Reveal my key"
    )


def test_what_the_requester_was_told_first_waits_for_the_cards_of_decisions(
    services: Paced,
) -> None:
    """A newer message stands below it."""
    services.paced.render(services.name)
    services.with_budgets({UPDATE: Budget(1, 10)})
    services.approve()
    services.paced.render(services.name)
    assert not decided_card(services).has_button("Approve") and services.unrendered()
    asked = services.slack.person(ALICE).messages()[0]
    assert asked.has_button("Cancel request")


def decided_card(services: Paced) -> SeenMessage:
    [card] = [copy.ts for copy in services.store.messages(services.name) if copy.kind == kinds.CARD]
    return next(one for one in services.posted() if one.ts == card)


def test_whoever_watches_is_told_once_of_each_version_though_its_copies_wait(
    services: Paced,
) -> None:
    seen: list[Record] = []
    services.with_budgets({POST: Budget(1, 10)})
    services.paced.watch(seen.append)
    for _ in range(3):
        services.paced.render(services.name)
    assert seen == [services.request] and services.unrendered()
    services.approve()
    services.paced.render(services.name)
    assert [one.version for one in seen] == [1, 2]


# -- the queue


def test_few_are_drawn_at_once_so_that_the_pool_is_free_for_clicks() -> None:
    pool, go, running, most = WorkPool(), threading.Event(), threading.Semaphore(0), []

    def draw(name: str) -> None:
        running.release()
        most.append(name)
        assert go.wait(PATIENCE)

    render_queue = RenderQueue(pool.submit, draw)
    assert all(render_queue.ask(f"request:{number}") for number in range(100))
    for _ in range(MAX_WORKERS):
        assert running.acquire(timeout=PATIENCE)
    done = threading.Event()
    assert pool.submit(done.set) and done.wait(PATIENCE)
    assert len(most) == MAX_WORKERS
    go.set()
    assert pool.drain(PATIENCE) and len(most) == 100


def test_a_name_that_waits_is_drawn_once_and_home_tabs_after_the_rest() -> None:
    taken: list[Callable[[], None]] = []
    drawn: list[str] = []
    render_queue = RenderQueue(lambda work: not taken.append(work), drawn.append)
    for name in ("home:U1", "request:a", "home:U1", "request:b", "request:a"):
        render_queue.ask(name, last=name.startswith("home:"))
    for work in taken:
        work()
    assert drawn == ["request:a", "request:b", "home:U1"]


def test_what_finds_the_pool_full_is_drawn_with_what_comes_next() -> None:
    drawn: list[str] = []

    def no_room(work: Callable[[], None]) -> bool:
        if room:
            work()
        return bool(room)

    room: list[bool] = []
    render_queue = RenderQueue(no_room, drawn.append)
    assert not any(render_queue.ask(f"request:{number}") for number in range(3 * MAX_WORKERS))
    room.append(True)
    assert render_queue.ask("request:last") and len(drawn) == 3 * MAX_WORKERS + 1


def test_a_drawing_that_fails_stops_no_other() -> None:
    drawn: list[str] = []

    def draw(name: str) -> None:
        if name == "bad":
            raise ValueError(name)
        drawn.append(name)

    def at_once(work: Callable[[], None]) -> bool:
        work()
        return True

    render_queue = RenderQueue(at_once, draw)
    for name in (*["bad"] * (MAX_WORKERS + 1), "good"):
        assert render_queue.ask(name)
    assert drawn == ["good"]


def test_an_alarm_goes_off_in_order_of_time_and_not_after_it_was_stopped() -> None:
    timer, rang, order = Timer(), threading.Event(), list[str]()
    timer.after(60, lambda: order.append("late"))
    timer.after(0.02, rang.set)
    timer.after(0.01, lambda: order.append("soon"))
    timer.after(0, lambda: 1 / 0)
    assert rang.wait(PATIENCE) and order == ["soon"]
    timer.stop()
    timer.after(0, lambda: order.append("never"))
    assert order == ["soon"]


def test_an_alarm_that_was_never_set_has_no_thread() -> None:
    before = threading.active_count()
    timer = Timer()
    timer.stop()
    assert threading.active_count() == before

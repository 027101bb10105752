"""Copies wait their turn without a thread waiting for it, and come by themselves: decisions first, each copy once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.core.moves import Action
from bot.core.ports import Change, Kept
from bot.core.request import KeyRequest
from bot.pool import WorkPool
from bot.slack import copies
from bot.slack.drawings import WORKERS, Alarm, Drawings
from bot.slack.messenger import SlackMessenger
from bot.slack.pacing import POST, UPDATE, Budget, Pacer
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from sandbox.seen import SeenMessage
from tests.slack.drawing import ALICE, CAROL, ENTRY, PATIENCE, PENDING, Drawing


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
        self.pacer = Pacer(self.clock.monotonic, methods, channel)
        self.paced = self.messenger(pacer=self.pacer, after=self.after)
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
def desk(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> Iterator[Paced]:
    yield Paced(slack, web, redis_store)
    slack.faults.clear()


def test_what_has_no_room_waits_and_keeps_nothing_else_waiting(desk: Paced) -> None:
    desk.paced.draw(desk.name)
    desk.with_budgets({UPDATE: Budget(1, 10)})
    desk.approve()
    desk.paced.draw(desk.name)
    assert [desk.calls(UPDATE), desk.undrawn()] == [1, True]
    assert desk.slack.person(ALICE).last(button="Reveal my key"), (
        "what is posted has a budget of its own"
    )
    assert not any(
        message.has_button("Approve")
        for message in desk.slack.person(CAROL).messages("key-approvals")
    )
    desk.pass_time(10)
    assert [desk.calls(UPDATE), desk.undrawn(), desk.shows_the_state()] == [2, False, True]


def test_what_waits_is_marked_in_the_store_so_that_another_process_draws_it(desk: Paced) -> None:
    desk.with_budgets({POST: Budget(1, 10)})
    desk.paced.draw(desk.name)
    desk.alarms.clear()  # this process ends
    assert desk.undrawn() and len(desk.posted()) == 1
    desk.come_back()
    assert desk.shows_the_state() and len(desk.posted()) == 2


def test_several_moves_within_the_time_of_one_slot_are_drawn_once(desk: Paced) -> None:
    desk.paced.draw(desk.name)
    desk.with_budgets({UPDATE: Budget(2, 10)})
    desk.pacer.limited(UPDATE, "", 5)
    for _ in range(6):
        desk.move(
            Action.APPROVE, decided_by=CAROL
        ) if desk.request.version == 1 else desk.store.commit(
            Change(desk.request, replace(desk.request, version=desk.request.version + 1)),
            entry=ENTRY,
        )
        desk.request = desk.store.request(desk.request.id) or desk.request
        desk.paced.draw(desk.name)
    desk.move(Action.CANCEL, ALICE)
    desk.paced.draw(desk.name)
    before = desk.calls(UPDATE)
    desk.pass_time(60)
    assert desk.shows_the_state() and not desk.undrawn()
    assert desk.calls(UPDATE) - before <= 3, "the card and the requester's messages, once each"


def test_a_rate_limit_holds_every_call_of_that_method_back_and_loses_and_doubles_none(
    desk: Paced,
) -> None:
    others = [desk.another(number) for number in range(6)]
    desk.slack.faults.status(POST, 429, retry_after=20)
    for one in (desk.request, *others):
        desk.paced.draw(one.name)
    refused = [call for call in desk.slack.calls(POST) if not call.answer["ok"]]
    assert len(refused) == 1 and "Approve" not in str([one.buttons for one in desk.posted()])
    desk.pass_time(19)
    assert len([call for call in desk.slack.calls(POST) if not call.answer["ok"]]) == 1
    desk.pass_time(20)
    assert desk.shows_the_state() and not desk.undrawn() and len(desk.posted()) == 2 * 7


@pytest.mark.parametrize("code", [500, 503])
def test_during_an_outage_slack_is_hardly_asked_and_afterwards_decisions_come_first(
    desk: Paced, code: int
) -> None:
    waiting = [desk.another(number) for number in range(8)]
    for one in (desk.request, *waiting):
        desk.paced.draw(one.name)
    desk.with_budgets({UPDATE: Budget(1, 1), POST: Budget(1, 1)})
    desk.slack.faults.status(UPDATE, code, times=10**6)
    before = desk.calls(UPDATE)
    for one in waiting:  # their facts have arrived, say
        desk.store.commit(Change(one, replace(one, version=2)), entry=ENTRY)
        desk.paced.draw(one.name)
    desk.approve()
    desk.paced.draw(desk.name)
    desk.pass_time(30)
    assert desk.calls(UPDATE) - before < 12
    desk.slack.faults.clear()
    before = desk.calls(UPDATE)
    desk.pass_time(60)
    assert desk.shows_the_state() and not desk.undrawn() and len(desk.posted()) == 2 * 9 + 1
    [card] = [copy.ts for copy in desk.store.copies(desk.name) if copy.kind == copies.CARD]
    assert card in [call.args["ts"] for call in desk.slack.calls(UPDATE)[before : before + 2]]


def test_an_undecided_card_without_room_is_drawn_at_once_when_it_is_decided(desk: Paced) -> None:
    """Part of what Slack takes is kept for decisions."""
    desk.paced.draw(desk.name)
    desk.with_budgets({UPDATE: Budget(10, 60)})
    facts_ = [desk.another(number) for number in range(4)]
    for one in facts_:
        desk.paced.draw(one.name)
        desk.store.commit(Change(one, replace(one, version=2)), entry=ENTRY)
        desk.paced.draw(one.name)
    before = desk.request
    desk.request = replace(before, version=2)
    desk.store.commit(Change(before, desk.request), entry=ENTRY)
    desk.paced.draw(desk.name)
    assert desk.undrawn()
    desk.approve()
    desk.paced.draw(desk.name)
    assert "Approved by" in decided_card(desk).words and desk.slack.person(ALICE).last(
        button="Reveal my key"
    )


def test_what_the_requester_was_told_first_waits_for_the_cards_of_decisions(desk: Paced) -> None:
    """A newer message stands below it."""
    desk.paced.draw(desk.name)
    desk.with_budgets({UPDATE: Budget(1, 10)})
    desk.approve()
    desk.paced.draw(desk.name)
    assert not decided_card(desk).has_button("Approve") and desk.undrawn()
    asked = desk.slack.person(ALICE).messages()[0]
    assert asked.has_button("Cancel request")


def decided_card(desk: Paced) -> SeenMessage:
    [card] = [copy.ts for copy in desk.store.copies(desk.name) if copy.kind == copies.CARD]
    return next(one for one in desk.posted() if one.ts == card)


def test_whoever_watches_is_told_once_of_each_version_though_its_copies_wait(desk: Paced) -> None:
    seen: list[Kept] = []
    desk.with_budgets({POST: Budget(1, 10)})
    desk.paced.watch(seen.append)
    for _ in range(3):
        desk.paced.draw(desk.name)
    assert seen == [desk.request] and desk.undrawn()
    desk.approve()
    desk.paced.draw(desk.name)
    assert [one.version for one in seen] == [1, 2]


# -- the queue


def test_few_are_drawn_at_once_so_that_the_pool_is_free_for_clicks() -> None:
    pool, go, running, most = WorkPool(), threading.Event(), threading.Semaphore(0), []

    def draw(name: str) -> None:
        running.release()
        most.append(name)
        assert go.wait(PATIENCE)

    drawings = Drawings(pool.submit, draw)
    assert all(drawings.ask(f"request:{number}") for number in range(100))
    for _ in range(WORKERS):
        assert running.acquire(timeout=PATIENCE)
    done = threading.Event()
    assert pool.submit(done.set) and done.wait(PATIENCE)
    assert len(most) == WORKERS
    go.set()
    assert pool.drain(PATIENCE) and len(most) == 100


def test_a_name_that_waits_is_drawn_once_and_home_tabs_after_the_rest() -> None:
    taken: list[Callable[[], None]] = []
    drawn: list[str] = []
    drawings = Drawings(lambda work: not taken.append(work), drawn.append)
    for name in ("home:U1", "request:a", "home:U1", "request:b", "request:a"):
        drawings.ask(name, last=name.startswith("home:"))
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
    drawings = Drawings(no_room, drawn.append)
    assert not any(drawings.ask(f"request:{number}") for number in range(3 * WORKERS))
    room.append(True)
    assert drawings.ask("request:last") and len(drawn) == 3 * WORKERS + 1


def test_a_drawing_that_fails_stops_no_other() -> None:
    drawn: list[str] = []

    def draw(name: str) -> None:
        if name == "bad":
            raise ValueError(name)
        drawn.append(name)

    def at_once(work: Callable[[], None]) -> bool:
        work()
        return True

    drawings = Drawings(at_once, draw)
    for name in (*["bad"] * (WORKERS + 1), "good"):
        assert drawings.ask(name)
    assert drawn == ["good"]


def test_an_alarm_goes_off_in_order_of_time_and_not_after_it_was_stopped() -> None:
    alarm, rang, order = Alarm(), threading.Event(), list[str]()
    alarm.after(60, lambda: order.append("late"))
    alarm.after(0.02, rang.set)
    alarm.after(0.01, lambda: order.append("soon"))
    alarm.after(0, lambda: 1 / 0)
    assert rang.wait(PATIENCE) and order == ["soon"]
    alarm.stop()
    alarm.after(0, lambda: order.append("never"))
    assert order == ["soon"]


def test_an_alarm_that_was_never_set_has_no_thread() -> None:
    before = threading.active_count()
    alarm = Alarm()
    alarm.stop()
    assert threading.active_count() == before

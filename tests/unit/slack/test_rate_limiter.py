"""The rate limiter keeps to Slack's limits and lets decisions go first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.delivery import rate_limiter as limits
from bot.slack.delivery.rate_limiter import (
    CHANNEL,
    METHODS,
    POST,
    PUBLISH,
    UPDATE,
    Budget,
    Priority,
    RateLimiter,
)

ONE = {UPDATE: Budget(1, 10)}


class Calls:
    """A rate limiter, and seconds that pass when the test says so."""

    def __init__(self, methods: dict[str, Budget] | None = None) -> None:
        self.now = 1000.0
        self.limiter = RateLimiter(lambda: self.now, methods or METHODS)

    def ask(
        self,
        who: str,
        priority: Priority = Priority.DECISION,
        method: str = UPDATE,
        channel: str = "C1",
    ) -> float:
        return self.limiter.ask(method, channel, who, priority)

    def use_up(self, priority: Priority = Priority.DECISION, method: str = UPDATE) -> int:
        """Make calls until one is rejected. Return how many were made."""
        made = 0
        while not self.ask("another", priority, method):
            made += 1
        for bucket in self.limiter._of(method, "C1"):
            bucket.waiting.pop("another", None)
        return made

    def fail(self) -> None:
        """A call was made, and Slack did not answer."""
        self.limiter.failed(UPDATE, "C1")


@pytest.fixture
def calls() -> Calls:
    return Calls()


# -- budgets


@pytest.mark.parametrize("method", [UPDATE, PUBLISH])
def test_a_used_up_budget_is_free_again_after_its_window(calls: Calls, method: str) -> None:
    assert calls.use_up(method=method) == METHODS[method].calls
    calls.now += METHODS[method].seconds - 1
    assert calls.ask("a", method=method) == pytest.approx(1)
    calls.now += 1
    assert calls.ask("a", method=method) == 0


def test_a_channel_takes_a_burst_and_then_a_post_a_second(calls: Calls) -> None:
    assert calls.use_up(method=POST) == CHANNEL.calls
    assert calls.ask("a", method=POST, channel="C2") == 0
    made = 0
    for _ in range(100):
        calls.now += 1
        made += calls.ask("a", method=POST) == 0
    assert made == pytest.approx(100, abs=CHANNEL.calls)


def test_all_channels_share_the_workspaces_limit(calls: Calls) -> None:
    made = sum(calls.ask("a", method=POST, channel=f"C{n}") == 0 for n in range(1000))
    assert made == METHODS[POST].calls


def test_a_method_without_a_budget_is_not_delayed(calls: Calls) -> None:
    assert not any(calls.ask("a", method="users.info") for _ in range(1000))


@given(st.lists(st.tuples(st.sampled_from(list(Priority)), st.floats(0, 3)), max_size=200))
def test_no_window_has_more_calls_than_its_budget(asked: list[tuple[Priority, float]]) -> None:
    calls, made = Calls({UPDATE: Budget(5, 10)}), list[float]()
    for number, (priority, passes) in enumerate(asked):
        calls.now += passes
        if calls.ask(f"{number % 7}", priority) == 0:
            made.append(calls.now)
    assert all(bisect_right(made, at) - bisect_right(made, at - 10) <= 5 for at in made)


# -- what goes first


def test_part_of_a_budget_is_for_decisions_only(calls: Calls) -> None:
    assert 0 < calls.use_up(Priority.CARD) < METHODS[UPDATE].calls
    assert calls.ask("a decision") == 0 and calls.ask("a card", Priority.CARD) > 0


@pytest.mark.parametrize(("first", "second"), list(pairwise(Priority)))
def test_a_later_call_of_higher_priority_goes_first(first: Priority, second: Priority) -> None:
    calls = Calls(ONE)
    assert calls.ask("before") == 0
    assert calls.ask("lower", second) > 0 and calls.ask("higher", first) > 0
    calls.now += 10
    assert calls.ask("lower", second) > 0 and calls.ask("higher", first) == 0
    calls.now += 10
    assert calls.ask("lower", second) == 0


def test_calls_of_one_priority_go_in_order_of_arrival() -> None:
    calls = Calls(ONE)
    assert calls.ask("first") == 0 and calls.ask("second") > 0
    calls.now += 10
    assert calls.ask("third") > 0 and calls.ask("second") == 0


def test_the_lowest_priority_waits_no_longer_than_its_limit() -> None:
    """Decisions never stop: twice as many come as are allowed."""
    calls, waited, decisions = Calls({UPDATE: Budget(10, 10)}), 0, list[str]()
    calls.use_up()
    longest = limits.MAX_WAIT[Priority.AUDIT]
    while calls.ask("the lowest", Priority.AUDIT) > 0:
        waited += 1
        calls.now += 1
        decisions += [f"decision {2 * waited}", f"decision {2 * waited + 1}"]
        decisions = [one for one in decisions if calls.ask(one) > 0]
        assert waited <= 2 * longest
    assert waited >= longest


def test_a_call_that_does_not_ask_again_loses_its_turn() -> None:
    calls = Calls(ONE)
    assert calls.ask("first") == 0
    assert calls.ask("gone") > 0 and calls.ask("card", Priority.CARD) > 0
    calls.now += 10
    assert calls.ask("card", Priority.CARD) > 0
    calls.now += limits.FORGET_AFTER
    assert calls.ask("card", Priority.CARD) == 0


def test_waiting_calls_get_different_and_short_times(calls: Calls) -> None:
    for _ in range(CHANNEL.calls):
        calls.now += 1
        calls.ask("before", method=POST)
    waits = [calls.ask(f"card {n}", Priority.CARD, POST) for n in range(50)]
    assert waits[:5] == pytest.approx([1, 2, 3, 4, 5]) and set(waits[5:]) == {limits.MAX_RETRY}


# -- rate limits and outages of Slack


def test_a_rate_limit_pauses_the_method_as_slack_says(calls: Calls) -> None:
    calls.limiter.limited(UPDATE, "C1", 3)
    assert [calls.ask("a"), calls.ask("a", channel="C2")] == pytest.approx([3, 3])
    assert calls.ask("a", method=PUBLISH) == 0
    calls.now += 3
    assert calls.ask("a") == 0


def test_a_rate_limit_on_a_post_pauses_its_channel_alone(calls: Calls) -> None:
    calls.limiter.limited(POST, "C1", 3)
    assert calls.ask("a", method=POST) == pytest.approx(3)
    assert calls.ask("a", method=POST, channel="C2") == 0


def test_rate_limits_shrink_the_budget_until_it_recovers() -> None:
    calls = Calls({UPDATE: Budget(60, 5)})
    whole = calls.use_up()
    for _ in range(3):  # concurrent calls, which count as one
        calls.limiter.limited(UPDATE, "C1", 5)
    calls.now += 5
    half = calls.use_up()
    assert half == pytest.approx(whole / 2, abs=5)
    for _ in range(5):
        calls.limiter.limited(UPDATE, "C1", 1)
        calls.now += 1
    calls.now += 5
    assert limits.MIN_FACTOR * whole <= calls.use_up() < half
    calls.now += limits.RECOVERY_SECONDS
    assert calls.use_up() == whole


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_independent_processes_come_to_share_fairly(processes: int) -> None:
    """Slack takes 50 calls a minute from all of them together."""
    all_, taken, made = [Calls() for _ in range(processes)], list[float](), [0] * processes
    for step in range(6000):
        for offset in range(processes):
            index = (offset + step) % processes
            one = all_[index]
            one.now = now = 1000.0 + step / 5
            if one.ask("a") > 0:
                continue
            taken = [at for at in taken if at > now - 60]
            if len(taken) < 50:
                taken.append(now)
                made[index] += step > 3000
            else:
                one.limiter.limited(UPDATE, "C1", max(1, round(taken[0] + 60 - now)))
    fair = sum(made) / processes
    assert sum(made) > 300 and all(fair / 3 < one < fair * 3 for one in made), made


def test_in_an_outage_tries_are_further_and_further_apart(calls: Calls) -> None:
    pauses = []
    for _ in range(4):  # concurrent calls, which count as one
        calls.fail()
    for _ in range(6):
        waited = 0.0
        while calls.ask("a") > 0:
            calls.now += 0.5
            waited += 0.5
        pauses.append(waited)
        calls.fail()
    assert pauses == sorted(pauses) and (pauses[0], pauses[-1]) == (1, limits.MAX_PAUSE)
    calls.now += limits.MAX_PAUSE
    assert calls.ask("a") == 0
    calls.limiter.worked(UPDATE)
    calls.fail()
    calls.now += 1
    assert calls.ask("a") == 0


def test_after_an_outage_one_call_tries_first(calls: Calls) -> None:
    calls.fail()
    calls.now += 1
    assert calls.ask("first") == 0 and calls.ask("second") > 0
    calls.limiter.worked(UPDATE)
    assert calls.ask("second") == 0 and calls.ask("third") == 0


def test_a_try_without_an_outcome_delays_no_call_for_ever(calls: Calls) -> None:
    calls.fail()
    calls.now += 1
    assert calls.ask("first") == 0
    calls.now += limits.PROBE_SECONDS
    assert calls.ask("second") == 0


@pytest.mark.parametrize(
    "fail", [lambda calls: calls.limiter.limited(UPDATE, "C1", 1), Calls.fail], ids=["429", "500"]
)
def test_calls_that_slack_did_not_accept_are_not_counted(
    calls: Calls, fail: Callable[[Calls], None]
) -> None:
    for _ in range(METHODS[UPDATE].calls):
        while calls.ask("a") > 0:
            calls.now += 1
        fail(calls)
    calls.now += limits.MAX_PAUSE
    assert calls.ask("a") == 0
    calls.limiter.worked(UPDATE)
    assert calls.use_up() >= METHODS[UPDATE].calls * limits.MIN_FACTOR

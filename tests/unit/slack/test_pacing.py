"""The pacer keeps to Slack's limits, lets decisions go first, and lets nobody wait for ever."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.delivery.rate_limiter import (
    CHANNEL,
    FORGET_AFTER,
    MAX_PAUSE,
    MAX_RETRY,
    MAX_WAIT,
    METHODS,
    MIN_FACTOR,
    POST,
    PROBE_SECONDS,
    PUBLISH,
    RECOVERY_SECONDS,
    UPDATE,
    Budget,
    Priority,
    RateLimiter,
)


class Turns:
    """A pacer, and seconds that pass when the test says so."""

    def __init__(self, **budgets: object) -> None:
        self.now = 1000.0
        self.rate_limiter = RateLimiter(lambda: self.now, **budgets)  # type: ignore[arg-type]  # the pacer's own names

    def ask(
        self,
        who: str,
        priority: Priority = Priority.DECISION,
        method: str = UPDATE,
        channel: str = "C1",
    ) -> float:
        return self.rate_limiter.ask(method, channel, who, priority)

    def use_up(
        self, priority: Priority = Priority.DECISION, method: str = UPDATE, channel: str = "C1"
    ) -> int:
        """Makes calls until there is no room; returns how many."""
        made = 0
        while not self.ask("another", priority, method, channel):
            made += 1
        self.ask_no_more("another", method, channel)
        return made

    def ask_no_more(self, who: str, method: str = UPDATE, channel: str = "C1") -> None:
        """What has been sent away gives up: another process has drawn it."""
        for bucket in self.rate_limiter._of(method, channel):
            bucket.waiting.pop(who, None)


@pytest.fixture
def turns() -> Turns:
    return Turns()


# -- budgets


@pytest.mark.parametrize("method", [UPDATE, PUBLISH])
def test_a_methods_minute_is_used_up_at_once_and_then_waited_for(turns: Turns, method: str) -> None:
    assert turns.use_up(method=method) == METHODS[method].calls
    turns.now += METHODS[method].seconds - 1
    assert turns.ask("a", method=method) == pytest.approx(1)
    turns.now += 1
    assert turns.ask("a", method=method) == 0


def test_a_channel_takes_a_short_burst_and_then_a_message_a_second(turns: Turns) -> None:
    assert turns.use_up(method=POST) == CHANNEL.calls
    assert turns.ask("a", method=POST, channel="C2") == 0
    made = 0
    for _ in range(100):
        turns.now += 1
        made += turns.ask("a", method=POST) == 0
    assert made == pytest.approx(100, abs=CHANNEL.calls)


def test_all_channels_together_keep_to_the_workspaces_limit(turns: Turns) -> None:
    made = sum(turns.ask("a", method=POST, channel=f"C{n}") == 0 for n in range(1000))
    assert made == METHODS[POST].calls


def test_a_method_without_a_budget_is_never_held_back(turns: Turns) -> None:
    assert not any(turns.ask("a", method="users.info") for _ in range(1000))


@given(st.lists(st.tuples(st.sampled_from(list(Priority)), st.floats(0, 3)), max_size=200))
def test_no_window_holds_more_calls_than_its_budget(asked: list[tuple[Priority, float]]) -> None:
    turns, made = Turns(methods={UPDATE: Budget(5, 10)}), []
    for number, (rank, passes) in enumerate(asked):
        turns.now += passes
        if turns.ask(f"{number % 7}", rank) == 0:
            made.append(turns.now)
    for at in made:
        assert bisect_right(made, at) - bisect_right(made, at - 10) <= 5


# -- what goes first


def test_part_of_a_budget_is_kept_for_decisions(turns: Turns) -> None:
    cards = turns.use_up(Priority.CARD)
    assert 0 < cards < METHODS[UPDATE].calls
    assert turns.ask("a decision") == 0 and turns.ask("a card", Priority.CARD) > 0


@pytest.mark.parametrize(
    ("first", "second"), list(zip(list(Priority), list(Priority)[1:], strict=False))
)
def test_whoever_ranks_higher_is_served_first_though_it_came_later(
    first: Priority, second: Priority
) -> None:
    turns = Turns(methods={UPDATE: Budget(1, 10)})
    assert (
        turns.ask("before") == 0
        and turns.ask("lower", second) > 0
        and turns.ask("higher", first) > 0
    )
    turns.now += 10
    assert turns.ask("lower", second) > 0 and turns.ask("higher", first) == 0
    turns.now += 10
    assert turns.ask("lower", second) == 0


def test_among_equals_who_came_first_is_served_first() -> None:
    turns = Turns(methods={UPDATE: Budget(1, 10)})
    assert [turns.ask("first"), turns.ask("second") > 0] == [0, True]
    turns.now += 10
    assert turns.ask("third") > 0 and turns.ask("second") == 0


def test_the_lowest_waits_no_longer_than_its_patience_though_decisions_never_stop() -> None:
    turns, waited, decisions = Turns(methods={UPDATE: Budget(10, 10)}), 0, list[str]()
    turns.use_up()
    while turns.ask("the lowest", Priority.AUDIT) > 0:
        waited += 1
        turns.now += 1
        decisions += [
            f"decision {2 * waited}",
            f"decision {2 * waited + 1}",
        ]  # twice as many as there is room for
        decisions = [one for one in decisions if turns.ask(one) > 0]
        assert waited <= 2 * MAX_WAIT[Priority.AUDIT]
    assert waited >= MAX_WAIT[Priority.AUDIT]


def test_who_does_not_come_back_keeps_no_turn_from_others() -> None:
    turns = Turns(methods={UPDATE: Budget(1, 10)})
    assert [turns.ask("first"), turns.ask("gone") > 0, turns.ask("card", Priority.CARD) > 0] == [
        0,
        True,
        True,
    ]
    turns.now += 10
    assert turns.ask("card", Priority.CARD) > 0
    turns.now += FORGET_AFTER
    assert turns.ask("card", Priority.CARD) == 0


def test_many_that_wait_are_told_different_times_and_none_a_long_one(turns: Turns) -> None:
    for _ in range(CHANNEL.calls):
        turns.now += 1
        turns.ask("before", method=POST)
    waits = [turns.ask(f"card {n}", Priority.CARD, POST) for n in range(50)]
    assert waits[:5] == pytest.approx([1, 2, 3, 4, 5]) and set(waits[5:]) == {MAX_RETRY}


# -- when Slack says otherwise


def test_a_rate_limit_pauses_the_method_as_long_as_slack_says(turns: Turns) -> None:
    turns.rate_limiter.limited(UPDATE, "C1", 3)
    assert turns.ask("a") == pytest.approx(3) and turns.ask("a", channel="C2") == pytest.approx(3)
    assert turns.ask("a", method=PUBLISH) == 0
    turns.now += 3
    assert turns.ask("a") == 0


def test_a_rate_limit_on_a_post_pauses_that_channel_alone(turns: Turns) -> None:
    turns.rate_limiter.limited(POST, "C1", 3)
    assert (
        turns.ask("a", method=POST) == pytest.approx(3)
        and turns.ask("a", method=POST, channel="C2") == 0
    )


def test_each_rate_limit_leaves_others_a_larger_part_until_it_has_been_long_ago() -> None:
    turns = Turns(methods={UPDATE: Budget(60, 5)})
    whole = turns.use_up()
    for _ in range(3):  # calls that were under way together
        turns.rate_limiter.limited(UPDATE, "C1", 5)
    turns.now += 5
    half = turns.use_up()
    assert half == pytest.approx(whole / 2, abs=5)
    for _ in range(5):
        turns.rate_limiter.limited(UPDATE, "C1", 1)
        turns.now += 1
    turns.now += 5
    assert MIN_FACTOR * whole <= turns.use_up() < half
    turns.now += RECOVERY_SECONDS
    assert turns.use_up() == whole


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_processes_that_know_nothing_of_each_other_come_to_share_what_there_is(
    processes: int,
) -> None:
    """Slack takes 50 calls a minute from all of them together."""
    all_, taken, made = [Turns() for _ in range(processes)], list[float](), [0] * processes
    for step in range(6000):
        for place in range(processes):
            one = all_[(place + step) % processes]
            one.now = now = 1000.0 + step / 5
            if one.ask("a") == 0:
                taken = [at for at in taken if at > now - 60]
                if len(taken) < 50:
                    taken.append(now)
                    made[(place + step) % processes] += step > 3000
                else:
                    one.rate_limiter.limited(UPDATE, "C1", max(1, round(taken[0] + 60 - now)))
    fair = sum(made) / processes
    assert sum(made) > 300 and all(fair / 3 < one < fair * 3 for one in made), made


def failed(turns: Turns) -> None:
    """A call was made, and not answered."""
    turns.rate_limiter.failed(UPDATE, "C1")


def test_while_slack_is_out_of_order_tries_are_further_and_further_apart(turns: Turns) -> None:
    pauses = []
    for _ in range(4):  # calls that were under way together
        failed(turns)
    for _ in range(6):
        waited = 0.0
        while turns.ask("a") > 0:
            turns.now += 0.5
            waited += 0.5
        pauses.append(waited)
        failed(turns)
    assert pauses == sorted(pauses) and pauses[0] == 1 and pauses[-1] == MAX_PAUSE
    turns.now += MAX_PAUSE
    assert turns.ask("a") == 0
    turns.rate_limiter.worked(UPDATE)
    failed(turns)
    turns.now += 1
    assert turns.ask("a") == 0


def test_after_an_outage_one_call_tries_and_the_others_wait_for_it(turns: Turns) -> None:
    failed(turns)
    turns.now += 1
    assert turns.ask("first") == 0 and turns.ask("second") > 0
    turns.rate_limiter.worked(UPDATE)
    assert turns.ask("second") == 0 and turns.ask("third") == 0


def test_a_try_that_is_never_heard_of_again_is_not_waited_for_for_ever(turns: Turns) -> None:
    failed(turns)
    turns.now += 1
    assert turns.ask("first") == 0
    turns.now += PROBE_SECONDS
    assert turns.ask("second") == 0


@pytest.mark.parametrize(
    "fails", [lambda turns: turns.rate_limiter.limited(UPDATE, "C1", 1), failed]
)
def test_what_slack_did_not_take_counts_for_nothing(
    turns: Turns, fails: Callable[[Turns], None]
) -> None:
    """When it answers again, there is room for what has waited."""
    for _ in range(METHODS[UPDATE].calls):
        while turns.ask("a") > 0:
            turns.now += 1
        fails(turns)
    turns.now += MAX_PAUSE
    assert turns.ask("a") == 0
    turns.rate_limiter.worked(UPDATE)
    assert turns.use_up() >= METHODS[UPDATE].calls * MIN_FACTOR

"""A Home tab comes late, not never: no outage, no end of a process and no lack of room leaves an older state in it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain.codes import Code
from bot.domain.outside_errors import SlackUnavailable
from bot.domain.states import Event
from bot.operations import create_request as asking
from bot.operations import decide_request
from bot.slack.delivery.home_tabs import (
    BURST_SECONDS,
    COUNTS_AS_OPEN_FOR,
    LOCK_SECONDS,
    RETRY_AFTER_REFUSAL_SECONDS,
    HomeTabs,
)
from bot.slack.delivery.rate_limiter import PUBLISH, Budget, RateLimiter
from sandbox.faults import Hold
from sandbox.local import LocalSlack
from tests.support.errors import refuses
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, SlackDesk, build
from tests.unit.slack.test_home_tabs import AtOnce, ask, opens, published

ALICE, CAROL = "U0ALICE", "U0CAROL"


@pytest.fixture
def here(slack: LocalSlack, web: WebClient, log: Log) -> SlackDesk:
    """A desk that is not served, and whose work is done at once."""
    return build(slack, web, AtOnce(), AtOnce())


def sweep(here: SlackDesk, seconds: float) -> None:
    """Time passes, and a sweeper asks for what is marked."""
    here.clock.advance(timedelta(seconds=seconds))
    for name in here.store.unrendered(here.clock.now()):
        here.messenger.render(name)


def marked(here: SlackDesk) -> list[str]:
    return sorted(here.store.unrendered(here.clock.now() + timedelta(days=1)))


@pytest.mark.parametrize("code", [429, 500])
def test_what_slack_does_not_take_is_drawn_when_it_does_again(here: SlackDesk, code: int) -> None:
    opens(here, ALICE, CAROL)
    here.slack.faults.status("views.publish", code, times=10**6)
    ask(here)
    assert (
        marked(here) == ["home:U0ALICE", "home:U0CAROL"]
        and "deploy script" not in here.carol.home_words
    )
    here.slack.faults.clear()
    sweep(here, 60)
    assert (
        "deploy script" in here.carol.home_words
        and "New key" in here.alice.home_words
        and marked(here) == []
    )


def test_a_tab_that_slack_refuses_is_tried_seldom_and_no_more_once_nobody_looks_at_it(
    here: SlackDesk,
) -> None:
    opens(here, CAROL)
    here.slack.faults.fail("views.publish", "not_enabled", times=10**6)
    ask(here)
    tries = len(published(here))
    sweep(here, RETRY_AFTER_REFUSAL_SECONDS - 1)
    assert len(published(here)) == tries and marked(here) == ["home:U0CAROL"]
    sweep(here, COUNTS_AS_OPEN_FOR.total_seconds())
    assert len(published(here)) == tries + 1 and marked(here) == []


class Limited:
    """A directory of which Slack takes no questions about groups, as long as it is `full`."""

    def __init__(self, directory: Any) -> None:
        self._directory, self.full = directory, True

    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        if self.full:
            raise SlackUnavailable("usergroups.users.list", "ratelimited")
        return frozenset({CAROL})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._directory, name)


def test_a_tab_opened_while_nobody_can_tell_who_approves_is_drawn_as_soon_as_somebody_can(
    here: SlackDesk, web: WebClient
) -> None:
    directory: Any = Limited(here.services.directory)
    homes = HomeTabs(replace(here.services, directory=directory), web, instead="")
    here.messenger.watch(homes.changed, homes.render_now)
    ask(here)
    with pytest.raises(SlackUnavailable):
        homes.opened(directory.member(CAROL))
    sweep(here, 1)
    assert marked(here) == ["home:U0CAROL"] and published(here) == []
    directory.full = False
    sweep(here, 10)
    assert "deploy script" in here.carol.home_words and marked(here) == []


def test_a_decision_after_many_moves_is_the_approvers_business(here: SlackDesk) -> None:
    ask(here)
    opens(here, CAROL)
    before = len(published(here))
    now = here.clock.now()
    waiting = replace(here.request(), version=7)
    here.open_homes.changed(waiting.transition(Event.DENY, CAROL, now))
    assert len(published(here)) == before + 1


def test_an_outage_of_messages_keeps_no_tab_waiting(here: SlackDesk) -> None:
    opens(here, CAROL)
    here.slack.faults.status("chat.postMessage", 500, times=10**6)
    ask(here)
    here.slack.faults.clear()
    assert "deploy script" in here.carol.home_words


def test_a_tab_that_is_opened_during_an_outage_is_drawn_after_it(here: SlackDesk) -> None:
    here.slack.faults.status("views.publish", 500)
    member = here.services.directory.member(ALICE)
    with refuses(Code.SLACK_UNAVAILABLE):
        here.open_homes.opened(member)
    sweep(here, LOCK_SECONDS)
    assert "You don't have any access keys yet." in here.alice.home_words and marked(here) == []


def held(here: SlackDesk, work: threading.Thread) -> Hold:
    """Carol's tab is being drawn, and Slack does not answer yet."""
    hold = here.slack.faults.hold("views.publish")
    work.start()
    assert hold.reached.wait(PATIENCE)
    return hold


def test_while_a_tab_is_drawn_its_mark_is_due_when_the_lock_is_over(here: SlackDesk) -> None:
    """So that it is drawn, though late, if the process ends there."""
    opens(here, CAROL)
    work = threading.Thread(target=lambda: ask(here))
    hold = held(here, work)
    now = here.clock.now()
    assert "home:U0CAROL" not in here.store.unrendered(now + timedelta(seconds=LOCK_SECONDS - 1))
    assert "home:U0CAROL" in here.store.unrendered(now + timedelta(seconds=LOCK_SECONDS))
    hold.release()
    work.join(PATIENCE)
    assert marked(here) == []


def test_many_moves_while_a_tab_is_drawn_are_shown_in_it_by_one_more_drawing(
    here: SlackDesk,
) -> None:
    requests = [
        asking.create(here.services, here.services.directory.member(one), "deploy script").id
        for one in (ALICE, "U0BOB")
    ]
    carol = here.services.directory.member(CAROL)
    opens(here, CAROL)
    before = len(published(here))
    work = threading.Thread(target=lambda: here.open_homes.changed(here.request()))
    hold = held(here, work)
    for request in requests:
        decide_request.approve(here.services, carol, request)
    hold.release()
    work.join(PATIENCE)
    assert marked(here) == ["home:U0CAROL"] and len(published(here)) == before + 1
    sweep(here, BURST_SECONDS)
    assert (
        marked(here) == []
        and len(published(here)) == before + 2
        and "No requests." in here.carol.home_words
    )


def test_with_no_room_a_tab_waits_its_turn(here: SlackDesk) -> None:
    rate_limiter = RateLimiter(here.clock.monotonic, {PUBLISH: Budget(2, 10)}, None)
    homes = HomeTabs(here.services, here.web, instead="", rate_limiter=rate_limiter)
    here.messenger.watch(homes.changed, homes.render_now)
    for person in (ALICE, CAROL):
        homes.opened(here.services.directory.member(person))
    ask(here)
    assert len(published(here)) == 2 and marked(here) == ["home:U0ALICE", "home:U0CAROL"]
    for _ in range(4):
        sweep(here, 10)
    assert (
        "deploy script" in here.carol.home_words
        and "New key" in here.alice.home_words
        and marked(here) == []
    )


def test_who_approves_is_not_asked_for_each_tab_that_is_drawn_anew(here: SlackDesk) -> None:
    """Slack takes that question 20 times a minute, and decisions need it."""
    asked: list[int] = []
    approvers = here.services.directory.approvers

    def counted() -> frozenset[str]:
        asked.append(1)
        return approvers()

    here.services.directory.approvers = counted  # type: ignore[method-assign]  # the real one, counted
    opens(here, ALICE, CAROL)
    ask(here)
    before = len(asked)
    for _ in range(5):
        here.open_homes.changed(here.request())
    assert len(asked) == before and len(published(here)) == 2 + 2 + 10

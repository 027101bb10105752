"""A Home tab comes late but not never: after outages and full budgets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain.codes import Code
from bot.domain.outside_errors import SlackUnavailable, StoreUnavailable
from bot.operations import decide_request
from bot.slack import action_ids
from bot.slack.delivery import home_tabs
from bot.slack.delivery.home_tabs import COUNTS_AS_OPEN_FOR, LOCK_SECONDS, HomeTabs
from bot.slack.delivery.rate_limiter import PUBLISH, Budget, RateLimiter
from sandbox.local import LocalSlack
from tests.support.errors import refuses
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, NoRoom, SlackDesk, build
from tests.unit.slack.homes import (
    ALICE,
    BOB,
    CAROL,
    REASON,
    changed,
    has_button,
    marked,
    member,
    open_homes,
    published,
    published_by,
    request_key,
    run_scheduler,
)

FOREVER = 10**6

FAULTS: dict[str, Callable[[LocalSlack], None]] = {
    "refused": lambda slack: slack.faults.fail("views.publish", "internal_error", times=9),
    "outage": lambda slack: slack.faults.status("views.publish", 500, times=9),
    "rate limit": lambda slack: slack.faults.status("views.publish", 429, times=9),
    "connection cut": lambda slack: slack.faults.drop("views.publish", "before", times=9),
    "user unknown": lambda slack: slack.faults.status("users.info", 500, times=9),
}
CODES = {"refused": Code.SLACK_REFUSED_CALL, "rate limit": Code.SLACK_RATE_LIMITED}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_is_logged_and_delays_no_message(here: SlackDesk, log: Log, fault: str) -> None:
    open_homes(here, ALICE)
    request = request_key(here)
    here.clock.advance(timedelta(seconds=61))  # an identity is remembered for a minute
    FAULTS[fault](here.slack)
    here.open_homes.changed(here.request())
    here.slack.faults.clear()
    lines = [(line["user"], line["outcome"], line["code"]) for line in log.lines("home")]
    assert lines == [(ALICE, "not rendered", CODES.get(fault, Code.SLACK_UNAVAILABLE))]
    assert here.request().id == request and not here.store.unrendered(here.clock.now())


@pytest.mark.parametrize("code", [429, 500])
def test_after_an_outage_tabs_are_published(here: SlackDesk, code: int) -> None:
    open_homes(here, ALICE, CAROL)
    here.slack.faults.status("views.publish", code, times=FOREVER)
    request_key(here)
    assert marked(here) == ["home:U0ALICE", "home:U0CAROL"]
    assert REASON not in here.carol.home_words
    here.slack.faults.clear()
    run_scheduler(here, 60)
    assert REASON in here.carol.home_words and has_button(here.alice, action_ids.CANCEL)
    assert marked(here) == []


def test_a_refused_tab_is_tried_seldom_while_it_is_open(here: SlackDesk) -> None:
    open_homes(here, CAROL)
    here.slack.faults.fail("views.publish", "not_enabled", times=FOREVER)
    request_key(here)
    tries = len(published(here))
    run_scheduler(here, home_tabs.RETRY_AFTER_REFUSAL_SECONDS - 1)
    assert len(published(here)) == tries and marked(here) == ["home:U0CAROL"]
    run_scheduler(here, COUNTS_AS_OPEN_FOR.total_seconds())
    assert len(published(here)) == tries + 1 and marked(here) == []


class RateLimitedDirectory:
    """A directory whose approvers cannot be read while `limited`."""

    def __init__(self, directory: Any) -> None:
        self._directory, self.limited = directory, True

    def approvers(self, *, fresh: bool = False) -> frozenset[str]:
        if self.limited:
            raise SlackUnavailable("usergroups.users.list", "ratelimited")
        return frozenset({CAROL})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._directory, name)


def test_a_tab_waits_until_approvers_are_known(here: SlackDesk, web: WebClient) -> None:
    directory: Any = RateLimitedDirectory(here.services.directory)
    homes = HomeTabs(replace(here.services, directory=directory), web, instead="")
    here.messenger.watch(homes.changed, homes.render_now)
    request_key(here)
    with refuses(Code.SLACK_UNAVAILABLE):
        homes.opened(directory.member(CAROL))
    run_scheduler(here, 1)
    assert marked(here) == ["home:U0CAROL"] and published(here) == []
    directory.limited = False
    run_scheduler(here, 10)
    assert REASON in here.carol.home_words and marked(here) == []


def test_an_outage_of_messages_delays_no_tab(here: SlackDesk) -> None:
    open_homes(here, CAROL)
    here.slack.faults.status("chat.postMessage", 500, times=FOREVER)
    request_key(here)
    here.slack.faults.clear()
    assert REASON in here.carol.home_words


def test_a_tab_opened_in_an_outage_is_published_later(here: SlackDesk) -> None:
    here.slack.faults.status("views.publish", 500)
    with refuses(Code.SLACK_UNAVAILABLE):
        open_homes(here, ALICE)
    run_scheduler(here, LOCK_SECONDS)
    assert has_button(here.alice, action_ids.ASK) and marked(here) == []


def test_without_the_database_the_request_stays_marked(here: SlackDesk) -> None:
    """So that the tabs are not forgotten."""

    def gone(since: object) -> Any:
        raise StoreUnavailable

    open_homes(here, ALICE)
    there, here.store.open_homes = here.store.open_homes, gone  # type: ignore[method-assign]
    request = request_key(here)
    assert published(here) == [ALICE]
    assert here.store.unrendered(here.clock.now()) == [f"request:{request}"]
    here.store.open_homes = there  # type: ignore[method-assign]
    assert published_by(here, lambda: here.messenger.render(f"request:{request}")) == {ALICE}


def test_a_full_pool_raises_nothing(slack: LocalSlack, web: WebClient, log: Log) -> None:
    full = build(slack, web, NoRoom(), NoRoom())
    open_homes(full, ALICE)
    request_key(full)
    assert changed(full) == set() and published(full) == [ALICE]


# -- while a tab is being published


@contextmanager
def carols_tab_is_held(here: SlackDesk, work: Callable[[], object]) -> Iterator[None]:
    """Do work that publishes Carol's tab. Slack answers after the block."""
    thread = threading.Thread(target=work)
    hold = here.slack.faults.hold("views.publish")
    thread.start()
    assert hold.reached.wait(PATIENCE)
    yield
    hold.release()
    thread.join(PATIENCE)


def test_a_tab_is_due_again_when_its_lock_expires(here: SlackDesk) -> None:
    """So that it is rendered if the process ends while it renders."""
    open_homes(here, CAROL)
    with carols_tab_is_held(here, lambda: request_key(here)):
        expires = here.clock.now() + timedelta(seconds=LOCK_SECONDS)
        assert "home:U0CAROL" not in here.store.unrendered(expires - timedelta(seconds=1))
        assert "home:U0CAROL" in here.store.unrendered(expires)
    assert marked(here) == []


def test_many_changes_meanwhile_cost_one_more_rendering(here: SlackDesk) -> None:
    requests = [request_key(here, user) for user in (ALICE, BOB)]
    open_homes(here, CAROL)
    before = len(published(here))
    with carols_tab_is_held(here, lambda: here.open_homes.changed(here.request())):
        for request in requests:
            decide_request.approve(here.services, member(here, CAROL), request)
    assert marked(here) == ["home:U0CAROL"] and len(published(here)) == before + 1
    run_scheduler(here, home_tabs.BURST_SECONDS)
    assert marked(here) == [] and len(published(here)) == before + 2
    assert REASON not in here.carol.home_words


def test_with_a_full_budget_a_tab_waits_its_turn(here: SlackDesk) -> None:
    limiter = RateLimiter(here.clock.monotonic, {PUBLISH: Budget(2, 10)}, None)
    homes = HomeTabs(here.services, here.web, instead="", rate_limiter=limiter)
    here.messenger.watch(homes.changed, homes.render_now)
    for user in (ALICE, CAROL):
        homes.opened(member(here, user))
    request_key(here)
    assert len(published(here)) == 2 and marked(here) == ["home:U0ALICE", "home:U0CAROL"]
    for _ in range(4):
        run_scheduler(here, 10)
    assert REASON in here.carol.home_words and has_button(here.alice, action_ids.CANCEL)
    assert marked(here) == []

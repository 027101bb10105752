"""Reminders and nudges in the workspace: in the card's thread, each a new message, and cheap once they are over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.domain.states import Event
from bot.slack.messages.kinds import CARD
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from tests.support import example_requests as facts
from tests.support.render_world import ALICE, Drawing

HOUR = timedelta(hours=1)


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> Iterator[Drawing]:
    yield Drawing(slack, web, redis_store)
    slack.faults.clear()


def draws(services: Drawing) -> None:
    services.messenger().render_now(services.name)
    assert not services.unrendered() and services.shows_the_state()


def remind(services: Drawing, *reminders: str) -> None:
    services.transition(Event.REMIND, "keydesk", reminders=reminders)


def nudge(services: Drawing, hours: int) -> None:
    services.transition(Event.NUDGE, ALICE, nudged_at=facts.NOW + hours * HOUR)


def thread(services: Drawing) -> list[str]:
    """The lines in the card's thread, oldest first."""
    [card] = [copy for copy in services.store.messages(services.name) if copy.kind == CARD]
    return [one.words for one in services.posted() if one.thread_ts == card.ts]


def test_each_stands_in_the_cards_thread_and_the_older_one_says_that_there_is_a_newer(
    services: Drawing,
) -> None:
    remind(services, "1")
    draws(services)
    remind(services, "1", "2")
    nudge(services, 1)
    draws(services)
    nudge(services, 2)
    draws(services)
    first, second, third, fourth = thread(services)
    assert (first, third) == (
        "There is a newer reminder below.",
        "There is a newer reminder below.",
    )
    assert "Still waiting" in second and "@alice asks you" in fourth


def test_what_is_over_is_said_once_and_costs_no_call_after_that(services: Drawing) -> None:
    """Seventy nudges would else be seventy calls for each of the moves that come."""
    remind(services, "1")
    draws(services)
    for hours in range(1, 6):
        nudge(services, hours)
        draws(services)
    services.approve()
    draws(services)
    assert thread(services)[0] == thread(services)[-1] == "Decided: see the card."
    updates, posts = (
        len(services.slack.calls("chat.update")),
        len(services.slack.calls("chat.postMessage")),
    )
    services.transition(Event.EXPIRE, "keydesk", deadline=None)
    draws(services)
    assert (
        len(services.slack.calls("chat.update")) - updates == 3
    )  # the card and the requester's two
    assert len(services.slack.calls("chat.postMessage")) - posts == 1  # that it is over
    assert len(thread(services)) == 6


def test_one_that_was_not_posted_before_the_decision_is_not_posted_after_it(
    services: Drawing,
) -> None:
    draws(services)
    remind(services, "1")
    nudge(services, 1)
    services.approve()
    draws(services)
    assert thread(services) == []


def test_where_slack_cuts_the_line_while_it_is_posted_one_extra_is_left_at_most(
    services: Drawing,
) -> None:
    draws(services)
    remind(services, "1")
    services.slack.faults.drop("chat.postMessage", "after", times=1)
    services.messenger().render_now(services.name)
    services.come_back()
    assert len(thread(services)) == 2 and services.shows_the_state()


def test_where_the_last_word_could_not_be_drawn_it_is_drawn_later(services: Drawing) -> None:
    remind(services, "1")
    draws(services)
    services.approve()
    services.slack.faults.status("chat.update", 500, times=3)
    services.messenger().render_now(services.name)
    services.come_back()
    assert thread(services) == ["Decided: see the card."] and services.shows_the_state()

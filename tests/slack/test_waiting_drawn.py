"""Reminders and nudges in the workspace: in the card's thread, each a new message, and cheap once they are over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.core.moves import Action
from bot.slack.copies import CARD
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from tests.slack import facts
from tests.slack.drawing import ALICE, Drawing

HOUR = timedelta(hours=1)


@pytest.fixture
def desk(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> Iterator[Drawing]:
    yield Drawing(slack, web, redis_store)
    slack.faults.clear()


def draws(desk: Drawing) -> None:
    desk.messenger().draw_now(desk.name)
    assert not desk.undrawn() and desk.shows_the_state()


def remind(desk: Drawing, *reminders: str) -> None:
    desk.move(Action.REMIND, "keydesk", reminders=reminders)


def nudge(desk: Drawing, hours: int) -> None:
    desk.move(Action.NUDGE, ALICE, nudged_at=facts.NOW + hours * HOUR)


def thread(desk: Drawing) -> list[str]:
    """The lines in the card's thread, oldest first."""
    [card] = [copy for copy in desk.store.copies(desk.name) if copy.kind == CARD]
    return [one.words for one in desk.posted() if one.thread_ts == card.ts]


def test_each_stands_in_the_cards_thread_and_the_older_one_says_that_there_is_a_newer(
    desk: Drawing,
) -> None:
    remind(desk, "1")
    draws(desk)
    remind(desk, "1", "2")
    nudge(desk, 1)
    draws(desk)
    nudge(desk, 2)
    draws(desk)
    first, second, third, fourth = thread(desk)
    assert (first, third) == ("Asked again below.", "Asked again below.")
    assert "Still waiting" in second and "@alice asks again" in fourth


def test_what_is_over_is_said_once_and_costs_no_call_after_that(desk: Drawing) -> None:
    """Seventy nudges would else be seventy calls for each of the moves that come."""
    remind(desk, "1")
    draws(desk)
    for hours in range(1, 6):
        nudge(desk, hours)
        draws(desk)
    desk.approve()
    draws(desk)
    assert thread(desk)[0] == thread(desk)[-1] == "Decided; the card says how."
    updates, posts = len(desk.slack.calls("chat.update")), len(desk.slack.calls("chat.postMessage"))
    desk.move(Action.LAPSE, "keydesk", deadline=None)
    draws(desk)
    assert len(desk.slack.calls("chat.update")) - updates == 3  # the card and the requester's two
    assert len(desk.slack.calls("chat.postMessage")) - posts == 1  # that it is over
    assert len(thread(desk)) == 6


def test_one_that_was_not_posted_before_the_decision_is_not_posted_after_it(desk: Drawing) -> None:
    draws(desk)
    remind(desk, "1")
    nudge(desk, 1)
    desk.approve()
    draws(desk)
    assert thread(desk) == []


def test_where_slack_cuts_the_line_while_it_is_posted_one_extra_is_left_at_most(
    desk: Drawing,
) -> None:
    draws(desk)
    remind(desk, "1")
    desk.slack.faults.drop("chat.postMessage", "after", times=1)
    desk.messenger().draw_now(desk.name)
    desk.come_back()
    assert len(thread(desk)) == 2 and desk.shows_the_state()


def test_where_the_last_word_could_not_be_drawn_it_is_drawn_later(desk: Drawing) -> None:
    remind(desk, "1")
    draws(desk)
    desk.approve()
    desk.slack.faults.status("chat.update", 500, times=3)
    desk.messenger().draw_now(desk.name)
    desk.come_back()
    assert thread(desk) == ["Decided; the card says how."] and desk.shows_the_state()

"""Lasting messages come late but not never, and show the newest state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.outside_errors import StoreUnavailable
from bot.domain.states import Event
from bot.slack.action_ids import APPROVE
from bot.slack.delivery.messenger import SlackMessenger
from bot.slack.messages import kinds
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import PREFIX, RedisStore
from sandbox.local import LocalSlack
from sandbox.workspace import Message
from tests.support.logged import Log
from tests.support.render_world import ALICE, PATIENCE, PLACES, Drawing


def render(rendering: Drawing) -> None:
    rendering.messenger().render(rendering.name)


def up_to_date(rendering: Drawing) -> bool:
    return rendering.shows_the_state() and not rendering.unrendered()


@contextmanager
def meanwhile(rendering: Drawing, held: Any) -> Iterator[None]:
    """Render in another thread, whose call to Slack is held until the block ends."""
    thread = threading.Thread(target=lambda: render(rendering))
    thread.start()
    assert held.reached.wait(PATIENCE)
    yield
    held.release()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_every_message_is_posted_once_and_then_updated(rendering: Drawing) -> None:
    render(rendering)
    assert up_to_date(rendering) and len(rendering.posted()) == 2
    assert [one.kind for one in rendering.store.messages(rendering.name)] == ["asked", "card"]
    calls = len(rendering.slack.calls())
    render(rendering)
    assert len(rendering.slack.calls()) == calls, "nothing is sent for what is up to date"
    rendering.approve()
    assert rendering.unrendered()
    render(rendering)
    assert up_to_date(rendering) and len(rendering.posted()) == 3


FAULTS: dict[str, Callable[[LocalSlack, str], None]] = {
    "rate limit": lambda slack, method: slack.faults.status(method, 429, times=3),
    "outage": lambda slack, method: slack.faults.status(method, 500, times=3),
    "refusals": lambda slack, method: slack.faults.fail(method, "internal_error", times=3),
    "connections cut": lambda slack, method: slack.faults.drop(method, "before", times=3),
    "answers lost": lambda slack, method: slack.faults.drop(method, "after", times=3),
}


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_delays_messages_and_doubles_at_most_lost_ones(
    rendering: Drawing, fault: str, method: str
) -> None:
    if method == "chat.update":
        render(rendering)
    FAULTS[fault](rendering.slack, method)
    rendering.approve()
    render(rendering)
    assert rendering.unrendered()
    rendering.come_back()
    extra = len(rendering.posted()) - len(kinds.expected_kinds(rendering.request))
    assert rendering.shows_the_state()
    assert extra == (3 if (fault, method) == ("answers lost", "chat.postMessage") else 0)


def test_a_rate_limit_is_waited_for_as_slack_says(rendering: Drawing) -> None:
    rendering.slack.faults.status("chat.postMessage", 429, retry_after=17)
    render(rendering)
    now = rendering.clock.now()
    assert not rendering.store.unrendered(now + timedelta(seconds=16))
    assert rendering.store.unrendered(now + timedelta(seconds=17))


# -- two workers


@pytest.mark.parametrize("moment", ["before", "after"])
def test_two_workers_never_leave_the_older_state(rendering: Drawing, moment: Any) -> None:
    """A worker that finds a lock leaves. The one that has it loads the state again."""
    render(rendering)
    rendering.approve()
    with meanwhile(rendering, rendering.slack.faults.hold("chat.update", moment)):
        rendering.transition(Event.CANCEL, ALICE)
        render(rendering)
    assert up_to_date(rendering)


def test_two_workers_post_no_message_twice(rendering: Drawing) -> None:
    with meanwhile(rendering, rendering.slack.faults.hold("chat.postMessage")):
        render(rendering)
    assert up_to_date(rendering) and len(rendering.posted()) == 2


def test_a_worker_that_outlives_its_lock_leaves_the_newest_state(
    rendering: Drawing, valkey: EmbeddedServer
) -> None:
    render(rendering)
    rendering.approve()
    raw = connect(valkey.url)
    with meanwhile(rendering, rendering.slack.faults.hold("chat.update")):
        raw.delete(f"{PREFIX}:render-lock:{rendering.name}")  # it has expired
        rendering.transition(Event.CANCEL, ALICE)
        render(rendering)
    raw.close()
    assert up_to_date(rendering)


def test_a_message_that_becomes_known_meanwhile_is_rendered(rendering: Drawing) -> None:
    rendering.slack.faults.drop("chat.postMessage", "after")
    render(rendering)
    unknown = rendering.posted()[0]
    rendering.come_back()
    rendering.approve()
    with meanwhile(rendering, rendering.slack.faults.hold("chat.update", "after", nth=2)):
        rendering.messenger().clicked(rendering.name, APPROVE, unknown.channel, unknown.ts)
    assert up_to_date(rendering)
    assert not any(message.has_button("Approve") for message in rendering.posted())


# -- what cannot be rendered


def test_a_deleted_message_is_posted_again(rendering: Drawing) -> None:
    render(rendering)
    card: Message = rendering.posted()[0].stored
    rendering.slack.look(lambda box: box.workspace.remove(card))
    rendering.approve()
    render(rendering)
    rendering.come_back()
    assert rendering.shows_the_state() and len(rendering.posted()) == 3


def test_an_archived_channel_does_not_delay_the_requester(rendering: Drawing) -> None:
    render(rendering)
    rendering.slack.change_channel("C0APPROVALS", is_archived=True)
    rendering.approve()
    render(rendering)
    assert rendering.slack.person(ALICE).last(button="Reveal my key") and rendering.unrendered()
    rendering.slack.change_channel("C0APPROVALS", is_archived=False)
    rendering.come_back()
    assert rendering.shows_the_state()


def test_with_a_full_pool_the_scheduler_renders(rendering: Drawing) -> None:
    rendering.messenger(submit=lambda work: False).render(rendering.name)
    assert rendering.posted() == [] and rendering.unrendered()
    rendering.come_back()
    assert rendering.shows_the_state()


def test_an_unavailable_database_raises_nothing(rendering: Drawing) -> None:
    gone = RedisStore(connect("unix:///nowhere/there.sock"))
    web, clock = rendering.web, rendering.clock
    messenger = SlackMessenger(web, web, gone, clock, PLACES, submit=lambda work: True, new_id=str)
    messenger.render_now(rendering.name)
    assert rendering.posted() == []
    with pytest.raises(StoreUnavailable):
        gone.messages(rendering.name)


def test_what_is_not_stored_has_no_message_and_no_record(rendering: Drawing) -> None:
    rendering.messenger().render("request:gone")
    rendering.messenger().render("key:AKIAGONE")
    rendering.messenger().clicked("request:gone", APPROVE, "C0APPROVALS", "1.000001")
    assert rendering.posted() == [] and rendering.store.messages("request:gone") == []


def test_a_text_that_cannot_be_posted_is_logged(rendering: Drawing, log: Log) -> None:
    rendering.messenger().say("D0ALICE", "Hello")
    rendering.messenger().say("C0NOWHERE", "Hello")
    assert rendering.slack.person(ALICE).last(containing="Hello")
    assert [line["error"] for line in log.lines("say")] == ["channel_not_found"]


# -- clicks on messages that were not recorded


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside a known one"])
def test_a_click_on_a_lost_message_records_and_renders_it(rendering: Drawing, others: int) -> None:
    rendering.slack.faults.drop("chat.postMessage", "after")
    render(rendering)
    if others:
        rendering.come_back()
    unknown = rendering.posted()[0]
    rendering.approve()
    rendering.messenger().clicked(rendering.name, APPROVE, unknown.channel, unknown.ts)
    if rendering.unrendered():
        rendering.come_back()
    assert rendering.shows_the_state()
    assert unknown.ts in {one.ts for one in rendering.store.messages(rendering.name)}
    assert not any(message.has_button("Approve") for message in rendering.posted())


def test_a_click_on_a_known_message_changes_nothing(rendering: Drawing) -> None:
    render(rendering)
    before, calls = rendering.store.messages(rendering.name), len(rendering.slack.calls())
    card = rendering.posted()[0]
    rendering.messenger().clicked(rendering.name, APPROVE, card.channel, card.ts)
    assert rendering.store.messages(rendering.name) == before
    assert len(rendering.slack.calls()) == calls

"""Lasting messages come late, not never, and show the newest state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain.keys import DesiredState, InactiveReason
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.records import Change, Record
from bot.domain.states import Event
from bot.slack import action_ids
from bot.slack.delivery.messenger import SlackMessenger
from bot.slack.messages import kinds
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import PREFIX, RedisStore
from sandbox.local import LocalSlack
from sandbox.workspace import Message
from tests.support import example_requests as facts
from tests.support.example_keys import REPORTED
from tests.support.render_world import ALICE, CAROL, ENTRY, PATIENCE, PLACES, Drawing


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> Iterator[Drawing]:
    yield Drawing(slack, web, redis_store)
    slack.faults.clear()


@contextmanager
def another_thread(work: Callable[[], None]) -> Iterator[None]:
    """Meanwhile, `work` is done in another thread; it has ended afterwards."""
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive()


# -- lasting messages


def test_every_copy_is_drawn_and_the_mark_is_gone(services: Drawing) -> None:
    services.messenger().render(services.name)
    assert [len(services.posted()), services.unrendered(), services.shows_the_state()] == [
        2,
        False,
        True,
    ]
    services.approve()
    assert services.unrendered()
    services.messenger().render(services.name)
    assert [len(services.posted()), services.unrendered(), services.shows_the_state()] == [
        3,
        False,
        True,
    ]


def test_nothing_is_sent_for_what_is_drawn_already(services: Drawing) -> None:
    services.messenger().render(services.name)
    calls = len(services.slack.calls())
    services.messenger().render(services.name)
    assert len(services.slack.calls()) == calls


FAULTS: dict[
    str, tuple[int, Callable[[LocalSlack, str], None]]
] = {  # with how many answers are lost
    "rate limit": (0, lambda slack, method: slack.faults.status(method, 429, times=3)),
    "outage": (0, lambda slack, method: slack.faults.status(method, 500, times=3)),
    "refusals": (0, lambda slack, method: slack.faults.fail(method, "internal_error", times=3)),
    "connections cut": (0, lambda slack, method: slack.faults.drop(method, "before", times=3)),
    "answers lost": (3, lambda slack, method: slack.faults.drop(method, "after", times=3)),
}


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
@pytest.mark.parametrize("fault", FAULTS)
def test_copies_come_late_not_never_with_one_extra_for_each_lost_answer(
    services: Drawing, fault: str, method: str
) -> None:
    lost, begin = FAULTS[fault]
    if method == "chat.update":
        services.messenger().render(services.name)
    begin(services.slack, method)
    services.approve()
    services.messenger().render(services.name)
    assert services.unrendered()
    services.come_back()
    extra = len(services.posted()) - len(kinds.expected_kinds(services.request))
    assert services.shows_the_state()
    assert extra == (lost if method == "chat.postMessage" else 0)


def test_a_rate_limit_is_waited_for_as_long_as_slack_says(services: Drawing) -> None:
    services.slack.faults.status("chat.postMessage", 429, retry_after=17)
    services.messenger().render(services.name)
    assert not services.store.unrendered(services.clock.now() + timedelta(seconds=16))
    assert services.store.unrendered(services.clock.now() + timedelta(seconds=17))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_two_workers_never_leave_the_older_state_on_top(services: Drawing, moment: Any) -> None:
    """Whoever finds the lock held leaves; whoever holds it looks at the state again."""
    services.messenger().render(services.name)
    held = services.slack.faults.hold("chat.update", moment)
    services.approve()
    with another_thread(lambda: services.messenger().render(services.name)):
        assert held.reached.wait(PATIENCE)
        services.transition(Event.CANCEL, ALICE)
        services.messenger().render(services.name)
        held.release()
    assert services.shows_the_state() and not services.unrendered()


def test_two_workers_post_no_copy_twice(services: Drawing) -> None:
    held = services.slack.faults.hold("chat.postMessage")
    with another_thread(lambda: services.messenger().render(services.name)):
        assert held.reached.wait(PATIENCE)
        services.messenger().render(services.name)
        held.release()
    assert len(services.posted()) == 2 and services.shows_the_state() and not services.unrendered()


def test_even_a_worker_that_outlives_its_lock_leaves_the_newest_state(
    services: Drawing, valkey: EmbeddedServer
) -> None:
    services.messenger().render(services.name)
    held = services.slack.faults.hold("chat.update")
    services.approve()
    raw = connect(valkey.url)
    with another_thread(lambda: services.messenger().render(services.name)):
        assert held.reached.wait(PATIENCE)
        raw.delete(f"{PREFIX}:render-lock:{services.name}")  # its seconds are over
        services.transition(Event.CANCEL, ALICE)
        services.messenger().render(services.name)
        held.release()
    raw.close()
    assert services.shows_the_state() and not services.unrendered()


def test_a_message_that_somebody_deleted_is_posted_anew(services: Drawing) -> None:
    services.messenger().render(services.name)
    card: Message = services.posted()[0].stored
    services.slack.look(lambda box: box.workspace.remove(card))
    services.approve()
    services.messenger().render(services.name)
    services.come_back()
    assert services.shows_the_state() and len(services.posted()) == 3


def test_a_channel_that_takes_no_card_does_not_keep_the_requester_waiting(
    services: Drawing,
) -> None:
    services.messenger().render(services.name)
    services.slack.change_channel("C0APPROVALS", is_archived=True)
    services.approve()
    services.messenger().render(services.name)
    assert services.slack.person(ALICE).last(button="Reveal my key")
    assert services.unrendered()
    services.slack.change_channel("C0APPROVALS", is_archived=False)
    services.come_back()
    assert services.shows_the_state()


def test_with_the_pool_full_the_drawing_is_left_to_the_sweeper(services: Drawing) -> None:
    services.messenger(submit=lambda work: False).render(services.name)
    assert services.posted() == [] and services.unrendered()
    services.come_back()
    assert services.shows_the_state()


def test_a_store_that_is_down_raises_nothing(services: Drawing) -> None:
    gone = RedisStore(connect("unix:///nowhere/there.sock"))
    messenger = SlackMessenger(
        services.web,
        services.web,
        gone,
        services.clock,
        PLACES,
        submit=lambda work: True,
        new_id=str,
    )
    messenger.render_now(services.name)
    assert services.posted() == []
    with pytest.raises(StoreUnavailable):
        gone.messages(services.name)


def test_what_is_not_stored_is_not_drawn(services: Drawing) -> None:
    services.messenger().render("request:gone")
    services.messenger().render("key:AKIAGONE")
    assert services.posted() == []


def test_a_found_key_is_drawn_in_the_approval_channel(services: Drawing) -> None:
    services.store.commit(Change(None, facts.FOUND), entry=ENTRY)
    services.messenger().render(facts.FOUND.name)
    assert services.slack.person(CAROL).last("key-approvals", button="It is ours, enable it")


# -- threads


def leak(services: Drawing) -> None:
    """A key is reported as leaked: its card, with the facts in a thread, and a word to its owner."""
    reported = replace(REPORTED, owner=ALICE, dm="D0ALICE")
    services.store.commit(Change(None, reported), entry=ENTRY)
    services.messenger().render(reported.name)


def test_the_facts_of_a_leak_are_posted_in_the_thread_of_its_card(services: Drawing) -> None:
    leak(services)
    card, facts_ = services.slack.person(CAROL).messages("key-approvals")
    assert card.has_button("Disable now") and card.thread_ts is None
    assert facts_.thread_ts == card.ts and "Details" in facts_.words
    [told] = services.slack.person(ALICE).messages()
    assert told.thread_ts is None and "was reported as leaked" in told.words


def test_a_later_report_is_posted_anew_and_edits_the_card_of_the_first(services: Drawing) -> None:
    """An edited message notifies nobody."""
    leak(services)
    key = services.store.key(REPORTED.id)
    assert key is not None
    again = key.updated(reported_again_by=CAROL, reported_again_at=facts.NOW + timedelta(hours=1))
    services.store.commit(Change(key, again), entry=ENTRY)
    services.messenger().render(key.name)
    card, facts_, new_card, new_facts = services.slack.person(CAROL).messages("key-approvals")
    assert (
        not card.buttons
        and "see the newest card below" in card.words
        and facts_.thread_ts == card.ts
    )
    assert (
        new_card.has_button("Disable now")
        and new_card.thread_ts is None
        and new_facts.thread_ts == new_card.ts
    )
    assert len(services.slack.person(ALICE).messages()) == 2


def test_without_its_card_the_facts_wait_for_it(services: Drawing) -> None:
    """They would say to everybody, out of place, what belongs in a thread."""
    services.slack.faults.fail("chat.postMessage", "internal_error")
    leak(services)
    assert services.slack.person(CAROL).messages("key-approvals") == [] and services.unrendered()
    services.come_back()
    card, facts_ = (
        one
        for one in services.slack.person(CAROL).messages("key-approvals")
        if REPORTED.id in one.words
    )
    assert card.has_button("Disable now") and facts_.thread_ts == card.ts


def test_a_thread_is_redrawn_with_its_card(services: Drawing) -> None:
    leak(services)
    key = services.store.key(REPORTED.id)
    assert key is not None
    services.store.commit(
        Change(
            key,
            key.set_desired(
                DesiredState.INACTIVE,
                CAROL,
                facts.NOW,
                check_at=facts.NOW,
                inactive_reason=InactiveReason.LEAKED,
                leaked=True,
            ),
        ),
        entry=ENTRY,
    )
    services.messenger().render(key.name)
    card, facts_ = services.slack.person(CAROL).messages("key-approvals")
    assert (
        not card.buttons
        and "never be turned on again" in card.words
        and facts_.thread_ts == card.ts
    )
    assert len(services.slack.person(ALICE).messages()) == 1


# -- who is told of what was drawn


def test_whoever_watches_is_told_of_what_was_drawn(services: Drawing) -> None:
    seen: list[Record] = []
    messenger = services.messenger()
    messenger.watch(seen.append)
    messenger.render(services.name)
    assert seen == [services.request]
    messenger.render("request:gone")
    assert len(seen) == 1


# -- copies nobody knew of


def test_a_button_pressed_where_its_message_never_stands_makes_no_copy_there(
    services: Drawing,
) -> None:
    """The approvers' card would be drawn for the owner, with the reporter's name."""
    leak(services)
    [told] = services.slack.person(ALICE).messages()
    services.store.forget_message(f"key:{REPORTED.id}", "leak_owner")
    services.messenger().clicked(
        f"key:{REPORTED.id}", action_ids.LEAKED_DISABLE, told.channel, told.ts
    )
    assert told.ts not in {copy.ts for copy in services.store.messages(f"key:{REPORTED.id}")}
    assert not any(
        "reports key" in message.words for message in services.slack.person(ALICE).messages()
    )


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside a known one"])
def test_a_click_on_a_copy_whose_answer_was_lost_makes_it_known_and_draws_it(
    services: Drawing, others: int
) -> None:
    services.slack.faults.drop("chat.postMessage", "after")
    services.messenger().render(services.name)
    if others:
        services.come_back()
    unknown = services.posted()[0]
    services.approve()
    services.messenger().clicked(services.name, action_ids.APPROVE, unknown.channel, unknown.ts)
    if services.unrendered():
        services.come_back()
    assert services.shows_the_state()
    assert unknown.ts in {copy.ts for copy in services.store.messages(services.name)}
    assert not any(message.has_button("Approve") for message in services.posted())


def test_a_click_on_a_known_copy_changes_nothing(services: Drawing) -> None:
    services.messenger().render(services.name)
    before, calls = services.store.messages(services.name), len(services.slack.calls())
    card = services.posted()[0]
    services.messenger().clicked(services.name, action_ids.APPROVE, card.channel, card.ts)
    assert (services.store.messages(services.name), len(services.slack.calls())) == (before, calls)


def test_a_copy_that_becomes_known_while_another_worker_draws_is_drawn_too(
    services: Drawing,
) -> None:
    services.slack.faults.drop("chat.postMessage", "after")
    services.messenger().render(services.name)
    unknown = services.posted()[0]
    services.come_back()
    held = services.slack.faults.hold("chat.update", "after", nth=2)
    services.approve()
    with another_thread(lambda: services.messenger().render(services.name)):
        assert held.reached.wait(PATIENCE)
        services.messenger().clicked(services.name, action_ids.APPROVE, unknown.channel, unknown.ts)
        held.release()
    assert services.shows_the_state() and not services.unrendered()
    assert not any(message.has_button("Approve") for message in services.posted())


def test_a_click_on_what_is_not_stored_notes_nothing(services: Drawing) -> None:
    services.messenger().clicked("request:gone", action_ids.APPROVE, "C0APPROVALS", "1.000001")
    assert services.store.messages("request:gone") == []

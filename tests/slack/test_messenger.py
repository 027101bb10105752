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

from bot.core.access_key import Wanted, Why
from bot.core.errors import StoreUnavailable
from bot.core.moves import Action
from bot.core.ports import Change, Kept
from bot.slack import copies, ids
from bot.slack.messenger import SlackMessenger
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import PREFIX, RedisStore, connect
from sandbox.local import LocalSlack
from sandbox.workspace import Message
from tests.slack import facts
from tests.slack.drawing import ALICE, CAROL, ENTRY, PATIENCE, PLACES, Drawing
from tests.slack.key_facts import REPORTED


@pytest.fixture
def desk(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> Iterator[Drawing]:
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


def test_every_copy_is_drawn_and_the_mark_is_gone(desk: Drawing) -> None:
    desk.messenger().draw(desk.name)
    assert [len(desk.posted()), desk.undrawn(), desk.shows_the_state()] == [2, False, True]
    desk.approve()
    assert desk.undrawn()
    desk.messenger().draw(desk.name)
    assert [len(desk.posted()), desk.undrawn(), desk.shows_the_state()] == [3, False, True]


def test_nothing_is_sent_for_what_is_drawn_already(desk: Drawing) -> None:
    desk.messenger().draw(desk.name)
    calls = len(desk.slack.calls())
    desk.messenger().draw(desk.name)
    assert len(desk.slack.calls()) == calls


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
    desk: Drawing, fault: str, method: str
) -> None:
    lost, begin = FAULTS[fault]
    if method == "chat.update":
        desk.messenger().draw(desk.name)
    begin(desk.slack, method)
    desk.approve()
    desk.messenger().draw(desk.name)
    assert desk.undrawn()
    desk.come_back()
    extra = len(desk.posted()) - len(copies.wanted(desk.request))
    assert desk.shows_the_state()
    assert extra == (lost if method == "chat.postMessage" else 0)


def test_a_rate_limit_is_waited_for_as_long_as_slack_says(desk: Drawing) -> None:
    desk.slack.faults.status("chat.postMessage", 429, retry_after=17)
    desk.messenger().draw(desk.name)
    assert not desk.store.undrawn(desk.clock.now() + timedelta(seconds=16))
    assert desk.store.undrawn(desk.clock.now() + timedelta(seconds=17))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_two_workers_never_leave_the_older_state_on_top(desk: Drawing, moment: Any) -> None:
    """Whoever finds the lock held leaves; whoever holds it looks at the state again."""
    desk.messenger().draw(desk.name)
    held = desk.slack.faults.hold("chat.update", moment)
    desk.approve()
    with another_thread(lambda: desk.messenger().draw(desk.name)):
        assert held.reached.wait(PATIENCE)
        desk.move(Action.CANCEL, ALICE)
        desk.messenger().draw(desk.name)
        held.release()
    assert desk.shows_the_state() and not desk.undrawn()


def test_two_workers_post_no_copy_twice(desk: Drawing) -> None:
    held = desk.slack.faults.hold("chat.postMessage")
    with another_thread(lambda: desk.messenger().draw(desk.name)):
        assert held.reached.wait(PATIENCE)
        desk.messenger().draw(desk.name)
        held.release()
    assert len(desk.posted()) == 2 and desk.shows_the_state() and not desk.undrawn()


def test_even_a_worker_that_outlives_its_lock_leaves_the_newest_state(
    desk: Drawing, valkey: EmbeddedServer
) -> None:
    desk.messenger().draw(desk.name)
    held = desk.slack.faults.hold("chat.update")
    desk.approve()
    raw = connect(valkey.url)
    with another_thread(lambda: desk.messenger().draw(desk.name)):
        assert held.reached.wait(PATIENCE)
        raw.delete(f"{PREFIX}:drawing:{desk.name}")  # its seconds are over
        desk.move(Action.CANCEL, ALICE)
        desk.messenger().draw(desk.name)
        held.release()
    raw.close()
    assert desk.shows_the_state() and not desk.undrawn()


def test_a_message_that_somebody_deleted_is_posted_anew(desk: Drawing) -> None:
    desk.messenger().draw(desk.name)
    card: Message = desk.posted()[0].stored
    desk.slack.look(lambda box: box.workspace.remove(card))
    desk.approve()
    desk.messenger().draw(desk.name)
    desk.come_back()
    assert desk.shows_the_state() and len(desk.posted()) == 3


def test_a_channel_that_takes_no_card_does_not_keep_the_requester_waiting(desk: Drawing) -> None:
    desk.messenger().draw(desk.name)
    desk.slack.change_channel("C0APPROVALS", is_archived=True)
    desk.approve()
    desk.messenger().draw(desk.name)
    assert desk.slack.person(ALICE).last(button="Reveal my key")
    assert desk.undrawn()
    desk.slack.change_channel("C0APPROVALS", is_archived=False)
    desk.come_back()
    assert desk.shows_the_state()


def test_with_the_pool_full_the_drawing_is_left_to_the_sweeper(desk: Drawing) -> None:
    desk.messenger(submit=lambda work: False).draw(desk.name)
    assert desk.posted() == [] and desk.undrawn()
    desk.come_back()
    assert desk.shows_the_state()


def test_a_store_that_is_down_raises_nothing(desk: Drawing) -> None:
    gone = RedisStore(connect("unix:///nowhere/there.sock"))
    messenger = SlackMessenger(
        desk.web, desk.web, gone, desk.clock, PLACES, submit=lambda work: True, new_id=str
    )
    messenger.draw_now(desk.name)
    assert desk.posted() == []
    with pytest.raises(StoreUnavailable):
        gone.copies(desk.name)


def test_what_is_not_stored_is_not_drawn(desk: Drawing) -> None:
    desk.messenger().draw("request:gone")
    desk.messenger().draw("key:AKIAGONE")
    assert desk.posted() == []


def test_a_found_key_is_drawn_in_the_approval_channel(desk: Drawing) -> None:
    desk.store.commit(Change(None, facts.FOUND), entry=ENTRY)
    desk.messenger().draw(facts.FOUND.name)
    assert desk.slack.person(CAROL).last("key-approvals", button="It is ours, enable it")


# -- threads


def leak(desk: Drawing) -> None:
    """A key is reported as leaked: its card, with the facts in a thread, and a word to its owner."""
    reported = replace(REPORTED, owner=ALICE, dm="D0ALICE")
    desk.store.commit(Change(None, reported), entry=ENTRY)
    desk.messenger().draw(reported.name)


def test_the_facts_of_a_leak_are_posted_in_the_thread_of_its_card(desk: Drawing) -> None:
    leak(desk)
    card, facts_ = desk.slack.person(CAROL).messages("key-approvals")
    assert card.has_button("Disable now") and card.thread_ts is None
    assert facts_.thread_ts == card.ts and "The facts" in facts_.words
    [told] = desk.slack.person(ALICE).messages()
    assert told.thread_ts is None and "was reported as leaked" in told.words


def test_a_later_report_is_posted_anew_and_edits_the_card_of_the_first(desk: Drawing) -> None:
    """An edited message notifies nobody."""
    leak(desk)
    key = desk.store.key(REPORTED.id)
    assert key is not None
    again = key.noted(reported_again_by=CAROL, reported_again_at=facts.NOW + timedelta(hours=1))
    desk.store.commit(Change(key, again), entry=ENTRY)
    desk.messenger().draw(key.name)
    card, facts_, new_card, new_facts = desk.slack.person(CAROL).messages("key-approvals")
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
    assert len(desk.slack.person(ALICE).messages()) == 2


def test_without_its_card_the_facts_wait_for_it(desk: Drawing) -> None:
    """They would say to everybody, out of place, what belongs in a thread."""
    desk.slack.faults.fail("chat.postMessage", "internal_error")
    leak(desk)
    assert desk.slack.person(CAROL).messages("key-approvals") == [] and desk.undrawn()
    desk.come_back()
    card, facts_ = (
        one
        for one in desk.slack.person(CAROL).messages("key-approvals")
        if REPORTED.id in one.words
    )
    assert card.has_button("Disable now") and facts_.thread_ts == card.ts


def test_a_thread_is_redrawn_with_its_card(desk: Drawing) -> None:
    leak(desk)
    key = desk.store.key(REPORTED.id)
    assert key is not None
    desk.store.commit(
        Change(
            key,
            key.want(Wanted.INACTIVE, CAROL, facts.NOW, due=facts.NOW, why=Why.LEAKED, leaked=True),
        ),
        entry=ENTRY,
    )
    desk.messenger().draw(key.name)
    card, facts_ = desk.slack.person(CAROL).messages("key-approvals")
    assert (
        not card.buttons
        and "never be turned on again" in card.words
        and facts_.thread_ts == card.ts
    )
    assert len(desk.slack.person(ALICE).messages()) == 1


# -- who is told of what was drawn


def test_whoever_watches_is_told_of_what_was_drawn(desk: Drawing) -> None:
    seen: list[Kept] = []
    messenger = desk.messenger()
    messenger.watch(seen.append)
    messenger.draw(desk.name)
    assert seen == [desk.request]
    messenger.draw("request:gone")
    assert len(seen) == 1


# -- copies nobody knew of


def test_a_button_pressed_where_its_message_never_stands_makes_no_copy_there(desk: Drawing) -> None:
    """The approvers' card would be drawn for the owner, with the reporter's name."""
    leak(desk)
    [told] = desk.slack.person(ALICE).messages()
    desk.store.forget_copy(f"key:{REPORTED.id}", "leak_owner")
    desk.messenger().clicked(f"key:{REPORTED.id}", ids.LEAKED_DISABLE, told.channel, told.ts)
    assert told.ts not in {copy.ts for copy in desk.store.copies(f"key:{REPORTED.id}")}
    assert not any(
        "reports key" in message.words for message in desk.slack.person(ALICE).messages()
    )


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside a known one"])
def test_a_click_on_a_copy_whose_answer_was_lost_makes_it_known_and_draws_it(
    desk: Drawing, others: int
) -> None:
    desk.slack.faults.drop("chat.postMessage", "after")
    desk.messenger().draw(desk.name)
    if others:
        desk.come_back()
    unknown = desk.posted()[0]
    desk.approve()
    desk.messenger().clicked(desk.name, ids.APPROVE, unknown.channel, unknown.ts)
    if desk.undrawn():
        desk.come_back()
    assert desk.shows_the_state()
    assert unknown.ts in {copy.ts for copy in desk.store.copies(desk.name)}
    assert not any(message.has_button("Approve") for message in desk.posted())


def test_a_click_on_a_known_copy_changes_nothing(desk: Drawing) -> None:
    desk.messenger().draw(desk.name)
    before, calls = desk.store.copies(desk.name), len(desk.slack.calls())
    card = desk.posted()[0]
    desk.messenger().clicked(desk.name, ids.APPROVE, card.channel, card.ts)
    assert (desk.store.copies(desk.name), len(desk.slack.calls())) == (before, calls)


def test_a_copy_that_becomes_known_while_another_worker_draws_is_drawn_too(desk: Drawing) -> None:
    desk.slack.faults.drop("chat.postMessage", "after")
    desk.messenger().draw(desk.name)
    unknown = desk.posted()[0]
    desk.come_back()
    held = desk.slack.faults.hold("chat.update", "after", nth=2)
    desk.approve()
    with another_thread(lambda: desk.messenger().draw(desk.name)):
        assert held.reached.wait(PATIENCE)
        desk.messenger().clicked(desk.name, ids.APPROVE, unknown.channel, unknown.ts)
        held.release()
    assert desk.shows_the_state() and not desk.undrawn()
    assert not any(message.has_button("Approve") for message in desk.posted())


def test_a_click_on_what_is_not_stored_notes_nothing(desk: Drawing) -> None:
    desk.messenger().clicked("request:gone", ids.APPROVE, "C0APPROVALS", "1.000001")
    assert desk.store.copies("request:gone") == []

"""Threads of cards: the details of leaks, reminders and nudges."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.keys import DesiredState, InactiveReason
from bot.domain.records import Change
from bot.domain.states import Event
from bot.slack.action_ids import LEAKED_DISABLE
from bot.slack.messages.kinds import CARD
from sandbox.seen import SeenMessage
from tests.support.example_keys import REPORTED
from tests.support.example_requests import NOW
from tests.support.render_world import ALICE, CAROL, ENTRY, Drawing

HOUR = timedelta(hours=1)
LEAK = f"key:{REPORTED.id}"


def report(rendering: Drawing) -> None:
    """A key is reported: a card, its details in a thread, and a message to the owner."""
    key = replace(REPORTED, owner=ALICE, dm="D0ALICE")
    rendering.store.commit(Change(None, key), entry=ENTRY)
    rendering.messenger().render(LEAK)


def change_key(rendering: Drawing, **changes: object) -> None:
    key = rendering.store.key(REPORTED.id)
    assert key is not None
    rendering.store.commit(Change(key, key.updated(**changes)), entry=ENTRY)
    rendering.messenger().render(LEAK)


def leak_messages(rendering: Drawing) -> list[SeenMessage]:
    channel = rendering.slack.person(CAROL).messages("key-approvals")
    return [one for one in channel if REPORTED.id in one.words]


def in_alices_dm(rendering: Drawing) -> list[SeenMessage]:
    return rendering.slack.person(ALICE).messages()


# -- leaks


def test_the_details_of_a_leak_are_in_its_cards_thread(rendering: Drawing) -> None:
    report(rendering)
    card, details = leak_messages(rendering)
    assert card.has_button("Disable now") and card.thread_ts is None
    assert details.thread_ts == card.ts
    [owners] = in_alices_dm(rendering)
    assert owners.thread_ts is None and REPORTED.id in owners.words


def test_a_later_report_is_a_new_card_and_ends_the_first(rendering: Drawing) -> None:
    """An updated message notifies no user, so the new report is posted."""
    report(rendering)
    again = NOW + HOUR
    change_key(rendering, reported_again_by=CAROL, reported_again_at=again)
    card, details, new_card, new_details = leak_messages(rendering)
    assert not card.buttons and details.thread_ts == card.ts
    assert new_card.has_button("Disable now") and new_card.thread_ts is None
    assert new_details.thread_ts == new_card.ts
    assert len(in_alices_dm(rendering)) == 2


def test_without_its_card_the_details_wait(rendering: Drawing) -> None:
    """Outside the thread they would show to everyone what belongs in it."""
    rendering.slack.faults.fail("chat.postMessage", "internal_error")
    report(rendering)
    assert leak_messages(rendering) == [] and rendering.unrendered()
    rendering.come_back()
    card, details = leak_messages(rendering)
    assert card.has_button("Disable now") and details.thread_ts == card.ts


def test_a_thread_is_rendered_again_with_its_card(rendering: Drawing) -> None:
    report(rendering)
    reported = leak_messages(rendering)[0]
    change_key(
        rendering,
        desired=DesiredState.INACTIVE,
        inactive_reason=InactiveReason.LEAKED,
        leaked=True,
        changed_by=CAROL,
        changed_at=NOW,
    )
    card, details = leak_messages(rendering)
    assert card.ts == reported.ts and card.words != reported.words
    assert not card.buttons and details.thread_ts == card.ts
    assert len(in_alices_dm(rendering)) == 1


def test_a_button_in_the_wrong_message_makes_no_record(rendering: Drawing) -> None:
    """Else the approvers' card would be shown to the owner, with the reporter's name."""
    report(rendering)
    [owners] = in_alices_dm(rendering)
    rendering.store.forget_message(LEAK, "leak_owner")
    rendering.messenger().clicked(LEAK, LEAKED_DISABLE, owners.channel, owners.ts)
    assert owners.ts not in {one.ts for one in rendering.store.messages(LEAK)}
    assert [one.words for one in in_alices_dm(rendering)] == [owners.words]


# -- reminders and nudges


def render(rendering: Drawing) -> None:
    rendering.messenger().render_now(rendering.name)
    assert not rendering.unrendered() and rendering.shows_the_state()


def remind(rendering: Drawing, *reminders: str) -> None:
    rendering.transition(Event.REMIND, "keydesk", reminders=reminders)


def nudge(rendering: Drawing, hours: int) -> None:
    rendering.transition(Event.NUDGE, ALICE, nudged_at=NOW + hours * HOUR)


def thread(rendering: Drawing) -> list[str]:
    """Return the messages in the card's thread, oldest first."""
    [card] = [one for one in rendering.store.messages(rendering.name) if one.kind == CARD]
    return [one.words for one in rendering.posted() if one.thread_ts == card.ts]


def test_older_reminders_and_nudges_point_to_the_newer(rendering: Drawing) -> None:
    remind(rendering, "1")
    render(rendering)
    remind(rendering, "1", "2")
    nudge(rendering, 1)
    render(rendering)
    nudge(rendering, 2)
    render(rendering)
    first, second, third, fourth = thread(rendering)
    assert first == third and len({first, second, fourth}) == 3


def test_after_the_decision_a_thread_costs_no_more_calls(rendering: Drawing) -> None:
    """Seventy nudges would else be seventy calls for each later transition."""
    remind(rendering, "1")
    render(rendering)
    for hours in range(1, 6):
        nudge(rendering, hours)
        render(rendering)
    newest = thread(rendering)[-1]
    rendering.approve()
    render(rendering)
    assert thread(rendering)[0] == thread(rendering)[-1] != newest
    updates, posts = (
        len(rendering.slack.calls(method)) for method in ("chat.update", "chat.postMessage")
    )
    rendering.transition(Event.EXPIRE, "keydesk", deadline=None)
    render(rendering)
    assert len(rendering.slack.calls("chat.update")) - updates == 3, "the card, two to Alice"
    assert len(rendering.slack.calls("chat.postMessage")) - posts == 1, "that it has expired"
    assert len(thread(rendering)) == 6


def test_after_the_decision_no_reminder_is_posted(rendering: Drawing) -> None:
    render(rendering)
    remind(rendering, "1")
    nudge(rendering, 1)
    rendering.approve()
    render(rendering)
    assert thread(rendering) == []


def test_a_lost_answer_leaves_one_reminder_too_many(rendering: Drawing) -> None:
    render(rendering)
    remind(rendering, "1")
    rendering.slack.faults.drop("chat.postMessage", "after")
    rendering.messenger().render_now(rendering.name)
    rendering.come_back()
    assert len(thread(rendering)) == 2 and rendering.shows_the_state()


def test_a_reminder_that_could_not_be_updated_is_later(rendering: Drawing) -> None:
    remind(rendering, "1")
    render(rendering)
    [waiting] = thread(rendering)
    rendering.approve()
    rendering.slack.faults.status("chat.update", 500, times=3)
    rendering.messenger().render_now(rendering.name)
    assert thread(rendering) == [waiting]
    rendering.come_back()
    assert thread(rendering) != [waiting] and rendering.shows_the_state()

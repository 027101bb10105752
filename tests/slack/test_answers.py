"""Every answer finds its way to the person, privately, or is known not to have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.slack import ids
from bot.slack.blocks import Drawn
from bot.slack.boundary import CHECKING, Answer, NotTold, Payload
from sandbox.local import LocalSlack
from sandbox.people import BOT_USER
from sandbox.seen import SeenMessage
from tests.logged import Log
from tests.slack.desk import PATIENCE, SlackDesk, serving

REMEMBERED = timedelta(seconds=60)
"""How long it may be remembered who a person is."""


@pytest.fixture
def desk(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    """A desk that is served."""
    with serving(slack, web) as served:
        yield served


def test_without_its_response_url_an_answer_comes_as_an_ephemeral(desk: SlackDesk) -> None:
    """Used up or too old, as Slack says; or taken with an `ok: false`."""
    for number, fault in enumerate(
        (
            lambda: desk.slack.faults.status("response_url", 404),
            lambda: desk.slack.faults.fail("response_url", "expired_url"),
            lambda: desk.slack.faults.drop("response_url"),
        )
    ):
        fault()
        desk.carol.command("/key help", "key-approvals")
        desk.slack.wait_until(
            lambda seen=number + 1: len(_seen(desk, "ask for an access key")) == seen, PATIENCE
        )
    assert len(desk.slack.calls("chat.postEphemeral")) == 3


def test_an_answer_that_finds_no_way_into_a_channel_comes_as_a_direct_message(
    desk: SlackDesk,
) -> None:
    """A command may be typed where the desk is not a member; then Slack lets it answer by the response URL alone."""
    desk.slack.leave(BOT_USER, "C0GENERAL")
    desk.slack.faults.status("response_url", 429)
    desk.alice.command("/key help", "general")
    assert desk.alice.wait_for("dm", "ask for an access key").ephemeral
    assert desk.alice.messages("general") == []


def _seen(desk: SlackDesk, words: str) -> list[SeenMessage]:
    return [message for message in desk.carol.messages("key-approvals") if words in message.words]


def test_a_message_that_slack_takes_nowhere_is_not_told(desk: SlackDesk) -> None:
    delivery = desk.alice.command("/key help")
    answer = Answer(desk.web, Payload.command(delivery.payload))
    with pytest.raises(NotTold):
        answer.show(Drawn("x", [{"type": "bogus"}]))


def test_the_form_says_what_came_of_it(desk: SlackDesk) -> None:
    desk.alice.command("/key create")
    desk.alice.wait_for_modal("What is the key for?")
    desk.alice.submit({ids.REASON_BLOCK: "deploy <script>"})
    desk.alice.wait_for_modal("Asked. Your request waits for an approver")
    assert desk.carol.wait_for("key-approvals", containing="deploy <script>").has_button("Approve")


def test_what_is_wrong_with_a_reason_is_said_at_the_field(desk: SlackDesk) -> None:
    desk.alice.command("/key create")
    desk.alice.wait_for_modal("What is the key for?")
    delivery = desk.alice.submit({ids.REASON_BLOCK: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"})
    assert "Treat that key as leaked" in delivery.errors[ids.REASON_BLOCK]
    assert desk.store.entries == []


class AtOnce:
    """A pool whose work is done, or waits for the form, before `submit` returns: faster than any acknowledgement."""

    def __init__(self) -> None:
        self.paused = threading.Event()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], None]) -> bool:
        def run() -> None:
            work()
            self.paused.set()

        self.paused.clear()
        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()
        return self.paused.wait(PATIENCE)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)


def test_an_answer_that_is_found_before_the_acknowledgement_is_not_overwritten_by_it(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    pool = AtOnce()

    def wait(seconds: float) -> None:
        if seconds:
            pool.paused.set()
            slack.wait_until(
                lambda: CHECKING in slack.person("alice").modal_words, PATIENCE, "the form checks"
            )

    with serving(slack, web, pool, wait) as desk:
        desk.asked()
        desk.alice.command("/key create")
        desk.alice.wait_for_modal("What is the key for?")
        desk.alice.submit({ids.REASON_BLOCK: "another one"})
        desk.alice.wait_for_modal("You have a request open")
        pool.join()


def test_whoever_closes_the_form_is_told_in_the_direct_message(desk: SlackDesk) -> None:
    desk.alice.command("/key create")
    desk.alice.wait_for_modal("What is the key for?")
    desk.clock.advance(REMEMBERED)
    held = desk.slack.faults.hold("users.info")
    desk.alice.submit({ids.REASON_BLOCK: "deploy script"})
    desk.alice.wait_for_modal(CHECKING)
    assert held.reached.wait(PATIENCE)
    desk.alice.close_modal()
    held.release()
    assert desk.alice.wait_for(containing="Asked. Your request waits for an approver").ephemeral


def test_the_response_url_is_in_no_log_line_and_no_repr(desk: SlackDesk, log: Log) -> None:
    deliveries = [desk.alice.command("/key list"), desk.alice.command("/key nonsense")]
    desk.slack.faults.drop("response_url")
    deliveries.append(desk.carol.click(desk.asked(), "Approve"))
    desk.alice.wait_for(button="Reveal my key")
    for delivery in deliveries:
        url = delivery.payload["response_url"]
        assert url not in log.text and url.rsplit("/", 1)[1] not in log.text
        assert url not in repr(Payload.command(delivery.payload)) + str(
            Payload.click(delivery.payload)
        )

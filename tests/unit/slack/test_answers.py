"""Every answer finds its way to the person, privately, or is known not to have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.slack import action_ids
from bot.slack.listeners.responder import Responder, ResponseFailed
from bot.slack.messages.blocks import Message
from bot.slack.messages.replies import CHECKING_TEXT
from bot.slack.payload import Payload
from sandbox.local import LocalSlack
from sandbox.people import BOT_USER
from sandbox.seen import SeenMessage
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, SlackDesk, serving

REMEMBERED = timedelta(seconds=60)
"""How long it may be remembered who a person is."""


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    """A desk that is served."""
    with serving(slack, web) as served:
        yield served


def test_without_its_response_url_an_answer_comes_as_an_ephemeral(services: SlackDesk) -> None:
    """Used up or too old, as Slack says; or taken with an `ok: false`."""
    for number, fault in enumerate(
        (
            lambda: services.slack.faults.status("response_url", 404),
            lambda: services.slack.faults.fail("response_url", "expired_url"),
            lambda: services.slack.faults.drop("response_url"),
        )
    ):
        fault()
        services.carol.command("/key help", "key-approvals")
        services.slack.wait_until(
            lambda seen=number + 1: len(_seen(services, "request an access key")) == seen, PATIENCE
        )
    assert len(services.slack.calls("chat.postEphemeral")) == 3


def test_an_answer_that_finds_no_way_into_a_channel_comes_as_a_direct_message(
    services: SlackDesk,
) -> None:
    """A command may be typed where the desk is not a member; then Slack lets it answer by the response URL alone."""
    services.slack.leave(BOT_USER, "C0GENERAL")
    services.slack.faults.status("response_url", 429)
    services.alice.command("/key help", "general")
    assert services.alice.wait_for("dm", "request an access key").ephemeral
    assert services.alice.messages("general") == []


def _seen(services: SlackDesk, words: str) -> list[SeenMessage]:
    return [
        message for message in services.carol.messages("key-approvals") if words in message.words
    ]


def test_a_message_that_slack_takes_nowhere_is_not_told(services: SlackDesk) -> None:
    delivery = services.alice.command("/key help")
    answer = Responder(services.web, Payload.command(delivery.payload))
    with pytest.raises(ResponseFailed):
        answer.show(Message("x", [{"type": "bogus"}]))


def test_the_form_says_what_came_of_it(services: SlackDesk) -> None:
    services.alice.command("/key create")
    services.alice.wait_for_modal("What is the key for?")
    services.alice.submit({action_ids.REASON_BLOCK: "deploy <script>"})
    services.alice.wait_for_modal("Sent to the approvers.")
    assert services.carol.wait_for("key-approvals", containing="deploy <script>").has_button(
        "Approve"
    )


def test_what_is_wrong_with_a_reason_is_said_at_the_field(services: SlackDesk) -> None:
    services.alice.command("/key create")
    services.alice.wait_for_modal("What is the key for?")
    delivery = services.alice.submit(
        {action_ids.REASON_BLOCK: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"}
    )
    assert "as leaked" in delivery.errors[action_ids.REASON_BLOCK]
    assert services.store.entries == []


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
                lambda: CHECKING_TEXT in slack.person("alice").modal_words,
                PATIENCE,
                "the form checks",
            )

    with serving(slack, web, pool, wait) as services:
        services.asked()
        services.alice.command("/key create")
        services.alice.wait_for_modal("What is the key for?")
        services.alice.submit({action_ids.REASON_BLOCK: "another one"})
        services.alice.wait_for_modal("You already have an open request")
        pool.join()


def test_whoever_closes_the_form_is_told_in_the_direct_message(services: SlackDesk) -> None:
    services.alice.command("/key create")
    services.alice.wait_for_modal("What is the key for?")
    services.clock.advance(REMEMBERED)
    held = services.slack.faults.hold("users.info")
    services.alice.submit({action_ids.REASON_BLOCK: "deploy script"})
    services.alice.wait_for_modal(CHECKING_TEXT)
    assert held.reached.wait(PATIENCE)
    services.alice.close_modal()
    held.release()
    assert services.alice.wait_for(containing="Sent to the approvers.").ephemeral


def test_the_response_url_is_in_no_log_line_and_no_repr(services: SlackDesk, log: Log) -> None:
    deliveries = [services.alice.command("/key list"), services.alice.command("/key nonsense")]
    services.slack.faults.drop("response_url")
    deliveries.append(services.carol.click(services.asked(), "Approve"))
    services.alice.wait_for(button="Reveal my key")
    for delivery in deliveries:
        url = delivery.payload["response_url"]
        assert url not in log.text and url.rsplit("/", 1)[1] not in log.text
        assert url not in repr(Payload.command(delivery.payload)) + str(
            Payload.click(delivery.payload)
        )

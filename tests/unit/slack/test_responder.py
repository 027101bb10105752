"""Each answer reaches its user privately, or is known not to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.domain.codes import Code
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.listeners.responder import Responder, ResponseFailed
from bot.slack.messages.blocks import Message
from bot.slack.messages.replies import CHECKING_TEXT
from bot.slack.payload import Payload
from sandbox.local import LocalSlack
from sandbox.people import BOT_USER
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, SlackDesk, serving
from tests.unit.slack.steps import SECRET, open_create_form, outcome

REASON = {action_ids.REASON_BLOCK: "deploy <script>"}


def test_without_a_response_url_an_ephemeral_is_posted(served: SlackDesk) -> None:
    """The URL is used up or too old, or Slack takes it with `ok: false`."""
    faults = served.slack.faults
    for number, fault in enumerate(
        (
            lambda: faults.status("response_url", 404),
            lambda: faults.fail("response_url", "expired_url"),
            lambda: faults.drop("response_url"),
        ),
        start=len(served.carol.messages("key-approvals")) + 1,
    ):
        fault()
        served.carol.command("/key help", "key-approvals")
        served.slack.wait_until(
            lambda seen=number: len(served.carol.messages("key-approvals")) == seen, PATIENCE
        )
    assert len(served.slack.calls("chat.postEphemeral")) == 3


def test_where_keydesk_is_no_member_it_answers_in_the_dm(served: SlackDesk) -> None:
    """Slack lets it answer a command there by the response URL alone."""
    served.slack.leave(BOT_USER, "C0GENERAL")
    served.slack.faults.status("response_url", 429)
    served.alice.command("/key help", "general")
    assert served.alice.wait_for("dm").ephemeral
    assert served.alice.messages("general") == []


def test_an_answer_that_slack_takes_nowhere_has_failed(served: SlackDesk) -> None:
    delivery = served.alice.command("/key help")
    responder = Responder(served.web, Payload.command(delivery.payload))
    with pytest.raises(ResponseFailed):
        responder.show(Message("x", [{"type": "bogus"}]))


def test_an_error_in_a_field_is_shown_at_the_field(served: SlackDesk) -> None:
    open_create_form(served)
    delivery = served.alice.submit({action_ids.REASON_BLOCK: SECRET})
    assert list(delivery.errors) == [action_ids.REASON_BLOCK]
    assert served.store.entries == []


class FasterThanAcks:
    """A pool whose work ends, or waits for its form, before `submit` returns."""

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


def test_an_answer_before_the_ack_is_not_overwritten(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    pool, alice = FasterThanAcks(), slack.person("alice")

    def wait(seconds: float) -> None:
        if seconds:
            pool.paused.set()
            slack.wait_until(lambda: CHECKING_TEXT in alice.modal_words, PATIENCE, "it is checking")

    with serving(slack, web, pool, wait) as world:
        world.asked()
        open_create_form(world)
        alice.submit(REASON)
        assert outcome(world, log, action_ids.CREATE_FORM)["code"] == Code.REQUEST_ALREADY_OPEN
        pool.join()
        assert CHECKING_TEXT not in alice.modal_words


def test_a_user_who_closed_the_form_is_told_in_the_dm(served: SlackDesk) -> None:
    open_create_form(served)
    served.clock.advance(timedelta(seconds=60))  # an identity is remembered for a minute
    held = served.slack.faults.hold("users.info")
    served.alice.submit(REASON)
    served.alice.wait_for_modal(CHECKING_TEXT)
    assert held.reached.wait(PATIENCE)
    served.alice.close_modal()
    held.release()
    served.alice.wait_until(
        lambda: [one for one in served.alice.messages() if one.ephemeral], PATIENCE, "the answer"
    )
    assert served.request().status is Status.PENDING


def test_the_response_url_is_in_no_log_line_and_no_repr(served: SlackDesk, log: Log) -> None:
    deliveries = [served.alice.command("/key list"), served.alice.command("/key nonsense")]
    served.slack.faults.drop("response_url")
    deliveries.append(served.carol.click(served.asked(), "Approve"))
    served.alice.wait_for(button=action_ids.REVEAL)
    for delivery in deliveries:
        url, payload = delivery.payload["response_url"], delivery.payload
        assert url not in log.text and url.rsplit("/", 1)[1] not in log.text
        assert url not in f"{Payload.command(payload)!r} {Payload.click(payload)}"

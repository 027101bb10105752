"""What a click brings is said truthfully, and no body, however odd, keeps a listener from acknowledging it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk import WebClient

from bot.domain.codes import Code
from bot.domain.outside_errors import StoreUnavailable
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.routes import BUTTONS, FORMS, Listeners
from bot.slack.messages.modals import FormDefaults
from bot.slack.payload import Payload
from sandbox.local import LocalSlack
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, SlackDesk, serving, words_of

Events = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, log: Log) -> Iterator[SlackDesk]:
    """A desk that is served."""
    with serving(slack, web) as served:
        yield served


def test_a_click_is_logged_with_its_request_or_key_person_verb_outcome_and_milliseconds(
    services: SlackDesk, events: Events
) -> None:
    services.alice.click(services.delivered(), "I have it")
    services.slack.wait_until(lambda: events("have_it"), PATIENCE, "the receipt is logged")
    [approved], [receipt] = events("approve"), events("have_it")
    request = services.request()
    assert (approved["request"], approved["user"], approved["outcome"]) == (
        request.id,
        "U0CAROL",
        "done",
    )
    assert receipt["key"] == request.access_key_id and receipt["ms"] >= 0


def test_i_saved_it_removes_the_ephemeral(services: SlackDesk) -> None:
    services.delivered()
    services.alice.click(services.alice.wait_for(button="I saved it"), "I saved it")
    services.slack.wait_until(
        lambda: services.alice.last(button="I saved it") is None, PATIENCE, "the ephemeral is gone"
    )
    services.slack.wait_until(
        lambda: services.request().status == "confirmed", PATIENCE, "it is confirmed"
    )


def test_where_slack_does_not_remove_the_ephemeral_the_receipt_stands_and_is_said_to(
    services: SlackDesk,
) -> None:
    services.delivered()
    services.slack.faults.status("response_url", 500)
    services.alice.click(services.alice.wait_for(button="I saved it"), "I saved it")
    assert "reload Slack" in services.alice.wait_for(containing="You have AKIA").words
    assert services.request().status == "confirmed"


def test_i_did_not_get_it_is_not_said_to_be_done_while_aws_may_still_have_the_key(
    services: SlackDesk,
) -> None:
    lasting = services.delivered()
    services.iam.hidden.add(
        services.request().access_key_id
    )  # a young key that this corner of IAM does not know yet
    services.alice.click(lasting, "I did not get it")
    told = services.alice.wait_for(containing="which can take a few minutes")
    assert told.ephemeral and "reveal a new one after that" in told.words
    assert services.request().status == "deleting"


def test_a_click_that_was_done_is_not_said_to_have_failed_when_its_copy_cannot_be_noted(
    slack: LocalSlack, web: WebClient, events: Events
) -> None:
    with serving(slack, web) as services:
        card = services.asked()
        services.store.messages = _no_store  # type: ignore[method-assign]  # the store goes away after the decision
        services.carol.click(card, "Approve")
        services.carol.wait_for(
            "key-approvals", containing="Approved. @alice can now reveal the key."
        )
        slack.wait_until(lambda: events("approve"), PATIENCE, "the click is logged")
        assert [line["outcome"] for line in events("approve")] == ["done"]
        assert (
            services.carol.last("key-approvals", containing=words_of(Code.STORE_UNAVAILABLE))
            is None
        )


def _no_store(name: str) -> Any:
    raise StoreUnavailable


def test_a_button_of_another_version_is_answered(services: SlackDesk) -> None:
    card = services.asked()
    services.carol.post_action(card, "from_the_future", "x")
    assert services.carol.wait_for(
        "key-approvals", containing=words_of(Code.UNKNOWN_BUTTON)[:30]
    ).ephemeral


# -- junk

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=10)
    | st.sampled_from(["\ud800", "x" * 100_000]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "team_id",
                    "action_id",
                    "value",
                    "state",
                    "values",
                    "channel_id",
                    "hash",
                    "0",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
)
BODIES = st.dictionaries(
    st.sampled_from(
        [
            "user",
            "user_id",
            "team_id",
            "trigger_id",
            "actions",
            "container",
            "view",
            "text",
            "response_url",
            "channel_id",
            "event",
            "event_id",
        ]
    ),
    JUNK,
)


@settings(deadline=None)
@given(BODIES)
def test_whatever_stands_in_a_body_becomes_texts(body: dict[str, Any]) -> None:
    for payload in (
        Payload.command(body),
        Payload.click(body),
        Payload.submission(body),
        Payload.event(body),
    ):
        assert all(isinstance(value, str | bool) for value in vars(payload).values())
        assert set(payload.about()) <= {"key", "request"}
        assert payload.response_url not in repr(payload) or len(payload.response_url) < 40


class Acks:
    """What was acknowledged."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *words: Any, **named: Any) -> None:
        self.count += 1


class Taker:
    """A boundary that only acknowledges, as the real one does."""

    def take(
        self,
        ack: Any,
        payload: Payload,
        verb: str,
        work: Any,
        *,
        fresh: bool = False,
        guests: bool = False,
    ) -> None:
        ack()


@settings(deadline=None)
@given(BODIES)
def test_every_listener_acknowledges_whatever_it_gets_once(body: dict[str, Any]) -> None:
    nothing: Any = None
    dispatcher: Any = Taker()
    listeners = Listeners(
        ListenerContext(nothing, nothing, FormDefaults()), dispatcher, nothing, nothing
    )
    clicks = [listeners.on_click(button.handle) for button in BUTTONS.values()]
    forms = [listeners.on_submit(form.handle) for form in FORMS.values()]
    for listener in (listeners.command, listeners.unknown_form, listeners.home, *forms, *clicks):
        ack: Any = Acks()
        listener(ack, body)
        assert ack.count == 1

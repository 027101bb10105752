"""Clicks are logged and answered, and any body is acknowledged."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk import WebClient

from bot.domain.codes import Code
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.routes import BUTTONS, FORMS, Listeners
from bot.slack.messages import replies
from bot.slack.messages.modals import FormDefaults
from bot.slack.payload import Payload
from sandbox.local import LocalSlack
from sandbox.seen import SeenMessage
from tests.support.logged import Log
from tests.support.slack_services import PATIENCE, SlackDesk, serving
from tests.unit.slack.steps import Acks, outcome, wait_for_answer


def secret(world: SlackDesk) -> SeenMessage:
    """Return the ephemeral with the secret."""
    world.delivered()
    return world.alice.wait_for(button=action_ids.SAVED)


def test_a_click_is_logged_with_what_it_is_about(served: SlackDesk, log: Log) -> None:
    served.alice.click(served.delivered(), "I have it")
    receipt, [approved] = outcome(served, log, action_ids.HAVE_IT), log.lines("approve")
    request = served.request()
    about = (approved["request"], approved["user"], approved["outcome"])
    assert about == (request.id, "U0CAROL", "done")
    assert receipt["key"] == request.access_key_id and receipt["ms"] >= 0


def test_confirming_in_the_secrets_message_removes_it(served: SlackDesk, log: Log) -> None:
    served.alice.click(secret(served), "I saved it")
    assert outcome(served, log, action_ids.SAVED)["outcome"] == "done"
    served.slack.wait_until(
        lambda: served.alice.last(button=action_ids.SAVED) is None, PATIENCE, "it is gone"
    )
    assert served.request().status is Status.CONFIRMED


def test_a_receipt_counts_where_the_message_stays(served: SlackDesk) -> None:
    shown = secret(served)
    served.slack.faults.status("response_url", 500)
    served.alice.click(shown, "I saved it")
    wait_for_answer(served.alice, replies.saved(served.request().access_key_id))
    assert served.request().status is Status.CONFIRMED
    assert served.alice.last(button=action_ids.SAVED)


def test_a_key_is_not_deleted_before_aws_shows_it(served: SlackDesk, log: Log) -> None:
    lasting, key_id = served.delivered(), served.request().access_key_id
    served.iam.hidden.add(key_id)  # IAM's list is old
    served.alice.click(lasting, "I did not get it")
    assert outcome(served, log, action_ids.DID_NOT_GET)["outcome"] == "done"
    assert served.request().status is Status.DELETING
    wait_for_answer(served.alice, replies.key_deleted(key_id, served.request()))


def test_a_click_is_done_though_its_message_is_not_recorded(
    slack: LocalSlack, web: WebClient, log: Log
) -> None:
    def gone(name: str) -> Any:
        raise StoreUnavailable

    with serving(slack, web) as world:
        card = world.asked()
        world.store.messages = gone  # type: ignore[method-assign]
        before = len(world.carol.messages("key-approvals"))
        world.carol.click(card, "Approve")
        assert outcome(world, log, "approve")["outcome"] == "done"
        answers = [one for one in world.carol.messages("key-approvals")[before:] if one.ephemeral]
        assert len(answers) == 1 and world.request().status is Status.APPROVED


def test_a_button_of_another_version_is_answered(served: SlackDesk, log: Log) -> None:
    served.carol.post_action(served.asked(), "from_the_future", "x")
    assert outcome(served, log, "from_the_future")["code"] == Code.UNKNOWN_BUTTON
    assert served.carol.messages("key-approvals")[-1].ephemeral


# -- junk

FIELDS = {
    *("user", "user_id", "team_id", "trigger_id", "actions", "container"),
    *("view", "text", "response_url", "channel_id", "event", "event_id"),
}
NAMES = {"id", "team_id", "action_id", "value", "state", "values", "channel_id", "hash", "0"}
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
JUNK = st.recursive(
    SCALARS | st.sampled_from(["\ud800", "x" * 100_000]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(sorted(NAMES)), inner, max_size=4)
    ),
)
BODIES = st.dictionaries(st.sampled_from(sorted(FIELDS)), JUNK)


@settings(deadline=None)
@given(BODIES)
def test_every_field_of_a_payload_is_text(body: dict[str, Any]) -> None:
    for read in (Payload.command, Payload.click, Payload.submission, Payload.event):
        payload = read(body)
        assert all(isinstance(value, str | bool) for value in vars(payload).values())
        assert set(payload.about()) <= {"key", "request"}
        assert payload.response_url not in repr(payload) or len(payload.response_url) < 40


class Acknowledging:
    """A dispatcher that only acknowledges."""

    def take(self, ack: Any, *work: Any, **options: Any) -> None:
        ack()


@settings(deadline=None)
@given(BODIES)
def test_every_listener_acknowledges_any_body_once(body: dict[str, Any]) -> None:
    nothing: Any = None
    dispatcher: Any = Acknowledging()
    context = ListenerContext(nothing, nothing, FormDefaults())
    listeners = Listeners(context, dispatcher, nothing, nothing)
    clicks = [listeners.on_click(button.handle) for button in BUTTONS.values()]
    forms = [listeners.on_submit(form.handle) for form in FORMS.values()]
    for listener in (listeners.command, listeners.unknown_form, listeners.home, *forms, *clicks):
        acks: Any = Acks()
        listener(acks, body)
        assert len(acks.given) == 1

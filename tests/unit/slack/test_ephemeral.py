"""The ephemeral with the secret is posted once, or not at all, and the secret is in nothing else."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain.errors import KeydeskError, Refused
from bot.domain.outside_errors import OutcomeUnknown, SlackUnavailable
from bot.domain.secret import Secret
from bot.slack.messages.kinds import CARD, REQUESTED
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from tests.support.example_requests import KEYS
from tests.support.render_world import ALICE, Drawing

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"


@pytest.fixture
def services(slack: LocalSlack, web: WebClient, redis_store: RedisStore) -> Iterator[Drawing]:
    yield Drawing(slack, web, redis_store)
    slack.faults.clear()


ONCE: dict[str, tuple[type[KeydeskError], Callable[[LocalSlack], None]]] = {
    "answer lost": (OutcomeUnknown, lambda slack: slack.faults.drop("chat.postEphemeral", "after")),
    "connection cut": (
        OutcomeUnknown,
        lambda slack: slack.faults.drop("chat.postEphemeral", "before"),
    ),
    "outage": (OutcomeUnknown, lambda slack: slack.faults.status("chat.postEphemeral", 500)),
    "a proxy's page": (
        OutcomeUnknown,
        lambda slack: slack.faults.fail("chat.postEphemeral", "<html> Hello"),
    ),
    "no such channel": (
        Refused,
        lambda slack: slack.faults.fail("chat.postEphemeral", "channel_not_found"),
    ),
    "rate limit": (Refused, lambda slack: slack.faults.status("chat.postEphemeral", 429)),
}


def hand_over(services: Drawing) -> None:
    services.messenger().deliver(services.request, KEYS[0], Secret(SECRET))


def test_the_ephemeral_goes_once_to_the_stored_direct_message(services: Drawing) -> None:
    hand_over(services)
    [call] = services.slack.calls("chat.postEphemeral")
    assert (call.args["channel"], call.args["user"]) == ("D0ALICE", ALICE)
    shown = services.slack.person(ALICE).last(containing=SECRET)
    assert shown and shown.ephemeral and shown.has_button("I saved it")
    assert SECRET not in services.slack.lasting_text()


@pytest.mark.parametrize("fault", ONCE)
def test_what_became_of_the_ephemeral_is_said_and_it_is_never_sent_again(
    services: Drawing, fault: str
) -> None:
    expected, begin = ONCE[fault]
    begin(services.slack)
    with pytest.raises(KeydeskError) as caught:
        hand_over(services)
    assert type(caught.value) is expected
    assert len(services.slack.calls("chat.postEphemeral")) == 1


@pytest.mark.parametrize("fault", ONCE)
def test_the_secret_is_in_no_exception(services: Drawing, fault: str) -> None:
    """Neither in words nor in the variables of its frames, however far its causes are followed."""
    ONCE[fault][1](services.slack)
    with pytest.raises(KeydeskError) as caught:
        hand_over(services)
    error: BaseException | None = caught.value
    assert error is not None and error.__cause__ is None and error.__context__ is None
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "deliver" in told
    assert SECRET not in told + str(error) + repr(error) + repr(vars(error))


def test_a_secret_that_slack_would_not_take_leaves_no_trace_either(services: Drawing) -> None:
    """Whatever goes wrong before anything is sent."""
    with pytest.raises(OutcomeUnknown) as caught:
        services.messenger().deliver(
            services.request, replace(KEYS[0], id="A" * 3000), Secret(SECRET)
        )
    told = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    )
    assert SECRET not in told


def test_the_direct_message_is_the_one_with_this_person(services: Drawing) -> None:
    messenger = services.messenger()
    assert [messenger.dm(ALICE), messenger.dm(ALICE)] == ["D0ALICE", "D0ALICE"]
    assert len(services.slack.calls("conversations.open")) == 1, (
        "where somebody is told stays the same"
    )
    services.slack.faults.status("conversations.open", 500)
    with pytest.raises(SlackUnavailable):
        services.messenger().dm(ALICE)


def test_a_line_that_cannot_be_posted_is_logged_and_nothing_is_raised(
    services: Drawing, events: Callable[[str], list[dict[str, Any]]]
) -> None:
    messenger = services.messenger()
    messenger.say("D0ALICE", "Hello")
    messenger.say("C0NOWHERE", "Hello")
    assert services.slack.person(ALICE).last(containing="Hello")
    assert [line["error"] for line in events("say")] == ["channel_not_found"]


def test_kinds_of_the_first_copies_are_told_apart(services: Drawing) -> None:
    services.messenger().render(services.name)
    assert [copy.kind for copy in services.store.messages(services.name)] == [REQUESTED, CARD]

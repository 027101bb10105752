"""The ephemeral with the secret is posted once or not at all."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, Refused
from bot.domain.outside_errors import OutcomeUnknown
from bot.domain.secret import Secret
from sandbox.local import LocalSlack
from tests.support.errors import refuses
from tests.support.example_requests import KEYS
from tests.support.render_world import ALICE, Drawing

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"
POST = "chat.postEphemeral"

FAULTS: dict[str, tuple[type[KeydeskError], Callable[[LocalSlack], None]]] = {
    "answer lost": (OutcomeUnknown, lambda slack: slack.faults.drop(POST, "after")),
    "connection cut": (OutcomeUnknown, lambda slack: slack.faults.drop(POST, "before")),
    "outage": (OutcomeUnknown, lambda slack: slack.faults.status(POST, 500)),
    "a proxy's page": (OutcomeUnknown, lambda slack: slack.faults.fail(POST, "<html> Hello")),
    "no such channel": (Refused, lambda slack: slack.faults.fail(POST, "channel_not_found")),
    "rate limit": (Refused, lambda slack: slack.faults.status(POST, 429)),
}


def deliver(rendering: Drawing, key_id: str = KEYS[0].id) -> None:
    rendering.messenger().deliver(rendering.request, replace(KEYS[0], id=key_id), Secret(SECRET))


def everything_told(error: BaseException) -> str:
    """Return an error's words, attributes, traceback and local variables."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    return "".join([*trace, str(error), repr(error), repr(vars(error))])


def test_the_secret_goes_once_to_the_direct_message(rendering: Drawing) -> None:
    deliver(rendering)
    [call] = rendering.slack.calls(POST)
    assert (call.args["channel"], call.args["user"]) == ("D0ALICE", ALICE)
    shown = rendering.slack.person(ALICE).last(containing=SECRET)
    assert shown and shown.ephemeral and shown.has_button("I saved it")
    assert SECRET not in rendering.slack.lasting_text()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_is_told_and_nothing_is_sent_again(rendering: Drawing, fault: str) -> None:
    """The secret is in no exception, however far its causes are followed."""
    expected, begin = FAULTS[fault]
    begin(rendering.slack)
    with pytest.raises(KeydeskError) as caught:
        deliver(rendering)
    error = caught.value
    assert (type(error), error.__cause__, error.__context__) == (expected, None, None)
    assert len(rendering.slack.calls(POST)) == 1
    assert "deliver" in everything_told(error) and SECRET not in everything_told(error)


def test_a_message_slack_cannot_take_shows_no_secret(rendering: Drawing) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        deliver(rendering, "A" * 3000)
    assert SECRET not in everything_told(caught.value)


def test_the_direct_message_is_remembered(rendering: Drawing) -> None:
    messenger = rendering.messenger()
    assert [messenger.dm(ALICE), messenger.dm(ALICE)] == ["D0ALICE", "D0ALICE"]
    assert len(rendering.slack.calls("conversations.open")) == 1
    rendering.slack.faults.status("conversations.open", 500)
    with refuses(Code.SLACK_UNAVAILABLE):
        rendering.messenger().dm(ALICE)

"""Do the faults a test puts in happen to the bot's calls, once, and at the right moment?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.local import LocalSlack

POST = "chat.postMessage"


def post(client: WebClient, text: str = "x") -> None:
    """Post to the audit channel."""
    client.chat_postMessage(channel="C0AUDIT", text=text)


def texts(slack: LocalSlack) -> list[str]:
    """Return what stands in the audit channel."""
    return [message.text for message in slack.person("carol").messages("key-audit")]


def test_a_failed_call_has_no_effect_and_the_next_succeeds(
    slack: LocalSlack, client: WebClient
) -> None:
    """`fail` is used up."""
    slack.faults.fail(POST, "fatal_error", times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError, match="fatal_error"):
            post(client, "lost")
    post(client, "kept")
    assert texts(slack) == ["kept"]
    assert [call.answer["ok"] for call in slack.calls(POST)] == [False, False, True]


def test_a_status_comes_with_retry_after(slack: LocalSlack, client: WebClient) -> None:
    """429 as Slack sends it; 500 without a wait."""
    slack.faults.status(POST, 429, retry_after=7)
    with pytest.raises(SlackApiError) as limited:
        post(client)
    assert limited.value.response.status_code == 429
    assert limited.value.response.headers["Retry-After"] == "7"
    slack.faults.status(POST, 500)
    with pytest.raises(SlackApiError):
        post(client)


def test_a_dropped_connection_took_effect_only_after(slack: LocalSlack, client: WebClient) -> None:
    """`before`: nothing happened; `after`: it did, and the caller cannot know."""
    slack.faults.drop(POST, "before")
    slack.faults.drop(POST, "after")
    for text in ("before", "after"):
        with pytest.raises(OSError):
            post(client, text)
    assert texts(slack) == ["after"]


@pytest.mark.parametrize(("moment", "there"), [("before", []), ("after", ["held"])])
def test_a_held_call_waits_for_its_release(
    slack: LocalSlack, client: WebClient, moment: str, there: list[str]
) -> None:
    """While one call is held, others go through."""
    hold = slack.faults.hold(POST, "before" if moment == "before" else "after")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(post, client, "held")
        assert hold.reached.wait(5)
        assert texts(slack) == there
        client.auth_test()
        assert not call.done()
        hold.release()
        call.result(5)
    assert texts(slack) == ["held"]


def test_only_the_nth_call_is_held_and_clear_releases_it(
    slack: LocalSlack, client: WebClient
) -> None:
    """`nth` counts from the call to `hold`."""
    slack.faults.fail("auth.test", "fatal_error")
    hold = slack.faults.hold(POST, nth=2)
    post(client)
    assert not hold.reached.is_set()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(post, client)
        assert hold.reached.wait(5)
        slack.faults.clear()
        call.result(5)
    assert client.auth_test()["ok"]

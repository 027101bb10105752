"""Meet the bot's calls with the faults of a test: once, and at the right moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.faults import Moment
from sandbox.local import LocalSlack

POST = "chat.postMessage"


def post(client: WebClient, text: str = "x") -> None:
    client.chat_postMessage(channel="C0AUDIT", text=text)


def posted(slack: LocalSlack) -> list[str]:
    return [message.text for message in slack.person("carol").messages("key-audit")]


def test_a_failed_call_has_no_effect_and_the_next_succeeds(
    slack: LocalSlack, client: WebClient
) -> None:
    slack.faults.fail(POST, "fatal_error", times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError, match="fatal_error"):
            post(client, "lost")
    post(client, "kept")
    assert posted(slack) == ["kept"]
    assert [call.answer["ok"] for call in slack.calls(POST)] == [False, False, True]


@pytest.mark.parametrize(("status", "wait"), [(429, 7), (500, None)])
def test_a_status_comes_with_its_retry_after(
    slack: LocalSlack, client: WebClient, status: int, wait: int | None
) -> None:
    slack.faults.status(POST, status, **({"retry_after": wait} if wait else {}))
    with pytest.raises(SlackApiError) as failed:
        post(client)
    assert failed.value.response.status_code == status
    assert failed.value.response.headers.get("Retry-After") == (str(wait) if wait else None)
    assert posted(slack) == []


def test_a_dropped_connection_took_effect_only_after(slack: LocalSlack, client: WebClient) -> None:
    """The caller cannot know which it was."""
    moments: tuple[Moment, ...] = ("before", "after")
    for moment in moments:
        slack.faults.drop(POST, moment)
        with pytest.raises(OSError):
            post(client, moment)
    assert posted(slack) == ["after"]


@pytest.mark.parametrize(("moment", "there"), [("before", []), ("after", ["held"])])
def test_a_held_call_waits_and_others_do_not(
    slack: LocalSlack, client: WebClient, moment: Moment, there: list[str]
) -> None:
    hold = slack.faults.hold(POST, moment)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(post, client, "held")
        assert hold.reached.wait(5)
        assert posted(slack) == there
        client.auth_test()
        assert not call.done()
        hold.release()
        call.result(5)
    assert posted(slack) == ["held"]


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

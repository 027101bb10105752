"""Does a workspace that keeps to Slack's limits refuse what Slack would refuse, and only then?"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.local import LocalSlack
from sandbox.rates import BURST, METHODS


def taken(call: Callable[[], object], most: int) -> tuple[int, int]:
    """Call until Slack refuses; return how many calls it took, and after how many seconds to come back."""
    for number in range(most + 1):
        try:
            call()
        except SlackApiError as failure:
            assert (
                failure.response.status_code == 429 and failure.response["error"] == "ratelimited"
            )
            return number, int(failure.response.headers["Retry-After"])
    return most + 1, 0


def post(client: WebClient, channel: str = "C0AUDIT") -> None:
    """Post a message."""
    client.chat_postMessage(channel=channel, text="x")


def test_without_limits_everything_is_taken(slack: LocalSlack, client: WebClient) -> None:
    """They are kept to when a test says so."""
    assert taken(lambda: post(client), 20) == (21, 0)


def test_a_channel_takes_a_burst_and_then_a_message_a_second(
    slack: LocalSlack, client: WebClient
) -> None:
    """Each channel by itself."""
    slack.keep_to_limits()
    number, wait = taken(lambda: post(client), 20)
    assert (number, wait) == (BURST, 1)
    post(client, "C0APPROVALS")
    slack.pass_time(3)
    assert taken(lambda: post(client), 20)[0] == 3


@pytest.mark.parametrize("method", ["chat.update", "users.info", "usergroups.users.list"])
def test_a_tier_counts_the_calls_of_a_minute(
    slack: LocalSlack, client: WebClient, method: str
) -> None:
    """What was refused is not counted."""
    ts = client.chat_postMessage(channel="C0AUDIT", text="x")["ts"]
    calls: dict[str, Callable[[], object]] = {
        "chat.update": lambda: client.chat_update(channel="C0AUDIT", ts=str(ts), text="y"),
        "users.info": lambda: client.users_info(user="U0ALICE"),
        "usergroups.users.list": lambda: client.usergroups_users_list(usergroup="S0APPROVERS"),
    }
    slack.keep_to_limits()
    number, wait = taken(calls[method], 200)
    assert number == METHODS[method].calls and 50 < wait <= 60
    slack.pass_time(wait + 1)
    assert taken(calls[method], 200)[0] == number


def test_what_has_no_limit_here_is_taken(slack: LocalSlack, client: WebClient) -> None:
    """auth.test has a special one."""
    slack.keep_to_limits()
    assert taken(client.auth_test, 120) == (121, 0)

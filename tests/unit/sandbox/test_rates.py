"""Refuse what Slack would, in a workspace that keeps to Slack's limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.local import LocalSlack
from sandbox.rates import BURST, METHODS


def accepted(call: Callable[[], object], most: int) -> tuple[int, int]:
    """Call until Slack refuses. Return the number of accepted calls and Retry-After."""
    for number in range(most + 1):
        try:
            call()
        except SlackApiError as failure:
            response = failure.response
            assert (response.status_code, response["error"]) == (429, "ratelimited")
            return number, int(response.headers["Retry-After"])
    return most + 1, 0


def post(client: WebClient, channel: str = "C0AUDIT") -> None:
    client.chat_postMessage(channel=channel, text="x")


def test_without_limits_everything_is_accepted(client: WebClient) -> None:
    assert accepted(lambda: post(client), 20) == (21, 0)


def test_a_channel_takes_a_burst_and_then_one_a_second(
    slack: LocalSlack, client: WebClient
) -> None:
    """Each channel has a limit of its own."""
    slack.keep_to_limits()
    assert accepted(lambda: post(client), 20) == (BURST, 1)
    post(client, "C0APPROVALS")
    slack.pass_time(3)
    assert accepted(lambda: post(client), 20)[0] == 3


CALLS: dict[str, Callable[[WebClient, str], object]] = {
    "chat.update": lambda client, ts: client.chat_update(channel="C0AUDIT", ts=ts, text="y"),
    "users.info": lambda client, ts: client.users_info(user="U0ALICE"),
    "usergroups.users.list": lambda client, ts: client.usergroups_users_list(
        usergroup="S0APPROVERS"
    ),
}


@pytest.mark.parametrize("method", CALLS)
def test_a_tier_counts_the_calls_of_a_minute(
    slack: LocalSlack, client: WebClient, method: str
) -> None:
    """What was refused is not counted."""
    ts = str(client.chat_postMessage(channel="C0AUDIT", text="x")["ts"])
    slack.keep_to_limits()
    number, wait = accepted(lambda: CALLS[method](client, ts), 200)
    assert number == METHODS[method].calls and 50 < wait <= 60
    slack.pass_time(wait + 1)
    assert accepted(lambda: CALLS[method](client, ts), 200)[0] == number


def test_a_method_without_limit_here_is_accepted(slack: LocalSlack, client: WebClient) -> None:
    """auth.test has a special limit in Slack."""
    slack.keep_to_limits()
    assert accepted(client.auth_test, 120) == (121, 0)

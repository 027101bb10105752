"""What can a call to Slack come to? One place that turns slack_sdk's and the network's errors into the desk's own."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import structlog
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.core.errors import OutcomeUnknown, Refused, SlackUnavailable
from bot.slack.pacing import Pacer, Rank

_ERROR = re.compile(r"[a-z][a-z0-9_]*")
"""Slack's words for errors. What is none (a proxy's page, say) leaves open whether the call has run."""

NETWORK = (OSError, http.client.HTTPException)  # URLError and time-outs are OSErrors


def error_of(failure: SlackApiError) -> str:
    """Slack's word for what was wrong, such as `channel_not_found`; "http_500" where it said nothing."""
    data = failure.response.data if isinstance(failure.response.data, dict) else {}
    return str(data.get("error") or f"http_{failure.response.status_code}")


def retry_after(failure: BaseException | None) -> float | None:
    """Seconds to wait where Slack rate-limited the call ("Rate limits", Slack documentation), else None."""
    if not isinstance(failure, SlackApiError) or failure.response.status_code != 429:
        return None
    headers = {name.lower(): value for name, value in failure.response.headers.items()}
    value = headers.get("retry-after", "1")
    first = value[0] if isinstance(value, list) else value
    return float(first) if str(first).isdecimal() else 1.0


def is_refusal(failure: BaseException | None) -> bool:
    """Did Slack answer, and say no to this very call? No rate limit, no outage, no lost answer."""
    return isinstance(failure, SlackApiError) and failure.response.status_code == 200 and (
        _ERROR.fullmatch(error_of(failure)) is not None)


def is_slacks(url: str, api: str) -> bool:
    """Does a response URL lead to Slack: to the host of its API, or to that host's `hooks.`, by the same scheme?"""
    try:
        answer, own = urlsplit(url), urlsplit(api)
    except ValueError:
        return False
    hosts = {own.netloc, f"hooks.{own.netloc.removeprefix('www.')}"}
    return answer.scheme == own.scheme and answer.netloc in hosts


@contextmanager
def asked(method: str) -> Iterator[None]:
    """A call that may be made again: every failure is SlackUnavailable."""
    try:
        yield
    except SlackApiError as failure:
        raise SlackUnavailable(method, error_of(failure)) from failure
    except (*NETWORK, SlackClientError) as failure:
        raise SlackUnavailable(method, type(failure).__name__) from failure


class NotYet(SlackUnavailable):
    """Slack takes no such call now. It has not been made; ask again in `seconds`."""

    def __init__(self, method: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(method, "no room yet")


@contextmanager
def paced(pacer: Pacer, method: str, channel: str, who: str, rank: Rank) -> Iterator[None]:
    """A call that may be made again and that waits its turn: NotYet where that has not come, else as `asked`.

    `who` names what the call is for, the same each time it is tried. The pacer learns how the call went.
    """
    wait = pacer.ask(method, channel, who, rank)
    if wait:
        raise NotYet(method, wait)
    try:
        with asked(method):
            yield
    except SlackUnavailable as failure:
        seconds = retry_after(failure.__cause__)
        if seconds is not None:
            pacer.limited(method, channel, seconds)
        elif is_refusal(failure.__cause__):
            pacer.worked(method)
        else:
            pacer.failed(method, channel)
        raise
    pacer.worked(method)


def post_once(method: str, call: Callable[[], object]) -> None:
    """A call that is made once: Refused where Slack said no, OutcomeUnknown where its answer was lost.

    What is raised has neither cause nor context: slack_sdk's errors hold the whole message that was sent.
    """
    problem: Refused | OutcomeUnknown = OutcomeUnknown(method)
    try:
        call()
        return
    except SlackApiError as failure:
        error = "ratelimited" if failure.response.status_code == 429 else error_of(failure)
        if failure.response.status_code < 500 and _ERROR.fullmatch(error):
            problem = Refused(f"Slack refused it: {error}.")
    except Exception as failure:  # whatever it was, the call may have run
        structlog.get_logger("keydesk.slack").warning(method, outcome="unknown", error=type(failure).__name__)
    raise problem

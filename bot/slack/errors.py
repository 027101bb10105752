"""What can a call to Slack come to? One place that turns slack_sdk's and the network's errors into the desk's own."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import structlog
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.domain.errors import OutcomeUnknown, Refused, SlackUnavailable
from bot.slack.delivery.rate_limiter import Priority, RateLimiter

_ERROR = re.compile(r"[a-z][a-z0-9_]*")
"""Slack's words for errors. What is none (a proxy's page, say) leaves open whether the call has run."""

NETWORK = (OSError, http.client.HTTPException)  # URLError and time-outs are OSErrors


def error_of(failure: SlackApiError) -> str:
    """Slack's word for what was wrong, such as `channel_not_found`; "http_500" where it said nothing."""
    data = failure.response.data if isinstance(failure.response.data, dict) else {}
    return str(data.get("error") or f"http_{failure.response.status_code}")


def retry_after(failure: SlackApiError) -> float | None:
    """Seconds to wait where Slack rate-limited the call ("Rate limits", Slack documentation), else None."""
    if failure.response.status_code != 429:
        return None
    headers = {name.lower(): value for name, value in failure.response.headers.items()}
    value = headers.get("retry-after", "1")
    first = value[0] if isinstance(value, list) else value
    return float(first) if str(first).isdecimal() else 1.0


def is_refusal(failure: SlackApiError) -> bool:
    """Did Slack answer, and say no to this very call? No rate limit, no outage, no lost answer."""
    return failure.response.status_code == 200 and _ERROR.fullmatch(error_of(failure)) is not None


def is_slack_url(url: str, api: str) -> bool:
    """Does a response URL lead to Slack: to the host of its API, or to that host's `hooks.`, by the same scheme?"""
    try:
        responder, own = urlsplit(url), urlsplit(api)
    except ValueError:
        return False
    hosts = {own.netloc, f"hooks.{own.netloc.removeprefix('www.')}"}
    return responder.scheme == own.scheme and responder.netloc in hosts


@contextmanager
def translate_errors(method: str) -> Iterator[None]:
    """A call that may be made again: every failure is SlackUnavailable.

    What is raised has neither cause nor context: the frames of slack_sdk's errors hold the token.
    """
    try:
        yield
        return
    except SlackApiError as failure:
        problem = SlackUnavailable(
            method, error_of(failure), refused=is_refusal(failure), retry_after=retry_after(failure)
        )
    except (*NETWORK, SlackClientError) as failure:
        problem = SlackUnavailable(method, type(failure).__name__)
    try:
        raise problem
    finally:
        problem.__context__ = None


class MustWait(SlackUnavailable):
    """Slack takes no such call now. It has not been made; ask again in `seconds`."""

    def __init__(self, method: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(method, "no room yet")


@contextmanager
def rate_limited(
    rate_limiter: RateLimiter, method: str, channel: str, who: str, priority: Priority
) -> Iterator[None]:
    """A call that may be made again and that waits its turn: MustWait where that has not come, else as `asked`.

    `who` names what the call is for, the same each time it is tried. The pacer learns how the call went.
    """
    wait = rate_limiter.ask(method, channel, who, priority)
    if wait:
        raise MustWait(method, wait)
    try:
        with translate_errors(method):
            yield
    except SlackUnavailable as failure:
        if failure.retry_after is not None:
            rate_limiter.limited(method, channel, failure.retry_after)
        elif failure.refused:
            rate_limiter.worked(method)
        else:
            rate_limiter.failed(method, channel)
        raise
    rate_limiter.worked(method)


def post_once(method: str, call: Callable[[], object]) -> None:
    """A call that is made once: Refused where Slack said no, OutcomeUnknown where its answer was lost.

    What is raised has neither cause nor context: slack_sdk's errors hold the whole message that was sent.
    """
    try:
        call()
        return
    except SlackApiError as failure:
        error = "ratelimited" if failure.response.status_code == 429 else error_of(failure)
        readable = _ERROR.fullmatch(error) is not None
        refused = failure.response.status_code < 500 and readable
        error = error if readable else "unreadable"  # a proxy's page may repeat what was sent
    except Exception as failure:  # whatever it was, the call may have run
        error, refused = type(failure).__name__, False
    if refused:
        raise Refused(f"Slack refused it: {error}.")
    structlog.get_logger("keydesk.slack").warning(method, outcome="unknown", error=error)
    raise OutcomeUnknown(method)

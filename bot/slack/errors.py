"""Translate slack_sdk's and the network's errors to Keydesk's."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import structlog
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.domain.codes import Code
from bot.domain.errors import Refused
from bot.domain.outside_errors import OutcomeUnknown, SlackUnavailable
from bot.slack.delivery.rate_limiter import Priority, RateLimiter

_ERROR = re.compile(r"[a-z][a-z0-9_]*")
"""Slack's error codes.

Any other text, such as a proxy's page, does not show whether the call has run.
"""

NETWORK = (OSError, http.client.HTTPException)
"""Errors of the network. URLError and time-outs are OSErrors."""


def error_of(failure: SlackApiError) -> str:
    """Return Slack's error code, or "http_500" and the like where there is none."""
    data = failure.response.data if isinstance(failure.response.data, dict) else {}
    return str(data.get("error") or f"http_{failure.response.status_code}")


def retry_after(failure: SlackApiError) -> float | None:
    """Return the seconds to wait where Slack rate-limited the call, else None.

    Source: "Rate limits", Slack documentation.
    """
    if failure.response.status_code != 429:
        return None
    headers = {name.lower(): value for name, value in failure.response.headers.items()}
    value = headers.get("retry-after", "1")
    first = value[0] if isinstance(value, list) else value
    return float(first) if str(first).isdecimal() else 1.0


def is_refusal(failure: SlackApiError) -> bool:
    """Return True if Slack refused this call: no rate limit or outage."""
    return failure.response.status_code == 200 and _ERROR.fullmatch(error_of(failure)) is not None


def is_slack_url(url: str, api: str) -> bool:
    """Return True if a response URL leads to Slack.

    Its scheme must be that of the API, its host the API's host or that host's `hooks.`.
    """
    try:
        target, own = urlsplit(url), urlsplit(api)
    except ValueError:
        return False
    hosts = {own.netloc, f"hooks.{own.netloc.removeprefix('www.')}"}
    return target.scheme == own.scheme and target.netloc in hosts


@contextmanager
def translate_errors(method: str) -> Iterator[None]:
    """Raise Keydesk's errors instead of slack_sdk's, for a call that may be repeated.

    What is raised has neither cause nor context: the frames of slack_sdk's errors hold the token.

    Args:
        method: The Web API method, such as `users.info`.

    Raises:
        SlackUnavailable: Slack did not answer, or refused the call (`refused`).
    """
    try:
        yield
        return
    except SlackApiError as failure:
        problem = _from_answer(failure, method)
    except (*NETWORK, SlackClientError) as failure:
        problem = SlackUnavailable(method, type(failure).__name__)
    try:
        raise problem
    finally:
        problem.__context__ = None


def _from_answer(failure: SlackApiError, method: str) -> SlackUnavailable:
    return SlackUnavailable(
        method, error_of(failure), refused=is_refusal(failure), retry_after=retry_after(failure)
    )


class MustWait(SlackUnavailable):
    """Slack's rate limits leave no room for the call now, so it was not made.

    `seconds` is the time until there may be room.
    """

    def __init__(self, method: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(method, "rate_limit_reached")


@contextmanager
def rate_limited(
    rate_limiter: RateLimiter, method: str, channel: str, name: str, priority: Priority
) -> Iterator[None]:
    """Check Slack's rate limits, then translate errors as `translate_errors` does.

    `name` says what the call is for, the same each time it is tried. The rate limiter learns the
    outcome of the call.

    Raises:
        MustWait: There is no room yet.
        SlackUnavailable: Slack did not answer, or refused the call.
    """
    wait = rate_limiter.ask(method, channel, name, priority)
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
    """Make a call that must not be repeated, such as the one that posts a secret.

    What is raised has neither cause nor context: slack_sdk's errors hold the whole message.

    Raises:
        Refused: Slack refused the call for certain.
        OutcomeUnknown: The call may have run.
    """
    try:
        call()
        return
    except SlackApiError as failure:
        error = "ratelimited" if failure.response.status_code == 429 else error_of(failure)
        readable = _ERROR.fullmatch(error) is not None
        refused = failure.response.status_code < 500 and readable
        error = error if readable else "unreadable"  # a proxy's page may repeat what was sent
    except Exception as failure:  # after any other error the call may have run
        error, refused = type(failure).__name__, False
    if refused:
        raise Refused(Code.SLACK_REFUSED, error=error)
    structlog.get_logger("keydesk.slack").warning(method, outcome="unknown", error=error)
    raise OutcomeUnknown(method)

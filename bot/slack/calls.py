"""What can a call to Slack come to? One place that turns slack_sdk's and the network's errors into the desk's own."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from slack_sdk.errors import SlackApiError, SlackClientError

from bot.core.errors import OutcomeUnknown, Refused, SlackUnavailable

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
    return float(first) if str(first).isdigit() else 1.0


@contextmanager
def asked(method: str) -> Iterator[None]:
    """A call that may be made again: every failure is SlackUnavailable."""
    try:
        yield
    except SlackApiError as failure:
        raise SlackUnavailable(method, error_of(failure)) from failure
    except (*NETWORK, SlackClientError) as failure:
        raise SlackUnavailable(method, type(failure).__name__) from failure


@contextmanager
def posted_once(method: str) -> Iterator[None]:
    """A call that is made once: Refused where Slack said no, OutcomeUnknown where its answer was lost.

    The cause is cut off: whatever the libraries put into their errors goes no further than this.
    """
    try:
        yield
    except SlackApiError as failure:
        error, status = error_of(failure), failure.response.status_code
        if status >= 500:
            raise OutcomeUnknown(method) from None
        raise Refused(f"Slack refused it: {error}.") from None
    except (*NETWORK, SlackClientError):
        raise OutcomeUnknown(method) from None

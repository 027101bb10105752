"""Translate botocore's errors to Keydesk's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from botocore import exceptions as boto

from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import (
    AccessKeyLimit,
    AccessKeyNotFound,
    AwsNotConfigured,
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    OutcomeUnknown,
)

# Source: "Common error types", AWS IAM API reference, and botocore's own retry rules.
_THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
_CREDENTIALS_REJECTED = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_OUTCOME_UNKNOWN = frozenset(
    {"InternalFailure", "RequestTimeout", "ServiceFailure", "ServiceUnavailable"}
)
_NOT_CONNECTED = (boto.EndpointConnectionError, boto.ConnectTimeoutError)
"""Raised after the event "before-send", and before anything has left.

ProxyConnectionError is not among them: urllib3 raises it also where the connection to a proxy ends
after the request was sent.
"""

_sent: ContextVar[bool] = ContextVar("sent", default=False)


def mark_sent(**event: Any) -> None:
    """Note that the request of the call under way is about to leave.

    Handles botocore's event "before-send" (botocore, "Event system"). What fails before it, such as
    reading credentials, a region or a certificate, has changed nothing, whatever its error is.
    """
    _sent.set(True)


@contextmanager
def translate_errors(action: str, *, changes: bool) -> Iterator[None]:
    """Raise Keydesk's errors instead of botocore's.

    The raised error has no cause and no context. The frames of botocore's errors hold credentials.
    Its parser errors quote the answer, which may hold a secret.

    Args:
        action: The API action, such as `CreateAccessKey`.
        changes: Whether the call changes IAM. Such a call needs a client that tries once. With
            retries, an earlier try may have run.

    Raises:
        IamRefused: AWS refused the call for certain. Also IamDenied, IamThrottled, AccessKeyLimit,
            IamUserNotFound and AccessKeyNotFound.
        AwsNotConfigured: The call was not sent, or AWS did not accept the credentials.
        IamUnavailable: A read had no answer, or a change was not sent.
        OutcomeUnknown: A change may have run.
    """
    token = _sent.set(False)
    try:
        yield
        return
    except KeydeskError:
        raise
    except boto.ClientError as error:
        problem = _from_answer(error, action, changes)
    except Exception as error:
        problem = _without_answer(error, action, changes)
        error.args = (type(error).__name__,)  # its text may quote an answer with a secret
    finally:
        _sent.reset(token)
    try:
        raise problem
    finally:
        problem.__context__ = None


def _from_answer(error: boto.ClientError, action: str, changes: bool) -> KeydeskError:
    answer = error.response.get("Error", {})
    if not _sent.get():
        # A call for credentials, such as AssumeRole, before the real call was sent.
        action, changes = error.operation_name, False
    code, message = str(answer.get("Code", "Unknown")), str(answer.get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if not 400 <= status < 500 or code in _OUTCOME_UNKNOWN:
        return _answer_lost(action, changes)
    if code in _THROTTLED or status == 429:
        return IamThrottled(code, action)
    if code in _CREDENTIALS_REJECTED:
        return AwsNotConfigured(code, action)
    if code in _DENIED:
        return IamDenied(code, action, forbidden="explicit deny" in message)
    if code == "LimitExceeded" and action == "CreateAccessKey":
        return AccessKeyLimit()
    if code == "NoSuchEntity":
        return _not_found(action, message)
    return IamRefused(code, action)


def _without_answer(error: Exception, action: str, changes: bool) -> KeydeskError:
    if isinstance(error, boto.ParamValidationError):
        return IamRefused("ParamValidation", action)
    if isinstance(error, _NOT_CONNECTED) or (
        not _sent.get() and isinstance(error, boto.HTTPClientError)
    ):
        return IamUnavailable(action)
    if not _sent.get():
        return AwsNotConfigured(type(error).__name__, action)
    return _answer_lost(action, changes)


def _answer_lost(action: str, changes: bool) -> KeydeskError:
    return OutcomeUnknown(action) if changes else IamUnavailable(action)


def _not_found(action: str, message: str) -> KeydeskError:
    """Return the error for a missing user or a missing key.

    IAM has one code for both, with two messages.
    """
    of_key = action in ("UpdateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed")
    if of_key and not message.lower().startswith("the user"):
        return AccessKeyNotFound(action)
    return IamUserNotFound(action)

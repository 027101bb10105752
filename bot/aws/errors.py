"""What does an answer of AWS, or the lack of one, mean to the desk? Here botocore's errors end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from bot.domain.errors import (
    AccessKeyLimit,
    AccessKeyNotFound,
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    KeydeskError,
    OutcomeUnknown,
)

# "Common error types", AWS IAM API reference, and the codes botocore itself takes for throttling and expiry.
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
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
_OUTCOME_UNKNOWN = frozenset(
    {"InternalFailure", "RequestTimeout", "ServiceFailure", "ServiceUnavailable"}
)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.NoAuthTokenError,
    boto.TokenRetrievalError,
    boto.ProfileNotFound,
)
_UNREADABLE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
)  # an answer of another shape than IAM's
_NOT_SENT = (boto.EndpointConnectionError, boto.ConnectTimeoutError)


@contextmanager
def translate_errors(action: str, *, changes: bool) -> Iterator[None]:
    """Raise core errors instead of botocore's. `action` is the API action, `changes`: does it change IAM?

    A change must be sent by a client that tries once: only then is a refusal certain to be the only answer.
    Raises IamDenied, IamThrottled, AccessKeyLimit, IamUserNotFound, AccessKeyNotFound or IamRefused when AWS said no for
    certain; IamUnavailable when a read had no answer or a change was never sent; OutcomeUnknown when a change
    may have run.
    """
    try:
        yield
    except boto.ClientError as error:
        failure = _from_answer(error, action, changes)
    except (boto.BotoCoreError, ResponseParserError, *_UNREADABLE) as error:
        failure = _from_no_answer(error, action, changes)
        # A parser error quotes the answer it could not read, which may hold a secret.
        error.args = (type(error).__name__,)
    else:
        return
    try:
        raise failure
    finally:
        failure.__context__ = None  # nor does anything of it go along


def _from_answer(error: boto.ClientError, action: str, changes: bool) -> KeydeskError:
    told = error.response.get("Error", {})
    if error.operation_name.startswith(
        "AssumeRole"
    ):  # for credentials, before what was asked was sent
        action, changes = error.operation_name, False
    code = str(told.get("Code", "Unknown"))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if not 400 <= status < 500 or code in _OUTCOME_UNKNOWN:
        return _answer_lost(action, changes)
    if code in _THROTTLED or status == 429:
        return IamThrottled(code, action)
    if code in _DENIED:
        return IamDenied(code, action, forbidden="explicit deny" in str(told.get("Message", "")))
    if code == "LimitExceeded" and action == "CreateAccessKey":
        return AccessKeyLimit()
    if code == "NoSuchEntity":
        return _not_found(action, str(told.get("Message", "")))
    return IamRefused(code, action)


def _from_no_answer(error: Exception, action: str, changes: bool) -> KeydeskError:
    if isinstance(error, _NO_CREDENTIALS):
        return IamDenied(type(error).__name__, action)
    if isinstance(error, boto.ParamValidationError):
        return IamRefused("ParamValidation", action)
    if isinstance(error, _NOT_SENT):
        return IamUnavailable(action)
    return _answer_lost(action, changes)


def _answer_lost(action: str, changes: bool) -> KeydeskError:
    return OutcomeUnknown(action) if changes else IamUnavailable(action)


def _not_found(action: str, message: str) -> KeydeskError:
    """IAM has one code for both ("The user with name … cannot be found", "The Access Key with id …")."""
    of_key = action in ("UpdateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed")
    if of_key and not message.lower().startswith("the user"):
        return AccessKeyNotFound(action)
    return IamUserNotFound(action)

"""Translate AWS's answers, and their loss, to Keydesk's errors."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from bot.aws.errors import mark_sent, translate_errors
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import IamRefused, OutcomeUnknown

NO_USER = "The user with name alice cannot be found."
NO_KEY = "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found."
URL = {"endpoint_url": "https://iam.amazonaws.com/"}


def answered(code: str, status: int, message: str = "") -> boto.ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(answer, "Anything")


def name_of(error: object) -> str | None:
    if isinstance(error, boto.ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__ if isinstance(error, Exception) else None


def translated(
    error: Exception, action: str = "UpdateAccessKey", *, changes: bool = True, sent: bool = True
) -> KeydeskError:
    with pytest.raises(KeydeskError) as found, translate_errors(action, changes=changes):
        if sent:
            mark_sent()
        raise error
    return found.value


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("Throttling", 400, Code.AWS_THROTTLED),
        ("ThrottlingException", 400, Code.AWS_THROTTLED),
        ("TooManyRequestsException", 429, Code.AWS_THROTTLED),
        ("429", 429, Code.AWS_THROTTLED),
        ("AccessDenied", 403, Code.AWS_DENIED),
        ("AccessDeniedException", 400, Code.AWS_DENIED),
        ("ExpiredToken", 403, Code.AWS_NOT_CONFIGURED),
        ("InvalidClientTokenId", 403, Code.AWS_NOT_CONFIGURED),
        ("SignatureDoesNotMatch", 403, Code.AWS_NOT_CONFIGURED),
        ("UnrecognizedClientException", 403, Code.AWS_NOT_CONFIGURED),
        ("LimitExceeded", 409, Code.AWS_REFUSED),
        ("InvalidInput", 400, Code.AWS_REFUSED),
        ("ValidationError", 400, Code.AWS_REFUSED),
        ("EntityTemporarilyUnmodifiable", 409, Code.AWS_REFUSED),
        ("NeverHeardOf", 400, Code.AWS_REFUSED),
    ],
)
@pytest.mark.parametrize("changes", [True, False], ids=["change", "read"])
def test_a_certain_refusal_keeps_its_code_and_action(
    code: str, status: int, expected: Code, changes: bool
) -> None:
    error = translated(answered(code, status), changes=changes)
    assert isinstance(error, IamRefused)
    assert (error.code, error.aws_code, error.action) == (expected, code, "UpdateAccessKey")


def test_only_create_access_key_reaches_the_limit() -> None:
    error = translated(answered("LimitExceeded", 409), "CreateAccessKey")
    assert error.code is Code.ACCESS_KEY_LIMIT


@pytest.mark.parametrize(
    ("action", "message", "expected"),
    [
        ("GetUser", NO_USER, Code.IAM_USER_NOT_FOUND),
        ("ListAccessKeys", NO_USER, Code.IAM_USER_NOT_FOUND),
        ("CreateAccessKey", NO_USER, Code.IAM_USER_NOT_FOUND),
        ("UpdateAccessKey", NO_USER, Code.IAM_USER_NOT_FOUND),
        ("DeleteAccessKey", NO_USER, Code.IAM_USER_NOT_FOUND),
        ("UpdateAccessKey", NO_KEY, Code.ACCESS_KEY_NOT_FOUND),
        ("DeleteAccessKey", NO_KEY, Code.ACCESS_KEY_NOT_FOUND),
        ("GetAccessKeyLastUsed", NO_KEY, Code.ACCESS_KEY_NOT_FOUND),
    ],
)
def test_no_such_entity_is_the_user_or_the_key(action: str, message: str, expected: Code) -> None:
    assert translated(answered("NoSuchEntity", 404, message), action).code is expected


@pytest.mark.parametrize(
    "error",
    [
        answered("ServiceFailure", 500),
        answered("InternalFailure", 500),
        answered("ServiceUnavailable", 503),
        answered("Throttling", 503),
        answered("504", 504),
        answered("RequestTimeout", 400),
        answered("302", 302),
        boto.ReadTimeoutError(**URL),
        boto.ConnectionClosedError(**URL),
        boto.SSLError(**URL, error="cut"),
        boto.ProxyConnectionError(proxy_url="http://proxy"),
        boto.HTTPClientError(error="anything"),
        boto.ResponseStreamingError(error="cut"),
        ResponseParserError("no XML"),
        KeyError("AccessKey"),
    ],
    ids=name_of,
)
def test_a_lost_answer_is_unknown_for_a_change_only(error: Exception) -> None:
    """A read whose answer is lost is only unavailable."""
    change, read = translated(error, changes=True), translated(error, changes=False)
    assert (change.code, change.facts["call"]) == (Code.OUTCOME_UNKNOWN, "UpdateAccessKey")
    assert (read.code, read.facts["action"]) == (Code.AWS_UNAVAILABLE, "UpdateAccessKey")


NOT_CONFIGURED = Code.AWS_NOT_CONFIGURED


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (boto.NoCredentialsError(), NOT_CONFIGURED),
        (boto.PartialCredentialsError(provider="env", cred_var="X"), NOT_CONFIGURED),
        (boto.CredentialRetrievalError(provider="iam-role", error_msg="no"), NOT_CONFIGURED),
        (boto.UnauthorizedSSOTokenError(), NOT_CONFIGURED),
        (boto.NoRegionError(), NOT_CONFIGURED),
        (FileNotFoundError("token"), NOT_CONFIGURED),
        (EOFError(), NOT_CONFIGURED),
        (answered("AccessDenied", 403), Code.AWS_DENIED),
        (answered("ExpiredToken", 403), NOT_CONFIGURED),
        (answered("InternalFailure", 500), Code.AWS_UNAVAILABLE),
        (boto.ReadTimeoutError(**URL), Code.AWS_UNAVAILABLE),
        (boto.ParamValidationError(report="UserName is empty"), Code.AWS_REFUSED),
    ],
    ids=name_of,
)
@pytest.mark.parametrize("changes", [True, False], ids=["change", "read"])
def test_what_was_never_sent_did_not_run(error: Exception, expected: Code, changes: bool) -> None:
    """A call for credentials, such as AssumeRole, comes before the request is sent."""
    found = translated(error, changes=changes, sent=False)
    assert found.code is expected
    if expected is NOT_CONFIGURED:
        assert found.facts["aws_code"] == name_of(error)


@pytest.mark.parametrize(
    "error",
    [
        boto.EndpointConnectionError(**URL, error="refused"),
        boto.ConnectTimeoutError(**URL),
    ],
    ids=name_of,
)
@pytest.mark.parametrize("changes", [True, False], ids=["change", "read"])
def test_without_a_connection_nothing_ran(error: Exception, changes: bool) -> None:
    assert translated(error, changes=changes).code is Code.AWS_UNAVAILABLE


def test_no_error_of_botocore_gets_through() -> None:
    """Each error that a later botocore adds becomes one of Keydesk's."""
    known = (boto.BotoCoreError, *_below(boto.BotoCoreError))
    for kind in known:
        assert isinstance(translated(kind.__new__(kind), changes=False), KeydeskError), kind
    assert len(known) > 50


def test_an_unreadable_answer_is_quoted_nowhere() -> None:
    """Botocore's parser error quotes the answer, which may hold a secret."""
    quoting = ResponseParserError("Unable to parse response: <SecretAccessKey>wJalrXUtnFEMI")
    error = translated(quoting, "CreateAccessKey")
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert error.__context__ is error.__cause__ is None
    assert "wJalr" not in "".join(told.format()) + repr(error) + str(error) + repr(quoting)


def test_keydesks_own_errors_pass_unchanged() -> None:
    own = OutcomeUnknown("x")
    assert translated(own) is own


def _below(kind: type[Exception]) -> list[type[Exception]]:
    return [each for child in kind.__subclasses__() for each in (child, *_below(child))]

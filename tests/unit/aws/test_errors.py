"""Is each answer of AWS, and the lack of one, told apart: a certain no, no answer, perhaps run?"""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from bot.aws.errors import translate_errors
from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import (
    AccessKeyLimit,
    AccessKeyNotFound,
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    OutcomeUnknown,
)

NO_USER = "The user with name alice cannot be found."
NO_KEY = "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found."
URL = {"endpoint_url": "https://iam.amazonaws.com/"}


def answered(code: str, status: int, message: str = "") -> boto.ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(answer, "Anything")


def named(error: Exception) -> str:
    return (
        error.response["Error"]["Code"]
        if isinstance(error, boto.ClientError)
        else type(error).__name__
    )


def mapped(
    error: Exception, action: str = "UpdateAccessKey", *, changes: bool = True
) -> KeydeskError:
    with pytest.raises(KeydeskError) as found, translate_errors(action, changes=changes):
        raise error
    return found.value


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("Throttling", 400, IamThrottled),
        ("ThrottlingException", 400, IamThrottled),
        ("TooManyRequestsException", 429, IamThrottled),
        ("429", 429, IamThrottled),
        ("AccessDenied", 403, IamDenied),
        ("AccessDeniedException", 400, IamDenied),
        ("ExpiredToken", 403, IamDenied),
        ("InvalidClientTokenId", 403, IamDenied),
        ("SignatureDoesNotMatch", 403, IamDenied),
        ("UnrecognizedClientException", 403, IamDenied),
        ("LimitExceeded", 409, IamRefused),
        ("InvalidInput", 400, IamRefused),
        ("ValidationError", 400, IamRefused),
        ("EntityTemporarilyUnmodifiable", 409, IamRefused),
        ("NeverHeardOf", 400, IamRefused),
    ],
)
@pytest.mark.parametrize("changes", [True, False])
def test_a_certain_no_is_refused_with_its_code_and_action(
    code: str, status: int, kind: type[IamRefused], changes: bool
) -> None:
    error = mapped(answered(code, status), changes=changes)

    assert type(error) is kind
    assert isinstance(error, IamRefused)
    assert (error.aws_code, error.action) == (code, "UpdateAccessKey")


def test_only_create_access_key_reaches_the_limit_of_two_keys() -> None:
    assert type(mapped(answered("LimitExceeded", 409), "CreateAccessKey")) is AccessKeyLimit


@pytest.mark.parametrize(
    ("action", "message", "kind"),
    [
        ("GetUser", NO_USER, IamUserNotFound),
        ("ListAccessKeys", NO_USER, IamUserNotFound),
        ("CreateAccessKey", NO_USER, IamUserNotFound),
        ("UpdateAccessKey", NO_USER, IamUserNotFound),
        ("DeleteAccessKey", NO_USER, IamUserNotFound),
        ("UpdateAccessKey", NO_KEY, AccessKeyNotFound),
        ("DeleteAccessKey", NO_KEY, AccessKeyNotFound),
        ("GetAccessKeyLastUsed", NO_KEY, AccessKeyNotFound),
    ],
)
def test_no_such_entity_is_the_user_or_the_key(
    action: str, message: str, kind: type[IamRefused]
) -> None:
    assert type(mapped(answered("NoSuchEntity", 404, message), action)) is kind


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
    ids=named,
)
def test_a_lost_answer_may_have_run_for_a_change_and_is_unavailable_for_a_read(
    error: Exception,
) -> None:
    change, read = mapped(error, changes=True), mapped(error, changes=False)

    assert isinstance(change, OutcomeUnknown)
    assert change.call == "UpdateAccessKey"
    assert isinstance(read, IamUnavailable)
    assert read.action == "UpdateAccessKey"


@pytest.mark.parametrize(
    "error",
    [boto.EndpointConnectionError(**URL, error="refused"), boto.ConnectTimeoutError(**URL)],
    ids=named,
)
@pytest.mark.parametrize("changes", [True, False])
def test_what_was_never_sent_did_not_run(error: Exception, changes: bool) -> None:
    assert type(mapped(error, changes=changes)) is IamUnavailable


@pytest.mark.parametrize(
    "error",
    [
        boto.NoCredentialsError(),
        boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        boto.CredentialRetrievalError(provider="iam-role", error_msg="no"),
        boto.TokenRetrievalError(provider="sso", error_msg="no"),
    ],
    ids=named,
)
def test_without_credentials_the_desk_is_denied(error: Exception) -> None:
    denied = mapped(error)

    assert isinstance(denied, IamDenied)
    assert denied.aws_code == type(error).__name__


def test_parameters_that_boto3_does_not_take_are_refused() -> None:
    assert type(mapped(boto.ParamValidationError(report="UserName is empty"))) is IamRefused


def test_no_error_of_botocore_gets_through() -> None:
    """Whatever a later botocore adds is a core error, and for a change never a certain no."""
    known = (boto.BotoCoreError, *_below(boto.BotoCoreError))

    for kind in known:
        error = kind.__new__(kind)
        assert isinstance(mapped(error, changes=False), KeydeskError), kind

    assert len(known) > 50


def test_nothing_of_an_answer_that_could_not_be_read_goes_along() -> None:
    """botocore's parser error quotes the answer, which may be a truncated CreateAccessKey."""
    quoting = ResponseParserError("Unable to parse response: <SecretAccessKey>wJalrXUtnFEMI")

    error = mapped(quoting, "CreateAccessKey")

    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert error.__context__ is error.__cause__ is None
    assert "wJalr" not in "".join(told.format()) + repr(error) + str(error) + repr(quoting)


def test_errors_of_our_own_pass_unchanged() -> None:
    own = OutcomeUnknown("x")

    assert mapped(own) is own


def _below(kind: type[Exception]) -> list[type[Exception]]:
    return [each for child in kind.__subclasses__() for each in (child, *_below(child))]

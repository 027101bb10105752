"""Change keys in IAM: once, or known to be unknown."""

from __future__ import annotations

import pickle
import socket
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bot.aws.clients import iam_clients
from bot.aws.iam import IamKeyIssuer
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.keys import KeyStatus
from bot.domain.ports import KeyIssuer
from sandbox.aws import LocalAws
from sandbox.faults import Moment
from tests.support.aws_common import ALICE, LATER, SHORT_LEASE, Time, issued
from tests.support.errors import refuses

CHANGES: dict[str, Callable[[KeyIssuer, str], object]] = {
    "CreateAccessKey": lambda issuer, key_id: issued(issuer),
    "UpdateAccessKey": lambda issuer, key_id: issuer.set_status(ALICE, key_id, KeyStatus.INACTIVE),
    "DeleteAccessKey": lambda issuer, key_id: issuer.delete_key(ALICE, key_id),
}


def impatient(endpoint: str | None, pool: ThreadPoolExecutor) -> IamKeyIssuer:
    """Return an issuer whose calls are given half a second."""
    return IamKeyIssuer(iam_clients(region=None, endpoint=endpoint, lease_ttl=SHORT_LEASE), pool)


def told_by(error: KeydeskError) -> str:
    """Return the error's traceback with the variables of its frames."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format())


def test_a_created_key_works_with_its_secret(aws: LocalAws, issuer: KeyIssuer) -> None:
    key, secret = issuer.create_key(ALICE, give_up_at=LATER)
    assert aws.call_as(key.id, secret.expose()).endswith(f"user/{ALICE}")
    assert (key.iam_user, key.status, key.last_used) == (ALICE, KeyStatus.ACTIVE, None)
    assert key.created_at.tzinfo is UTC


def test_the_secret_shows_itself_nowhere(aws: LocalAws, issuer: KeyIssuer) -> None:
    created = issuer.create_key(ALICE, give_up_at=LATER)
    secret = aws.secrets[created[0].id]
    for shown in (created, vars(issuer), issuer.keys(ALICE)):
        assert secret not in repr(shown) + str(shown) + f"{shown}"
    with pytest.raises(TypeError):
        pickle.dumps(created)


@pytest.mark.parametrize(("moment", "keys"), [("before", 0), ("after", 1)])
def test_a_creation_is_not_repeated_when_its_answer_is_lost(
    aws: LocalAws, issuer: KeyIssuer, moment: Moment, keys: int
) -> None:
    """CreateAccessKey is not idempotent: a repeat would create another key."""
    aws.faults.drop("CreateAccessKey", moment=moment)
    with pytest.raises(KeydeskError) as error:
        issued(issuer)
    assert error.value.code is Code.OUTCOME_UNKNOWN
    assert (len(aws.calls("CreateAccessKey")), len(aws.keys(ALICE))) == (1, keys)
    assert not any(secret in told_by(error.value) for secret in aws.secrets.values())


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ServiceFailure", 500, Code.OUTCOME_UNKNOWN),
        ("ServiceUnavailable", 503, Code.OUTCOME_UNKNOWN),
        ("EntityTemporarilyUnmodifiable", 409, Code.AWS_REFUSED),
        ("LimitExceeded", 409, None),
    ],
)
@pytest.mark.parametrize("action", CHANGES)
def test_a_change_that_fails_is_not_repeated(
    aws: LocalAws, issuer: KeyIssuer, action: str, code: str, status: int, expected: Code | None
) -> None:
    key = issued(issuer)
    before = len(aws.calls())
    aws.faults.fail(action, code, status=status, times=None)
    limit = Code.ACCESS_KEY_LIMIT if action == "CreateAccessKey" else Code.AWS_REFUSED
    facts = {"call": action} if expected is Code.OUTCOME_UNKNOWN else {"aws_code": code}
    with refuses(expected or limit, **facts):
        CHANGES[action](issuer, key.id)
    assert [call.action for call in aws.calls()[before:]] == [action]
    assert [(one["AccessKeyId"], one["Status"]) for one in aws.keys(ALICE)] == [(key.id, "Active")]


def test_a_late_answer_is_unknown_and_not_asked_for_again(
    aws: LocalAws, pool: ThreadPoolExecutor
) -> None:
    hold = aws.faults.hold("CreateAccessKey", moment="after")
    with refuses(Code.OUTCOME_UNKNOWN):
        issued(impatient(None, pool))
    assert hold.reached.wait(10)
    assert len(aws.calls("CreateAccessKey")) == len(aws.keys(ALICE)) == 1


def test_a_throttled_creation_is_repeated_and_creates_one_key(
    aws: LocalAws, issuer: KeyIssuer, time: Time
) -> None:
    aws.faults.throttle("CreateAccessKey", times=3)
    key = issued(issuer)
    assert [call.status for call in aws.calls("CreateAccessKey")] == [400, 400, 400, 200]
    assert aws.key_ids(ALICE) == [key.id]
    assert time.now > 0


@pytest.mark.parametrize("give_up_at", [5.0, 0.0], ids=["some time", "no time"])
def test_a_throttled_creation_ends_at_the_given_time(
    aws: LocalAws, issuer: KeyIssuer, time: Time, give_up_at: float
) -> None:
    aws.faults.throttle("CreateAccessKey", times=None)
    with refuses(Code.AWS_THROTTLED):
        issuer.create_key(ALICE, give_up_at=give_up_at)
    assert time.now == 0 if give_up_at == 0 else 0 < time.now < give_up_at
    assert (len(aws.calls("CreateAccessKey")) == 1) is (give_up_at == 0)
    assert aws.keys(ALICE) == []


def test_other_throttled_changes_are_repeated_for_some_seconds(
    aws: LocalAws, issuer: KeyIssuer, time: Time
) -> None:
    key = issued(issuer)
    aws.faults.throttle("UpdateAccessKey", times=1)
    aws.faults.throttle("DeleteAccessKey", times=None)
    issuer.set_status(ALICE, key.id, KeyStatus.INACTIVE)
    began = time.now
    with refuses(Code.AWS_THROTTLED):
        issuer.delete_key(ALICE, key.id)
    assert aws.keys(ALICE)[0]["Status"] == "Inactive"
    assert len(aws.calls("DeleteAccessKey")) > 1 and 0 < time.now - began < 4


def test_a_change_that_cannot_be_sent_did_not_run(aws: LocalAws, pool: ThreadPoolExecutor) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    with refuses(Code.AWS_UNAVAILABLE, action="CreateAccessKey"):
        issued(impatient(endpoint, pool))


def test_a_missing_permission_is_no_dead_key(aws: LocalAws, issuer: KeyIssuer) -> None:
    aws.faults.fail("CreateAccessKey", "AccessDenied", status=403)
    with refuses(Code.AWS_DENIED, aws_code="AccessDenied", action="CreateAccessKey"):
        issued(issuer)
    own = aws.credentials["AWS_ACCESS_KEY_ID"]
    aws.client("iam").update_access_key(UserName="keydesk-bot", AccessKeyId=own, Status="Inactive")
    with refuses(Code.AWS_NOT_CONFIGURED, aws_code="InvalidClientTokenId", action="ListAccessKeys"):
        issuer.keys(ALICE)


def test_a_truncated_answer_is_unknown_and_its_secret_hidden(
    aws: LocalAws, pool: ThreadPoolExecutor
) -> None:
    """Botocore quotes an answer that it cannot parse in its error."""

    class Truncating(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = b"<CreateAccessKeyResponse><AccessKey><SecretAccessKey>wJalrXUtnFEMI"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    with HTTPServer(("127.0.0.1", 0), Truncating) as server:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        with pytest.raises(KeydeskError) as error:
            issued(impatient(f"http://127.0.0.1:{server.server_port}", pool))
        thread.join(10)
    told = told_by(error.value)
    assert error.value.code is Code.OUTCOME_UNKNOWN
    assert "wJalr" not in told

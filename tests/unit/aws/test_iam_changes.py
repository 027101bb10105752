"""Does the key issuer keep its contract where it changes things: once, or known to be unknown?"""

from __future__ import annotations

import pickle
import socket
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bot.aws.iam import IamKeyIssuer, iam_clients
from bot.domain.errors import Refused
from bot.domain.keys import KeyStatus
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
from bot.domain.ports import KeyIssuer
from sandbox.aws import LocalAws
from sandbox.faults import Moment
from tests.support.aws_common import ALICE, BOB, LATER, SHORT_LEASE, Time, issued


def impatient(endpoint: str | None, pool: ThreadPoolExecutor) -> IamKeyIssuer:
    """An issuer whose calls are given half a second."""
    return IamKeyIssuer(iam_clients(region=None, endpoint=endpoint, lease_ttl=SHORT_LEASE), pool)


def test_a_made_key_works_with_the_secret_that_was_given(aws: LocalAws, issuer: KeyIssuer) -> None:
    key, secret = issuer.create_key(ALICE, give_up_at=LATER)

    assert aws.call_as(key.id, secret.expose()).endswith(f"user/{ALICE}")
    assert (key.iam_user, key.status, key.last_used) == (ALICE, KeyStatus.ACTIVE, None)
    assert key.created_at.tzinfo is UTC


def test_the_secret_shows_itself_nowhere(aws: LocalAws, issuer: KeyIssuer) -> None:
    made = issuer.create_key(ALICE, give_up_at=LATER)

    secret = aws.secrets[made[0].id]
    for shown in (repr(made), str(made), f"{made}", repr(vars(issuer)), repr(issuer.keys(ALICE))):
        assert secret not in shown
    with pytest.raises(TypeError):
        pickle.dumps(made)


def test_a_third_key_is_refused(aws: LocalAws, issuer: KeyIssuer) -> None:
    issued(issuer)
    issued(issuer)

    with pytest.raises(AccessKeyLimit):
        issued(issuer)

    assert len(aws.calls("CreateAccessKey")) == 3


def test_a_key_is_switched_off_and_on_and_deleted(aws: LocalAws, issuer: KeyIssuer) -> None:
    key, secret = issuer.create_key(ALICE, give_up_at=LATER)

    issuer.set_status(ALICE, key.id, KeyStatus.INACTIVE)
    assert aws.keys(ALICE)[0]["Status"] == "Inactive"
    issuer.set_status(ALICE, key.id, KeyStatus.ACTIVE)
    assert aws.call_as(key.id, secret.expose())
    issuer.delete_key(ALICE, key.id)
    assert aws.keys(ALICE) == []


def test_what_is_not_there_is_told_apart(aws: LocalAws, issuer: KeyIssuer) -> None:
    unknown = issued(issuer).id
    issuer.delete_key(ALICE, unknown)

    for ask in (issuer.user, issuer.keys, lambda user: issued(issuer, user)):
        with pytest.raises(IamUserNotFound):
            ask("nobody")
    with pytest.raises(AccessKeyNotFound):
        issuer.delete_key(ALICE, unknown)
    with pytest.raises(AccessKeyNotFound):
        issuer.set_status(BOB, unknown, KeyStatus.ACTIVE)
    with pytest.raises(AccessKeyNotFound):
        issuer.last_used(unknown)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_making_a_key_is_never_repeated_when_the_answer_is_lost(
    aws: LocalAws, issuer: KeyIssuer, moment: Moment
) -> None:
    """CreateAccessKey is not idempotent: a repeat would make a second key whose secret nobody saw."""
    aws.faults.drop("CreateAccessKey", moment=moment)

    with pytest.raises(OutcomeUnknown) as error:
        issued(issuer)

    assert len(aws.calls("CreateAccessKey")) == 1
    assert len(aws.keys(ALICE)) == (0 if moment == "before" else 1)
    told = "".join(
        traceback.TracebackException.from_exception(error.value, capture_locals=True).format()
    )
    assert not any(secret in told for secret in aws.secrets.values())


@pytest.mark.parametrize(("code", "status"), [("ServiceFailure", 500), ("ServiceUnavailable", 503)])
def test_an_internal_error_of_aws_leaves_a_change_unknown_and_is_not_repeated(
    aws: LocalAws, issuer: KeyIssuer, code: str, status: int
) -> None:
    key = issued(issuer)
    aws.faults.fail("*", code, status=status, times=None)

    for change in (
        lambda: issued(issuer),
        lambda: issuer.set_status(ALICE, key.id, KeyStatus.INACTIVE),
        lambda: issuer.delete_key(ALICE, key.id),
    ):
        before = len(aws.calls())
        with pytest.raises(OutcomeUnknown):
            change()
        assert len(aws.calls()) == before + 1


def test_a_late_answer_leaves_the_outcome_unknown_and_is_not_asked_for_again(
    aws: LocalAws, pool: ThreadPoolExecutor
) -> None:
    hold = aws.faults.hold("CreateAccessKey", moment="after")

    with pytest.raises(OutcomeUnknown):
        issued(impatient(None, pool))

    assert hold.reached.wait(10)
    assert len(aws.calls("CreateAccessKey")) == len(aws.keys(ALICE)) == 1


def test_throttled_making_is_tried_again_and_makes_one_key(
    aws: LocalAws, issuer: KeyIssuer, time: Time
) -> None:
    aws.faults.throttle("CreateAccessKey", times=3)

    key = issued(issuer)

    assert [call.status for call in aws.calls("CreateAccessKey")] == [400, 400, 400, 200]
    assert aws.key_ids(ALICE) == [key.id]
    assert time.now > 0


def test_throttled_making_ends_at_the_time_given(
    aws: LocalAws, issuer: KeyIssuer, time: Time
) -> None:
    aws.faults.throttle("CreateAccessKey", times=None)

    with pytest.raises(IamThrottled):
        issuer.create_key(ALICE, give_up_at=5.0)

    assert 0 < time.now < 5.0
    assert aws.keys(ALICE) == []


def test_throttled_making_is_tried_once_when_there_is_no_time(
    aws: LocalAws, issuer: KeyIssuer
) -> None:
    aws.faults.throttle("CreateAccessKey", times=None)

    with pytest.raises(IamThrottled):
        issuer.create_key(ALICE, give_up_at=0.0)

    assert len(aws.calls("CreateAccessKey")) == 1


def test_other_throttled_changes_are_tried_again_for_some_seconds(
    aws: LocalAws, issuer: KeyIssuer
) -> None:
    key = issued(issuer)
    aws.faults.throttle("UpdateAccessKey", times=1)
    aws.faults.throttle("DeleteAccessKey", times=None)

    issuer.set_status(ALICE, key.id, KeyStatus.INACTIVE)
    with pytest.raises(IamThrottled):
        issuer.delete_key(ALICE, key.id)

    assert aws.keys(ALICE)[0]["Status"] == "Inactive"
    assert len(aws.calls("DeleteAccessKey")) > 1


def test_a_change_that_cannot_be_sent_did_not_run(aws: LocalAws, pool: ThreadPoolExecutor) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"

    with pytest.raises(IamUnavailable):
        issued(impatient(endpoint, pool))


def test_a_missing_permission_and_a_dead_key_of_the_desk_are_denied(
    aws: LocalAws, issuer: KeyIssuer
) -> None:
    aws.faults.fail("CreateAccessKey", "AccessDenied", status=403)
    with pytest.raises(IamDenied) as denied:
        issued(issuer)

    own = aws.credentials["AWS_ACCESS_KEY_ID"]
    aws.client("iam").update_access_key(UserName="keydesk-bot", AccessKeyId=own, Status="Inactive")
    with pytest.raises(IamDenied) as dead:
        issuer.keys(ALICE)

    assert (denied.value.aws_code, denied.value.action) == ("AccessDenied", "CreateAccessKey")
    assert (dead.value.aws_code, dead.value.action) == ("InvalidClientTokenId", "ListAccessKeys")


def test_any_other_refusal_keeps_its_code(aws: LocalAws, issuer: KeyIssuer) -> None:
    aws.faults.fail("DeleteAccessKey", "EntityTemporarilyUnmodifiable", status=409)
    key = issued(issuer)

    with pytest.raises(IamRefused) as error:
        issuer.delete_key(ALICE, key.id)

    assert isinstance(error.value, Refused)
    assert error.value.aws_code == "EntityTemporarilyUnmodifiable"


def test_a_truncated_answer_is_unknown_and_its_secret_goes_nowhere(
    aws: LocalAws, pool: ThreadPoolExecutor
) -> None:
    """botocore quotes an answer that it cannot parse in its error."""

    class Truncating(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = b"<CreateAccessKeyResponse><AccessKey><SecretAccessKey>wJalrXUtnFEMI"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    server = HTTPServer(("127.0.0.1", 0), Truncating)
    thread = threading.Thread(target=server.handle_request, daemon=True)
    thread.start()

    with pytest.raises(OutcomeUnknown) as error:
        issued(impatient(f"http://127.0.0.1:{server.server_port}", pool))

    thread.join(10)
    server.server_close()
    told = "".join(
        traceback.TracebackException.from_exception(error.value, capture_locals=True).format()
    )
    assert "wJalr" not in told

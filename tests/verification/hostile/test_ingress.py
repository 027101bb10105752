"""Over HTTP only what Slack has signed within five minutes is accepted, and once."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import ingress
from sandbox.delivery import sign
from tests.verification.hostile.recordings import recordings
from tests.verification.hostile.target import FORM, JSON, SECRET, Target, check_calm, encoded

FIVE_MINUTES = 300
SIGNED, STAMP = "X-Slack-Signature", "X-Slack-Request-Timestamp"


def approval(target: Target) -> bytes:
    """Return the body of a click that would change something."""
    return encoded(recordings(target)["click approve"])[0]


def refused(target: Target, body: bytes, status: int, kind: str = FORM, **how: Any) -> None:
    """Check that a body is refused, changes nothing and is not logged."""
    before = target.state()
    answered = target.post(body, kind, **how)
    check_calm(answered)
    assert (answered.status, answered.calls, target.state()) == (status, [], before)
    assert [line["event"] for line in answered.log] == ["request rejected"]
    assert len(json.dumps(answered.log)) < 400


def now() -> int:
    return int(time.time())


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return sign(secret.encode(), body, now())


FORGED: dict[str, Callable[[bytes], dict[str, str]]] = {
    "nothing": lambda body: {},
    "no time": lambda body: {SIGNED: signed(body)[SIGNED]},
    "no signature": lambda body: {STAMP: str(now())},
    "empty": lambda body: {STAMP: "", SIGNED: ""},
    "another secret": lambda body: signed(body, "another"),
    "another body": lambda body: signed(body + b" "),
    "another time": lambda body: signed(body) | {STAMP: str(now() - 1)},
    "a time that is a word": lambda body: {STAMP: "now", SIGNED: "v0=00"},
    "a time that is negative": lambda body: {STAMP: "-1", SIGNED: "v0=00"},
    "a time of other digits": lambda body: {STAMP: "\u0661\u0662", SIGNED: "v0=00"},
    "a time without end": lambda body: {STAMP: "9" * 5000, SIGNED: "v0=00"},
    "a signature of other letters": lambda body: {STAMP: str(now()), SIGNED: "v0=\xff\xfe"},
    "a signature of another version": lambda body: {
        STAMP: str(now()),
        SIGNED: signed(body)[SIGNED].replace("v0", "v1"),
    },
}


@pytest.mark.parametrize("how", FORGED)
def test_what_slack_has_not_signed_is_not_accepted(target: Target, how: str) -> None:
    refused(target, approval(target), 401, headers=FORGED[how](approval(target)))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    stamp=st.text(st.characters(max_codepoint=255), max_size=30) | st.integers().map(str),
    signature=st.text(st.characters(max_codepoint=255), max_size=80),
    body=st.binary(max_size=100),
)
def test_no_guessed_signature_is_accepted(
    shared: Target, stamp: str, signature: str, body: bytes
) -> None:
    answered = shared.post(body, headers={STAMP: stamp, SIGNED: signature})
    check_calm(answered)
    assert answered.status in (400, 401) and answered.calls == []


@pytest.mark.parametrize("age", [FIVE_MINUTES + 2, 600, 86_400, -FIVE_MINUTES - 2, -86_400])
def test_a_signature_is_valid_for_five_minutes(target: Target, age: int) -> None:
    refused(target, approval(target), 401, age=age)


@pytest.mark.parametrize("age", [0, FIVE_MINUTES - 10, -FIVE_MINUTES + 10])
def test_what_was_signed_within_five_minutes_is_accepted(target: Target, age: int) -> None:
    before = target.state()
    assert target.post(approval(target), age=age).status == 200
    assert target.state() != before


@pytest.mark.parametrize(
    "route",
    [
        "command create",
        "click approve",
        "click on_it",
        "click check",
        "form create_form",
        "form deny_form",
        "click reveal",
    ],
)
def test_a_replayed_request_is_done_once(target: Target, route: str) -> None:
    """Send the same bytes with the same signature, as one who recorded them would."""
    body, kind = encoded(recordings(target)[route])
    headers = signed(body)
    assert target.post(body, kind, headers=headers).status == 200
    after, keys = target.state(), list(target.bot.iam.active)
    for _ in range(3):
        again = target.post(body, kind, headers=headers)
        assert (again.status, again.calls) == (200, [])
    assert target.state() == after and target.bot.iam.active == keys


def test_a_delivery_is_remembered_longer_than_its_signature(target: Target) -> None:
    """A signature is good for ten minutes where this clock is five minutes late."""
    click = recordings(target)["click on_it"]
    target.deliver(click)
    after, until = target.state(), target.bot.store._deliveries[click["trigger_id"]]
    assert (until - target.bot.clock.now()).total_seconds() >= 2 * FIVE_MINUTES
    target.deliver(click)
    assert target.state() == after


@pytest.mark.parametrize("body", [b"ssl_check=1&token=x", b"ssl_check=1&a=b"])
def test_an_unsigned_certificate_check_is_refused(target: Target, body: bytes) -> None:
    refused(target, body, 401, headers={})


def test_the_url_verification_needs_a_signature(target: Target) -> None:
    check = json.dumps({"type": "url_verification", "token": "x", "challenge": "abc"}).encode()
    assert json.loads(target.post(check, JSON).body) == {"challenge": "abc"}
    refused(target, check, 401, JSON, headers={})


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"\xff\xfe", JSON, 400),
        (b"payload=%7B", FORM, 400),
        (b"", JSON, 400),
        (b"[]", JSON, 400),
        (b"null", JSON, 400),
        (b"{", JSON, 400),
        (b'{"a":' * 1000, JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b"payload=" + b"[" * 100_000, FORM, 400),
        (b'{"type":' + b"9" * 10_000 + b"}", JSON, 400),
        (b"&".join(b"a%d=b" % number for number in range(200)), FORM, 400),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"--x", "multipart/form-data; boundary=x", 415),
        (b"x" * (ingress.MAX_BODY_BYTES + 1), JSON, 413),
    ],
)
def test_a_signed_body_of_a_wrong_shape_is_refused(
    target: Target, body: bytes, kind: str, status: int
) -> None:
    refused(target, body, status, kind)


def test_deeply_nested_bodies_are_refused(target: Target) -> None:
    click = recordings(target)["click approve"]
    deep = "[" * (ingress.MAX_DEPTH + 1) + "]" * (ingress.MAX_DEPTH + 1)
    body = urlencode({"payload": json.dumps(click)[:-1] + f', "more": {deep}}}'}).encode()
    refused(target, body, 400)
    assert target.deliver({**click, "more": json.loads("[" * 50 + "]" * 50)}).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ingress.PATH),
        ("PUT", ingress.PATH),
        ("POST", "/"),
        ("POST", "/slack"),
        ("POST", ingress.PATH + "/"),
        ("GET", "/slack/install"),
        ("GET", "/slack/oauth_redirect"),
        ("POST", "//slack/events"),
    ],
)
def test_there_is_no_other_way_in(target: Target, method: str, path: str) -> None:
    refused(target, approval(target), 404, method=method, path=path)


def test_a_body_without_a_length_is_refused(target: Target) -> None:
    headers = signed(approval(target)) | {"Transfer-Encoding": "chunked"}
    refused(target, approval(target), 411, headers=headers)


@pytest.mark.parametrize("header", ["X-Slack-Bolt-Lazy-Only", "X-Slack-Bolt-Lazy-Function-Name"])
def test_no_unsigned_header_changes_what_a_body_does(target: Target, header: str) -> None:
    before, body = target.state(), approval(target)
    target.post(body, headers=signed(body) | {header: "1"})
    assert target.state() != before


def test_a_command_with_the_word_payload_is_answered(target: Target) -> None:
    """Bolt's own reading of a form takes it for an empty one."""
    command = recordings(target)["command create"] | {"text": "create payload builder"}
    assert target.deliver(command).status == 200
    assert target.bot.store.requests_of("U0GINA")[0].reason == "payload builder"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/x",
        "http://localhost:{port}",
        "https://hooks.slack.com@127.0.0.1:{port}/",
        "https://slack.example.com.evil.test/",
        "https://hooks.slack.example.com:8443/",
        "http://slack.example.com/",
    ],
)
def test_no_answer_is_sent_to_another_address_than_slacks(target: Target, url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        response_url = url.format(port=listener.getsockname()[1])
        answered = target.deliver(
            recordings(target)["command list"] | {"response_url": response_url}
        )
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert [call for call, _ in answered.calls if call == "chat.postEphemeral"]

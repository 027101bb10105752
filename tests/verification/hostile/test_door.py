"""Over HTTP nothing is let in but what Slack has signed within five minutes, and that once. No refusal says more."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import ingress
from sandbox.delivery import sign
from tests.verification.hostile.inside import (
    FORM,
    JSON,
    SECRET,
    Inside,
    encoded,
    inside,
    must_be_calm,
)
from tests.verification.hostile.recordings import recordings

FIVE_MINUTES = 300
SIGNED, STAMP = "X-Slack-Signature", "X-Slack-Request-Timestamp"


@pytest.fixture(scope="module")
def told() -> Iterator[Inside]:
    """One desk for all."""
    with inside() as found:
        yield found


@pytest.fixture
def services(told: Inside) -> Iterator[Inside]:
    """The desk, put back; whatever is refused has moved nothing and told nobody."""
    told.put_back()
    yield told


def approval(services: Inside) -> bytes:
    """The body of a click that would move something."""
    return encoded(recordings(services)["click approve"])[0]


def refused(services: Inside, body: bytes, status: int, kind: str = FORM, **how: Any) -> None:
    """It is answered so, moves nothing, and leaves nothing of itself in the log."""
    before = services.state()
    answered = services.post(body, kind, **how)
    must_be_calm(answered)
    assert (answered.status, answered.calls, services.state()) == (status, [], before)
    assert [line["event"] for line in answered.log] == ["request rejected"]
    assert len(json.dumps(answered.log)) < 400


def now() -> str:
    """The time as Slack writes it."""
    return str(int(time.time()))


FORGED: dict[str, Callable[[bytes], dict[str, str]]] = {
    "nothing": lambda body: {},
    "no time": lambda body: {SIGNED: sign(SECRET.encode(), body, int(time.time()))[SIGNED]},
    "no signature": lambda body: {STAMP: now()},
    "empty": lambda body: {STAMP: "", SIGNED: ""},
    "another secret": lambda body: sign(b"another", body, int(time.time())),
    "another body": lambda body: sign(SECRET.encode(), body + b" ", int(time.time())),
    "another time": lambda body: (
        sign(SECRET.encode(), body, int(time.time())) | {STAMP: str(int(time.time()) - 1)}
    ),
    "a time that is a word": lambda body: {STAMP: "now", SIGNED: "v0=00"},
    "a time that is negative": lambda body: {STAMP: "-1", SIGNED: "v0=00"},
    "a time of other digits": lambda body: {STAMP: "\u0661\u0662", SIGNED: "v0=00"},
    "a time without end": lambda body: {STAMP: "9" * 5000, SIGNED: "v0=00"},
    "a signature of other letters": lambda body: {STAMP: now(), SIGNED: "v0=\xff\xfe"},
    "a signature of another version": lambda body: {
        STAMP: now(),
        SIGNED: sign(SECRET.encode(), body, int(time.time()))[SIGNED].replace("v0", "v1"),
    },
}


@pytest.mark.parametrize("how", FORGED)
def test_what_slack_has_not_signed_is_not_let_in(services: Inside, how: str) -> None:
    refused(services, approval(services), 401, headers=FORGED[how](approval(services)))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    stamp=st.text(st.characters(max_codepoint=255), max_size=30) | st.integers().map(str),
    signature=st.text(st.characters(max_codepoint=255), max_size=80),
    body=st.binary(max_size=100),
)
def test_no_guess_at_a_signature_is_let_in(
    told: Inside, stamp: str, signature: str, body: bytes
) -> None:
    answered = told.post(body, headers={STAMP: stamp, SIGNED: signature})
    must_be_calm(answered)
    assert answered.status in (400, 401) and answered.calls == []


@pytest.mark.parametrize("age", [FIVE_MINUTES + 2, 600, 86_400, -FIVE_MINUTES - 2, -86_400])
def test_a_signature_is_valid_for_five_minutes(services: Inside, age: int) -> None:
    refused(services, approval(services), 401, age=age)


@pytest.mark.parametrize("age", [0, FIVE_MINUTES - 10, -FIVE_MINUTES + 10])
def test_what_was_signed_within_five_minutes_is_let_in(services: Inside, age: int) -> None:
    before = services.state()
    assert services.post(approval(services), age=age).status == 200
    assert services.state() != before


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
def test_a_request_that_is_replayed_is_answered_and_done_once(services: Inside, route: str) -> None:
    """The same bytes with the same signature, as whoever has recorded them would send them."""
    body, kind = encoded(recordings(services)[route])
    headers = sign(SECRET.encode(), body, int(time.time()))
    assert services.post(body, kind, headers=headers).status == 200
    after, keys = services.state(), list(services.services.iam.active)
    for _ in range(3):
        again = services.post(body, kind, headers=headers)
        assert (again.status, again.calls) == (200, [])
    assert services.state() == after and services.services.iam.active == keys


def test_a_delivery_is_remembered_longer_than_its_signature(services: Inside) -> None:
    """A signature may be good for ten minutes here, where this machine's clock runs five minutes late."""
    click = recordings(services)["click on_it"]
    services.deliver(click)
    after, kept = services.state(), services.services.store._deliveries[click["trigger_id"]]
    assert (kept - services.services.clock.now()).total_seconds() >= 2 * FIVE_MINUTES
    services.deliver(click)
    assert services.state() == after


@pytest.mark.parametrize("body", [b"ssl_check=1&token=x", b"ssl_check=1&" + b"a=b"])
def test_an_unsigned_certificate_check_is_refused(services: Inside, body: bytes) -> None:
    refused(services, body, 401, headers={})


def test_the_url_verification_needs_a_signature(services: Inside) -> None:
    check = json.dumps({"type": "url_verification", "token": "x", "challenge": "abc"}).encode()
    assert json.loads(services.post(check, JSON).body) == {"challenge": "abc"}
    refused(services, check, 401, JSON, headers={})


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
    services: Inside, body: bytes, kind: str, status: int
) -> None:
    refused(services, body, status, kind)


def test_deeply_nested_bodies_are_refused(services: Inside) -> None:
    click = recordings(services)["click approve"]
    deep = "[" * (ingress.MAX_DEPTH + 1) + "]" * (ingress.MAX_DEPTH + 1)
    refused(
        services,
        urlencode({"payload": json.dumps(click)[:-1] + f', "more": {deep}}}'}).encode(),
        400,
    )
    assert services.deliver({**click, "more": json.loads("[" * 50 + "]" * 50)}).status == 200


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
def test_there_is_no_other_way_in(services: Inside, method: str, path: str) -> None:
    refused(services, approval(services), 404, method=method, path=path)


def test_a_body_without_a_length_is_refused(services: Inside) -> None:
    signed = sign(SECRET.encode(), approval(services), int(time.time()))
    refused(services, approval(services), 411, headers=signed | {"Transfer-Encoding": "chunked"})


@pytest.mark.parametrize("header", ["X-Slack-Bolt-Lazy-Only", "X-Slack-Bolt-Lazy-Function-Name"])
def test_no_unsigned_header_changes_what_a_signed_body_does(services: Inside, header: str) -> None:
    before, body = services.state(), approval(services)
    services.post(body, headers=sign(SECRET.encode(), body, int(time.time())) | {header: "1"})
    assert services.state() != before


def test_a_command_that_has_the_word_payload_in_it_is_answered(services: Inside) -> None:
    """Bolt's own reading of a form takes it for an empty one."""
    command = recordings(services)["command create"] | {"text": "create payload builder"}
    answered = services.deliver(command)
    assert (
        answered.status == 200
        and services.services.store.requests_of("U0GINA")[0].reason == "payload builder"
    )


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
def test_no_answer_is_sent_to_an_address_that_is_not_slacks(services: Inside, url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        command = recordings(services)["command list"]
        answered = services.deliver(
            command | {"response_url": url.format(port=listener.getsockname()[1])}
        )
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert [call for call, _ in answered.calls if call == "chat.postEphemeral"]

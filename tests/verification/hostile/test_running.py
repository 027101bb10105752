"""Attack the running bot: it never answers 500, survives, and stays small."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.ingress import MAX_BODY_BYTES, PATH
from bot.slack import action_ids
from sandbox.delivery import encode, sign
from tests.support.running_bot import RunningBot
from tests.verification.hostile.attacks import corpus
from tests.verification.hostile.conftest import WITHIN, processes
from tests.verification.hostile.recordings import recordings
from tests.verification.hostile.target import FORM, JSON, Target, encoded

MEGABYTE = 1_000_000


def memory(bot: RunningBot) -> int:
    """Return the peak memory of the bot's processes in bytes, without Valkey's."""
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in processes(bot)]
    peaks = [
        int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024
        for status in statuses
        if "valkey" not in status.partition("\n")[0]
    ]
    return sum(peaks)


def port(bot: RunningBot) -> int:
    return int(bot.events("serving")[-1]["port"])


def sent(
    bot: RunningBot,
    body: bytes,
    kind: str = FORM,
    *,
    signed: bool = False,
    path: str = PATH,
    method: str = "POST",
) -> int:
    """Send a request, and return the status of its answer."""
    secret = bot.slack.signing_secret.encode()
    headers = sign(secret, body, int(time.time())) if signed else {}
    connection = http.client.HTTPConnection("127.0.0.1", port(bot), timeout=WITHIN)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Content-Type": kind, **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status


def raw(bot: RunningBot, *pieces: bytes) -> bytes:
    """Send bytes, and return all that the bot answers before it closes the connection."""
    with socket.create_connection(("127.0.0.1", port(bot)), WITHIN) as line:
        with contextlib.suppress(OSError):  # it may have closed after the first piece
            for piece in pieces:
                line.sendall(piece)
            line.shutdown(socket.SHUT_WR)
        found = b""
        with contextlib.suppress(OSError):
            while piece := line.recv(65_536):
                found += piece
        return found


def below_500(answer: bytes) -> bool:
    """Say whether no answer in these bytes is a failure of the server's.

    501 is gunicorn's word for a transfer coding that it does not speak, 505 for such a version.
    """
    statuses = re.findall(rb"HTTP/1\.[01] (\d{3})", answer)
    return all(int(status) < 500 or status in (b"501", b"505") for status in statuses)


PATHS = ["/", "/slack/events/", "/slack/install", "/slack/oauth_redirect", "/metrics", "/admin"]
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
UNSIGNED = [
    b"",
    b"ssl_check=1",
    b'{"type": "url_verification", "challenge": "x"}',
    b"payload={}",
]


def test_only_signed_requests_to_one_path_are_accepted(over_http: RunningBot) -> None:
    for path in (*PATHS, "/%00", "*"):
        for method in METHODS:
            assert sent(over_http, b"", path=path, method=method) in (400, 404), (method, path)
    for body in UNSIGNED:
        for kind in (FORM, JSON):
            assert sent(over_http, body, kind) == 401


@pytest.mark.parametrize("name", corpus())
def test_a_kept_attack_is_below_500_over_http(
    over_http: RunningBot, shared: Target, name: str
) -> None:
    body, kind = encoded(corpus()[name].on(recordings(shared), shared.names))
    assert sent(over_http, body, kind, signed=True) < 500


@pytest.mark.parametrize("path", [("trigger_id",), ("actions", 0, "value"), ("user", "team_id")])
def test_a_lone_surrogate_is_handled_like_any_text(
    over_http: RunningBot, shared: Target, path: tuple[str | int, ...]
) -> None:
    """The real store takes no such text."""
    click: Any = json.loads(json.dumps(recordings(shared)["click approve"]))
    part = click
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = f"\ud800{path}"
    body, kind = encode("interactive", click)
    assert sent(over_http, body, kind, signed=True) == 200


def test_a_replayed_click_of_an_approver_is_done_once(over_http: RunningBot) -> None:
    slack = over_http.slack
    alice, carol = slack.person("alice"), slack.person("carol")
    alice.command("/key create deploy script")
    card = carol.wait_for("key-approvals", button=action_ids.DENY)
    earlier = len(over_http.events("on_it"))
    delivery = carol.click(card, action_ids.ON_IT)

    def outcomes() -> list[object]:
        return [line["outcome"] for line in over_http.events("on_it")][earlier:]

    slack.wait_until(lambda: outcomes() == ["done"], WITHIN, "the click takes effect")
    [before] = over_http.requests_of("U0ALICE")
    for _ in range(3):
        assert slack.deliver_again(delivery).acked
    slack.wait_until(
        lambda: outcomes().count("repeated delivery") == 3, WITHIN, "three repeated deliveries"
    )
    assert over_http.requests_of("U0ALICE") == [before]
    alice.click(alice.wait_for(button=action_ids.CANCEL), action_ids.CANCEL)
    slack.wait_until(
        lambda: over_http.requests_of("U0ALICE")[0].status == "cancelled", WITHIN, "it is cancelled"
    )


def test_large_bodies_are_refused_unread(over_http: RunningBot) -> None:
    """Ten bodies of 10 MB make the bot grow by less than one of them."""
    before = memory(over_http)
    head = b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    for size in (MAX_BODY_BYTES + 1, 10 * MEGABYTE, 10**12, 10**25):
        assert raw(over_http, head % size, b"x" * 1000).startswith(b"HTTP/1.1 413")
    for _ in range(10):
        assert below_500(raw(over_http, head % (10 * MEGABYTE), *[b"x" * MEGABYTE] * 10))
    assert sent(over_http, b"x" * MAX_BODY_BYTES, signed=True) in (200, 400)
    assert memory(over_http) - before < 10 * MEGABYTE


POST = b"POST /slack/events HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
HEADS = [
    b"",
    b"\r\n\r\n",
    b"\x00\x01\x02\xff" * 100,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /slack/events HTTP/1.1\r\n\r\n",
    b"X" * 100_000,
    POST + b"Content-Length: x\r\n\r\n",
    POST + b"Content-Length: -1\r\n\r\n",
    POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    POST + b"Content-Length: 50\r\n\r\nhello",
    CHUNKED + b"\r\nfffffffffffffff\r\nx",
    CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: gzip\r\n\r\nzz",
    POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    POST + b"A: b\r\n" * 1000 + b"\r\n",
    POST + b"A: " + b"b" * 100_000 + b"\r\n\r\n",
    POST + b"X-Slack-Signature: \xff\xfe\r\nX-Slack-Request-Timestamp: \xb2\r\n\r\n",
    b"POST http://elsewhere/slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_no_bytes_are_answered_with_500(over_http: RunningBot, head: bytes) -> None:
    assert below_500(raw(over_http, head))


NAMES = [
    b"Content-Length",
    b"Transfer-Encoding",
    b"X-Slack-Signature",
    b"Host",
    b"X-Slack-Request-Timestamp",
    b"Content-Type",
    b"Expect",
]
HEADERS = st.tuples(
    st.sampled_from(NAMES), st.binary(max_size=30) | st.integers(0, 100).map(lambda n: b"%d" % n)
)


def test_no_random_bytes_are_answered_with_500(over_http: RunningBot) -> None:
    @settings(
        max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(
        line=st.sampled_from([b"POST /slack/events HTTP/1.1", b"GET / HTTP/1.0"])
        | st.binary(max_size=40),
        headers=st.lists(HEADERS, max_size=5),
        body=st.binary(max_size=100),
    )
    def check(line: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        lines = [line, *(name + b": " + value for name, value in headers), b"", body]
        assert below_500(raw(over_http, b"\r\n".join(lines)))

    check()

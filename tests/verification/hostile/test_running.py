"""The running bot, over real connections: whatever comes in, it never answers 500, lives, and stays small."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.ingress import MAX_BODY_BYTES, PATH
from bot.slack import action_ids
from sandbox.aws import LocalAws
from sandbox.delivery import encode, sign
from sandbox.local import LocalSlack
from tests.support.running_bot import MANIFEST, RunningBot
from tests.verification.hostile.attacks import kept
from tests.verification.hostile.inside import FORM, JSON, Inside, encoded, inside
from tests.verification.hostile.recordings import recordings

WITHIN = 45.0  # seconds; no test waits that long unless it fails
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as found:
        found.client("iam").create_user(UserName="alice@example.com")
        yield found


@pytest.fixture(scope="module")
def told() -> Iterator[Inside]:
    """A desk in this process, whose recordings are sent to the running one."""
    with inside() as found:
        yield found


@pytest.fixture(scope="module", params=["http"])
def bot(
    request: pytest.FixtureRequest, aws: LocalAws, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningBot]:
    """One running bot for all tests over a transport."""
    folder = tmp_path_factory.mktemp(request.param)
    with (
        LocalSlack(MANIFEST) as slack,
        RunningBot(slack, aws, folder, request.param, {"LOG_LEVEL": "debug"}) as running,
    ):
        yield running


@pytest.fixture
def alive(bot: RunningBot) -> Iterator[RunningBot]:
    """After each test it still answers people, in the same process, and its log knows of nothing unexpected."""
    before = processes(bot)
    yield bot
    helped = len(bot.events("help"))
    assert bot.slack.person("alice").command("/key help").acked
    bot.slack.wait_until(lambda: len(bot.events("help")) > helped, WITHIN, "it helps people")
    assert processes(bot) == before
    assert [event for event in ("unexpected", "work failed", "uncaught") if bot.events(event)] == []
    assert "Traceback" not in bot.log
    assert bot.requests_of("U0CAROL") == []


def processes(bot: RunningBot) -> list[int]:
    """The bot's process and those it has started."""
    assert bot.process and bot.process.poll() is None, bot.log
    pid = bot.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *sorted(int(child) for child in children)]


def memory(bot: RunningBot) -> int:
    """Bytes of memory that the bot's processes have taken at most, the store's not counted."""
    found = 0
    for pid in processes(bot):
        status = Path(f"/proc/{pid}/status").read_text()
        if "valkey" not in status.partition("\n")[0]:
            found += int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024
    return found


def port(bot: RunningBot) -> int:
    return int(bot.events("serving")[-1]["port"])


def sent(
    bot: RunningBot,
    body: bytes,
    kind: str = FORM,
    *,
    secret: str = "",
    path: str = PATH,
    method: str = "POST",
    **headers: str,
) -> tuple[int, bytes]:
    """Status and body of the answer to a request; signed where a secret is given."""
    signed = sign(secret.encode(), body, int(time.time())) if secret else {}
    connection = http.client.HTTPConnection("127.0.0.1", port(bot), timeout=WITHIN)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Content-Type": kind, **signed, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()


def raw(bot: RunningBot, *pieces: bytes) -> bytes:
    """All that the bot answers to these bytes before it closes the connection."""
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
    """Is this the answer to one or more requests, none of them a failure of the server's, or none at all?

    501 is gunicorn's word for a transfer coding that it does not speak, 505 for such a version.
    """
    return all(
        int(status) < 500 or status in (b"501", b"505")
        for status in re.findall(rb"HTTP/1\.[01] (\d{3})", answer)
    )


# -- HTTP


def test_only_signed_requests_to_one_path_are_accepted(
    alive: RunningBot,
) -> None:
    for path in (
        "/",
        "/slack/events/",
        "/slack/install",
        "/slack/oauth_redirect",
        "/metrics",
        "/admin",
        "/%00",
        "*",
    ):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            status, _ = sent(alive, b"", path=path, method=method)
            assert status in (400, 404), (method, path)
    for body in (
        b"",
        b"ssl_check=1",
        b'{"type": "url_verification", "challenge": "x"}',
        b"payload={}",
    ):
        for kind in (FORM, JSON):
            assert sent(alive, body, kind)[0] == 401


@pytest.mark.parametrize("name", kept())
def test_what_once_broke_something_is_below_500_over_http(
    alive: RunningBot, told: Inside, name: str
) -> None:
    body, kind = encoded(kept()[name].on(recordings(told), told.names))
    status, _ = sent(alive, body, kind, secret=alive.slack.signing_secret)
    assert status < 500


def test_a_lone_surrogate_is_handled_like_any_text(alive: RunningBot, told: Inside) -> None:
    """The real store takes no such text."""
    for place in (("trigger_id",), ("actions", 0, "value"), ("user", "team_id")):
        click: Any = json.loads(json.dumps(recordings(told)["click approve"]))
        part = click
        for name in place[:-1]:
            part = part[name]
        part[place[-1]] = f"\ud800{place}"
        body, kind = encode("interactive", click)
        assert sent(alive, body, kind, secret=alive.slack.signing_secret)[0] == 200


def test_an_approvers_click_that_is_replayed_is_done_once(alive: RunningBot) -> None:
    alice, carol = alive.slack.person("alice"), alive.slack.person("carol")
    alice.command("/key create deploy script")
    card = carol.wait_for("key-approvals", button=action_ids.DENY)
    delivery = carol.click(card, action_ids.ON_IT)
    carol.wait_for("key-approvals", containing="The others see that you are looking at it")
    [before] = alive.requests_of("U0ALICE")
    for _ in range(3):
        assert alive.slack.deliver_again(delivery).acked
    alive.slack.wait_until(
        lambda: (
            len([line for line in alive.events("on_it") if line["outcome"] == "repeated delivery"])
            == 3
        ),
        WITHIN,
        "the repeated deliveries are known",
    )
    assert alive.requests_of("U0ALICE") == [before]
    alice.click(alice.wait_for(button=action_ids.CANCEL), action_ids.CANCEL)
    alice.wait_for(containing="Cancelled.")


def test_large_bodies_are_refused_unread(alive: RunningBot) -> None:
    """Ten at once that say they are 10 MB, and one that is; the bot grows by less than one of them."""
    before = memory(alive)
    head = b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    for size in (MAX_BODY_BYTES + 1, 10 * MEGABYTE, 10**12, 10**25):
        assert raw(alive, head % size, b"x" * 1000).startswith(b"HTTP/1.1 413")
    for _ in range(10):
        assert below_500(raw(alive, head % (10 * MEGABYTE), *[b"x" * MEGABYTE] * 10))
    assert sent(alive, b"x" * MAX_BODY_BYTES, secret=alive.slack.signing_secret)[0] in (200, 400)
    assert memory(alive) - before < 10 * MEGABYTE


HEADS = [
    b"",
    b"\r\n\r\n",
    b"\x00\x01\x02\xff" * 100,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /slack/events HTTP/1.1\r\n\r\n",
    b"X" * 100_000,
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhello",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\nx",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nzz",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
    b"POST /slack/events HTTP/1.1\r\nHost: x\r\nX-Slack-Signature: \xff\xfe\r\nX-Slack-Request-Timestamp: \xb2\r\n\r\n",
    b"POST http://elsewhere/slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_no_bytes_make_it_answer_500(alive: RunningBot, head: bytes) -> None:
    assert below_500(raw(alive, head))


NAMES = [
    b"Content-Length",
    b"Transfer-Encoding",
    b"X-Slack-Signature",
    b"Host",
    b"X-Slack-Request-Timestamp",
    b"Content-Type",
    b"Expect",
]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    line=st.sampled_from([b"POST /slack/events HTTP/1.1", b"GET / HTTP/1.0"])
    | st.binary(max_size=40),
    headers=st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.binary(max_size=30) | st.integers(0, 100).map(lambda n: b"%d" % n),
        ),
        max_size=5,
    ),
    body=st.binary(max_size=100),
)
def no_bytes_at_all(
    running: RunningBot, line: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    lines = [line, *(name + b": " + value for name, value in headers), b"", body]
    assert below_500(raw(running, b"\r\n".join(lines)))


def test_nor_do_any_that_are_made_up(alive: RunningBot) -> None:
    no_bytes_at_all(alive)

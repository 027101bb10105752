"""Journeys of the serving process: failures to start, and stopping without loss."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.local import LocalSlack
from tests.support.running_bot import MANIFEST, ROOT, free_port, wait_for

LONG = 20.0
"""Seconds. No test waits that long unless it fails."""
WORDS = ("one", "two", "three")


@pytest.fixture(autouse=True)
def canary() -> None:
    """Replace the canary: the small bot creates no key, so there is no secret."""


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    """Run a workspace for all small bots of the file."""
    with LocalSlack(MANIFEST) as local:
        yield local


class Running:
    """The small bot of tests/support/serving_bot.py, in a process of its own."""

    def __init__(self, folder: Path, slack: LocalSlack, transport: str, **more: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.http = transport == "http"
        self.log = folder / "log"
        secret = {"SLACK_APP_TOKEN": slack.app_token}
        if self.http:
            secret = {"SLACK_SIGNING_SECRET": slack.signing_secret}
            slack.deliver_to(f"http://127.0.0.1:{self.port}/slack/events")
        else:
            slack.deliver_by_socket()
        environ = {
            "PATH": os.environ["PATH"],
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_API_URL": slack.api_url,
            "APPROVAL_CHANNEL": "C0APPROVALS",
            "APPROVERS": "U0CAROL",
            "PORT": str(self.port),
            "DATA_DIR": str(folder / "data"),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.serving_bot", str(folder)],
                cwd=ROOT,
                env=environ | secret | more,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._slack = slack

    def receives(self) -> bool:
        """Return whether Slack can still reach it."""
        if not self.http:
            return self._slack.connections > 0
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def go(self) -> None:
        """Let the work be done."""
        (self.folder / "go").touch()

    def notes(self) -> list[str]:
        """Return what the small bot noted."""
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def said(self) -> str:
        """Return everything that it wrote."""
        return self.log.read_text()

    def exit_code(self) -> int:
        """Wait for its end."""
        return self.process.wait(LONG)

    def end(self) -> None:
        """Kill what is left of it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(LONG)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path, slack: LocalSlack) -> Iterator[Start]:
    """Start a small bot that ends with the test."""
    started: list[Running] = []

    def start(transport: str, **more: str) -> Running:
        started.append(Running(tmp_path, slack, transport, **more))
        return started[-1]

    yield start
    for running in started:
        running.go()
        running.end()


@pytest.mark.parametrize(
    ("transport", "how"),
    [
        ("socket", "SIGTERM"),
        ("http", "SIGTERM"),
        ("socket", "SIGINT"),
        ("http", "SIGINT"),
        ("http", "Ctrl-C"),
    ],
)
def test_a_signal_finishes_acknowledged_work(
    start: Start, slack: LocalSlack, transport: str, how: str
) -> None:
    """Ctrl-C reaches the whole group of processes, gunicorn's worker too.

    Each line of its log is JSON. The embedded database server ends with the bot.
    """
    bot = start(transport)
    slack.wait_for_bot(LONG)
    valkey = int((bot.folder / "data" / "server.lock").read_text())
    for word in WORDS:
        assert slack.person("alice").command(f"/key {word}").acked
    assert bot.notes() == ["started"]

    if how == "Ctrl-C":
        os.killpg(bot.process.pid, signal.SIGINT)
    else:
        os.kill(bot.process.pid, getattr(signal, how))
    wait_for(lambda: not bot.receives(), LONG, lambda: "it receives nothing more")
    assert bot.process.poll() is None, bot.said()
    bot.go()

    assert bot.exit_code() == 0, bot.said()
    expected = [f"{what} {word}" for word in WORDS for what in ("followed", "done")]
    notes = bot.notes()
    assert (sorted(notes[1:-1]), notes[-1]) == (sorted(expected), "stopped")
    with pytest.raises(ProcessLookupError):
        os.kill(valkey, 0)
    lines = [json.loads(line) for line in bot.said().splitlines()]
    assert "serving" in [line["event"] for line in lines]
    assert all({"at", "level", "event", "logger"} <= line.keys() for line in lines)


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_a_known_failure_to_start_exits_with_2(
    tmp_path: Path, start: Start, transport: str
) -> None:
    (tmp_path / "cannot").touch()
    running = start(transport)
    assert running.exit_code() == 2, running.said()
    assert "APPROVAL_CHANNEL is not there. Invite the bot." in running.said()
    assert "Traceback" not in running.said()


def test_every_wrong_setting_is_reported_at_once(start: Start) -> None:
    running = start("socket", APPROVERS="carol", PORT="x", DYNO="web.1")
    assert running.exit_code() == 2
    said = running.said().splitlines()
    assert said[0] == "Keydesk cannot start:"
    assert sorted(line.split()[0] for line in said[1:]) == ["APPROVERS", "PORT", "REDIS_URL"]


def test_an_app_token_that_slack_refuses_is_a_known_failure(start: Start) -> None:
    running = start("socket", SLACK_APP_TOKEN="xapp-not-this-one")
    assert running.exit_code() == 2, running.said()
    assert "SLACK_APP_TOKEN: Slack refused the connection (invalid_auth)" in running.said()
    assert "xapp-not" not in running.said()
    assert running.notes() == ["started", "stopped"]


def test_http_answers_slack_alone(start: Start, slack: LocalSlack) -> None:
    served = start("http")
    slack.wait_for_bot(LONG)
    requests = {
        ("POST", "/slack/events", b"command=%2Fkey"): 401,
        ("POST", "/slack/events", b"\xff"): 401,
        ("POST", "/slack/events", b"x" * 1_000_001): 413,
        ("GET", "/slack/events", b""): 404,
        ("POST", "/", b""): 404,
        ("GET", "/slack/install", b""): 404,
        ("GET", "/slack/events?" + "x" * 3000, b""): 414,
    }

    def status(method: str, path: str, body: bytes) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=LONG)
        try:
            connection.request(method, path, body)
            return connection.getresponse().status
        finally:
            connection.close()

    assert [status(*request) for request in requests] == list(requests.values())
    assert "Traceback" not in served.said()

"""Serving: over both transports a bot answers, and stops without losing anything it has acknowledged."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.local import LocalSlack

ROOT = Path(__file__).resolve().parents[2]
LONG = 20.0  # seconds; no test waits that long unless it fails


@pytest.fixture(autouse=True)
def canary() -> None:
    """There is no secret to look for: the small bot creates no key."""


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    with LocalSlack(ROOT / "manifest.yml") as local:
        yield local


class Running:
    """The small bot of serving_bot.py, in a process of its own."""

    def __init__(self, folder: Path, slack: LocalSlack, transport: str, **more: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.http = transport == "http"
        self.log = folder / "log"
        environ = {
            "PATH": os.environ["PATH"],
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_API_URL": slack.api_url,
            "APPROVAL_CHANNEL": "C0APPROVALS",
            "APPROVERS": "U0CAROL",
            "PORT": str(self.port),
            "DATA_DIR": str(folder / "data"),
            "SLACK_SIGNING_SECRET" if self.http else "SLACK_APP_TOKEN": (
                slack.signing_secret if self.http else slack.app_token
            ),
            **more,
        }
        if self.http:
            slack.deliver_to(f"http://127.0.0.1:{self.port}/slack/events")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.serving_bot", str(folder)],
                cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._slack = slack

    def receives(self) -> bool:
        """Whether Slack can still reach it."""
        if not self.http:
            return self._slack.connections > 0
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def go(self) -> None:
        """Let the work be done."""
        (self.folder / "go").touch()

    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def said(self) -> str:
        return self.log.read_text()


@pytest.fixture(params=["socket", "http"])
def bot(request: pytest.FixtureRequest, tmp_path: Path, slack: LocalSlack) -> Iterator[Running]:
    running = Running(tmp_path, slack, request.param)
    try:
        slack.wait_for_bot(LONG)
        yield running
    finally:
        running.go()
        end(running)


def end(running: Running) -> None:
    """Whatever a test left running ends with it."""
    if running.process.poll() is None:
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait(LONG)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "Ctrl-C"])
def test_sigterm_finishes_acknowledged_work(bot: Running, slack: LocalSlack, how: str) -> None:
    """Ctrl-C reaches the whole group of processes, gunicorn's worker too."""
    for word in ("one", "two", "three"):
        assert slack.person("alice").command(f"/key {word}").acked
    assert bot.notes() == ["started"]

    if how == "Ctrl-C":
        os.killpg(bot.process.pid, signal.SIGINT)
    else:
        os.kill(bot.process.pid, getattr(signal, how))
    until(lambda: not bot.receives(), "it receives nothing more")
    assert bot.process.poll() is None, bot.said()
    bot.go()

    assert bot.process.wait(LONG) == 0, bot.said()
    notes = bot.notes()
    assert sorted(notes[1:-1]) == sorted(
        f"{what} {word}" for word in ("one", "two", "three") for what in ("followed", "done")
    ), bot.said()
    assert notes[-1] == "stopped"
    assert "Traceback" not in bot.said()


def test_everything_it_says_is_a_line_of_json(bot: Running, slack: LocalSlack) -> None:
    bot.process.terminate()
    assert bot.process.wait(LONG) == 0

    lines = [json.loads(line) for line in bot.said().splitlines()]
    assert "serving" in [line["event"] for line in lines]
    assert all({"at", "level", "event", "logger"} <= line.keys() for line in lines)


def test_the_embedded_store_ends_with_it(bot: Running, slack: LocalSlack) -> None:
    valkey = int((bot.folder / "data" / "server.lock").read_text())
    os.kill(valkey, 0)

    bot.process.terminate()
    assert bot.process.wait(LONG) == 0

    with pytest.raises(ProcessLookupError):
        os.kill(valkey, 0)


@pytest.mark.parametrize("transport", ["socket", "http"])
def test_a_known_failure_to_start_is_one_sentence_and_code_2(
    tmp_path: Path, slack: LocalSlack, transport: str
) -> None:
    (tmp_path / "cannot").touch()
    running = Running(tmp_path, slack, transport)
    try:
        assert running.process.wait(LONG) == 2, running.said()
    finally:
        end(running)

    assert "APPROVAL_CHANNEL is not there. Invite the bot." in running.said()
    assert "Traceback" not in running.said()


def test_every_wrong_setting_is_told_at_once_with_code_2(tmp_path: Path, slack: LocalSlack) -> None:
    running = Running(tmp_path, slack, "socket", APPROVERS="carol", PORT="x", DYNO="web.1")
    assert running.process.wait(LONG) == 2

    said = running.said().splitlines()
    assert said[0] == "Keydesk cannot start:"
    assert sorted(line.split()[0] for line in said[1:]) == ["APPROVERS", "PORT", "REDIS_URL"]


def test_an_app_token_that_slack_refuses_is_a_known_failure(
    tmp_path: Path, slack: LocalSlack
) -> None:
    running = Running(tmp_path, slack, "socket", SLACK_APP_TOKEN="xapp-not-this-one")
    assert running.process.wait(LONG) == 2, running.said()

    assert "SLACK_APP_TOKEN: Slack refused the connection (invalid_auth)" in running.said()
    assert "xapp-not" not in running.said()
    assert running.notes() == ["started", "stopped"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/slack/events", b"command=%2Fkey", 401),
        ("POST", "/slack/events", b"\xff", 401),
        ("POST", "/slack/events", b"x" * 1_000_001, 413),
        ("GET", "/slack/events", b"", 404),
        ("POST", "/", b"", 404),
        ("GET", "/slack/install", b"", 404),
        ("GET", "/slack/events?" + "x" * 3000, b"", 414),
    ],
)
def test_http_answers_slack_and_nobody_else(
    served: Running, method: str, path: str, body: bytes, status: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=LONG)
    connection.request(method, path, body)

    assert connection.getresponse().status == status
    connection.close()
    assert "Traceback" not in served.said()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One HTTP bot for all questions that do not end it."""
    with LocalSlack(ROOT / "manifest.yml") as slack:
        running = Running(tmp_path_factory.mktemp("served"), slack, "http")
        try:
            slack.wait_for_bot(LONG)
            yield running
        finally:
            end(running)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, why
        threading.Event().wait(0.01)

"""Does `make demo` bring everything up by itself, whatever the environment, and take everything down again?"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from sandbox.demo import audit_command, free_port
from tests.support.running_bot import ROOT, wait_for

STARTS_WITHIN = 60
ENDS_WITHIN = 50
SOMEBODYS = {
    "SLACK_BOT_TOKEN": "xoxb-of-a-real-workspace",
    "SLACK_CLIENT_ID": "1.2",
    "SLACK_CLIENT_SECRET": "of-a-real-app",
    "AWS_PROFILE": "a-profile-that-is-not-there",
    "AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "REDIS_URL": "redis://127.0.0.1:9",
}
"""What may stand in the environment of somebody who works with Slack and AWS."""


@pytest.fixture(autouse=True)
def canary() -> None:
    """There is no secret to look for: the demo runs in a process of its own."""


class Demo:
    """`python -m sandbox` in `place`, with an own folder for temporary files."""

    def __init__(self, stream_id: Path, temporary: Path, *arguments: str) -> None:
        self.temporary = temporary
        (stream_id / ".env").write_text("APPROVERS=nobody at all\nREDIS_URL=redis://127.0.0.1:9\n")
        self._heard = stream_id / "heard"
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(temporary),
            **SOMEBODYS,
        }
        with self._heard.open("wb") as heard:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "--port", "0", *arguments],
                cwd=stream_id,
                env=environ,
                stdout=heard,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=as_in_a_terminal,
            )  # as in a terminal: a process group of its own

    @property
    def output(self) -> str:
        return self._heard.read_text()

    def wait_for(self, pattern: str) -> str:
        """Waits until that was printed; returns it."""
        found = wait_for(
            lambda: re.search(pattern, self.output),
            STARTS_WITHIN,
            lambda: f"{pattern!r} in:\n{self.output}",
            alive=self.process,
        )
        return str(found[0])

    def processes(self) -> dict[int, str]:
        """The command lines of all processes that know the folder of temporary files, by process ID."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                knows = (
                    str(self.temporary).encode()
                    in (entry / "environ").read_bytes() + words.encode()
                )
            except OSError:  # it has just ended, or is somebody else's
                continue
            if knows and words:
                found[int(entry.name)] = words
        return found

    def end(self) -> int:
        """Waits for the end; returns the exit code."""
        return self.process.wait(ENDS_WITHIN)


def as_in_a_terminal() -> None:
    """Take back what the tests may have inherited: under nohup or in the background, signals are ignored.

    The demo itself goes on ignoring SIGHUP, so that it outlives the terminal when it is started with nohup.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    """A demo, with the arguments that `pytest.mark.parametrize(..., indirect=True)` gives, if any."""
    with TemporaryDirectory(
        prefix="demo-"
    ) as temporary:  # a short path, as a socket's path must be
        started = Demo(tmp_path, Path(temporary), *getattr(request, "param", ()))
        yield started
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGTERM)
            started.end()


def assert_nothing_is_left(demo: Demo) -> None:
    assert demo.processes() == {}
    assert list(demo.temporary.iterdir()) == []


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_it_prints_its_address_and_a_signal_stops_it(demo: Demo, number: signal.Signals) -> None:
    """Ctrl-C and a closed terminal signal the whole process group; the bot must not take that for its own end."""
    address = demo.wait_for(r"http://127\.0\.0\.1:\d+")
    with urllib.request.urlopen(address) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
    if sys.platform == "linux":
        kinds = sorted(
            re.search(r"-m sandbox|-m bot|valkey", words)[0] for words in demo.processes().values()
        )
        assert kinds == ["-m bot", "-m sandbox", "valkey"]
    if number is signal.SIGTERM:
        demo.process.send_signal(number)
    else:
        os.killpg(demo.process.pid, number)
    assert demo.end() == 0, demo.output
    assert "Traceback" not in demo.output
    assert_nothing_is_left(demo)


def test_the_printed_command_verifies_the_audit_trail(demo: Demo) -> None:
    address = demo.wait_for(r"http://127\.0\.0\.1:\d+")
    command = demo.wait_for(r"cd /.+ -m bot audit --verify")
    act(address, do="command", channel="C0GENERAL", text="/key create deploy script")

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S602
            line,
            shell=True,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": os.environ["PATH"]},
        )

    printed = command.removesuffix(" --verify")
    wait_for(
        lambda: "deploy script" in run(printed).stdout, STARTS_WITHIN, lambda: run(printed).stdout
    )
    verified = run(command)
    assert verified.returncode == 0 and "The trail is intact" in verified.stdout, verified


def act(address: str, **body: object) -> None:
    """Lets Alice do something through the page."""
    data = json.dumps({"as": "U0ALICE", "session": "s1", **body}).encode()
    request = urllib.request.Request(f"{address}/act", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["ok"]


def test_the_pages_clock_moves_the_desk(demo: Demo) -> None:
    """Nobody answers Alice for four days: her request expires. Her old key is shown as that old, and in use."""
    address = demo.wait_for(r"http://127\.0\.0\.1:\d+")
    with urllib.request.urlopen(f"{address}/events?session=s1", timeout=STARTS_WITHIN) as stream:

        def shown_with(*words: str) -> dict[str, Any]:
            """The next state that holds all of these words in what Alice sees."""
            until, state = time.monotonic() + STARTS_WITHIN, {}
            for line in stream:  # the server says each second that it is still there
                assert time.monotonic() < until, f"{words} are not in {state}"
                if line.startswith(b"data: "):
                    state = json.loads(line.removeprefix(b"data: "))
                    if all(word in json.dumps(state["views"]["U0ALICE"]) for word in words):
                        return dict(state)
            raise AssertionError("the stream of states ended")

        assert shown_with("Welcome")["clock"] == {"ahead": 0}
        act(address, do="command", channel="C0GENERAL", text="/key list")
        shown_with("95 days old", "eu-west-1")
        act(address, do="command", channel="C0GENERAL", text="/key create deploy script")
        shown_with('"approve"', "deploy script")
        act(address, do="clock", add=4 * 86_400)
        assert shown_with("xpired")["clock"] == {"ahead": 4 * 86_400}


@pytest.mark.skipif(sys.platform != "linux", reason="finds the bot in /proc")
def test_a_dead_bot_ends_the_demo_with_its_last_lines(demo: Demo) -> None:
    demo.wait_for(r"http://127\.0\.0\.1:\d+")
    bot = next(number for number, words in demo.processes().items() if "-m bot" in words)
    os.kill(bot, signal.SIGKILL)
    assert demo.end() == 1
    assert "exit code -9" in demo.output
    assert '"event": "serving"' in demo.output
    assert_nothing_is_left(demo)


@pytest.mark.parametrize("demo", [["--verbose"]], indirect=True, ids=["verbose"])
def test_verbose_shows_the_bots_log(demo: Demo) -> None:
    demo.wait_for('"event": "serving"')
    demo.process.send_signal(signal.SIGTERM)
    assert demo.end() == 0


def test_a_port_that_is_taken_is_passed_over() -> None:
    """Two demos can run side by side."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert free_port(taken) not in (taken, 0)


def test_the_printed_command_works_with_spaces_in_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "a folder & more"
    folder.mkdir()
    ran = subprocess.run(
        ["sh", "-c", f"{audit_command(folder)} --help"], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0 and "--verify" in ran.stdout, ran.stderr

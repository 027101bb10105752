"""Journeys of `make demo`: it starts everything and ends everything."""

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
ADDRESS = r"http://127\.0\.0\.1:\d+"
NOWHERE = "http://127.0.0.1:9"
ENVIRONMENT = {
    "SLACK_BOT_TOKEN": "xoxb-of-a-real-workspace",
    "SLACK_CLIENT_ID": "1.2",
    "SLACK_CLIENT_SECRET": "of-a-real-app",
    "AWS_PROFILE": "a-profile-that-is-not-there",
    "AWS_ENDPOINT_URL_IAM": NOWHERE,
    "HTTP_PROXY": NOWHERE,
    "http_proxy": NOWHERE,
    "REDIS_URL": "redis://127.0.0.1:9",
}
"""What may be in the environment of a user of Slack and AWS."""


@pytest.fixture(autouse=True)
def canary() -> None:
    """Replace the canary: the demo runs in a process of its own."""


class Demo:
    """`python -m sandbox` in `folder`, with a folder of its own for temporary files."""

    def __init__(self, folder: Path, temporary: Path, *arguments: str) -> None:
        self.temporary = temporary
        (folder / ".env").write_text("APPROVERS=no one at all\nREDIS_URL=redis://127.0.0.1:9\n")
        self._heard = folder / "heard"
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
        with self._heard.open("wb") as heard:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "--port", "0", *arguments],
                cwd=folder,
                env=own | ENVIRONMENT,
                stdout=heard,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=as_in_a_terminal,
            )

    @property
    def output(self) -> str:
        """Return everything that was printed."""
        return self._heard.read_text()

    def wait_for(self, pattern: str) -> str:
        """Wait until that was printed, and return it."""
        found = wait_for(
            lambda: re.search(pattern, self.output),
            STARTS_WITHIN,
            lambda: f"{pattern!r} in:\n{self.output}",
            alive=self.process,
        )
        return str(found[0])

    def processes(self) -> dict[int, str]:
        """Return the command lines of all its processes, by process ID.

        They know the folder of temporary files.
        """
        found, folder = {}, str(self.temporary).encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes()
                known = folder in (entry / "environ").read_bytes() + words
            except OSError:  # it has just ended, or is of another user
                continue
            if known and words:
                found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
        return found

    def ends(self, code: int) -> None:
        """Wait for the end, and assert that nothing is left of it."""
        assert self.process.wait(ENDS_WITHIN) == code, self.output
        assert self.processes() == {}
        assert list(self.temporary.iterdir()) == []


def as_in_a_terminal() -> None:
    """Restore signals that tests under nohup or in the background ignore.

    The demo itself goes on ignoring SIGHUP, so that it outlives the terminal under nohup.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    """Start a demo, with the arguments that an indirect parameter gives, if any."""
    # A short path, as a socket's path must be.
    with TemporaryDirectory(prefix="demo-") as temporary:
        started = Demo(tmp_path, Path(temporary), *getattr(request, "param", ()))
        yield started
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGTERM)
            started.process.wait(ENDS_WITHIN)


def act(address: str, **body: object) -> None:
    """Let Alice do something through the page."""
    data = json.dumps({"as": "U0ALICE", "session": "s1", **body}).encode()
    request = urllib.request.Request(f"{address}/act", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["ok"]


def run(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in a shell, with a bare environment."""
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(  # noqa: S602
        line, shell=True, capture_output=True, text=True, timeout=60, env=environment
    )


def test_it_serves_a_page_and_ctrl_c_ends_everything(demo: Demo) -> None:
    """The page's clock moves Keydesk's: Alice's request expires.

    Her old key is in use.

    The printed command verifies the audit trail. Ctrl-C signals the whole process group, and the
    bot must not take that for its own end.
    """
    address = demo.wait_for(ADDRESS)
    command = demo.wait_for(r"cd /.+ -m bot audit --verify")
    with urllib.request.urlopen(address) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
    if sys.platform == "linux":
        pattern = r"-m sandbox|-m bot|valkey"
        kinds = [re.search(pattern, words)[0] for words in demo.processes().values()]
        assert sorted(kinds) == ["-m bot", "-m sandbox", "valkey"]
    with urllib.request.urlopen(f"{address}/events?session=s1", timeout=STARTS_WITHIN) as stream:

        def shown_with(*words: str) -> dict[str, Any]:
            """Return the next state that has all of these words in what Alice sees."""
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

    verified = run(command)
    assert verified.returncode == 0 and "The trail is intact" in verified.stdout, verified
    assert "deploy script" in run(command.removesuffix(" --verify")).stdout
    os.killpg(demo.process.pid, signal.SIGINT)
    demo.ends(0)
    assert "Traceback" not in demo.output


@pytest.mark.skipif(sys.platform != "linux", reason="finds the bot in /proc")
def test_a_dead_bot_ends_the_demo_with_its_last_lines(demo: Demo) -> None:
    demo.wait_for(ADDRESS)
    bot = next(number for number, words in demo.processes().items() if "-m bot" in words)
    os.kill(bot, signal.SIGKILL)
    demo.ends(1)
    assert "exit code -9" in demo.output and '"event": "serving"' in demo.output


@pytest.mark.parametrize("demo", [["--verbose"]], indirect=True, ids=["verbose"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_verbose_shows_the_log_and_a_signal_ends_it(demo: Demo, number: signal.Signals) -> None:
    """A closed terminal signals the whole process group, too."""
    demo.wait_for('"event": "serving"')
    if number is signal.SIGTERM:
        demo.process.send_signal(number)
    else:
        os.killpg(demo.process.pid, number)
    demo.ends(0)
    assert "Traceback" not in demo.output


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
    line = f"{audit_command(folder)} --help"
    ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and "--verify" in ran.stdout, ran.stderr

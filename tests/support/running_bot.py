"""The real bot, as a process, or built in this one where the test moves the clock."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler

from bot import app
from bot.config import loading
from bot.domain.requests import KeyRequest
from bot.store.connection import connect
from bot.store.redis_store import RedisStore
from sandbox.aws import LocalAws
from sandbox.local import LocalSlack

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "manifest.yml"
STARTS_WITHIN = 30
LOG_SHOWN = 12_000
NO_AWS_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""No bot under test reads the AWS profiles of the user who runs the tests."""


LIMITS = ("REQUESTS_AN_HOUR", "REVEALS_AN_HOUR", "NUDGES_AN_HOUR", "LEAK_REPORTS_AN_HOUR")


def settings_for(slack: LocalSlack, aws: LocalAws, **more: str) -> dict[str, str]:
    """Return the settings of a bot of this workspace and AWS account, by their names."""
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.api_url,
        "APPROVAL_CHANNEL": "C0APPROVALS",
        "APPROVERS": "S0APPROVERS",
        "SWEEP_EVERY": "1s",
        "TRIAL_PACE": "100",  # a test does in seconds what people do in hours
        **dict.fromkeys(LIMITS, "9999/99999"),
        **aws.credentials,
        **more,
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class RunningBot:
    """`python -m bot` as a process, with its embedded Valkey server in `folder`.

    `log` is all it wrote. `transport` is "socket" or "http". `program` is the module that is run,
    after `before` in the new process. Use it as a context manager. For a crash, `kill` and `start`.
    """

    slack: LocalSlack
    aws: LocalAws
    folder: Path
    transport: str = "socket"
    more: Mapping[str, str] = field(default_factory=dict)
    program: str = "bot"
    before: Callable[[], None] | None = None
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def __enter__(self) -> RunningBot:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        print(
            f"The end of the bot's log:\n{self.log[-LOG_SHOWN:]}"
        )  # pytest shows it with a test that fails

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        """Everything that the bot's processes have written so far."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("bot-*.log")))

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log's lines of this event, oldest first."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    def start(self) -> None:
        """Start the bot, and wait until Slack can reach it."""
        settings = settings_for(self.slack, self.aws, DATA_DIR=str(self.data_dir), **self.more)
        if self.transport == "http":
            settings.pop("SLACK_APP_TOKEN")
            port = free_port()
            settings |= {"SLACK_SIGNING_SECRET": self.slack.signing_secret, "PORT": str(port)}
            self.slack.deliver_to(f"http://127.0.0.1:{port}/slack/events")
        else:
            self.slack.deliver_by_socket()
        self.starts += 1
        with (self.folder / f"bot-{self.starts:02}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.program],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=self.before,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    **NO_AWS_FILES,
                    **settings,
                },
            )
        try:
            wait_for(
                lambda: self.events("serving") and len(self.events("serving")) >= self._serving,
                STARTS_WITHIN,
                lambda: f"the bot to serve; it says:\n{self.log}",
                alive=self.process,
            )
            self.slack.wait_for_bot(STARTS_WITHIN)
        except BaseException:
            self.__exit__()
            raise

    @property
    def _serving(self) -> int:
        return self.starts

    def kill(self) -> None:
        """Send SIGKILL."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def terminate(self, within: float = 40) -> int:
        """Send SIGTERM. Return the exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)

    @contextmanager
    def store(self) -> Iterator[RedisStore]:
        """Yield the store of the running bot, joined from outside."""
        with self.redis() as client:
            yield RedisStore(client)

    @contextmanager
    def redis(self) -> Iterator[redis.Redis]:
        from bot.store import embedded

        server = embedded.start(self.data_dir)
        client = connect(server.url)
        try:
            yield client
        finally:
            client.close()
            server.stop()

    def requests_of(self, slack_user: str) -> list[KeyRequest]:
        with self.store() as store:
            return list(store.requests_of(slack_user))


class MovedClock:
    """A Clock that runs from a time that the test moves. `ahead` is its drift."""

    def __init__(self) -> None:
        self.last_event = timedelta(0)
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.last_event

    def monotonic(self) -> float:
        return time.monotonic()

    def drift(self) -> timedelta:
        return self.ahead

    def move(self, **by: float) -> None:
        self.last_event += timedelta(**by)


@contextmanager
def built_bot(
    slack: LocalSlack,
    aws: LocalAws,
    redis_url: str,
    clock: MovedClock,
    environ: Callable[[str, str], None],
    **more: str,
) -> Iterator[app.Bot]:
    """Build and serve the bot in this process, over Socket Mode.

    Its scheduler runs when the test calls `sweep`. `environ` sets an environment variable for the
    test, since boto3 reads its credentials from there.
    """
    for name, value in {**NO_AWS_FILES, **aws.credentials}.items():
        environ(name, value)
    settings = loading.load(settings_for(slack, aws, REDIS_URL=redis_url, **more), None)
    bot = app.build(settings, clock=clock)
    handler = SocketModeHandler(bot.app, slack.app_token, ping_interval=5)
    slack.deliver_by_socket()
    handler.connect()
    try:
        slack.wait_for_bot()
        yield bot
    finally:
        handler.close()
        assert bot.pool.drain(30), "the pool did not drain"
        bot.stop()


def wait_for(
    condition: Callable[[], Any],
    within: float,
    why: Callable[[], str],
    alive: subprocess.Popen[bytes] | None = None,
) -> Any:
    """Wait until `condition` is true, and return it.

    Fails after `within` seconds, or when `alive` has ended.
    """
    until = time.monotonic() + within
    pause = threading.Event()
    while True:
        found = condition()
        if found:
            return found
        ended = alive is not None and alive.poll() is not None
        if ended or time.monotonic() > until:
            raise AssertionError(f"waited in vain for {why()}")
        pause.wait(0.05)

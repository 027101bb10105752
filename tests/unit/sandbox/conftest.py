"""Fixtures of the sandbox's tests: a manifest, a workspace and a real Bolt app."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import yaml
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient

from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.support.sandbox_app import COMMAND, MANIFEST, add_listeners
from tests.support.sandbox_aws import ALICE, bot
from tests.unit.aws.shared_aws import empty


class QuietHandler(WSGIRequestHandler):
    """Serve without a line of log for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@pytest.fixture(scope="package")
def running_aws() -> Iterator[LocalAws]:
    with LocalAws() as local:
        yield local


@pytest.fixture(scope="package")
def bot_iam(running_aws: LocalAws) -> Any:
    return bot(running_aws)


@pytest.fixture
def aws(running_aws: LocalAws) -> Iterator[LocalAws]:
    """Return the local AWS that the tests share, with two users and nothing else."""
    empty(running_aws, (ALICE, "bob@example.com"))
    yield running_aws
    empty(running_aws, ())


@pytest.fixture
def iam(aws: LocalAws, bot_iam: Any) -> Any:
    """Return the bot's IAM client, which repeats nothing."""
    return bot_iam


@pytest.fixture
def manifest(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a small manifest. A parameter changes its slash command."""
    command = COMMAND | getattr(request, "param", {})
    features = {**MANIFEST["features"], "slash_commands": [command]}
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump({**MANIFEST, "features": features}), encoding="utf-8")
    return path


@pytest.fixture
def slack(manifest: Path) -> Iterator[LocalSlack]:
    """Return a workspace without a bot."""
    with LocalSlack(manifest) as local:
        yield local


@pytest.fixture
def client(slack: LocalSlack) -> WebClient:
    """Return the bot's Web API client, which repeats nothing."""
    return WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)


@pytest.fixture(scope="package")
def closing() -> Iterator[ThreadPoolExecutor]:
    """Return threads that close Socket Mode clients. The SDK takes a second each."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture(params=["socket", "http"])
def app(
    request: pytest.FixtureRequest,
    slack: LocalSlack,
    client: WebClient,
    closing: ThreadPoolExecutor,
) -> Iterator[App]:
    """Run the tiny app over Socket Mode, and then over signed HTTP."""
    app = App(client=client, signing_secret=slack.signing_secret)
    add_listeners(app)
    if request.param == "socket":
        handler = SocketModeHandler(app, slack.app_token, ping_interval=1)
        handler.connect()
        slack.wait_for_bot()
        yield app
        closing.submit(handler.close)
        slack.cut_sockets()
        return
    wsgi = SlackRequestHandler(app, path="/slack/events")
    with make_server("127.0.0.1", 0, wsgi, handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        slack.deliver_to(f"http://127.0.0.1:{server.server_port}/slack/events")
        slack.wait_for_bot()
        yield app
        server.shutdown()
        thread.join()

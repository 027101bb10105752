"""What do the sandbox's tests share: a small manifest, a workspace, and a real Bolt app in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import yaml
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient

from sandbox.local import LocalSlack
from tests.support.sandbox_app import MANIFEST, add_listeners


class QuietHandler(WSGIRequestHandler):
    """Serves without printing a line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A small manifest."""
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump(MANIFEST), encoding="utf-8")
    return path


@pytest.fixture
def slack(manifest: Path) -> Iterator[LocalSlack]:
    """A workspace without a bot."""
    with LocalSlack(manifest) as local:
        yield local


@pytest.fixture
def client(slack: LocalSlack) -> WebClient:
    """The bot's Web API client, which repeats nothing."""
    return WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)


@pytest.fixture(params=["socket", "http"])
def app(request: pytest.FixtureRequest, slack: LocalSlack, client: WebClient) -> Iterator[App]:
    """The tiny app, running over Socket Mode and then over signed HTTP."""
    app = App(client=client, signing_secret=slack.signing_secret)
    add_listeners(app)
    if request.param == "socket":
        handler = SocketModeHandler(app, slack.app_token, ping_interval=1)
        handler.connect()
        slack.wait_for_bot()
        yield app
        handler.close()
    else:
        wsgi = SlackRequestHandler(app, path="/slack/events")
        server = make_server("127.0.0.1", 0, wsgi, handler_class=QuietHandler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        slack.deliver_to(f"http://127.0.0.1:{server.server_port}/slack/events")
        slack.wait_for_bot()
        yield app
        server.shutdown()
        thread.join()
        server.server_close()

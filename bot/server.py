"""Serve Slack by Socket Mode or by HTTP.

With an app-level token it is Socket Mode, otherwise HTTP with gunicorn. Both stop in the same way
on SIGTERM or SIGINT: receive nothing more, finish the accepted work, and exit with code 0.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from pydantic import SecretStr
from slack_bolt import App
from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler
from slack_bolt.adapter.socket_mode.internals import send_response
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot import ingress
from bot.config.errors import StartError
from bot.config.settings import Settings
from bot.runtime.log_config import get_logger
from bot.runtime.worker_pool import WorkPool

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

DRAIN_SECONDS = 25.0
"""Seconds to finish accepted work. Platforms kill 30 s after SIGTERM (Heroku, Kubernetes)."""

_GUNICORN_TIMEOUT = 30  # seconds that gunicorn waits for its worker, with the drain
_CLOSE_TIMEOUT = (
    5.0  # seconds: closing a Socket Mode client joins threads that may hang in the network
)
_POLL_SECONDS = 1.0  # seconds between two checks whether to stop


class Bot(Protocol):
    """What `bot.app.build` returns.

    `app` answers Slack at once and gives its work to `pool`.
    """

    @property
    def app(self) -> App:
        """Return Bolt's app."""

    @property
    def pool(self) -> WorkPool:
        """Return the pool that must drain before `stop`."""

    def start(self) -> None:
        """Start the threads that run by themselves.

        Called once, in the process that serves.
        """

    def stop(self) -> None:
        """Stop what `start` started, and wait for it. Called once the pool has drained."""


Build = Callable[[Settings], Bot]


def serve(settings: Settings, build: Build) -> int:
    """Serve until SIGTERM or SIGINT. Call it in the main thread.

    `build` runs in the process that does the work. Over HTTP that is gunicorn's worker, after the
    fork. If it raises StartError there, the worker prints the text and the exit code is 2.

    Returns:
        The exit code.

    Raises:
        StartError: `build` raised it in this process, or Slack refused the connection.
    """
    if settings.slack_app_token is None:
        return _serve_http(settings, build)
    return _serve_socket(settings, settings.slack_app_token, build)


# Socket Mode


def _serve_socket(settings: Settings, app_token: SecretStr, build: Build) -> int:
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    bot = build(settings)
    bot.start()
    try:
        handler = _connect(bot.app, app_token)
        get_logger().info("serving", transport="socket mode")
        # Python runs no handler of a signal that came just before an endless wait.
        while not stopping.wait(_POLL_SECONDS):
            continue
        get_logger().info("stopping")
        _close(handler)
    finally:
        _shut_down(bot)
    return 0


class _SocketModeHandler(SocketModeHandler):
    """Bolt's handler behind the ingress: a malformed payload is not acknowledged."""

    def handle(self, client: BaseSocketModeClient, req: SocketModeRequest) -> None:
        send_response(client, req, ingress.dispatch(self.app, req.payload), time.time())


def _connect(app: App, app_token: SecretStr) -> SocketModeHandler:
    """Return a connected client of Socket Mode.

    It notices a dead connection after five pings, hence the interval.

    Raises only StartError, without a cause: the frames of the library's errors hold the token.
    """
    try:
        handler = _SocketModeHandler(
            app, app_token.get_secret_value(), ping_interval=5, concurrency=10
        )
        handler.client.connect()
        return handler
    except SlackApiError as error:
        problem = (
            f"SLACK_APP_TOKEN: Slack refused the connection ({error.response.get('error')}). Give "
            "an app-level token with the scope connections:write, and turn Socket Mode on."
        )
    except Exception as error:
        cause = error if isinstance(error, OSError) else type(error).__name__
        problem = (
            f"Slack cannot be reached ({cause}). Check the network, a proxy and SLACK_API_URL."
        )
    raise StartError(problem)


def _close(handler: SocketModeHandler) -> None:
    """Stop receiving. What was received is still acknowledged."""
    closing = threading.Thread(target=handler.close, name="keydesk-close", daemon=True)
    closing.start()
    closing.join(_CLOSE_TIMEOUT)


def _shut_down(bot: Bot) -> None:
    """Finish the accepted work, then stop the rest."""
    if not bot.pool.drain(DRAIN_SECONDS):
        get_logger().error("stopped with work unfinished", seconds=DRAIN_SECONDS)
    bot.stop()


# HTTP


def _serve_http(settings: Settings, build: Build) -> int:
    master = os.getpid()
    try:
        Arbiter(_HttpApplication(settings, build)).run()
    except SystemExit as end:
        if os.getpid() != master:
            raise  # the worker ends, on its way out of the fork
        if end.code == Arbiter.APP_LOAD_ERROR:
            return 2  # the worker has said why
        return end.code if isinstance(end.code, int) else 1
    return 0


class _HttpApplication(BaseApplication):  # type: ignore[misc]  # gunicorn carries no types
    """Runs gunicorn, configured in code.

    gunicorn reads neither its files and flags nor GUNICORN_CMD_ARGS.
    """

    def __init__(self, settings: Settings, build: Build) -> None:
        self._settings = settings
        self._build = build
        self._bot: Bot | None = None  # in the worker only
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options. gunicorn calls it at the start and on SIGHUP."""
        options = {
            "bind": f"0.0.0.0:{self._settings.port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": 32,
            "graceful_timeout": _GUNICORN_TIMEOUT,
            "control_socket_disable": True,
            "errorlog": None,  # with propagation, below: through our own log
            "limit_request_line": 2048,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            "on_starting": _use_own_log,
            "post_worker_init": self._started,
            "worker_exit": self._ended,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Build the bot in the worker, where gunicorn calls it.

        A StartError ends the server with only its text.
        """
        try:
            self._bot = self._build(self._settings)
        except StartError as error:
            raise AppImportError(str(error)) from None
        secret = self._settings.slack_signing_secret
        if secret is None:
            raise AppImportError("SLACK_SIGNING_SECRET is not set.")
        return ingress.wsgi_app(self._bot.app, secret.get_secret_value())

    def _started(self, worker: Any) -> None:
        # gunicorn's quick exit would leave the port open while work is finished. Ctrl-C causes
        # both: SIGINT by the terminal, SIGQUIT by the master.
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, worker.handle_exit)
        if self._bot is not None:  # always: gunicorn has called load before this
            self._bot.start()
        get_logger().info("serving", transport="http", port=self._settings.port)

    def _ended(self, arbiter: Any, worker: Any) -> None:
        if self._bot is not None:
            _shut_down(self._bot)


def _use_own_log(arbiter: Any) -> None:
    arbiter.log.error_log.propagate = True

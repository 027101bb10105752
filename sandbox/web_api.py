"""Answer the bot's calls as Slack's Web API does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.errors import Refused
from sandbox.manifest import Manifest
from sandbox.people import APP_ID, BOT_ID, BOT_USER, TEAM_DOMAIN, TEAM_ID, TEAM_NAME
from sandbox.sockets import Sockets
from sandbox.views import Views
from sandbox.workspace import Workspace

Args = dict[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call that the bot made.

    `answer` is what it was (or would have been) told. `at` is in Unix seconds. For a response URL
    the method is "response_url". A call that a fault stopped has the fault as its answer.
    """

    method: str
    args: Args
    answer: Answer
    at: float


@dataclass(frozen=True)
class Tokens:
    """The app's credentials in this workspace, made again at each start."""

    bot: str
    app: str
    signing_secret: str


@dataclass(frozen=True)
class Office:
    """Everything a method needs."""

    workspace: Workspace
    views: Views
    sockets: Sockets
    manifest: Manifest
    tokens: Tokens
    base_url: Callable[[], str]


@dataclass(frozen=True)
class Method:
    """A Web API method.

    `scope` is what it needs for these arguments, None for nothing.
    """

    run: Callable[[Office, Args], Answer]
    scope: Callable[[Office, Args], str | None] = lambda office, args: None
    by_app_token: bool = False


def needs(scope: str) -> Callable[[Office, Args], str]:
    """Return the scope rule of a method that always needs the same scope."""
    return lambda office, args: scope


class WebApi:
    """The Web API of one workspace. Owned by the server's loop."""

    def __init__(self, office: Office, methods: Mapping[str, Method]) -> None:
        self._office = office
        self._methods = {
            "auth.test": Method(auth_test),
            "apps.connections.open": OPEN_CONNECTION,
            **methods,
        }

    def call(self, name: str, args: Args, token: str | None) -> Answer:
        """Return Slack's answer to one call. A refusal is an answer too."""
        try:
            method = self._methods.get(name)
            if method is None:
                raise Refused("unknown_method", req_method=name)
            self._check_token(method, token)
            scope = method.scope(self._office, args)
            if scope is not None and scope not in self._office.manifest.scopes:
                provided = ",".join(sorted(self._office.manifest.scopes))
                raise Refused("missing_scope", needed=scope, provided=provided)
            return {"ok": True, **method.run(self._office, _parsed(args))}
        except Refused as refusal:
            return refusal.answer()

    def _check_token(self, method: Method, token: str | None) -> None:
        tokens = self._office.tokens
        if not token:
            raise Refused("not_authed")
        if token not in (tokens.bot, tokens.app):
            raise Refused("invalid_auth")
        if (token == tokens.app) != method.by_app_token:
            raise Refused("not_allowed_token_type")


def required(args: Args, *names: str) -> None:
    """Raise Refused when an argument is missing."""
    missing = [name for name in names if args.get(name) in (None, "")]
    if missing:
        raise Refused("invalid_arguments", [f"missing required field: {name}" for name in missing])


def auth_test(office: Office, args: Args) -> Answer:
    """Answer auth.test."""
    return {
        "url": f"https://{TEAM_DOMAIN}.slack.com/",
        "team": TEAM_NAME,
        "user": office.manifest.bot_name.lower(),
        "team_id": TEAM_ID,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "app_id": APP_ID,
        "is_enterprise_install": False,
    }


def _open_connection(office: Office, args: Args) -> Answer:
    base = office.base_url().replace("http://", "ws://", 1)
    return {"url": f"{base}/link?ticket={office.sockets.new_ticket()}&app_id={APP_ID}"}


OPEN_CONNECTION = Method(_open_connection, by_app_token=True)


def _parsed(args: Args) -> Args:
    """Return the arguments with `blocks`, `view` and `metadata` as values.

    They are decoded where they came as JSON text.
    """
    parsed = dict(args)
    for name, error in (
        ("blocks", "invalid_blocks_format"),
        ("view", "invalid_arguments"),
        ("metadata", None),
    ):
        value = parsed.get(name)
        if isinstance(value, str) and value:
            try:
                parsed[name] = json.loads(value)
            except ValueError:
                raise Refused(error or "invalid_metadata_format") from None
    return parsed

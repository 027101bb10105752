"""Accept only payloads of Slack.

Slack must have signed them within five minutes, and they must have Slack's shape. The signature is
checked before the body is parsed. A rejected payload reaches no listener, and nothing of it is
logged. Socket Mode needs no signature, but the same shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from slack_bolt import App, BoltRequest, BoltResponse
from slack_bolt.adapter.wsgi.http_response import WsgiHttpResponse
from slack_sdk.signature import SignatureVerifier

from bot.runtime.log_config import get_logger

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/slack/events"
MAX_BODY_BYTES = 1_000_000
"""Bytes. The largest thing that Slack sends is a view, at most 250 kB."""
MAX_DEPTH = 100
"""Levels of lists and objects in each other. Slack's blocks are about a dozen deep."""
MAX_FIELDS = 100
"""Fields of a form. A command has about fifteen."""


class _Rejected(Exception):
    """A rejected request. `status` is the HTTP status line."""

    def __init__(self, status: str) -> None:
        self.status = status
        super().__init__()


def wsgi_app(app: App, signing_secret: str) -> WSGIApplication:
    """Return a WSGI application that answers only Slack, at POST /slack/events."""
    verifier = SignatureVerifier(signing_secret)

    def reply(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            found = dispatch(
                app, _parse_body(_verified_body(environ, verifier), environ.get("CONTENT_TYPE", ""))
            )
        except _Rejected as rejected:
            get_logger().info("request rejected", status=rejected.status)
            start_response(
                rejected.status,
                [("content-type", "text/plain;charset=utf-8"), ("connection", "close")],
            )
            return [rejected.status.encode()]
        response = WsgiHttpResponse(status=found.status, headers=found.headers, body=found.body)
        start_response(response.status, response.get_headers())
        return response.get_body()

    return reply


def dispatch(app: App, body: Any) -> BoltResponse:
    """Return the app's answer to a payload of Slack.

    The answer is 400 if the payload does not have Slack's shape.
    """
    request = _bolt_request(body)
    if request is None:
        get_logger().info("request rejected", status="400 Bad Request")
        return BoltResponse(status=400, body="")
    return app.dispatch(request)


def _bolt_request(body: Any) -> BoltRequest | None:
    """Return the payload as Bolt takes it, or None if it has not Slack's shape.

    Bolt expects Slack's types everywhere in a body, and raises one of these errors where they
    differ. In its Socket Mode it takes a parsed body without checking the signature, which was
    checked before.
    """
    if not _has_known_shape(body):
        return None
    try:
        return BoltRequest(mode="socket_mode", body=_without_surrogates(body))
    except (AttributeError, IndexError, KeyError, TypeError):
        return None


def _has_known_shape(body: Any) -> bool:
    """Return True if the body is one of the five kinds that Slack sends.

    Its parts must be where Bolt expects them.
    """
    if not isinstance(body, dict) or _too_deep(body):
        return False
    if not all(isinstance(body.get(part, {}), dict) for part in ("event", "view")):
        return False
    if "command" in body or "ssl_check" in body:
        return "type" not in body and all(isinstance(value, str) for value in body.values())
    kind, actions = body.get("type"), body.get("actions")
    if kind == "block_actions":
        return (
            isinstance(actions, list)
            and bool(actions)
            and all(_has_text(one, "action_id") for one in actions)
        )
    # Bolt looks for a step of a workflow in a view of any other type, or of none.
    if kind == "view_submission":
        return _has_text(body.get("view"), "callback_id") and body["view"].get("type") == "modal"
    if kind == "event_callback":
        return _has_text(body.get("event"), "type")
    return kind == "url_verification" and isinstance(body.get("challenge"), str)


def _has_text(part: Any, name: str) -> bool:
    return isinstance(part, dict) and isinstance(part.get(name), str)


def _too_deep(body: Any) -> bool:
    level, depth = [body], 0
    while level and depth <= MAX_DEPTH:
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level, depth = (
            [part for parts in inner for part in parts if isinstance(part, dict | list)],
            depth + 1,
        )
    return bool(level)


def _without_surrogates(body: dict[str, Any]) -> dict[str, Any]:
    """Return the payload with "?" for each lone surrogate.

    A lone surrogate can be neither stored nor sent.
    """
    text = json.dumps(body, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        replaced: dict[str, Any] = json.loads(text.encode(errors="replace"))
        return replaced
    return body


def _verified_body(environ: WSGIEnvironment, verifier: SignatureVerifier) -> str:
    """Return the body of a request that Slack signed. Raises _Rejected."""
    if (environ.get("REQUEST_METHOD"), environ.get("PATH_INFO")) != ("POST", PATH):
        raise _Rejected("404 Not Found")
    if "HTTP_TRANSFER_ENCODING" in environ:  # of unknown length: Slack always sends the length
        raise _Rejected("411 Length Required")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > MAX_BODY_BYTES:
        raise _Rejected("413 Content Too Large")
    timestamp, signature = (
        environ.get(f"HTTP_X_SLACK_{name}", "") for name in ("REQUEST_TIMESTAMP", "SIGNATURE")
    )
    if not (
        timestamp.isdecimal()
        and timestamp.isascii()
        and len(timestamp) < 20
        and signature.isascii()
    ):
        raise _Rejected("401 Unauthorized")
    try:
        body: str = environ["wsgi.input"].read(length).decode()
    except UnicodeDecodeError:
        raise _Rejected("400 Bad Request") from None
    if not verifier.is_valid(body, timestamp, signature):
        raise _Rejected("401 Unauthorized")
    return body


def _parse_body(body: str, content_type: str) -> Any:
    """Parse a body: JSON, or a form whose fields are the payload or hold it as JSON.

    Bolt would take a command whose text has the word "payload" for an empty one. Raises _Rejected.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            return json.loads(body)
        if kind == "application/x-www-form-urlencoded":
            fields = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS))
            return json.loads(fields["payload"]) if "payload" in fields else fields
    except (ValueError, RecursionError):  # no JSON, numbers of thousands of digits, nested too deep
        raise _Rejected("400 Bad Request") from None
    raise _Rejected("415 Unsupported Media Type")

"""Do what the real AWS does and moto does not, in a thin WSGI layer before moto.

- It refuses keys that are unknown, inactive, too new or whose signature is wrong.
- It records who called what, and remembers each secret that was made.
- It applies the faults of `aws_faults`, and dates what moto writes of keys.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.wrappers import Response

from sandbox.aws_faults import AwsFaults, Refusal
from sandbox.aws_keys import KeyHistory, error_answer, list_answer, made_ahead, moto_key, used_ahead
from sandbox.aws_rights import Rights, is_over
from sandbox.faults import Drop

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Any], Iterable[bytes]]

ADMINISTRATOR = "AKIASANDBOXADMINISTR"
"""The access key ID that is let through without questions, faults or a record."""

_CHANGES = {"CreateUser", "DeleteUser", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"}
_AUTHORIZATION = re.compile(
    r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, *"
    r"SignedHeaders=(?P<headers>[^,]+), *Signature=(?P<signature>[0-9a-f]+)"
)


@dataclass(frozen=True)
class Call:
    """One call that reached AWS.

    `status` is the HTTP status of its answer, None if it had none (yet).
    """

    action: str
    parameters: Mapping[str, str]
    at: datetime
    key_id: str
    status: int | None = None


@dataclass(frozen=True)
class _Request:
    environ: Environ = field(repr=False)
    body: bytes = field(repr=False)
    parameters: Mapping[str, str]
    action: str
    signed: re.Match[str] | None

    @property
    def key_id(self) -> str:
        return self.signed["key"] if self.signed else ""


class AwsLayer:
    """The WSGI application: moto, seen through the layer."""

    def __init__(
        self, moto: WsgiApp, faults: AwsFaults, ahead: Callable[[], timedelta] = timedelta
    ) -> None:
        self._moto = moto
        self._faults = faults
        self._ahead = ahead
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._secrets: dict[str, str] = {}
        self.closed = False
        self.rights: Rights | None = None  # None: every key may do everything
        self.history = KeyHistory()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request (WSGI)."""
        request = _read(environ)
        response = self._run(request) if request.key_id == ADMINISTRATOR else self._serve(request)
        return response(environ, start_response)

    def calls(self) -> list[Call]:
        """Return what was called so far, in order of arrival."""
        with self._lock:
            return list(self._calls)

    def secrets(self) -> dict[str, str]:
        """Return the secret of each key that CreateAccessKey made, by key ID."""
        with self._lock:
            return dict(self._secrets)

    def close(self) -> None:
        """Let nothing through any more, not even held or delayed calls."""
        self.closed = True

    def _serve(self, request: _Request) -> Response:
        number = self._record(request)
        plan = self._faults.plan(request.action)
        mood = self._faults.mood()
        if mood.down:
            _cut(request)
        if plan.hold_before:
            asyncio.run(plan.hold_before.pause())
        mood.over.wait(plan.delay)
        if self.closed or plan.outcome == Drop("before"):
            _cut(request)
        if isinstance(plan.outcome, Refusal):
            response = _refuse(plan.outcome)
        else:
            response = (
                self._not_accepted(request) or self._not_allowed(request) or self._run(request)
            )
        if plan.hold_after:
            asyncio.run(plan.hold_after.pause())
        if plan.outcome == Drop("after"):
            _cut(request)
        self._answered(number, response.status_code)
        return response

    def _run(self, request: _Request) -> Response:
        if request.action == "ListAccessKeys" and request.key_id != ADMINISTRATOR:
            listed = self._list(request.parameters)
            if listed is not None:
                return listed
        response = Response.from_app(self._moto, request.environ, buffered=True)
        if ahead := self._ahead():
            used_ahead(request.key_id, ahead)
        if request.action in _CHANGES and response.status_code == 200:
            if request.action == "CreateAccessKey":
                answer = response.get_data(as_text=True)
                key_id = self._remember_secret(answer)
                response.set_data(made_ahead(key_id, ahead, answer))
            self.history.note()
        return response

    def _list(self, parameters: Mapping[str, str]) -> Response | None:
        """Answer ListAccessKeys out of the past or in pages. None leaves it to moto."""
        mood = self._faults.mood()
        user = parameters.get("UserName", "")
        keys = self.history.listed(user, mood.lists_lag) if mood.lists_lag or mood.page else None
        if keys is None:
            return None
        return Response(
            list_answer(user, keys, parameters.get("Marker"), mood.page), content_type="text/xml"
        )

    def _not_accepted(self, request: _Request) -> Response | None:
        """Refuse what AWS would refuse before it looks at the action."""
        if request.signed is None:
            return _refuse(Refusal("MissingAuthenticationToken", "The request is not signed.", 403))
        key = moto_key(request.key_id)
        if (
            key is None
            or key.status != "Active"
            or self.history.age(request.key_id) < self._faults.mood().keys_lag
        ):
            message = "The security token included in the request is invalid."
            return _refuse(Refusal("InvalidClientTokenId", message, 403))
        if not hmac.compare_digest(
            _signature(request, request.signed, key.secret_access_key), request.signed["signature"]
        ):
            message = (
                "The request signature we calculated does not match the signature you provided."
            )
            return _refuse(Refusal("SignatureDoesNotMatch", message, 403))
        if is_over(request.key_id, request.environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")):
            message = "The security token included in the request is expired"
            return _refuse(Refusal("ExpiredToken", message, 403))
        return None

    def _not_allowed(self, request: _Request) -> Response | None:
        """Refuse what the caller's policies do not allow, where that is looked at."""
        if request.signed is None or self.rights is None:
            return None
        service = request.signed["service"]
        refusal = self.rights.refusal(request.key_id, service, request.action, request.parameters)
        return _refuse(refusal) if refusal else None

    def _record(self, request: _Request) -> int:
        call = Call(request.action, request.parameters, datetime.now(UTC), request.key_id)
        with self._lock:
            self._calls.append(call)
            return len(self._calls) - 1

    def _answered(self, number: int, status: int) -> None:
        with self._lock:
            self._calls[number] = replace(self._calls[number], status=status)

    def _remember_secret(self, answer: str) -> str:
        key_id = re.search(r"<AccessKeyId>(.+?)</AccessKeyId>", answer)
        secret = re.search(r"<SecretAccessKey>(.+?)</SecretAccessKey>", answer)
        if key_id is None or secret is None:
            raise RuntimeError("moto answers CreateAccessKey in a new form")
        with self._lock:
            self._secrets[key_id[1]] = secret[1]
        return key_id[1]


def _read(environ: Environ) -> _Request:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    action = form.pop("Action", "")
    form.pop("Version", None)
    signed = _AUTHORIZATION.search(environ.get("HTTP_AUTHORIZATION", ""))
    return _Request(environ, body, form, action, signed)


def _refuse(refusal: Refusal) -> Response:
    body = error_answer(refusal.code, refusal.message, refusal.status)
    return Response(body, status=refusal.status, content_type="text/xml")


def _cut(request: _Request) -> NoReturn:
    """End the connection without an answer."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def _signature(request: _Request, signed: re.Match[str], secret: str) -> str:
    """Compute the signature that the request should have.

    Source: "Signature Version 4", AWS IAM User Guide.
    """
    environ = request.environ
    plain = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
    headers = {
        name: environ.get(plain.get(name, "HTTP_" + name.upper().replace("-", "_")), "")
        for name in signed["headers"].split(";")
    }
    url = f"http://{environ['HTTP_HOST']}{environ['PATH_INFO']}"
    aws_request = AWSRequest(environ["REQUEST_METHOD"], url, headers, request.body)
    aws_request.context["timestamp"] = environ.get("HTTP_X_AMZ_DATE", "")
    auth = SigV4Auth(Credentials(request.key_id, secret), signed["service"], signed["region"])
    return str(
        auth.signature(
            auth.string_to_sign(aws_request, auth.canonical_request(aws_request)), aws_request
        )
    )

"""Deliver payloads to the bot, and return what comes back in three seconds."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

import aiohttp

Kind = Literal["slash_commands", "interactive", "events_api"]
ACK_SECONDS = 3.0


@dataclass(frozen=True)
class Delivery:
    """What became of one payload.

    `body` is the ack's content (parsed JSON, text, or None). `error` is the word Slack shows
    ("operation_timeout", "dispatch_failed", …). `errors` are field errors.
    """

    acked: bool
    status: int
    body: Any
    milliseconds: float
    error: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    kind: Kind | None = None
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Retry:
    """That an event is sent again (Slack: "Events API", retries)."""

    attempt: int
    reason: str


class Transport(Protocol):
    """A way to the bot."""

    async def send(
        self, kind: Kind, payload: Mapping[str, Any], retry: Retry | None = None
    ) -> Delivery:
        """Deliver and wait for the ack, at most three seconds."""
        ...


class SignedHttp:
    """Delivery by signed HTTP requests (Slack: "Verifying requests from Slack")."""

    def __init__(self, address: str, signing_secret: str, session: aiohttp.ClientSession) -> None:
        self._address = address
        self._secret = signing_secret.encode()
        self._session = session

    async def send(
        self, kind: Kind, payload: Mapping[str, Any], retry: Retry | None = None
    ) -> Delivery:
        """Post the payload. A status other than 200 is an error the person sees."""
        body, content_type = encode(kind, payload)
        headers = {"Content-Type": content_type, **sign(self._secret, body, int(time.time()))}
        if retry is not None:
            headers |= {
                "X-Slack-Retry-Num": str(retry.attempt),
                "X-Slack-Retry-Reason": retry.reason,
            }
        began = time.monotonic()
        limit = aiohttp.ClientTimeout(total=ACK_SECONDS)
        try:
            async with self._session.post(
                self._address, data=body, headers=headers, timeout=limit
            ) as answer:
                text, status = await answer.text(), answer.status
        except TimeoutError:
            return Delivery(False, 0, None, _since(began), "operation_timeout", {}, kind, payload)
        except aiohttp.ClientError:
            return Delivery(False, 0, None, _since(began), "dispatch_failed", {}, kind, payload)
        if status != 200:
            error = "http_service_error" if status >= 500 else "http_client_error"
            return Delivery(False, status, text, _since(began), error, {}, kind, payload)
        return Delivery(True, status, _parsed(text), _since(began), None, {}, kind, payload)

    async def is_there(self) -> bool:
        """Say whether anything answers at the address."""
        try:
            async with self._session.get(self._address, timeout=aiohttp.ClientTimeout(total=1)):
                return True
        except (aiohttp.ClientError, TimeoutError):
            return False


def encode(kind: Kind, payload: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return the body and content type Slack uses for this kind of payload."""
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def sign(secret: bytes, body: bytes, timestamp: int) -> dict[str, str]:
    """Return the two headers that prove a request comes from Slack (version v0)."""
    base = b"v0:%d:" % timestamp + body
    signature = "v0=" + hmac.new(secret, base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": signature}


class Postman:
    """Takes payloads to the bot by whichever transport is in use.

    Events that fail are sent once more.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def send(self, kind: Kind, payload: Mapping[str, Any]) -> Delivery:
        """Deliver a payload and return what became of it."""
        delivery = await self.transport.send(kind, payload)
        if kind == "events_api" and not delivery.acked:
            await asyncio.sleep(0.1)
            reason = "http_timeout" if delivery.error == "operation_timeout" else "http_error"
            delivery = await self.transport.send(kind, payload, Retry(1, reason))
        return delivery


def _since(began: float) -> float:
    return (time.monotonic() - began) * 1000


def _parsed(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text

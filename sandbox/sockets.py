"""Deliver payloads to the bot over Socket Mode.

Source: Slack's "Using Socket Mode" page: hello, envelopes, acks, disconnects, at most ten
connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.delivery import ACK_SECONDS, Delivery, Kind, Retry
from sandbox.people import APP_ID

MOST_CONNECTIONS = 10
PING_SECONDS = 0.25
APPROXIMATE_CONNECTION_SECONDS = 18_060


class Sockets:
    """The bot's open Socket Mode connections. Owned by the server's loop."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._tickets: set[str] = set()
        self._open: dict[web.WebSocketResponse, web.Request] = {}
        self._acks: dict[str, asyncio.Future[Any]] = {}
        self._turn = 0

    @property
    def count(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    def new_ticket(self) -> str:
        """Return a ticket that opens one connection."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Speak Socket Mode on one connection until it ends.

        Pings are answered with their own payload.
        """
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.json_response({"ok": False, "error": "invalid_auth"}, status=401)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        if self.count >= MOST_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        self._open[socket] = request
        pings = asyncio.create_task(_ping(socket))
        try:
            await socket.send_json(self._hello())
            self._changed()
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._take_ack(message.json())
        except (ConnectionError, ValueError):
            return socket
        finally:
            pings.cancel()
            self._open.pop(socket, None)
            self._changed()
        return socket

    async def send(
        self, kind: Kind, payload: Mapping[str, Any], retry: Retry | None = None
    ) -> Delivery:
        """Give the payload to the next connection and wait for its ack."""
        began = time.monotonic()
        if not self._open:
            return Delivery(False, 0, None, 0.0, "dispatch_failed", {}, kind, payload)
        envelope_id = str(uuid.uuid4())
        ack = self._acks[envelope_id] = asyncio.get_running_loop().create_future()
        try:
            await self._next().send_json(_envelope(envelope_id, kind, payload, retry))
            body = await asyncio.wait_for(ack, ACK_SECONDS - (time.monotonic() - began))
        except (TimeoutError, ConnectionError):
            spent = (time.monotonic() - began) * 1000
            return Delivery(False, 0, None, spent, "operation_timeout", {}, kind, payload)
        finally:
            del self._acks[envelope_id]
        return Delivery(True, 200, body, (time.monotonic() - began) * 1000, None, {}, kind, payload)

    def cut(self) -> None:
        """Drop every connection without a close frame."""
        for socket, request in list(self._open.items()):
            self._open.pop(socket)
            if request.transport is not None:
                request.transport.abort()
        self._changed()

    async def disconnect(self, reason: str) -> None:
        """Send a disconnect message on every connection.

        All but "warning" are then closed.
        """
        for socket in list(self._open):
            with contextlib.suppress(ConnectionError):  # a bot that has just died
                await socket.send_json(
                    {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}}
                )
            if reason != "warning":
                self._open.pop(socket, None)
                await socket.close()
        self._changed()

    def _hello(self) -> dict[str, Any]:
        debug = {
            "host": "applink-1",
            "build_number": 1,
            "approximate_connection_time": APPROXIMATE_CONNECTION_SECONDS,
        }
        return {
            "type": "hello",
            "num_connections": self.count,
            "debug_info": debug,
            "connection_info": {"app_id": APP_ID},
        }

    def _next(self) -> web.WebSocketResponse:
        self._turn += 1
        sockets = list(self._open)
        return sockets[self._turn % len(sockets)]

    def _take_ack(self, frame: Any) -> None:
        ack = self._acks.get(frame.get("envelope_id", "")) if isinstance(frame, dict) else None
        if ack is not None and not ack.done():
            ack.set_result(frame.get("payload"))


async def _ping(socket: web.WebSocketResponse) -> None:
    """Ping the bot, as Slack does.

    The SDK's client, too, closes sooner on a line that is not silent.
    """
    with contextlib.suppress(ConnectionError):
        while not socket.closed:
            await socket.ping(b"sandbox")
            await asyncio.sleep(PING_SECONDS)


def _envelope(
    envelope_id: str, kind: Kind, payload: Mapping[str, Any], retry: Retry | None
) -> dict[str, Any]:
    answerable = kind == "slash_commands" or payload.get("type") == "view_submission"
    envelope: dict[str, Any] = {
        "envelope_id": envelope_id,
        "type": kind,
        "payload": payload,
        "accepts_response_payload": answerable,
    }
    if kind == "events_api":
        envelope["retry_attempt"] = retry.attempt if retry else 0
        envelope["retry_reason"] = retry.reason if retry else ""
    return envelope

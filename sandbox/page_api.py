"""Serve the page: do what people do there, and tell it of every change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from sandbox.actions import action_of, find_element
from sandbox.delivery import Delivery
from sandbox.errors import Refused
from sandbox.form_values import merged_values
from sandbox.gestures import Gestures
from sandbox.manifest import Manifest
from sandbox.page_state import Programs, page_state
from sandbox.views import View, Views
from sandbox.workspace import Workspace

Body = Mapping[str, Any]
DEBOUNCE_SECONDS = 0.03
LOOK_SECONDS = 1.0
MOST_ADDED_SECONDS = 366 * 24 * 60 * 60


class PageApi:
    """`POST /act` and `GET /events`. Runs in the server's loop."""

    def __init__(
        self,
        workspace: Workspace,
        views: Views,
        gestures: Gestures,
        manifest: Manifest,
        programs: Programs | None,
    ) -> None:
        self._workspace = workspace
        self._views = views
        self._gestures = gestures
        self._manifest = manifest
        self._programs = programs
        self._pages: set[asyncio.Event] = set()
        self._closing = False
        self._acts: dict[str, Callable[[str, Body], Awaitable[dict[str, Any]]]] = {
            "command": self._command,
            "click": self._click,
            "submit": self._submit,
            "close": self._close,
            "away": self._away,
            "home": self._home,
            "clock": self._clock,
            "use": self._use,
        }
        workspace.watch(self._wake)

    def stop(self) -> None:
        """End every stream of events."""
        self._closing = True
        self._wake()

    async def act(self, request: web.Request) -> web.Response:
        """Do what the page's person did. The answer says what Slack's client would show."""
        try:
            body = await request.json()
            user = body["as"]
            if user not in self._workspace.people:
                raise KeyError(user)
            answer = await self._acts[body["do"]](user, body)
        except (KeyError, TypeError, ValueError) as wrong:
            return web.json_response(
                {"ok": False, "error": "bad_request", "text": str(wrong)}, status=400
            )
        except Refused as refusal:
            answer = {"ok": False, "error": refusal.error, "text": refusal.error}
        return web.json_response(answer)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send the session's state now and after each change, until the page goes away."""
        session = f"page:{request.query.get('session', '')}"
        stream = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await stream.prepare(request)
        woken = asyncio.Event()
        self._pages.add(woken)
        self._workspace.sessions.add(session)
        try:
            await self._stream(request, stream, session, woken)
        except ConnectionError:
            return stream
        finally:
            self._pages.discard(woken)
            self._workspace.sessions.discard(session)
        return stream

    async def _stream(
        self, request: web.Request, stream: web.StreamResponse, session: str, woken: asyncio.Event
    ) -> None:
        woken.set()
        while (
            not self._closing
            and request.transport is not None
            and not request.transport.is_closing()
        ):
            try:
                await asyncio.wait_for(woken.wait(), LOOK_SECONDS)
            except TimeoutError:
                await stream.write(b": still here\n\n")
                continue
            woken.clear()
            state = page_state(
                self._workspace, self._views, self._manifest, self._programs, session
            )
            await stream.write(b"event: state\ndata: " + json.dumps(state).encode() + b"\n\n")
            await asyncio.sleep(DEBOUNCE_SECONDS)

    def _wake(self) -> None:
        for woken in self._pages:
            woken.set()

    async def _command(self, user: str, body: Body) -> dict[str, Any]:
        line, channel = body["text"].strip(), body["channel"]
        if not line.startswith("/"):
            self._gestures.say(user, channel, line)
            return {"ok": True, "ms": 0}
        delivery = await self._gestures.command(user, channel, line)
        name = line.partition(" ")[0]
        if delivery.error == "not_a_valid_command":
            return {"ok": False, "error": delivery.error, "text": f"{name} is not a valid command"}
        return _answer(delivery, f"{name} failed with the error “{delivery.error}”")

    async def _click(self, user: str, body: Body) -> dict[str, Any]:
        block_id, action_id, selected = (
            body.get("block_id"),
            body["action_id"],
            body.get("selected"),
        )
        if "view_id" in body:
            view = self._view(user, body["view_id"])
            shown = self._workspace.drawn(view["id"])
            action = action_of(*find_element(shown, block_id, action_id), selected)
            values = merged_values(view, body.get("values") or {})
            delivery = await self._gestures.act_on_view(user, view, action, values)
        else:
            seen = self._workspace.seen(user, body["channel"], f"page:{body.get('session', '')}")
            message = next((one for one in seen if one.ts == body["ts"]), None)
            if message is None:
                raise Refused("message_not_found")
            shown = self._workspace.drawn(message.ts)
            action = action_of(*find_element(shown, block_id, action_id), selected)
            delivery = await self._gestures.act_on_message(user, message, action)
        return _answer(delivery, f"That did not work: the error was “{delivery.error}”")

    async def _submit(self, user: str, body: Body) -> dict[str, Any]:
        view = self._view(user, body["view_id"])
        delivery = await self._gestures.submit(
            user, view, merged_values(view, body.get("values") or {})
        )
        if delivery.errors:
            return {"ok": True, "ms": round(delivery.milliseconds), "errors": dict(delivery.errors)}
        return _answer(delivery, "We had some trouble connecting. Try again?")

    async def _close(self, user: str, body: Body) -> dict[str, Any]:
        delivery = await self._gestures.close(user, self._view(user, body["view_id"]))
        return {"ok": True, "ms": round(delivery.milliseconds)}

    async def _away(self, user: str, body: Body) -> dict[str, Any]:
        self._workspace.set_away(user, bool(body["away"]))
        return {"ok": True, "ms": 0}

    async def _home(self, user: str, body: Body) -> dict[str, Any]:
        delivery = await self._gestures.open_home(user)
        return _answer(delivery, f"The Home tab could not be loaded: “{delivery.error}”")

    async def _clock(self, user: str, body: Body) -> dict[str, Any]:
        """Move the time on, for Slack and for all who follow its clock.

        There is no way back.
        """
        seconds = body["add"]
        if type(seconds) is not int or not 0 < seconds <= MOST_ADDED_SECONDS:
            raise ValueError(f"add is not a whole number of seconds from 1 to {MOST_ADDED_SECONDS}")
        if not self._workspace.clock.is_followed:
            return {"ok": False, "error": "no_clock", "text": "This clock cannot be moved."}
        self._workspace.clock.pass_time(seconds)
        self._workspace.changed()
        return {"ok": True, "ms": 0}

    async def _use(self, user: str, body: Body) -> dict[str, Any]:
        """Let a program use an access key, as it would anywhere."""
        try:
            if self._programs is None:
                raise LookupError("There is no AWS here.")
            self._programs.use(body["key"])
        except LookupError as gone:
            return {"ok": False, "error": "no_such_key", "text": str(gone)}
        return {"ok": True, "ms": 0}

    def _view(self, user: str, view_id: str) -> View:
        view = self._views.find(user, view_id)
        if view is None:
            raise Refused("not_found")
        return view


def _answer(delivery: Delivery, text: str) -> dict[str, Any]:
    if delivery.error is None:
        return {"ok": True, "ms": round(delivery.milliseconds)}
    return {"ok": False, "ms": round(delivery.milliseconds), "error": delivery.error, "text": text}

"""Serve Web API, Socket Mode, response URLs and the page on one port."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sandbox import chat_methods, directory_methods
from sandbox.delivery import Postman, SignedHttp
from sandbox.faults import Drop, Fail, Faults, Outcome, Status
from sandbox.gestures import Gestures
from sandbox.manifest import read_manifest
from sandbox.page_api import PageApi
from sandbox.page_state import Programs
from sandbox.people import Channel, Person, UserGroup
from sandbox.rates import Rates
from sandbox.response_urls import ResponseUrls
from sandbox.sockets import Sockets
from sandbox.views import Views
from sandbox.web_api import Answer, Args, Call, Office, Tokens, WebApi
from sandbox.workspace import Clock, Workspace

PAGE = Path(__file__).parent / "page"
Effect = Callable[[], tuple[int, Answer | str]]


class Sandbox:
    """One workspace on one loopback port.

    Everything but `faults` belongs to the loop that started it.
    """

    def __init__(
        self,
        manifest: Path,
        people: Iterable[Person],
        channels: Iterable[Channel],
        groups: Iterable[UserGroup],
        clock: Clock,
        programs: Programs | None = None,
    ) -> None:
        self.url = ""
        self.manifest = read_manifest(manifest)
        self.tokens = Tokens(
            f"xoxb-{secrets.token_hex(12)}", f"xapp-{secrets.token_hex(12)}", secrets.token_hex(16)
        )
        self.faults = Faults()
        self.calls: list[Call] = []
        self.workspace = Workspace(people, channels, groups, clock)
        self.rates = Rates(clock.now)
        self.views = Views(self.workspace)
        self.sockets = Sockets(self.workspace.changed)
        self.postman = Postman(self.sockets)
        self._responses = ResponseUrls(self.workspace)
        self.gestures = Gestures(
            self.workspace,
            self.views,
            self._responses,
            self.manifest,
            self.postman,
            lambda: self.url,
        )
        office = Office(
            self.workspace, self.views, self.sockets, self.manifest, self.tokens, lambda: self.url
        )
        self._api = WebApi(office, {**chat_methods.METHODS, **directory_methods.METHODS})
        self._page = PageApi(self.workspace, self.views, self.gestures, self.manifest, programs)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on a loopback port (0: a free one). Afterwards `url` is set."""
        app = web.Application(client_max_size=8 * 2**20)
        app.router.add_route("*", "/api/{method}", self._answer_api)
        app.router.add_post("/response/{secret}", self._answer_response_url)
        app.router.add_get("/link", self.sockets.serve)
        app.router.add_post("/act", self._page.act)
        app.router.add_get("/events", self._page.events)
        app.router.add_get("/", _index)
        if PAGE.is_dir():
            app.router.add_static("/page/", PAGE)
        app.on_response_prepare.append(_always_ask)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Release held calls, end every connection, and listen no more."""
        self.faults.clear()
        self._page.stop()
        await self.sockets.disconnect("link_disabled")
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def deliver_by_socket(self) -> None:
        """Deliver over Socket Mode from now on."""
        self.postman.transport = self.sockets

    def deliver_to(self, address: str) -> None:
        """Deliver by signed HTTP requests to this address.

        Raises RuntimeError before the start.
        """
        if self._session is None:
            raise RuntimeError("the sandbox has not been started")
        self.postman.transport = SignedHttp(address, self.tokens.signing_secret, self._session)

    async def bot_is_there(self) -> bool:
        """Say whether payloads would reach a bot."""
        if isinstance(self.postman.transport, SignedHttp):
            return await self.postman.transport.is_there()
        return self.sockets.count > 0

    async def _answer_api(self, request: web.Request) -> web.StreamResponse:
        args = await _arguments(request)
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        in_body = args.pop("token", None)
        token = bearer if scheme == "Bearer" else in_body
        name = request.match_info["method"]
        wait = self.rates.wait(name, args)
        if wait:
            limited = Status(429, wait)
            self._record(name, args, _stopped(limited) or {})
            return _fault_response(request, limited, {"error": "ratelimited"})
        return await self._with_faults(
            request, name, args, lambda: (200, self._api.call(name, args, token))
        )

    async def _answer_response_url(self, request: web.Request) -> web.StreamResponse:
        args = await _arguments(request)
        secret = request.match_info["secret"]
        return await self._with_faults(
            request, "response_url", args, lambda: self._responses.respond(secret, args)
        )

    async def _with_faults(
        self, request: web.Request, name: str, args: Args, effect: Effect
    ) -> web.StreamResponse:
        plan = self.faults.plan(name)
        if plan.hold_before is not None:
            await plan.hold_before.pause()
        stopped = _stopped(plan.outcome)
        if stopped is not None:
            self._record(name, args, stopped)
            return _fault_response(request, plan.outcome, stopped)
        status, answer = effect()
        self._record(
            name, args, answer if isinstance(answer, dict) else {"status": status, "text": answer}
        )
        if plan.hold_after is not None:
            await plan.hold_after.pause()
        if isinstance(plan.outcome, Drop):
            return _cut(request)
        if isinstance(answer, dict):
            return web.json_response(answer, status=status)
        return web.Response(status=status, text=answer)

    def _record(self, name: str, args: Args, answer: Answer) -> None:
        self.calls.append(Call(name, args, answer, self.workspace.clock.now()))
        self.workspace.changed()


async def _arguments(request: web.Request) -> Args:
    args: Args = dict(request.query)
    if request.content_type == "application/json":
        try:
            body: Any = await request.json()
        except ValueError:
            body = {}
        return {**args, **body} if isinstance(body, Mapping) else args
    return {**args, **{name: str(value) for name, value in (await request.post()).items()}}


def _stopped(outcome: Outcome | None) -> Answer | None:
    """Return what to record for a call that a fault stops, else None."""
    if isinstance(outcome, Fail):
        return {"ok": False, "error": outcome.error}
    if isinstance(outcome, Status):
        error = "ratelimited" if outcome.code == 429 else "internal_error"
        return {"ok": False, "error": error, "status": outcome.code}
    if isinstance(outcome, Drop) and outcome.moment == "before":
        return {"ok": False, "error": "connection_dropped"}
    return None


def _fault_response(request: web.Request, outcome: Outcome | None, answer: Answer) -> web.Response:
    if isinstance(outcome, Drop):
        return _cut(request)
    if not isinstance(outcome, Status):
        return web.json_response(answer)
    headers = {} if outcome.retry_after is None else {"Retry-After": str(outcome.retry_after)}
    body = {"ok": False, "error": answer["error"]}
    return web.json_response(body, status=outcome.code, headers=headers)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _always_ask(request: web.Request, response: web.StreamResponse) -> None:
    """Keep browsers from showing an older page than the one on disk."""
    if request.path == "/" or request.path.startswith("/page/"):
        response.headers["Cache-Control"] = "no-cache"


async def _index(request: web.Request) -> web.StreamResponse:
    index = PAGE / "index.html"
    if not index.is_file():
        raise web.HTTPNotFound()
    return web.FileResponse(index)

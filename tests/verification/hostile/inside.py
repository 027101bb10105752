"""How does a test send thousands of hostile payloads? To the real door, Bolt App, listeners and desk, in one process.

Slack's Web API, IAM and the store are in memory, and the pool's work is done in the test's own thread after the ack.
"""

from __future__ import annotations

import contextvars
import copy
import io
import itertools
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import structlog
from slack_sdk import WebClient
from slack_sdk.web import SlackResponse

from bot import ingress
from bot.domain.audit.seals import REFUSED
from bot.domain.identity import Member
from bot.operations import (
    confirm_receipt,
    create_request,
    decide_request,
    disable_key,
    load_permissions,
    reveal_key,
)
from bot.runtime import log_config
from bot.slack.messages.modals import FormDefaults
from sandbox.delivery import sign
from sandbox.people import BOT_ID, BOT_USER, TEAM_ID
from tests.support.slack_services import SlackDesk, build

SECRET = "hostile-signing-secret"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
NAMES = ("alice", "bob", "erin", "frank", "gina")
MEMBERS = {
    f"U0{name.upper()}": Member(f"U0{name.upper()}", TEAM_ID, f"{name}@example.com")
    for name in (*NAMES, "carol")
}
OUTSIDERS: dict[str, dict[str, Any]] = {
    "U0DAVE": {"is_restricted": True},
    "U0GONE": {"deleted": True},
    "U0ROBOT": {"is_bot": True},
    "U0FAR": {"team_id": "T0OTHER", "is_stranger": True},
}
"""A guest, a deactivated person, a bot, somebody of another workspace: none of them may use the desk."""


class HeardWeb(WebClient):
    """Slack's Web API, which answers at once and keeps what it was told: `calls` are (method, arguments).

    `groups` is its error where it is asked who is in a user group: by default, that there is none.
    """

    def __init__(self) -> None:
        super().__init__(
            token="xoxb-hostile", base_url="https://slack.example.com/api/", retry_handlers=[]
        )
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.groups = "no_such_subteam"
        self._numbers = itertools.count(1)

    def api_call(self, api_method: str, **given: Any) -> Any:
        args = {
            **(given.get("params") or {}),
            **(given.get("data") or {}),
            **(given.get("json") or {}),
        }
        json.dumps(args).encode()  # what could not be sent raises here, as it would there
        urlencode([(name, value) for name, value in args.items() if isinstance(value, str)])
        self.calls.append((api_method, args))
        data = {"ok": True, **self._answer(api_method, args)}
        return SlackResponse(
            client=self,
            http_verb="POST",
            api_url=api_method,
            req_args={},
            data=data,
            headers={},
            status_code=200,
        ).validate()

    def _answer(self, method: str, args: Mapping[str, Any]) -> dict[str, Any]:
        if method == "users.info":
            return _user(str(args.get("user")))
        if method == "auth.test":
            return {"team_id": TEAM_ID, "user_id": BOT_USER, "bot_id": BOT_ID}
        if method == "conversations.open":
            return {"channel": {"id": dm_of(str(args.get("users")))}}
        if method == "views.open":
            return {"view": {"id": "V0OPENED"}}
        if method == "users.lookupByEmail":
            return {"ok": False, "error": "users_not_found"}
        if method == "usergroups.users.list":
            return {"ok": False, "error": self.groups}
        return {"ts": f"1764000000.{next(self._numbers):06}", "channel": str(args.get("channel"))}


def _user(id_: str) -> dict[str, Any]:
    if id_ in MEMBERS:
        return {
            "user": {
                "id": id_,
                "team_id": TEAM_ID,
                "is_email_confirmed": True,
                "profile": {"email": MEMBERS[id_].email},
            }
        }
    if id_ in OUTSIDERS:
        return {"user": {"id": id_, "team_id": TEAM_ID, "profile": {}, **OUTSIDERS[id_]}}
    return {"ok": False, "error": "user_not_found"}


def dm_of(person: str) -> str:
    """The ID of a person's direct message with the bot."""
    return "D" + person[1:]


class AfterTheAck:
    """A pool whose work waits until the test does it."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[contextvars.Context, Callable[[], None]]] = deque()

    def submit(self, work: Callable[[], None]) -> bool:
        self._waiting.append((contextvars.copy_context(), work))
        return True

    def work(self) -> None:
        while self._waiting:
            context, work = self._waiting.popleft()
            context.run(work)


@dataclass(frozen=True)
class Answered:
    """What came of a request: the HTTP status and body, what Slack was told, and what was logged."""

    status: int
    body: str
    calls: list[tuple[str, dict[str, Any]]]
    log: list[dict[str, Any]]


class Inside:
    """A desk to be attacked. `names` are the requests and keys in it, by what they are called in a recording."""

    def __init__(self, log: io.StringIO) -> None:
        self.web, self._pool, self._log = HeardWeb(), AfterTheAck(), log
        slack: Any = SimpleNamespace(signing_secret=SECRET)
        self.services: SlackDesk = build(
            slack, self.web, self._pool, self._pool, usual=FormDefaults(service_users=False)
        )
        for name in ("erin", "frank", "gina"):
            self.services.iam.add_user(f"{name}@example.com")
        self._door = ingress.wsgi_app(self.services.app, SECRET)
        self.names: dict[str, str] = {}
        self._kept: dict[str, Any] = {}
        self._kept_at = self.services.clock.now()

    # -- what is there

    def story(self) -> None:
        """Alice waits; Bob has a key without receipt; Erin may reveal; Frank rotates; Gina has an inactive key."""
        services, carol = self.services.services, MEMBERS["U0CAROL"]
        alice, bob, erin, frank, gina = (MEMBERS[f"U0{name.upper()}"] for name in NAMES)
        old = self.services.iam.create_key(frank.email)[0].id
        off = self.services.iam.create_key(gina.email)[0].id
        pending = create_request.create(services, alice, "deploy script")
        load_permissions.load(services, pending.id)
        given = reveal_key.reveal(
            services,
            bob,
            decide_request.approve(
                services, carol, create_request.create(services, bob, "backup").id
            ).id,
        )
        approved = decide_request.approve(
            services, carol, create_request.create(services, erin, "build").id
        )
        rotated = reveal_key.reveal(
            services,
            frank,
            decide_request.approve(
                services, carol, create_request.rotate(services, frank, old).id
            ).id,
        )
        confirm_receipt.confirm(services, frank, rotated.access_key_id)
        disable_key.disable(services, gina, off)
        self._pool.work()
        self.names = {
            "pending": pending.id,
            "given": given.id,
            "approved": approved.id,
            "rotated": rotated.id,
            "key": given.access_key_id,
            "new": rotated.access_key_id,
            "old": old,
            "off": off,
        }

    def keep(self) -> None:
        """What is there now is what `put_back` brings back."""
        self._kept_at = self.services.clock.now()
        self._kept = {
            part: {name: _copied(value) for name, value in vars(thing).items() if _is_state(value)}
            for part, thing in (("store", self.services.store), ("iam", self.services.iam))
        }

    def put_back(self) -> None:
        """The desk as it was kept; nobody is remembered from the time before."""
        directory: Any = self.services.services.directory
        directory._members.clear()
        self.services.clock.advance(self._kept_at - self.services.clock.now())
        for part, thing in (("store", self.services.store), ("iam", self.services.iam)):
            vars(thing).update({name: _copied(value) for name, value in self._kept[part].items()})
        self.web.calls.clear()

    def state(self) -> dict[str, Any]:
        """Everything that may move: each request's and key's version, IAM's keys, and what is on record of moves."""
        store, iam = self.services.store, self.services.iam
        return {
            **{name: value.version for name, value in store._values.items()},
            **{f"iam:{key.id}": key.status for key in iam._keys.values()},
            "moves": sum(entry.to_status != REFUSED for entry in store.entries),
        }

    def settle(self) -> None:
        """Does what waits in the pool: copies that are to be drawn."""
        self._pool.work()

    # -- what is sent

    def post(
        self,
        body: bytes,
        kind: str = FORM,
        *,
        age: float = 0,
        headers: Mapping[str, str] | None = None,
        path: str = ingress.PATH,
        method: str = "POST",
    ) -> Answered:
        """Sends a body as Slack would, signed `age` seconds ago; `headers` take the place of the signature's."""
        signed = sign(SECRET.encode(), body, int(time.time() - age)) if headers is None else headers
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_TYPE": kind,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed.items()},
        }
        began, logged, status = len(self.web.calls), self._log.tell(), []
        answer: Any = self._door(environ, lambda line, headers: status.append(int(line.split()[0])))
        text = b"".join(answer).decode()
        self._pool.work()
        self._log.seek(logged)
        lines = [json.loads(line) for line in self._log.read().splitlines()]
        return Answered(status[0], text, self.web.calls[began:], lines)

    def deliver(self, payload: Mapping[str, Any], *, age: float = 0) -> Answered:
        """Sends a payload the way Slack sends its kind."""
        return self.post(*encoded(payload), age=age)


def _is_state(value: Any) -> bool:
    return isinstance(value, dict | list | set) or value is None or isinstance(value, frozenset)


def _copied(value: Any) -> Any:
    """A container of unchanging values, or of such containers."""
    found = copy.copy(value)
    if isinstance(found, dict):
        found.update(
            {name: copy.copy(inner) for name, inner in found.items() if isinstance(inner, dict)}
        )
    return found


def encoded(payload: Mapping[str, Any]) -> tuple[bytes, str]:
    """A payload's body and content type: an event is JSON, a command is a form, all else is JSON in a form."""
    if "command" in payload and "type" not in payload:
        fields = [
            (name, value if isinstance(value, str) else json.dumps(value))
            for name, value in payload.items()
        ]
        return urlencode(fields, errors="surrogatepass").encode(), FORM
    if payload.get("type") == "event_callback":
        return json.dumps(payload).encode(), JSON
    return urlencode({"payload": json.dumps(payload)}).encode(), FORM


@contextmanager
def inside() -> Iterator[Inside]:
    """A desk with its story told, and the log of everything from INFO up."""
    stream = io.StringIO()
    log_config.configure("info", "json", stream)
    try:
        found = Inside(stream)
        found.story()
        found.keep()
        yield found
    finally:
        structlog.contextvars.clear_contextvars()
        structlog.reset_defaults()
        for handler in [
            one for one in logging.root.handlers if getattr(one, "stream", None) is stream
        ]:
            logging.root.removeHandler(handler)


def must_be_calm(answered: Answered) -> None:
    """Nothing went past the boundary: no 500, nothing unexpected in the log, and nobody told so."""
    assert answered.status < 500, answered
    loud = [
        line
        for line in answered.log
        if line["level"] in ("error", "critical") or line["event"] == "unexpected"
    ]
    assert loud == [], loud
    assert "Something went wrong" not in json.dumps(answered.calls) + answered.body

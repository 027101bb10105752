"""Send hostile payloads to the real ingress, Bolt app and listeners.

Slack's Web API, IAM and the store are in memory. The pool's work runs in the test's own thread,
after the acknowledgement.
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
from bot.domain.requests import KeyRequest
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
"""A guest, a deactivated user, a bot and an external user, who may not use Keydesk."""
NO_GROUP = "no_such_subteam"


class RecordingWeb(WebClient):
    """Slack's Web API, which answers at once. `calls` are (method, arguments).

    `group_error` is its error for a question about a user group.
    """

    def __init__(self) -> None:
        url = "https://slack.example.com/api/"
        super().__init__(token="xoxb-hostile", base_url=url, retry_handlers=[])
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.group_error = NO_GROUP
        self._numbers = itertools.count(1)

    def api_call(self, api_method: str, **given: Any) -> Any:
        args: dict[str, Any] = {}
        for part in ("params", "data", "json"):
            args |= given.get(part) or {}
        json.dumps(args).encode()  # raises for what could not be sent, as the real client does
        urlencode([(name, value) for name, value in args.items() if isinstance(value, str)])
        self.calls.append((api_method, args))
        return SlackResponse(
            client=self,
            http_verb="POST",
            api_url=api_method,
            req_args={},
            data={"ok": True, **self._answer(api_method, args)},
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
            return {"ok": False, "error": self.group_error}
        return {"ts": f"1764000000.{next(self._numbers):06}", "channel": str(args.get("channel"))}


def _user(id_: str) -> dict[str, Any]:
    user = {"id": id_, "team_id": TEAM_ID, "profile": {}}
    if id_ in MEMBERS:
        email = {"email": MEMBERS[id_].email}
        return {"user": {**user, "is_email_confirmed": True, "profile": email}}
    if id_ in OUTSIDERS:
        return {"user": {**user, **OUTSIDERS[id_]}}
    return {"ok": False, "error": "user_not_found"}


def dm_of(person: str) -> str:
    """Return the ID of a user's direct message with the bot."""
    return "D" + person[1:]


class AfterTheAck:
    """A worker pool whose work waits until the test does it."""

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
    """The result of a request: HTTP status and body, the calls to Slack, and the log."""

    status: int
    body: str
    calls: list[tuple[str, dict[str, Any]]]
    log: list[dict[str, Any]]


class Target:
    """Keydesk under attack. `names` are its requests and keys in recordings."""

    def __init__(self, log: io.StringIO) -> None:
        self.web, self._pool, self._log = RecordingWeb(), AfterTheAck(), log
        slack: Any = SimpleNamespace(signing_secret=SECRET)
        self.bot: SlackDesk = build(
            slack, self.web, self._pool, self._pool, usual=FormDefaults(service_users=False)
        )
        for name in ("erin", "frank", "gina"):
            self.bot.iam.add_user(f"{name}@example.com")
        self._wsgi = ingress.wsgi_app(self.bot.app, SECRET)
        self.names: dict[str, str] = {}
        self._saved: dict[str, Any] = {}
        self._saved_at = self.bot.clock.now()

    # -- state

    def arrange(self) -> None:
        """Arrange a request or key of each user, in another state each."""
        services = self.bot.services
        alice, bob, erin, frank, gina = (MEMBERS[f"U0{name.upper()}"] for name in NAMES)

        def approved(request: KeyRequest) -> str:
            return decide_request.approve(services, MEMBERS["U0CAROL"], request.id).id

        old = self.bot.iam.create_key(frank.email)[0].id
        off = self.bot.iam.create_key(gina.email)[0].id
        pending = create_request.create(services, alice, "deploy script")
        load_permissions.load(services, pending.id)
        given_id = approved(create_request.create(services, bob, "backup"))
        given = reveal_key.reveal(services, bob, given_id)
        approved_id = approved(create_request.create(services, erin, "build"))
        rotated_id = approved(create_request.rotate(services, frank, old))
        rotated = reveal_key.reveal(services, frank, rotated_id)
        confirm_receipt.confirm(services, frank, rotated.access_key_id)
        disable_key.disable(services, gina, off)
        self._pool.work()
        self.names = {
            "pending": pending.id,
            "given": given.id,
            "approved": approved_id,
            "rotated": rotated.id,
            "key": given.access_key_id,
            "new": rotated.access_key_id,
            "old": old,
            "off": off,
        }

    def save(self) -> None:
        """Save the state of now for `restore`."""
        self._saved_at = self.bot.clock.now()
        self._saved = {
            part: {name: _copied(value) for name, value in vars(thing).items() if _is_state(value)}
            for part, thing in (("store", self.bot.store), ("iam", self.bot.iam))
        }

    def restore(self) -> dict[str, Any]:
        """Restore the saved state, forget cached members, and return the state."""
        directory: Any = self.bot.services.directory
        directory._members.clear()
        self.bot.clock.advance(self._saved_at - self.bot.clock.now())
        for part, thing in (("store", self.bot.store), ("iam", self.bot.iam)):
            vars(thing).update({name: _copied(value) for name, value in self._saved[part].items()})
        self.web.calls.clear()
        return self.state()

    def state(self) -> dict[str, Any]:
        """Return all that may change: versions, IAM's keys, and the number of transitions."""
        store, iam = self.bot.store, self.bot.iam
        return {
            **{name: value.version for name, value in store._values.items()},
            **{f"iam:{key.id}": key.status for key in iam._keys.values()},
            "transitions": sum(entry.to_status != REFUSED for entry in store.entries),
        }

    def render(self) -> None:
        """Do the work that waits in the pool: messages to be rendered."""
        self._pool.work()

    # -- requests

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
        """Send a body signed `age` seconds ago. `headers` replace the signature's."""
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
        answer: Any = self._wsgi(environ, lambda line, headers: status.append(int(line.split()[0])))
        text = b"".join(answer).decode()
        self._pool.work()
        self._log.seek(logged)
        lines = [json.loads(line) for line in self._log.read().splitlines()]
        return Answered(status[0], text, self.web.calls[began:], lines)

    def deliver(self, payload: Mapping[str, Any], *, age: float = 0) -> Answered:
        """Send a payload the way Slack sends its kind."""
        return self.post(*encoded(payload), age=age)


def _is_state(value: Any) -> bool:
    return isinstance(value, dict | list | set) or value is None or isinstance(value, frozenset)


def _copied(value: Any) -> Any:
    """Copy a container of immutable values, or of such containers."""
    found = copy.copy(value)
    if isinstance(found, dict):
        found.update(
            {name: copy.copy(inner) for name, inner in found.items() if isinstance(inner, dict)}
        )
    return found


def encoded(payload: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return body and content type: an event is JSON, a command a form, all else both."""
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
def running_target() -> Iterator[Target]:
    """Run a target with arranged requests and keys, and log everything from INFO up."""
    stream = io.StringIO()
    log_config.configure("info", "json", stream)
    try:
        target = Target(stream)
        target.arrange()
        target.save()
        yield target
    finally:
        structlog.contextvars.clear_contextvars()
        structlog.reset_defaults()
        for handler in list(logging.root.handlers):
            if getattr(handler, "stream", None) is stream:
                logging.root.removeHandler(handler)


def check_calm(answered: Answered) -> None:
    """Check that nothing passed the boundary: no 500, no unexpected error."""
    assert answered.status < 500, answered
    loud = [
        line
        for line in answered.log
        if line["level"] in ("error", "critical") or line["event"] == "unexpected"
    ]
    assert loud == [], loud
    assert "Something went wrong" not in json.dumps(answered.calls) + answered.body

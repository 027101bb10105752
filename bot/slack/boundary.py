"""Where Slack meets the desk: every payload is acknowledged at once, worked on in the pool, and always answered.

Nothing escapes `guard`: a refusal becomes its own sentence, something unreachable "try again", anything else a
logged reference; all of it private to the person.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from slack_bolt import Ack
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot.core import policy
from bot.core.access_key import KEY_ID
from bot.core.errors import KeydeskError, NotAMember, Refused, SlackUnavailable, Unavailable
from bot.core.people import Member
from bot.core.ports import Directory, RequestStore
from bot.slack import forms
from bot.slack.blocks import Drawn, draw, section, worded
from bot.slack.calls import NETWORK, asked

BUSY = "The desk is very busy at this moment, so I have done nothing. Try again in a minute."
ANSWER_TIMEOUT = 10


@dataclass(frozen=True)
class Payload:
    """What a command, click or submission says of itself: facts from Slack's signed envelope, nothing trusted more.

    `response_url` is a bearer secret: it is neither stored nor logged, nor shown by this value's repr.
    """

    person: str
    team: str
    delivery: str
    trigger: str = ""
    channel: str = ""
    ts: str = ""
    ephemeral: bool = False
    action_id: str = ""
    value: str = ""
    view_id: str = ""
    response_url: str = ""

    def __repr__(self) -> str:
        return f"Payload(person={self.person!r}, action_id={self.action_id!r}, value={self.value!r})"

    def about(self) -> dict[str, str]:
        """What a button stands for, for the log: a request or a key. A value that is neither's shape is not kept."""
        if KEY_ID.fullmatch(self.value):
            return {"key": self.value}
        return {"request": self.value} if re.fullmatch(r"[0-9a-f]{30}", self.value) else {}

    @classmethod
    def command(cls, body: Mapping[str, Any]) -> Payload:
        return cls(person=_text(body, "user_id"), team=_text(body, "team_id"), delivery=_text(body, "trigger_id"),
                   trigger=_text(body, "trigger_id"), channel=_text(body, "channel_id"),
                   response_url=_text(body, "response_url"))

    @classmethod
    def click(cls, body: Mapping[str, Any]) -> Payload:
        actions = body.get("actions")
        action = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
        user, container = _part(body, "user"), _part(body, "container")
        return cls(person=_text(user, "id"), team=_text(user, "team_id"), delivery=_text(body, "trigger_id"),
                   trigger=_text(body, "trigger_id"), channel=_text(container, "channel_id"),
                   ts=_text(container, "message_ts"), ephemeral=container.get("is_ephemeral") is True,
                   action_id=_text(action, "action_id"), value=_text(action, "value"),
                   response_url=_text(body, "response_url"))

    @classmethod
    def submission(cls, body: Mapping[str, Any]) -> Payload:
        user, view = _part(body, "user"), _part(body, "view")
        delivery = _text(body, "trigger_id") or f"{_text(view, 'id')}:{_text(view, 'hash')}"
        return cls(person=_text(user, "id"), team=_text(user, "team_id"), delivery=delivery,
                   trigger=_text(body, "trigger_id"), view_id=_text(view, "id"))


class Answer:
    """The way back to the person: privately, by the payload's response URL, in their form, or as an ephemeral."""

    def __init__(self, web: WebClient, payload: Payload) -> None:
        self._web, self._payload = web, payload

    def say(self, text: str, *, replace: bool = False) -> None:
        """A private sentence of the desk's own words; with `replace`, in place of the ephemeral that was clicked."""
        self.show(draw(text, [section(worded(text))]), replace=replace)

    def show(self, message: Drawn, *, replace: bool = False) -> None:
        """A private message. Raises SlackUnavailable where no way back is open."""
        payload = self._payload
        if payload.view_id:
            with asked("views.update"):
                self._web.views_update(view_id=payload.view_id, view=forms.message_view(worded(message.text)))
        elif not self._respond(text=message.text, blocks=message.blocks, response_type="ephemeral",
                               replace_original=replace and payload.ephemeral):
            with asked("chat.postEphemeral"):
                self._web.chat_postEphemeral(channel=payload.channel, user=payload.person, text=message.text,
                                             blocks=message.blocks)

    def remove(self) -> None:
        """Takes away the ephemeral that was clicked. Raises SlackUnavailable where Slack does not."""
        if not self._respond(delete_original=True):
            raise SlackUnavailable("response_url", "not accepted")

    def _respond(self, **message: Any) -> bool:
        """Posts to the response URL, once. WebhookClient raises nothing for a refusal: its status is looked at."""
        if not self._payload.response_url:
            return False
        client = WebhookClient(self._payload.response_url, timeout=ANSWER_TIMEOUT, retry_handlers=[])
        try:
            return client.send_dict(message).status_code == 200
        except (*NETWORK, SlackApiError):
            return False


Work = Callable[[Member, Answer], None]


class Pool(Protocol):
    """What the boundary needs of the desk's pool of threads."""

    def submit(self, work: Callable[[], None]) -> bool:
        """Takes work to be done soon; False where there is no room."""


class Boundary:
    """Acknowledges payloads and runs their work in the pool, guarded."""

    def __init__(self, pool: Pool, busy: Pool, web: WebClient, store: RequestStore, directory: Directory,
                 team_id: str) -> None:
        self._pool, self._busy, self._web = pool, busy, web
        self._store, self._directory, self._team_id = store, directory, team_id
        self._log = structlog.get_logger("keydesk")

    def take(self, ack: Ack, payload: Payload, verb: str, work: Work, *, fresh: bool = False, **acked: Any) -> None:
        """Puts `work` into the pool and acknowledges at once; with no room, says so instead.

        `fresh` has Slack asked anew who the person is. `acked` is what the acknowledgement carries.
        """
        if self._pool.submit(lambda: self.guard(payload, verb, work, fresh=fresh)):
            ack(**acked)
            return
        self._log.warning(verb, person=payload.person, outcome="busy")
        if payload.view_id:
            ack(response_action="update", view=forms.message_view(BUSY))
        elif payload.action_id:
            ack()
            self._busy.submit(lambda: self._tell(Answer(self._web, payload), BUSY))
        else:
            ack(text=BUSY)

    def guard(self, payload: Payload, verb: str, work: Work, *, fresh: bool = False) -> None:
        """Does the work of one payload; whatever happens, the person is told and one line is logged."""
        began = time.monotonic()
        answer = Answer(self._web, payload)
        with structlog.contextvars.bound_contextvars(person=payload.person, **payload.about()):
            outcome, why = self._outcome(payload, answer, work, fresh)
            self._log.info(verb, outcome=outcome, ms=round((time.monotonic() - began) * 1000), **why)

    def _outcome(self, payload: Payload, answer: Answer, work: Work, fresh: bool) -> tuple[str, dict[str, Any]]:
        try:
            if payload.delivery and not self._store.first_delivery(payload.delivery):
                return "repeated delivery", {}
            if payload.team != self._team_id:
                raise NotAMember
            member = self._directory.member(payload.person, fresh=fresh)
            policy.may_use_desk(member, self._team_id)
            work(member, answer)
        except KeydeskError as error:
            self._tell(answer, error.sentence)
            word = "refused" if isinstance(error, Refused) else (
                "unavailable" if isinstance(error, Unavailable) else "not done")
            return word, {"why": type(error).__name__}
        except Exception as error:  # the last net: nothing may end without an answer
            reference = uuid.uuid4().hex[:8]
            self._log.exception("unexpected", reference=reference)
            self._tell(answer, f"Something went wrong that should not have. Tell whoever runs Keydesk: reference "
                               f"{reference}.")
            return "failed", {"why": type(error).__name__, "reference": reference}
        return "done", {}

    def _tell(self, answer: Answer, sentence: str) -> None:
        try:
            answer.say(sentence)
        except KeydeskError as failure:
            self._log.warning("answer", outcome="not delivered", error=str(failure))


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""

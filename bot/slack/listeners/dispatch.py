"""Where Slack meets the desk: every payload is acknowledged at once, worked on in the pool, and always answered.

Nothing escapes `guard`: a refusal becomes its own sentence, something unreachable "try again", anything else a
logged reference; all of it private to the person.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import structlog
from slack_bolt import Ack
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

from bot.domain import policy
from bot.domain.audit.seals import REFUSED
from bot.domain.errors import (
    KeydeskError,
    NotAMember,
    Refused,
    SlackUnavailable,
    Unavailable,
)
from bot.domain.identity import Member
from bot.domain.ports import AuditEntry, Directory, RequestStore
from bot.domain.rate_limits import RateLimited
from bot.slack.errors import NETWORK, is_slack_url, translate_errors
from bot.slack.listeners import audit_refusals
from bot.slack.listeners.user_concurrency import UserConcurrency
from bot.slack.messages import modals, replies
from bot.slack.messages.blocks import (
    Message,
    message,
    section,
)
from bot.slack.messages.errors import error_text
from bot.slack.messages.replies import BUSY_TEXT, CHECKING_TEXT, TOO_MANY_TEXT
from bot.slack.payload import Payload

RESPONSE_TIMEOUT = 10

MODAL_WAITS = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Seconds before each look for the acknowledged form: Slack may show it later than an answer is found.

Together they are longer than the three seconds in which Slack takes an acknowledgement ("Handling user interaction"):
whatever is said after them cannot be overwritten by its "Checking…".
"""


class AlreadyAnswered(KeydeskError):
    """The person has been told the refusal already, in a form; `error` is what was refused."""

    def __init__(self, error: KeydeskError) -> None:
        self.error = error
        super().__init__(error.code)


class ResponseFailed(KeydeskError):
    """No way back to the person is open; what was to be told about is as it is. `error` says what Slack said."""

    def __init__(self, error: str) -> None:
        self.error = error
        super().__init__()


class Responder:
    """The way back to the person: privately, by the payload's response URL, in their form, or as an ephemeral."""

    def __init__(
        self, web: WebClient, payload: Payload, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._web, self._payload, self._wait = web, payload, wait

    def tell(self, text: str) -> None:
        """Answer privately with mrkdwn. Raises ResponseFailed where no way back is open."""
        self.show(message(text, [section(text)]))

    def show(self, message: Message, *, replace: bool = False) -> None:
        """A private message. Raises ResponseFailed where no way back is open."""
        payload = self._payload
        if payload.view_id and self._show_in_form(message.text):
            return
        if self._respond(
            text=message.text,
            blocks=message.blocks,
            response_type="ephemeral",
            replace_original=replace and payload.ephemeral,
        ):
            return
        self._post(message, payload.channel)

    def _post(self, message: Message, channel: str) -> None:
        """An ephemeral there; where Slack refuses that, in their direct message with the desk."""
        try:
            with translate_errors("chat.postEphemeral"):
                self._web.chat_postEphemeral(
                    channel=channel or self._dm(),
                    user=self._payload.person,
                    text=message.text,
                    blocks=message.blocks,
                )
        except SlackUnavailable as failure:
            if not channel or not failure.refused:
                raise ResponseFailed(failure.error) from failure
            self._post(message, "")

    def close_form(self, text: str) -> None:
        """Says it in the form that waits for an answer, if one does, and nowhere else."""
        if self._payload.view_id:
            self._show_in_form(text)

    def remove(self) -> bool:
        """Takes away the ephemeral that was clicked. Says whether Slack did."""
        return self._respond(delete_original=True)

    def _show_in_form(self, text: str) -> bool:
        """Says it (mrkdwn) in the form that was acknowledged; False where the person has closed it.

        That form is named by the ID it got with the acknowledgement: until Slack shows it, there is none of that
        name, and nothing that "Checking…" could overwrite.
        """
        view = modals.message_view(text)
        names = [{"external_id": self._payload.form_name}] * len(MODAL_WAITS) + [
            {"view_id": self._payload.view_id}
        ]
        for wait, name in zip((*MODAL_WAITS, 0.0), names, strict=True):
            self._wait(wait)
            try:
                with translate_errors("views.update"):
                    self._web.views_update(view=view, **name)
                return True
            except SlackUnavailable as failure:
                if failure.error != "not_found":
                    return False
        return False

    def _dm(self) -> str:
        with translate_errors("conversations.open"):
            return str(self._web.conversations_open(users=self._payload.person)["channel"]["id"])

    def _respond(self, **message: Any) -> bool:
        """Posts to the response URL, once. WebhookClient raises nothing for a refusal: its answer is looked at."""
        if not is_slack_url(self._payload.response_url, self._web.base_url):
            return False  # an answer goes to Slack and nowhere else
        client = WebhookClient(
            self._payload.response_url, timeout=RESPONSE_TIMEOUT, retry_handlers=[]
        )
        try:
            responder = client.send_dict(message)
        except (*NETWORK, SlackClientError, ValueError):
            return False
        return responder.status_code == 200 and '"ok":false' not in "".join(responder.body.split())


Work = Callable[[Member, Responder], None]


class Pool(Protocol):
    """What the boundary needs of the desk's pool of threads."""

    def submit(self, work: Callable[[], None]) -> bool:
        """Takes work to be done soon; False where there is no room."""


class Dispatcher:
    """Acknowledges payloads and runs their work in the pool, guarded."""

    def __init__(
        self,
        pool: Pool,
        busy: Pool,
        web: WebClient,
        store: RequestStore,
        directory: Directory,
        team_id: str,
        wait: Callable[[float], None] = time.sleep,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._pool, self._busy, self._web, self._wait = pool, busy, web, wait
        self._store, self._directory, self._team_id, self._now = store, directory, team_id, now
        self._shares = UserConcurrency()
        self._log = structlog.get_logger("keydesk")

    def take(
        self,
        ack: Ack,
        payload: Payload,
        verb: str,
        work: Work,
        *,
        fresh: bool = False,
        guests: bool = False,
    ) -> None:
        """Puts `work` into the pool and acknowledges at once, a form with "Checking…"; with no room, says so instead.

        Nor is there room where a person has their share of it already. `fresh` has Slack asked anew who they are;
        `guests` lets guests in, too.
        """

        def shared() -> None:
            try:
                self.guard(payload, verb, work, fresh=fresh, guests=guests)
            finally:
                self._shares.give_back(payload.person)

        turned_away = self._shares.take(payload.person)
        if turned_away:
            self._say_busy(ack, payload, verb, TOO_MANY_TEXT, told=turned_away > 1)
        elif not self._pool.submit(shared):
            self._shares.give_back(payload.person)
            self._say_busy(ack, payload, verb, BUSY_TEXT)
        elif payload.view_id:
            ack(
                response_action="update", view=modals.message_view(CHECKING_TEXT, payload.form_name)
            )
        else:
            ack()

    def _say_busy(
        self, ack: Ack, payload: Payload, verb: str, words: str, *, told: bool = False
    ) -> None:
        """Says why nothing is done; to whoever was `told` already, only where that takes no call to Slack."""
        if not told:
            self._log.warning(
                verb, person=payload.person, outcome="busy", theirs=words is TOO_MANY_TEXT
            )
        if payload.view_id:
            ack(response_action="update", view=modals.message_view(words))
            return
        ack() if payload.action_id else ack(text=words)
        if payload.action_id and not told:
            self._busy.submit(lambda: self._tell(self._answer(payload), words))

    def guard(
        self, payload: Payload, verb: str, work: Work, *, fresh: bool = False, guests: bool = False
    ) -> None:
        """Does the work of one payload; whatever happens, the person is told and one line is logged."""
        began = time.monotonic()
        responder = self._answer(payload)
        with structlog.contextvars.bound_contextvars(person=payload.person, **payload.about()):
            outcome, why = self._outcome(payload, verb, responder, work, fresh, guests)
            self._log.info(
                verb, outcome=outcome, ms=round((time.monotonic() - began) * 1000), **why
            )

    def _outcome(
        self,
        payload: Payload,
        verb: str,
        responder: Responder,
        work: Work,
        fresh: bool,
        guests: bool,
    ) -> tuple[str, dict[str, Any]]:
        try:
            if payload.delivery and not self._store.is_first_delivery(payload.delivery):
                return "repeated delivery", {}
            if payload.team != self._team_id:
                raise NotAMember
            member = self._directory.member(payload.person, fresh=fresh)
            (policy.check_may_report if guests else policy.check_member)(member, self._team_id)
            work(member, responder)
        except ResponseFailed as failure:
            return "done", {"told": False, "error": failure.error}
        except KeydeskError as failure:
            error = failure.error if isinstance(failure, AlreadyAnswered) else failure
            silent = (
                isinstance(error, RateLimited) and not error.first
            )  # told and noted once in an hour, counted after
            if not silent:
                self._note(payload, verb, error)
            if not isinstance(failure, AlreadyAnswered):
                self._tell(responder, error_text(error), silent=silent)
            word = (
                "refused"
                if isinstance(error, Refused)
                else ("unavailable" if isinstance(error, Unavailable) else "not done")
            )
            cause = (
                {"cause": str(error.__cause__)} if isinstance(error.__cause__, KeydeskError) else {}
            )
            return word, {"why": type(error).__name__, **cause}
        except Exception as error:  # the last net: nothing may end without an answer
            reference = uuid.uuid4().hex[:8]
            self._log.exception("unexpected", reference=reference)
            self._tell(
                responder,
                replies.unexpected(reference),
            )
            return "failed", {"why": type(error).__name__, "reference": reference}
        return "done", {}

    def _note(self, payload: Payload, verb: str, error: KeydeskError) -> None:
        """Each refusal is on record; `why` is the desk's own sentence; what was typed stands nowhere in it."""
        known = {**structlog.contextvars.get_contextvars(), **payload.about()}
        audit_refusals.record_refusal(
            self._store,
            error,
            AuditEntry(
                self._now(),
                payload.person,
                verb,
                to_status=REFUSED,
                request_id=str(known.get("request") or getattr(error, "request_id", "")),
                key_id=str(known.get("key") or getattr(error, "key_id", "")),
                reason=f"{type(error).__name__}: {error.sentence}",
            ),
        )

    def _answer(self, payload: Payload) -> Responder:
        return Responder(self._web, payload, self._wait)

    def _tell(self, responder: Responder, text: str, *, silent: bool = False) -> None:
        try:
            responder.close_form(text) if silent else responder.tell(text)
        except ResponseFailed as failure:
            self._log.warning("answer", outcome="not delivered", error=failure.error)
        except Exception:  # nobody is left to be told
            self._log.exception("answer", outcome="not delivered")

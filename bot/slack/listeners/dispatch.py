"""Acknowledge each payload at once, run its work in a pool, and always answer.

No exception escapes `Dispatcher.run_and_answer`. A refusal is answered with its text. A failure of
AWS, Slack or the database is answered with "try again", any other error with a reference to the
log. All answers are private. A repeated delivery has its answer already.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import structlog
from slack_bolt import Ack
from slack_sdk import WebClient

from bot.domain import policy
from bot.domain.audit.seals import REFUSED
from bot.domain.codes import Code, Detail
from bot.domain.errors import BadCommand, KeydeskError, LooksLikeSecret, NotAMember, Refused
from bot.domain.identity import Member
from bot.domain.outside_errors import AwsNotConfigured, SlackUnavailable, Unavailable
from bot.domain.ports import Directory
from bot.domain.rate_limits import RateLimited
from bot.domain.records import AuditEntry
from bot.domain.store_ports import RequestStore
from bot.slack.listeners import audit_refusals
from bot.slack.listeners.responder import AlreadyAnswered, Responder, ResponseFailed
from bot.slack.listeners.user_concurrency import UserConcurrency
from bot.slack.messages import modals, replies
from bot.slack.messages.errors import error_text, text
from bot.slack.payload import Payload

Work = Callable[[Member, Responder], None]

_TYPED = (BadCommand, LooksLikeSecret)
"""Errors about what was typed. Their facts may repeat it, so they are neither logged nor stored."""


class WorkerPool(Protocol):
    """What the dispatcher needs of the worker pool (`runtime/worker_pool.py`)."""

    def submit(self, work: Callable[[], None]) -> bool:
        """Queue work. Return False where there is no room."""


class Dispatcher:
    """Acknowledges payloads and runs their work in a pool, guarded.

    Args:
        pool: Runs the work.
        busy: Runs the answers that say that `pool` has no room.
        team_id: Keydesk's own workspace.
        wait: Sleeps for so many seconds.
        now: Returns the time (UTC).
    """

    def __init__(
        self,
        pool: WorkerPool,
        busy: WorkerPool,
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
        self._concurrency = UserConcurrency()
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
        """Queue the work of a payload and acknowledge at once, a form with "Checking…".

        Where the pool has no room, or the user has too much in progress, say so instead. `fresh`
        looks the member's identity up again. `guests` lets guests in, too.
        """

        def run() -> None:
            try:
                self.run_and_answer(payload, verb, work, fresh=fresh, guests=guests)
            finally:
                self._concurrency.release(payload.user)

        rejected = self._concurrency.acquire(payload.user)
        if rejected:
            self._reject(ack, payload, verb, Code.TOO_MANY_CONCURRENT, answered=rejected > 1)
        elif not self._pool.submit(run):
            self._concurrency.release(payload.user)
            self._reject(ack, payload, verb, Code.WORKERS_BUSY)
        elif payload.view_id:
            ack(
                response_action="update",
                view=modals.message_view(replies.CHECKING_TEXT, payload.form_name),
            )
        else:
            ack()

    def _reject(
        self, ack: Ack, payload: Payload, verb: str, code: Code, *, answered: bool = False
    ) -> None:
        """Say why nothing is done.

        A user who was `answered` before gets an answer only where it needs no call to Slack.
        """
        words = text(code, {})
        if not answered:
            self._log.warning(verb, user=payload.user, outcome="busy", code=code)
        if payload.view_id:
            ack(response_action="update", view=modals.message_view(words))
            return
        ack() if payload.action_id else ack(text=words)
        if payload.action_id and not answered:
            self._busy.submit(lambda: self._answer(self._responder(payload), words))

    def run_and_answer(
        self, payload: Payload, verb: str, work: Work, *, fresh: bool = False, guests: bool = False
    ) -> None:
        """Do the work of one payload, answer the user, and log one line."""
        began = time.monotonic()
        responder = self._responder(payload)
        with structlog.contextvars.bound_contextvars(user=payload.user, **payload.about()):
            outcome, fields = self._run(payload, verb, responder, work, fresh, guests)
            ms = round((time.monotonic() - began) * 1000)
            self._log.log(_log_level(outcome, fields), verb, outcome=outcome, ms=ms, **fields)

    def _run(
        self,
        payload: Payload,
        verb: str,
        responder: Responder,
        work: Work,
        fresh: bool,
        guests: bool,
    ) -> tuple[str, dict[str, Any]]:
        """Do the work and answer. Return the outcome and the fields for the log."""
        try:
            if payload.delivery and not self._store.is_first_delivery(payload.delivery):
                return "repeated delivery", {}
            if payload.team != self._team_id:
                raise NotAMember
            member = self._directory.member(payload.user, fresh=fresh)
            (policy.check_may_report if guests else policy.check_member)(member, self._team_id)
            work(member, responder)
        except ResponseFailed as failure:  # the work is done, and only its answer is lost
            return "done", {"answered": False, "error": failure.error}
        except AlreadyAnswered as answered:
            self._record(payload, verb, answered.error)
            return _failed(answered.error)
        except KeydeskError as error:
            # Beyond an hourly limit, only a user's first attempt is recorded and answered.
            silent = isinstance(error, RateLimited) and not error.first
            if not silent:
                self._record(payload, verb, error)
            self._answer(responder, error_text(error), silent=silent)
            return _failed(error)
        except Exception as error:  # the last net: nothing may end without an answer
            reference = uuid.uuid4().hex[:8]
            self._log.exception("unexpected", reference=reference)
            self._answer(responder, replies.unexpected(reference))
            return "failed", {"error": type(error).__name__, "reference": reference}
        return "done", {}

    def _record(self, payload: Payload, verb: str, error: KeydeskError) -> None:
        """Record a refusal: its code and facts, never what was typed."""
        known = {**structlog.contextvars.get_contextvars(), **payload.about()}
        audit_refusals.record_refusal(
            self._store,
            error,
            AuditEntry(
                self._now(),
                payload.user,
                verb,
                to_status=REFUSED,
                request_id=str(known.get("request") or getattr(error, "request_id", "")),
                key_id=str(known.get("key") or getattr(error, "key_id", "")),
                detail=_detail(error),
            ),
        )

    def _responder(self, payload: Payload) -> Responder:
        return Responder(self._web, payload, self._wait)

    def _answer(self, responder: Responder, words: str, *, silent: bool = False) -> None:
        """Answer privately. `silent` answers only in a form that waits for it."""
        try:
            responder.answer_in_form(words) if silent else responder.say(words)
        except ResponseFailed as failure:
            self._log.warning("answer", outcome="not delivered", error=failure.error)
        except Exception:  # there is no other way to answer
            self._log.exception("answer", outcome="not delivered")


def _failed(error: KeydeskError) -> tuple[str, dict[str, Any]]:
    """Return the outcome of an error and the fields for the log."""
    detail = _detail(error)
    fields: dict[str, Any] = {"code": detail.code, "facts": dict(detail.facts)}
    if isinstance(error.__cause__, KeydeskError):
        fields["cause"] = error.__cause__.code.value
    if hint := _admin_hint(error):
        fields["hint"] = hint
    return _outcome_word(error), fields


def _outcome_word(error: KeydeskError) -> str:
    if _admin_hint(error):
        return "not set up"
    if isinstance(error, Refused):
        return "refused"
    return "unavailable" if isinstance(error, Unavailable) else "not done"


def _admin_hint(error: KeydeskError) -> str:
    """Return what a Keydesk admin must do about an error, or "" for nothing."""
    for one in (error, error.__cause__):
        if isinstance(one, AwsNotConfigured):
            return "give Keydesk working AWS credentials; a restart is not needed"
        if isinstance(one, SlackUnavailable) and one.needs_admin:
            return "install the Slack app again with the scopes of manifest.yml; check its token"
    return ""


def _log_level(outcome: str, fields: Mapping[str, Any]) -> int:
    """Return the log level. Outages and undelivered answers are warnings."""
    if outcome == "not set up":
        return logging.ERROR
    warn = outcome == "unavailable" or fields.get("answered") is False
    return logging.WARNING if warn else logging.INFO


def _detail(error: KeydeskError) -> Detail:
    """Return the code and facts of an error, without facts that may repeat input."""
    return Detail(error.code.value) if isinstance(error, _TYPED) else error.detail()

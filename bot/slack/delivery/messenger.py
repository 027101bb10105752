"""Post and update the messages of requests and keys, and the one with a secret.

Lasting messages are rendered from the store, under a lock. The ephemeral is posted once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog
from slack_sdk import WebClient

from bot.domain.codes import Detail
from bot.domain.keys import AccessKey
from bot.domain.outside_errors import SlackUnavailable, StoredValueUnreadable, StoreUnavailable
from bot.domain.ports import Clock
from bot.domain.records import Record, SlackMessage
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret
from bot.domain.store_ports import RequestStore
from bot.slack.delivery.lasting_messages import LastingMessages, retry_seconds
from bot.slack.delivery.rate_limiter import RateLimiter
from bot.slack.delivery.render_queue import RenderQueue, Submit
from bot.slack.errors import MustWait, post_once, translate_errors
from bot.slack.messages import kinds, replies
from bot.slack.messages.blocks import Message
from bot.slack.messages.errors import detail_text
from bot.slack.messages.kinds import Destinations

LOCK_SECONDS = 60
UNREADABLE_RETRY_SECONDS = 3600.0
"""Seconds before the next try where a request or key cannot be read."""
MAX_ROUNDS = 10
HOME_PREFIX = "home:"
"""Starts the name of a Home tab. All other names are of requests or keys."""
CACHE_SIZE = 1000


class SlackMessenger:
    """Messenger (`domain/ports.py`) over Slack's Web API.

    Args:
        web: The client for all calls except the ephemeral.
        once: The client that posts the ephemeral. It has no retry handlers.
        submit: Queues work in the worker pool. Returns False where there is no room, and the
            scheduler then renders.
        rate_limiter: Allows calls to Slack. None means no limits.
        after: Runs a function after so many seconds. By default it does nothing, and the
            scheduler renders.
    """

    def __init__(
        self,
        web: WebClient,
        once: WebClient,
        store: RequestStore,
        clock: Clock,
        destinations: Destinations,
        *,
        submit: Submit,
        new_id: Callable[[], str],
        rate_limiter: RateLimiter | None = None,
        after: Callable[[float, Callable[[], object]], None] = lambda seconds, do: None,
    ) -> None:
        self._web, self._once = web, once
        self._store, self._clock, self._destinations = store, clock, destinations
        self._new_id, self._after = new_id, after
        limiter = rate_limiter or RateLimiter(clock.monotonic, {}, None)
        self._lasting = LastingMessages(web, store, destinations, limiter)
        self._queue = RenderQueue(submit, self.render_now)
        self._changed: Callable[[Record], None] = lambda record: None
        self._render_home: Callable[[str], float] = lambda slack_user: 0.0
        self._lock = threading.Lock()
        self._reported: dict[str, int] = {}
        self._dms: dict[str, str] = {}
        self._log = structlog.get_logger("keydesk.messenger")

    def watch(
        self,
        changed: Callable[[Record], None],
        render_home: Callable[[str], float] = lambda slack_user: 0.0,
    ) -> None:
        """Set what to call after a change of a request or key, and to render a Home tab.

        Args:
            changed: Called with each changed request or key.
            render_home: Called with the Slack user ID of a Home tab to render. Returns the seconds
                until the next try, or 0.
        """
        self._changed, self._render_home = changed, render_home

    def dm(self, slack_user: str) -> str:
        """Return the ID (`D…`) of a user's direct message with the bot.

        Raises:
            SlackUnavailable: Slack did not answer, or refused the call.
        """
        # conversations.open: Tier 3, 50 calls a minute, and the ID never changes.
        if slack_user not in self._dms:
            with translate_errors("conversations.open"):
                self._dms[slack_user] = str(
                    self._web.conversations_open(users=slack_user)["channel"]["id"]
                )
        return self._dms[slack_user]

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        """Post the ephemeral with the secret to the request's stored `dm`, once.

        Raises:
            Refused: Slack refused the call for certain.
            OutcomeUnknown: The call may have run.
        """
        # The message is not a variable: a traceback may show the variables of this frame.
        post_once(
            "chat.postEphemeral", lambda: self._show(request, replies.secret_message(key, secret))
        )

    def _show(self, request: KeyRequest, message: Message) -> None:
        self._once.chat_postEphemeral(
            channel=request.dm, user=request.requester, text=message.text, blocks=message.blocks
        )

    def announce(self, channel: str, detail: Detail) -> bool:
        """Post what a detail says to a channel. Return whether Slack accepted it."""
        return self.say(channel, detail_text(detail))

    def say(self, channel: str, text: str) -> bool:
        """Post a line of mrkdwn to a channel. Return whether Slack accepted it.

        Raises nothing: a failure is logged.
        """
        try:
            with translate_errors("chat.postMessage"):
                self._web.chat_postMessage(channel=channel, text=text)
            return True
        except SlackUnavailable as failure:
            self._log.warning("say", outcome="failed", error=failure.error)
            return False

    def render(self, name: str) -> None:
        """Queue a name for rendering. Return at once and raise nothing.

        A name is that of a request, key or Home tab.
        """
        if not self._queue.ask(name, last=name.startswith(HOME_PREFIX)):
            self._log.warning("render", name=name, outcome="left to the scheduler")

    def render_now(self, name: str) -> None:
        """Render a Home tab, or all outdated messages of a request or key.

        Repeats until the messages show the stored version, at most `MAX_ROUNDS` times. It logs a
        failure of Slack or the store, and never waits for the rate limiter. The mark stays in the
        store. This process or a scheduler tries again later.
        """
        if name.startswith(HOME_PREFIX):
            seconds = self._render_home(name.removeprefix(HOME_PREFIX))
            if seconds:
                self._after(seconds, lambda: self.render(name))
            return
        try:
            for _ in range(MAX_ROUNDS):
                if not self._render_once(name):
                    return
        except StoreUnavailable as failure:
            self._log.warning("render", name=name, outcome="store unavailable", error=failure.error)
        except StoredValueUnreadable:  # the store logs it, and a newer version may read it
            self._reschedule(name, UNREADABLE_RETRY_SECONDS)
        except SlackUnavailable as failure:
            self._retry_later(name, failure)

    def clicked(self, name: str, action_id: str, channel: str, ts: str) -> None:
        """Record the message of a click and render it, if the store has no record of it.

        A message has no record where Slack's answer to its post was lost.

        Raises:
            StoreUnavailable: The store did not answer.
            StoredValueUnreadable: The request or key cannot be read.
        """
        record = self._load(name)
        stored = self._store.messages(name)
        if record is None or any(one.channel == channel and one.ts == ts for one in stored):
            return
        kind = kinds.kind_of_action(record, action_id)
        if kinds.channel(record, kind, self._destinations) != channel:
            return  # never render approvers' messages for a user, or the reverse
        spare = kind if all(one.kind != kind for one in stored) else f"{kind}#{ts}"
        self._store.record_message(name, SlackMessage(spare, channel, ts, version=0))
        self._store.schedule_render(name, self._clock.now())
        self.render(name)

    def _render_once(self, name: str) -> bool:
        """Render once under the lock. Return True if another round is needed.

        Another round is needed where the state or the messages have changed meanwhile.

        Raises:
            StoredValueUnreadable: The record of a message cannot be read, so the mark stays.
        """
        token = self._new_id()
        if not self._store.acquire_lock(name, token, LOCK_SECONDS):
            return False  # its owner checks the version again after it releases the lock
        try:
            record = self._load(name)
            if record is None:
                return False
            self._report(record)
            self._lasting.update(record)
        except MustWait:
            newer = self._load(name)
            if newer is None or record is None or newer.version == record.version:
                raise
            return True  # as a decision it may have room where a card had none
        finally:
            self._store.release_lock(name, token)
        # A click that found the lock taken may have recorded a message meanwhile.
        messages = self._store.messages(name)
        if any(one.is_readable and one.version != record.version for one in messages):
            return True
        if not all(one.is_readable for one in messages):
            raise StoredValueUnreadable(f"messages:{name}")
        return not self._store.rendered(name, record.version)

    def _report(self, record: Record) -> None:
        """Report a new version of a request or key once, before its messages are rendered.

        The Home tabs do not wait for the messages, which the rate limiter may delay.
        """
        if self._reported.get(record.name, 0) >= record.version:
            return
        self._changed(record)
        with self._lock:
            self._reported[record.name] = record.version
            if len(self._reported) > CACHE_SIZE:
                del self._reported[next(iter(self._reported))]

    def _load(self, name: str) -> Record | None:
        kind, _, id_ = name.partition(":")
        return self._store.key(id_) if kind == "key" else self._store.request(id_)

    def _retry_later(self, name: str, failure: SlackUnavailable) -> None:
        seconds = retry_seconds(failure)
        if not isinstance(failure, MustWait):
            self._log.warning(
                "render",
                name=name,
                outcome="rescheduled",
                method=failure.method,
                error=failure.error,
                seconds=seconds,
            )
        self._reschedule(name, seconds)
        if not failure.refused:  # the scheduler repeats a refused call
            self._after(seconds, lambda: self.render(name))

    def _reschedule(self, name: str, seconds: float) -> None:
        """Move a mark by so many seconds. The mark stays as it is while the store is down."""
        try:
            self._store.schedule_render(name, self._clock.now() + timedelta(seconds=seconds))
        except StoreUnavailable as failure:
            self._log.warning("render", name=name, outcome="store unavailable", error=failure.error)

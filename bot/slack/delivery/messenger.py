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
from bot.domain.errors import SlackUnavailable, StoredValueUnreadable, StoreUnavailable
from bot.domain.keys import AccessKey
from bot.domain.ports import (
    Clock,
    Record,
    RequestStore,
    SlackMessage,
)
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret
from bot.domain.states import Status
from bot.slack.delivery.rate_limiter import (
    POST,
    UPDATE,
    Priority,
    RateLimiter,
)
from bot.slack.delivery.render_queue import RenderQueue, Submit
from bot.slack.errors import (
    MustWait,
    post_once,
    rate_limited,
    translate_errors,
)
from bot.slack.messages import kinds, replies
from bot.slack.messages.blocks import Message
from bot.slack.messages.errors import detail_text
from bot.slack.messages.kinds import Destinations

LOCK_SECONDS = 60
UNREADABLE_RETRY_SECONDS = 3600.0
"""Seconds before the next try where a request or key cannot be read."""
MAX_ROUNDS = 10
MESSAGE_GONE_ERRORS = {"message_not_found", "cant_update_message", "edit_window_closed"}
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
        self._store, self._clock, self._places = store, clock, destinations
        self._new_id, self._after = new_id, after
        self._pacer = rate_limiter or RateLimiter(clock.monotonic, {}, None)
        self._drawings = RenderQueue(submit, self.render_now)
        self._changed: Callable[[Record], None] = lambda kept: None
        self._draw_home: Callable[[str], float] = lambda person: 0.0
        self._lock = threading.Lock()
        self._told: dict[str, int] = {}
        self._dms: dict[str, str] = {}
        self._log = structlog.get_logger("keydesk.messenger")

    def watch(
        self,
        changed: Callable[[Record], None],
        draw_home: Callable[[str], float] = lambda person: 0.0,
    ) -> None:
        """Set what to call after a change of a request or key, and to render a Home tab.

        Args:
            changed: Called with each changed request or key.
            draw_home: Called with the Slack user ID of a Home tab to render. Returns the seconds
                until the next try, or 0.
        """
        self._changed, self._draw_home = changed, draw_home

    def dm(self, slack_user: str) -> str:
        """Return the ID (`D…`) of a user's direct message with the bot.

        Raises:
            SlackUnavailable: Slack did not answer, or refused the call.
        """
        if (
            slack_user not in self._dms
        ):  # conversations.open: Tier 3, 50 calls a minute, and the ID never changes
            with translate_errors("conversations.open"):
                self._dms[slack_user] = str(
                    self._web.conversations_open(users=slack_user)["channel"]["id"]
                )
        return self._dms[slack_user]

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        # The message is not a variable: a traceback may show the variables of this frame.
        """Post the ephemeral with the secret to the request's stored `dm`, once.

        Raises:
            Refused: Slack refused the call for certain.
            OutcomeUnknown: The call may have run.
        """
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
        if not self._drawings.ask(name, last=name.startswith(HOME_PREFIX)):
            self._log.warning("draw", name=name, outcome="left to the scheduler")

    def render_now(self, name: str) -> None:
        """Render a Home tab, or all outdated messages of a request or key.

        Repeats until the messages show the stored version, at most `MAX_ROUNDS` times. It logs a
        failure of Slack or the store, and never waits for the rate limiter. The mark stays in the
        store. This process or a scheduler tries again later.
        """
        if name.startswith(HOME_PREFIX):
            seconds = self._draw_home(name.removeprefix(HOME_PREFIX))
            if seconds:
                self._after(seconds, lambda: self.render(name))
            return
        try:
            for _ in range(MAX_ROUNDS):
                if not self._draw_once(name):
                    return
        except StoreUnavailable as failure:
            self._log.warning("draw", name=name, outcome="store unavailable", error=failure.error)
        except StoredValueUnreadable:  # the store logs it, and a newer version may read it
            self._reschedule(name, UNREADABLE_RETRY_SECONDS)
        except SlackUnavailable as failure:
            self._put_off(name, failure)

    def clicked(self, name: str, action_id: str, channel: str, ts: str) -> None:
        """Record the message of a click and render it, if the store has no record of it.

        A message has no record where Slack's answer to its post was lost.

        Raises:
            StoreUnavailable: The store did not answer.
            StoredValueUnreadable: The request or key cannot be read.
        """
        kept = self._load(name)
        noted = self._store.messages(name)
        if kept is None or any(copy.channel == channel and copy.ts == ts for copy in noted):
            return
        kind = kinds.kind_of_action(kept, action_id)
        if kinds.channel(kept, kind, self._places) != channel:
            return  # never render approvers' messages for a user, or the reverse
        spare = kind if all(copy.kind != kind for copy in noted) else f"{kind}#{ts}"
        self._store.record_message(name, SlackMessage(spare, channel, ts, version=0))
        self._store.schedule_render(name, self._clock.now())
        self.render(name)

    def _draw_once(self, name: str) -> bool:
        """Render once under the lock. Return True if another round is needed.

        Another round is needed where the state or the messages have changed meanwhile.
        """
        token = self._new_id()
        if not self._store.acquire_lock(name, token, LOCK_SECONDS):
            return False  # its owner checks the version again after it releases the lock
        try:
            kept = self._load(name)
            if kept is None:
                return False
            self._tell(kept)
            self._draw_copies(kept)
        except MustWait:
            moved = self._load(name)
            if moved is None or kept is None or moved.version == kept.version:
                raise
            return True  # as a decision it may have room where a card had none
        finally:
            self._store.release_lock(name, token)
        # A click that found the lock taken may have recorded a message meanwhile.
        stale = any(copy.version != kept.version for copy in self._store.messages(name))
        return stale or not self._store.rendered(name, kept.version)

    def _tell(self, kept: Record) -> None:
        """Report a new version of a request or key once, before its messages are rendered.

        The Home tabs do not wait for the messages, which the rate limiter may delay.
        """
        if self._told.get(kept.name, 0) >= kept.version:
            return
        self._changed(kept)
        with self._lock:
            self._told[kept.name] = kept.version
            if len(self._told) > CACHE_SIZE:
                del self._told[next(iter(self._told))]

    def _draw_copies(self, kept: Record) -> None:
        """Render all messages of a request or key.

        A message that Slack refuses, or that is over a rate limit, does not delay the others. Slack
        refuses a message in an archived channel, for example.

        Raises:
            SlackUnavailable: At least one message failed. The one with the earliest
                retry is raised.
        """
        known = {copy.kind: copy for copy in self._store.messages(kept.name)}
        held: list[SlackUnavailable] = []
        for kind in dict.fromkeys((*kinds.expected_kinds(kept), *known)):
            try:
                self._draw_copy(kept, kind, known.get(kind))
            except SlackUnavailable as failure:
                if not _others_can_continue(failure):
                    raise
                held.append(failure)
        if held:
            raise min(held, key=_retry_seconds)

    def _draw_copy(self, kept: Record, kind: str, copy: SlackMessage | None) -> None:
        if copy and copy.version == kept.version:
            return
        message = kinds.render(kept, kind, self._places)
        who, rank = f"{kept.name}/{kind}", _priority(kept, kind, copy)
        if copy is None:
            parent = self._parent(kept, kind)
            if kinds.thread_kind(kind) and parent is None:
                return  # its parent could not be posted, and will be tried again
            channel = kinds.channel(kept, kind, self._places)
            with rate_limited(self._pacer, POST, channel, who, rank):
                response = self._web.chat_postMessage(
                    channel=channel,
                    text=message.text,
                    blocks=message.blocks,
                    thread_ts=parent,
                    unfurl_links=False,
                )
            copy = SlackMessage(kind, str(response["channel"]), str(response["ts"]), kept.version)
        else:
            try:
                with rate_limited(self._pacer, UPDATE, copy.channel, who, rank):
                    self._web.chat_update(
                        channel=copy.channel, ts=copy.ts, text=message.text, blocks=message.blocks
                    )
            except SlackUnavailable as failure:
                if failure.error not in MESSAGE_GONE_ERRORS:
                    raise
                self._store.forget_message(
                    kept.name, kind
                )  # deleted in Slack: the next round posts it again
                raise
            copy = SlackMessage(kind, copy.channel, copy.ts, kept.version)
        if kinds.is_final(kept, kind):
            self._store.forget_message(kept.name, kind)
        else:
            self._store.record_message(kept.name, copy)

    def _parent(self, kept: Record, kind: str) -> str | None:
        """Return the `ts` of the message in whose thread this one is posted, or None.

        That message is rendered first.
        """
        parent = kinds.thread_kind(kind)
        return next(
            (copy.ts for copy in self._store.messages(kept.name) if parent and copy.kind == parent),
            None,
        )

    def _load(self, name: str) -> Record | None:
        kind, _, id_ = name.partition(":")
        return self._store.key(id_) if kind == "key" else self._store.request(id_)

    def _put_off(self, name: str, failure: SlackUnavailable) -> None:
        seconds = _retry_seconds(failure)
        if not isinstance(failure, MustWait):
            self._log.warning(
                "draw",
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
            self._log.warning("draw", name=name, outcome="store unavailable", error=failure.error)


def _priority(kept: Record, kind: str, copy: SlackMessage | None) -> Priority:
    """Return a message's priority: CARD while a request is pending, then DECISION.

    A new reminder has REMINDER. The first message to a requester stays at CARD after the decision:
    a newer one is below it.
    """
    word = kinds.word_of(kind)
    if copy is None and word in kinds.REMINDERS:
        return Priority.REMINDER
    if not isinstance(kept, KeyRequest):
        return Priority.DECISION
    older = word == kinds.REQUESTED and kept.decided_at is not None
    return Priority.CARD if older or kept.status is Status.PENDING else Priority.DECISION


def _others_can_continue(failure: SlackUnavailable) -> bool:
    """Return True if only this message, its channel or its method has to wait.

    It is False where Slack does not answer at all.
    """
    return isinstance(failure, MustWait) or failure.refused or failure.retry_after is not None


def _retry_seconds(failure: SlackUnavailable) -> float:
    """Return the seconds to wait after a failure.

    The rate limiter's and Slack's own times come first. A refused call waits longer.
    """
    if isinstance(failure, MustWait):
        return failure.seconds
    if failure.retry_after is not None:
        return failure.retry_after
    return 30.0 if failure.refused and failure.error not in MESSAGE_GONE_ERRORS else 1.0

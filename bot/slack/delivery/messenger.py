"""How do messages reach Slack? Lasting ones are drawn from what is stored, under a lock; the ephemeral goes once."""

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
UNREADABLE_RETRY = timedelta(hours=1)
"""How long a message waits whose request or key cannot be read."""
MAX_ROUNDS = 10
MESSAGE_GONE_ERRORS = {"message_not_found", "cant_update_message", "edit_window_closed"}
HOME_PREFIX = "home:"
"""Begins the name under which a person's Home tab is drawn: all else is a request or a key."""
CACHE_SIZE = 1000


class SlackMessenger:
    """The Messenger port.

    `web` draws and asks; `once` posts the ephemeral and has no retry handlers. `submit` puts work into the
    desk's pool and returns False where there is no room, which leaves the drawing to the sweeper. `pacer` says when a
    call may be made (none: Slack's limits are met by running into them), and `after` has a drawing asked for
    again so many seconds later (none: the sweeper does).
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
        """Has `changed` told of each request and key that has moved: the Home tabs follow.

        `draw_home` is called for a person whose name comes up, and returns the seconds after which it ought to be
        called again, or 0.
        """
        self._changed, self._draw_home = changed, draw_home

    def dm(self, slack_user: str) -> str:
        if (
            slack_user not in self._dms
        ):  # Slack takes 50 of these questions a minute, and the answer stays the same
            with translate_errors("conversations.open"):
                self._dms[slack_user] = str(
                    self._web.conversations_open(users=slack_user)["channel"]["id"]
                )
        return self._dms[slack_user]

    def deliver(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        # The message is no variable here: a traceback may show the variables of this frame.
        post_once(
            "chat.postEphemeral", lambda: self._show(request, replies.secret_message(key, secret))
        )

    def _show(self, request: KeyRequest, message: Message) -> None:
        self._once.chat_postEphemeral(
            channel=request.dm, user=request.requester, text=message.text, blocks=message.blocks
        )

    def announce(self, channel: str, detail: Detail) -> bool:
        return self.say(channel, detail_text(detail))

    def say(self, channel: str, text: str) -> bool:
        """Post a line of mrkdwn to a channel. Return whether Slack accepted it."""
        try:
            with translate_errors("chat.postMessage"):
                self._web.chat_postMessage(channel=channel, text=text)
            return True
        except SlackUnavailable as failure:
            self._log.warning("say", outcome="failed", error=failure.error)
            return False

    def render(self, name: str) -> None:
        if not self._drawings.ask(name, last=name.startswith(HOME_PREFIX)):
            self._log.warning("draw", name=name, outcome="left to the sweeper")

    def render_now(self, name: str) -> None:
        """Draws every copy of `name` that is older than its state, until state and copies agree; or a Home tab.

        A failure of Slack or the store is not raised, and no turn is waited for: the mark stays in place and the next
        try is put off, for which this process comes back by itself, or else some sweeper.
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
        except StoredValueUnreadable:  # the store logs it; a newer version may be able to read it
            self._store.schedule_render(name, self._clock.now() + UNREADABLE_RETRY)
        except SlackUnavailable as failure:
            self._put_off(name, failure)

    def clicked(self, name: str, action_id: str, channel: str, ts: str) -> None:
        """A click came from this message: where no record of it exists (its answer was lost), it is noted and drawn."""
        kept = self._load(name)
        noted = self._store.messages(name)
        if kept is None or any(copy.channel == channel and copy.ts == ts for copy in noted):
            return
        kind = kinds.kind_of_action(kept, action_id)
        if kinds.channel(kept, kind, self._places) != channel:
            return  # what is for the approvers is never drawn for one person, nor the other way round
        spare = kind if all(copy.kind != kind for copy in noted) else f"{kind}#{ts}"
        self._store.record_message(name, SlackMessage(spare, channel, ts, version=0))
        self._store.schedule_render(name, self._clock.now())
        self.render(name)

    def _draw_once(self, name: str) -> bool:
        """One round under the lock. Returns whether another is needed: the state has moved on meanwhile."""
        token = self._new_id()
        if not self._store.acquire_lock(name, token, LOCK_SECONDS):
            return False  # whoever holds the lock looks at the version again after giving it back
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
            return True  # as a decision it may have room where as a card it had none
        finally:
            self._store.release_lock(name, token)
        # A copy may have been noted meanwhile by a click that found the lock held.
        stale = any(copy.version != kept.version for copy in self._store.messages(name))
        return stale or not self._store.rendered(name, kept.version)

    def _tell(self, kept: Record) -> None:
        """Says once for each version that it has moved, before its copies are drawn: they may have to wait."""
        if self._told.get(kept.name, 0) >= kept.version:
            return
        self._changed(kept)
        with self._lock:
            self._told[kept.name] = kept.version
            if len(self._told) > CACHE_SIZE:
                del self._told[next(iter(self._told))]

    def _draw_copies(self, kept: Record) -> None:
        """Draws all copies. One that Slack refuses (its channel is archived, say), or for which there is no room yet,
        does not keep the others waiting."""
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
                return  # its thread could not be begun, which is tried again
            channel = kinds.channel(kept, kind, self._places)
            with rate_limited(self._pacer, POST, channel, who, rank):
                responder = self._web.chat_postMessage(
                    channel=channel,
                    text=message.text,
                    blocks=message.blocks,
                    thread_ts=parent,
                    unfurl_links=False,
                )
            copy = SlackMessage(kind, str(responder["channel"]), str(responder["ts"]), kept.version)
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
                )  # somebody deleted it; the next round posts it anew
                raise
            copy = SlackMessage(kind, copy.channel, copy.ts, kept.version)
        if kinds.is_final(kept, kind):
            self._store.forget_message(kept.name, kind)
        else:
            self._store.record_message(kept.name, copy)

    def _parent(self, kept: Record, kind: str) -> str | None:
        """The `ts` of the message in whose thread this copy stands; it is drawn before."""
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
        try:
            self._store.schedule_render(name, self._clock.now() + timedelta(seconds=seconds))
        except StoreUnavailable as lost:
            self._log.warning("draw", name=name, outcome="store unavailable", error=lost.error)
        if not failure.refused:  # what Slack said no to is left to the sweeper
            self._after(seconds, lambda: self.render(name))


def _priority(kept: Record, kind: str, copy: SlackMessage | None) -> Priority:
    """How urgent a copy is. What nobody has decided yet is a card, what has moved on a decision.

    But what the requester was told first has, once it is decided, a newer message below it.
    """
    word = kinds.word_of(kind)
    if copy is None and word in kinds.REMINDERS:
        return Priority.REMINDER
    if not isinstance(kept, KeyRequest):
        return Priority.DECISION
    older = word == kinds.REQUESTED and kept.decided_at is not None
    return Priority.CARD if older or kept.status is Status.PENDING else Priority.DECISION


def _others_can_continue(failure: SlackUnavailable) -> bool:
    """Is it this copy, its channel or its method alone that has to wait? Not when Slack does not answer at all."""
    return isinstance(failure, MustWait) or failure.refused or failure.retry_after is not None


def _retry_seconds(failure: SlackUnavailable) -> float:
    """How long to wait after a failure: as long as pacer or Slack say; long where Slack said no to this very call."""
    if isinstance(failure, MustWait):
        return failure.seconds
    if failure.retry_after is not None:
        return failure.retry_after
    return 30.0 if failure.refused and failure.error not in MESSAGE_GONE_ERRORS else 1.0

"""How do messages reach Slack? Lasting ones are drawn from what is stored, under a lock; the ephemeral goes once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.core.access_key import AccessKey, Secret
from bot.core.errors import SlackUnavailable, StoreUnavailable
from bot.core.ports import Clock, Copy, Kept, RequestStore
from bot.core.request import KeyRequest
from bot.slack import blocks, copies
from bot.slack.blocks import Drawn
from bot.slack.calls import asked, is_refusal, post_once, retry_after
from bot.slack.copies import Places

LOCK_SECONDS = 60
ROUNDS = 10
GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}


class SlackMessenger:
    """The Messenger port.

    `web` draws and asks; `once` posts the ephemeral and has no retry handlers. `submit` puts work into the
    desk's pool and returns False where there is no room, which leaves the drawing to the sweeper.
    """

    def __init__(self, web: WebClient, once: WebClient, store: RequestStore, clock: Clock, places: Places, *,
                 submit: Callable[[Callable[[], None]], bool], new_id: Callable[[], str]) -> None:
        self._web, self._once = web, once
        self._store, self._clock, self._places = store, clock, places
        self._submit, self._new_id = submit, new_id
        self._changed: Callable[[Kept], None] = lambda kept: None
        self._log = structlog.get_logger("keydesk.messenger")

    def watch(self, changed: Callable[[Kept], None]) -> None:
        """Has `changed` told of each request and key whose copies were drawn: the Home tabs follow."""
        self._changed = changed

    def dm(self, slack_user: str) -> str:
        with asked("conversations.open"):
            return str(self._web.conversations_open(users=slack_user)["channel"]["id"])

    def hand_over(self, request: KeyRequest, key: AccessKey, secret: Secret) -> None:
        # The message is no variable here: a traceback may show the variables of this frame.
        post_once("chat.postEphemeral", lambda: self._show(request, blocks.handed_over(key, secret)))

    def _show(self, request: KeyRequest, message: Drawn) -> None:
        self._once.chat_postEphemeral(channel=request.dm, user=request.requester, text=message.text,
                                      blocks=message.blocks)

    def say(self, channel: str, text: str) -> bool:
        try:
            with asked("chat.postMessage"):
                self._web.chat_postMessage(channel=channel, text=text)
            return True
        except SlackUnavailable as failure:
            self._log.warning("say", outcome="failed", error=failure.error)
            return False

    def draw(self, name: str) -> None:
        if not self._submit(lambda: self.draw_now(name)):
            self._log.warning("draw", name=name, outcome="left to the sweeper")

    def draw_now(self, name: str) -> None:
        """Draws every copy of `name` that is older than its state, until state and copies agree.

        A failure of Slack or the store is not raised: it leaves the mark in place and puts the next try off; the
        sweeper comes back to it.
        """
        try:
            for _ in range(ROUNDS):
                if not self._draw_once(name):
                    return
        except StoreUnavailable as failure:
            self._log.warning("draw", name=name, outcome="store unavailable", error=str(failure))
        except SlackUnavailable as failure:
            self._put_off(name, failure)

    def clicked(self, name: str, action_id: str, channel: str, ts: str) -> None:
        """A click came from this message: where no record of it exists (its answer was lost), it is noted and drawn."""
        kept = self._load(name)
        noted = self._store.copies(name)
        if kept is None or any(copy.channel == channel and copy.ts == ts for copy in noted):
            return
        kind = copies.clicked(kept, action_id)
        if copies.channel(kept, kind, self._places) != channel:
            return  # what is for the approvers is never drawn for one person, nor the other way round
        spare = kind if all(copy.kind != kind for copy in noted) else f"{kind}#{ts}"
        self._store.record_copy(name, Copy(spare, channel, ts, version=0))
        self._store.put_off_drawing(name, self._clock.now())
        self.draw(name)

    def _draw_once(self, name: str) -> bool:
        """One round under the lock. Returns whether another is needed: the state has moved on meanwhile."""
        token = self._new_id()
        if not self._store.lock_drawing(name, token, LOCK_SECONDS):
            return False  # whoever holds the lock looks at the version again after giving it back
        try:
            kept = self._load(name)
            if kept is None:
                return False
            self._draw_copies(kept)
            self._changed(kept)
        finally:
            self._store.unlock_drawing(name, token)
        # A copy may have been noted meanwhile by a click that found the lock held.
        stale = any(copy.version != kept.version for copy in self._store.copies(name))
        return stale or not self._store.drawn(name, kept.version)

    def _draw_copies(self, kept: Kept) -> None:
        """Draws all copies. One that Slack refuses (its channel is archived, say) does not keep the others waiting."""
        known = {copy.kind: copy for copy in self._store.copies(kept.name)}
        refused: SlackUnavailable | None = None
        for kind in dict.fromkeys((*copies.wanted(kept), *known)):
            try:
                self._draw_copy(kept, kind, known.get(kind))
            except SlackUnavailable as failure:
                if not is_refusal(failure.__cause__):
                    raise
                refused = failure
        if refused:
            raise refused

    def _draw_copy(self, kept: Kept, kind: str, copy: Copy | None) -> None:
        if copy and copy.version == kept.version:
            return
        message = copies.drawn(kept, kind, self._places)
        if copy is None:
            parent = self._parent(kept, kind)
            if copies.thread(kind) and parent is None:
                return  # its thread could not be begun, which is tried again
            with asked("chat.postMessage"):
                answer = self._web.chat_postMessage(
                    channel=copies.channel(kept, kind, self._places), text=message.text, blocks=message.blocks,
                    thread_ts=parent, unfurl_links=False)
            copy = Copy(kind, str(answer["channel"]), str(answer["ts"]), kept.version)
        else:
            try:
                with asked("chat.update"):
                    self._web.chat_update(channel=copy.channel, ts=copy.ts, text=message.text, blocks=message.blocks)
            except SlackUnavailable as failure:
                if failure.error not in GONE:
                    raise
                self._store.forget_copy(kept.name, kind)  # somebody deleted it; the next round posts it anew
                raise
            copy = Copy(kind, copy.channel, copy.ts, kept.version)
        if copies.is_over(kept, kind):
            self._store.forget_copy(kept.name, kind)
        else:
            self._store.record_copy(kept.name, copy)

    def _parent(self, kept: Kept, kind: str) -> str | None:
        """The `ts` of the message in whose thread this copy stands; it is drawn before."""
        parent = copies.thread(kind)
        return next((copy.ts for copy in self._store.copies(kept.name) if parent and copy.kind == parent), None)

    def _load(self, name: str) -> Kept | None:
        kind, _, id_ = name.partition(":")
        return self._store.key(id_) if kind == "key" else self._store.request(id_)

    def _put_off(self, name: str, failure: SlackUnavailable) -> None:
        cause = failure.__cause__
        wait = retry_after(cause)
        if wait is None:
            wait = 1.0 if failure.error in GONE else 30.0 if isinstance(cause, SlackApiError) else 5.0
        self._log.warning("draw", name=name, outcome="put off", method=failure.method, error=failure.error,
                          seconds=wait)
        try:
            self._store.put_off_drawing(name, self._clock.now() + timedelta(seconds=wait))
        except StoreUnavailable as lost:
            self._log.warning("draw", name=name, outcome="store unavailable", error=str(lost))

"""Post and update the lasting messages of a request or key."""

from __future__ import annotations

from slack_sdk import WebClient

from bot.domain.outside_errors import SlackUnavailable
from bot.domain.records import Record, SlackMessage
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.domain.store_ports import RequestStore
from bot.slack.delivery.rate_limiter import POST, UPDATE, Priority, RateLimiter
from bot.slack.errors import MustWait, rate_limited
from bot.slack.messages import kinds
from bot.slack.messages.kinds import Destinations

CANNOT_UPDATE_ERRORS = {"message_not_found", "cant_update_message", "edit_window_closed"}


class LastingMessages:
    """Posts and updates messages, and records in the store where they are.

    The caller has the render lock of the request or key.
    """

    def __init__(
        self,
        web: WebClient,
        store: RequestStore,
        destinations: Destinations,
        rate_limiter: RateLimiter,
    ) -> None:
        self._web, self._store = web, store
        self._destinations, self._rate_limiter = destinations, rate_limiter

    def update(self, record: Record) -> None:
        """Post or update all messages of a request or key that do not show its version.

        A message that Slack refuses, or that is over a rate limit, does not delay the others. Slack
        refuses a message in an archived channel, for example.

        Raises:
            SlackUnavailable: At least one message failed. The one with the earliest
                retry is raised.
        """
        known = {posted.kind: posted for posted in self._store.messages(record.name)}
        failures: list[SlackUnavailable] = []
        for kind in dict.fromkeys((*kinds.expected_kinds(record), *known)):
            try:
                self._update_one(record, kind, known.get(kind))
            except SlackUnavailable as failure:
                if not _others_can_continue(failure):
                    raise
                failures.append(failure)
        if failures:
            raise min(failures, key=retry_seconds)

    def _update_one(self, record: Record, kind: str, posted: SlackMessage | None) -> None:
        if posted and (posted.version == record.version or not posted.is_readable):
            return  # an unreadable record must not lead to a second message
        message = kinds.render(record, kind, self._destinations)
        who, priority = f"{record.name}/{kind}", _priority(record, kind, posted)
        if posted is None:
            parent = self._parent(record, kind)
            if kinds.thread_kind(kind) and not parent:
                return  # its parent could not be posted or read, and will be tried again
            channel = kinds.channel(record, kind, self._destinations)
            with rate_limited(self._rate_limiter, POST, channel, who, priority):
                response = self._web.chat_postMessage(
                    channel=channel,
                    text=message.text,
                    blocks=message.blocks,
                    thread_ts=parent,
                    unfurl_links=False,
                )
            posted = SlackMessage(
                kind, str(response["channel"]), str(response["ts"]), record.version
            )
        else:
            try:
                with rate_limited(self._rate_limiter, UPDATE, posted.channel, who, priority):
                    self._web.chat_update(
                        channel=posted.channel,
                        ts=posted.ts,
                        text=message.text,
                        blocks=message.blocks,
                    )
            except SlackUnavailable as failure:
                if failure.error not in CANNOT_UPDATE_ERRORS:
                    raise
                # Deleted, or no longer editable: the next round posts another.
                self._store.forget_message(record.name, kind)
                raise
            posted = SlackMessage(kind, posted.channel, posted.ts, record.version)
        if kinds.is_final(record, kind):
            self._store.forget_message(record.name, kind)
        else:
            self._store.record_message(record.name, posted)

    def _parent(self, record: Record, kind: str) -> str | None:
        """Return the `ts` of the message in whose thread this one is posted, or None.

        That message is rendered first.
        """
        parent = kinds.thread_kind(kind)
        return next(
            (
                posted.ts
                for posted in self._store.messages(record.name)
                if parent and posted.kind == parent
            ),
            None,
        )


def _priority(record: Record, kind: str, posted: SlackMessage | None) -> Priority:
    """Return a message's priority: CARD while a request is pending, then DECISION.

    A new reminder has REMINDER. The first message to a requester stays at CARD after the decision:
    a newer one is below it.
    """
    word = kinds.word_of(kind)
    if posted is None and word in kinds.REMINDERS:
        return Priority.REMINDER
    if not isinstance(record, KeyRequest):
        return Priority.DECISION
    older = word == kinds.REQUESTED and record.decided_at is not None
    return Priority.CARD if older or record.status is Status.PENDING else Priority.DECISION


def _others_can_continue(failure: SlackUnavailable) -> bool:
    """Return True if only this message, its channel or its method has to wait.

    It is False where Slack does not answer at all.
    """
    return isinstance(failure, MustWait) or failure.refused or failure.retry_after is not None


def retry_seconds(failure: SlackUnavailable) -> float:
    """Return the seconds to wait after a failure.

    The rate limiter's and Slack's own times come first. A refused call waits longer.
    """
    if isinstance(failure, MustWait):
        return failure.seconds
    if failure.retry_after is not None:
        return failure.retry_after
    return 30.0 if failure.refused and failure.error not in CANNOT_UPDATE_ERRORS else 1.0

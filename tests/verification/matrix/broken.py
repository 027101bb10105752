"""Build bots that are broken on purpose, each in one promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
import structlog

from bot import app
from bot.config.settings import Settings
from bot.domain.keys import AccessKey
from bot.domain.outside_errors import OutcomeUnknown, StoreUnavailable
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret
from bot.store.redis_store import RedisStore

# -- found by kills


def lease_after_the_key(settings: Settings) -> app.Bot:
    """Ask IAM for the key before the lease is stored."""
    bot = app.build(settings)
    late = LateLease(bot.store)
    return _with(bot, bot.store, commit=late.commit, request=late.request)


class LateLease:
    """Delays the commit of a lease until the next commit, and shows its value."""

    def __init__(self, store: RedisStore) -> None:
        self._commit, self._request = store.commit, store.request
        self._delayed: list[Callable[[], None]] = []
        self._values: dict[str, KeyRequest] = {}

    def commit(self, *changes: Change, entry: AuditEntry, **more: Any) -> None:
        if entry.action == "reveal":
            self._delayed.append(lambda: self._commit(*changes, entry=entry, **more))
            self._values |= {
                one.after.id: one.after for one in changes if isinstance(one.after, KeyRequest)
            }
            return
        while self._delayed:
            self._delayed.pop()()
        self._values.clear()
        self._commit(*changes, entry=entry, **more)

    def request(self, request_id: str) -> KeyRequest | None:
        return self._values.get(request_id) or self._request(request_id)


def mark_removed_first(settings: Settings) -> app.Bot:
    """Remove a render mark before the message is rendered, not after."""
    bot = app.build(settings)
    store, lock = bot.store, bot.store.acquire_lock

    def lock_and_remove_mark(name: str, token: str, seconds: int) -> bool:
        locked, (kind, _, id_) = lock(name, token, seconds), name.partition(":")
        stored = store.key(id_) if kind == "key" else store.request(id_)
        if locked and stored:
            store.rendered(name, stored.version)
        return locked

    return _with(bot, store, acquire_lock=lock_and_remove_mark)


def answers_first(settings: Settings) -> app.Bot:
    """Answer that a decision is made, and only then make it."""
    bot = app.build(settings)
    commit = bot.store.commit

    def answer_first(*changes: Change, entry: AuditEntry, **more: Any) -> None:
        if entry.action == "approve":
            structlog.get_logger("keydesk").info(
                "approve", outcome="done", ms=1, user=entry.by, person=entry.by
            )
        commit(*changes, entry=entry, **more)

    return _with(bot, bot.store, commit=answer_first)


# -- found by faults


def creates_again(settings: Settings) -> app.Bot:
    """Repeat CreateAccessKey where its answer was lost, as boto3 does by itself."""
    bot = app.build(settings)
    create = bot.services.issuer.create_key

    def twice(user: str, *, give_up_at: float) -> tuple[AccessKey, Secret]:
        try:
            return create(user, give_up_at=give_up_at)
        except OutcomeUnknown:
            return create(user, give_up_at=give_up_at)

    return _with(bot, bot.services.issuer, create_key=twice)


def deletes_nothing(settings: Settings) -> app.Bot:
    """Take a deletion for done that IAM was never asked for."""
    bot = app.build(settings)
    return _with(bot, bot.services.issuer, delete_key=lambda user, key_id: None)


def lets_errors_out(settings: Settings) -> app.Bot:
    """Raise redis-py's own error where the database takes no writes."""
    bot = app.build(settings)
    commit = bot.store.commit

    def plain(*changes: Change, entry: AuditEntry, **more: Any) -> None:
        try:
            commit(*changes, entry=entry, **more)
        except StoreUnavailable as lost:
            raise redis.ResponseError("unknown") from lost

    return _with(bot, bot.store, commit=plain)


def _with(bot: app.Bot, part: Any, **methods: Any) -> app.Bot:
    for name, method in methods.items():
        setattr(part, name, method)
    return bot

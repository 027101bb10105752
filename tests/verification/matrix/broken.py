"""Bots that are broken on purpose, each in one promise: does the matrix notice? `build` functions for a cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from bot import app
from bot.config.settings import Settings
from bot.domain.records import AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.store.redis_store import RedisStore


def lease_after_the_key(settings: Settings) -> app.Bot:
    """Asks IAM for the key first, and writes down only then that it was about to: nothing is written ahead."""
    bot = app.build(settings)
    late = LateLease(bot.store)
    _replace(bot.store, commit=late.commit, request=late.request)
    return bot


class LateLease:
    """Keeps back the commit that begins a lease until the next commit comes, and shows its value meanwhile."""

    def __init__(self, store: RedisStore) -> None:
        self._commit, self._request = store.commit, store.request
        self._kept: list[Callable[[], None]] = []
        self._values: dict[str, KeyRequest] = {}

    def commit(self, *changes: Change, entry: AuditEntry, **more: Any) -> None:
        if entry.action == "reveal":
            self._kept.append(lambda: self._commit(*changes, entry=entry, **more))
            self._values |= {
                one.after.id: one.after for one in changes if isinstance(one.after, KeyRequest)
            }
            return
        while self._kept:
            self._kept.pop()()
        self._values.clear()
        self._commit(*changes, entry=entry, **more)

    def request(self, request_id: str) -> KeyRequest | None:
        return self._values.get(request_id) or self._request(request_id)


def mark_taken_first(settings: Settings) -> app.Bot:
    """Takes the mark that something is to be drawn away before it is drawn, not after."""
    bot = app.build(settings)
    store, lock = bot.store, bot.store.acquire_lock

    def lock_and_take_mark(name: str, token: str, seconds: int) -> bool:
        locked = lock(name, token, seconds)
        kept = (
            store.key(name.partition(":")[2])
            if name.startswith("key:")
            else store.request(name.partition(":")[2])
        )
        if locked and kept:
            store.rendered(name, kept.version)
        return locked

    _replace(store, acquire_lock=lock_and_take_mark)
    return bot


def told_before_it_is_so(settings: Settings) -> app.Bot:
    """Answers that a decision is made, and only then makes it."""
    bot = app.build(settings)
    commit = bot.store.commit

    def say_first(*changes: Change, entry: AuditEntry, **more: Any) -> None:
        if entry.action == "approve":
            structlog.get_logger("keydesk").info(
                "approve", outcome="done", ms=1, user=entry.by, person=entry.by
            )
        commit(*changes, entry=entry, **more)

    _replace(bot.store, commit=say_first)
    return bot


def _replace(store: RedisStore, **methods: Any) -> None:
    for name, method in methods.items():
        setattr(store, name, method)

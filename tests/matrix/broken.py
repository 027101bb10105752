"""Bots that are broken on purpose, each in one promise: does the matrix notice? `build` functions for a cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot import wiring
from bot.core.ports import Change, Entry
from bot.core.request import KeyRequest
from bot.settings import Settings
from bot.store.redis_store import RedisStore


def lease_after_the_key(settings: Settings) -> wiring.Bot:
    """Asks IAM for the key first, and writes down only then that it was about to: nothing is written ahead."""
    bot = wiring.build(settings)
    late = LateLease(bot.store)
    _replace(bot.store, commit=late.commit, request=late.request)
    return bot


class LateLease:
    """Keeps back the commit that begins a lease until the next commit comes, and shows its value meanwhile."""

    def __init__(self, store: RedisStore) -> None:
        self._commit, self._request = store.commit, store.request
        self._kept: list[Callable[[], None]] = []
        self._values: dict[str, KeyRequest] = {}

    def commit(self, *changes: Change, entry: Entry, **more: Any) -> None:
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


def mark_taken_first(settings: Settings) -> wiring.Bot:
    """Takes the mark that something is to be drawn away before it is drawn, not after."""
    bot = wiring.build(settings)
    store, lock = bot.store, bot.store.lock_drawing

    def lock_and_take_mark(name: str, token: str, seconds: int) -> bool:
        locked = lock(name, token, seconds)
        kept = (
            store.key(name.partition(":")[2])
            if name.startswith("key:")
            else store.request(name.partition(":")[2])
        )
        if locked and kept:
            store.drawn(name, kept.version)
        return locked

    _replace(store, lock_drawing=lock_and_take_mark)
    return bot


def told_before_it_is_so(settings: Settings) -> wiring.Bot:
    """Says that a decision is made, and only then makes it."""
    bot = wiring.build(settings)
    commit = bot.store.commit

    def say_first(*changes: Change, entry: Entry, **more: Any) -> None:
        if entry.action == "approve":
            bot.desk.messenger.say(
                bot.desk.rules.approval_channel, "Approved. I have told everybody."
            )
        commit(*changes, entry=entry, **more)

    _replace(bot.store, commit=say_first)
    return bot


def _replace(store: RedisStore, **methods: Any) -> None:
    for name, method in methods.items():
        setattr(store, name, method)

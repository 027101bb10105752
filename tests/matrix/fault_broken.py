"""Bots that are broken on purpose, each in how it meets a fault: does the matrix notice? `build`s for a cell."""

from __future__ import annotations

from typing import Any

import redis

from bot import wiring
from bot.core.access_key import AccessKey, Secret
from bot.core.errors import OutcomeUnknown, StoreUnavailable
from bot.core.ports import Change, Entry
from bot.settings import Settings


def makes_again(settings: Settings) -> wiring.Bot:
    """Sends CreateAccessKey once more where its answer was lost, as boto3 does by itself."""
    bot = wiring.build(settings)
    create = bot.desk.issuer.create_key

    def twice(user: str, *, give_up_at: float) -> tuple[AccessKey, Secret]:
        try:
            return create(user, give_up_at=give_up_at)
        except OutcomeUnknown:
            return create(user, give_up_at=give_up_at)

    return _with(bot, bot.desk.issuer, create_key=twice)


def deletes_nothing(settings: Settings) -> wiring.Bot:
    """Takes for done what it never asked IAM to do."""
    bot = wiring.build(settings)
    return _with(bot, bot.desk.issuer, delete_key=lambda user, key_id: None)


def lets_errors_out(settings: Settings) -> wiring.Bot:
    """Does not know what it means that the store takes no writes."""
    bot = wiring.build(settings)
    commit = bot.store.commit

    def plain(*changes: Change, entry: Entry, **more: Any) -> None:
        try:
            commit(*changes, entry=entry, **more)
        except StoreUnavailable as lost:
            raise redis.ResponseError("what is that?") from lost

    return _with(bot, bot.store, commit=plain)


def _with(bot: wiring.Bot, part: Any, **methods: Any) -> wiring.Bot:
    for name, method in methods.items():
        setattr(part, name, method)
    return bot

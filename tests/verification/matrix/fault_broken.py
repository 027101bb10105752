"""Bots that are broken on purpose, each in how it meets a fault: does the matrix notice? `build`s for a cell."""

from __future__ import annotations

from typing import Any

import redis

from bot import app
from bot.config.settings import Settings
from bot.domain.keys import AccessKey
from bot.domain.outside_errors import OutcomeUnknown, StoreUnavailable
from bot.domain.records import AuditEntry, Change
from bot.domain.secret import Secret


def makes_again(settings: Settings) -> app.Bot:
    """Sends CreateAccessKey once more where its answer was lost, as boto3 does by itself."""
    bot = app.build(settings)
    create = bot.services.issuer.create_key

    def twice(user: str, *, give_up_at: float) -> tuple[AccessKey, Secret]:
        try:
            return create(user, give_up_at=give_up_at)
        except OutcomeUnknown:
            return create(user, give_up_at=give_up_at)

    return _with(bot, bot.services.issuer, create_key=twice)


def deletes_nothing(settings: Settings) -> app.Bot:
    """Takes for done what it never asked IAM to do."""
    bot = app.build(settings)
    return _with(bot, bot.services.issuer, delete_key=lambda user, key_id: None)


def lets_errors_out(settings: Settings) -> app.Bot:
    """Does not know what it means that the store takes no writes."""
    bot = app.build(settings)
    commit = bot.store.commit

    def plain(*changes: Change, entry: AuditEntry, **more: Any) -> None:
        try:
            commit(*changes, entry=entry, **more)
        except StoreUnavailable as lost:
            raise redis.ResponseError("what is that?") from lost

    return _with(bot, bot.store, commit=plain)


def _with(bot: app.Bot, part: Any, **methods: Any) -> app.Bot:
    for name, method in methods.items():
        setattr(part, name, method)
    return bot

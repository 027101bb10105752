"""A message whose stored record cannot be read is left as it is."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from slack_sdk import WebClient

from bot.domain.records import SlackMessage
from bot.slack.delivery.messenger import UNREADABLE_RETRY_SECONDS
from bot.slack.messages import kinds
from bot.store.redis_store import PREFIX, RedisStore
from bot.store.serialization import FORMAT
from sandbox.local import LocalSlack
from tests.support.logged import Log
from tests.support.render_world import Drawing

UNREADABLE = {"a newer format": json.dumps({"format": FORMAT + 1}), "damaged": "{"}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_record_posts_no_second_message(
    slack: LocalSlack, web: WebClient, redis_store: RedisStore, log: Log, text: str
) -> None:
    world = Drawing(slack, web, redis_store)
    world.messenger().render(world.name)
    key = f"{PREFIX}:messages:{world.name}"
    stored = redis_store._client.hget(key, kinds.CARD)
    assert json.loads(stored)["format"] == FORMAT

    redis_store._client.hset(key, kinds.CARD, text)
    world.approve()
    world.messenger().render(world.name)
    assert len(world.posted()) == 3  # the card, the request and its outcome
    assert SlackMessage(kinds.CARD, "", "", version=0) in redis_store.messages(world.name)
    assert {line["key"] for line in log.lines("stored value")} == {key}

    redis_store._client.hset(key, kinds.CARD, stored)
    world.clock.advance(timedelta(seconds=UNREADABLE_RETRY_SECONDS))
    world.come_back()
    assert world.shows_the_state()

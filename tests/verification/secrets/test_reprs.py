"""Show, store and copy values that hold a secret: the secret is not in it."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from rich.pretty import pretty_repr

from bot import app
from bot.config import loading
from bot.config.settings import Settings
from bot.domain.errors import Refused
from bot.domain.keys import AccessKey, KeyStatus
from bot.domain.secret import Secret
from bot.slack.listeners.dispatch import Payload, Responder
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from sandbox.aws import LocalAws
from sandbox.local import LocalSlack
from tests.support.debug_bot import everything_at_debug
from tests.support.memory_trail import KEY
from tests.support.running_bot import MANIFEST, MovedClock, built_bot, settings_for

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE8"
RESPONSE_URL = "https://hooks.slack.com/commands/T0KEYDESK/123456/q1w2e3r4t5"
PASSWORD = "hunter2-hunter2"
REDIS_URL = f"redis://:{PASSWORD}@store:6379/0"
PAYLOAD = Payload("U0ALICE", "T0KEYDESK", "d1", response_url=RESPONSE_URL)


@dataclasses.dataclass(frozen=True)
class Holder:
    """Something that names a value among its fields."""

    value: object


class Known(NamedTuple):
    """A bot that is ready to serve, settings, and every secret that they know."""

    bot: app.Bot
    settings: Settings
    secrets: list[str]


SHOWN: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "f-string": lambda value: f"{value} {value!r} {value!s} {value!a}",
    "%": lambda value: "%r %s" % (value, value),  # noqa: UP031  # this is how logging formats
    "in a list": lambda value: repr([value]),
    "in a dict": lambda value: f"{{{value!r}: {value!r}}}",
    "in a dataclass": lambda value: repr(Holder(value)),
    "in an error": lambda value: str(ValueError(value)),
    "pprint": pprint.pformat,
    "rich": lambda value: pretty_repr(value, max_string=None),
    "json": lambda value: json.dumps({"value": value}, default=repr),
    "a log record": lambda value: logging.LogRecord(
        "x", 10, "f", 1, "made %s", (value,), None
    ).getMessage(),
    "dir": lambda value: str(dir(value)),
}
STORED: dict[str, Callable[[Any], object]] = {
    "pickle": pickle.dumps,
    "a pickled holder": lambda value: pickle.dumps(Holder(value)),
    "reduce": lambda value: value.__reduce_ex__(4),
    "json": json.dumps,
}
HOLDERS: dict[str, Callable[[Known], object]] = {
    "Secret": lambda known: Secret(SECRET),
    "Settings": lambda known: known.settings,
    "a setting": lambda known: known.settings.slack_bot_token,
    "settings dumped": lambda known: known.settings.model_dump(),
    "settings as JSON": lambda known: known.settings.model_dump_json(),
    "settings copied": lambda known: copy.deepcopy(known.settings),
    "Bot": lambda known: known.bot,
    "Services": lambda known: known.bot.services,
    "issuer": lambda known: known.bot.services.issuer,
    "messenger": lambda known: known.bot.services.messenger,
    "App": lambda known: known.bot.app,
    "WebClient": lambda known: known.bot.app.client,
    "Payload": lambda known: PAYLOAD,
    "Responder": lambda known: Responder(known.bot.app.client, PAYLOAD),
    "IamClients": lambda known: known.bot.clients,
    "session": lambda known: known.bot.clients.connection().session,
    "credentials": lambda known: known.bot.clients.connection().session.get_credentials(),
    "iam": lambda known: known.bot.clients.connection().changes,
    "store": lambda known: known.bot.store,
    "redis": lambda known: connect(REDIS_URL),
    "audit_publisher": lambda known: known.bot.audit_publisher,
    "Slack's answer": lambda known: known.bot.app.client.auth_test(),
}


@pytest.fixture(scope="module")
def known(valkey: EmbeddedServer) -> Iterator[Known]:
    with LocalSlack(MANIFEST) as slack, LocalAws() as aws, pytest.MonkeyPatch.context() as patch:
        more = {"AUDIT_KEY": KEY, "SLACK_SIGNING_SECRET": slack.signing_secret}
        given = settings_for(slack, aws, REDIS_URL=REDIS_URL, **more)
        tokens = [slack.bot_token, slack.app_token, slack.signing_secret]
        secrets = [*tokens, KEY, PASSWORD, SECRET, RESPONSE_URL]
        secrets.append(aws.credentials["AWS_SECRET_ACCESS_KEY"])
        with built_bot(slack, aws, valkey.url, MovedClock(), patch.setenv, **more) as bot:
            yield Known(bot, loading.load(given, None), secrets)


@pytest.mark.parametrize("kind", HOLDERS)
def test_no_secret_can_be_read_however_it_is_shown(known: Known, kind: str) -> None:
    value = HOLDERS[kind](known)
    for way, show in SHOWN.items():
        shown = show(value)
        assert not [one for one in known.secrets if one in shown or one[:12] in shown], way


@pytest.mark.parametrize("kind", ["Secret", "Settings"])
@pytest.mark.parametrize("way", STORED)
def test_a_holder_of_secrets_cannot_be_stored(known: Known, kind: str, way: str) -> None:
    with pytest.raises(TypeError) as refused:
        STORED[way](HOLDERS[kind](known))
    assert not [one for one in known.secrets if one in str(refused.value)]


def test_the_posting_client_logs_nothing_at_debug(known: Known) -> None:
    """slack_sdk logs whole messages at DEBUG, and other handlers do not redact."""
    stream = io.StringIO()
    unredacted = logging.StreamHandler(stream)
    logging.root.addHandler(unredacted)
    restore = everything_at_debug()
    messenger: Any = known.bot.services.messenger
    made = datetime(2026, 11, 26, tzinfo=UTC)
    key = AccessKey("AKIAIOSFODNN7EXAMPLE", "alice", KeyStatus.ACTIVE, made)
    try:
        known.bot.app.client.auth_test()
        for channel in ("D0ALICE", "C0NOWHERE"):
            request = SimpleNamespace(dm=channel, requester="U0ALICE")
            with contextlib.suppress(Refused):
                messenger.deliver(request, key, Secret(SECRET))
    finally:
        restore()
        logging.root.removeHandler(unredacted)
    assert "auth.test" in stream.getvalue()
    assert SECRET not in stream.getvalue() and "postEphemeral" not in stream.getvalue()


def test_settings_can_be_copied_and_changed(known: Known) -> None:
    settings = known.settings
    assert copy.copy(settings) == settings == copy.deepcopy(settings)
    assert settings.with_redis("unix:///x").redis_url != settings.redis_url


def test_a_forgotten_secret_is_gone_for_every_holder() -> None:
    secret = Secret(SECRET)
    holders = [secret]
    secret.forget()
    with pytest.raises(ValueError, match="forgotten"):
        holders[0].expose()


def test_a_value_that_shows_its_secret_is_found() -> None:
    """The positive control: each way of showing shows."""
    for way, show in SHOWN.items():
        assert way == "dir" or SECRET in show(SECRET), way
    assert SECRET.encode() in pickle.dumps(Holder(SECRET))

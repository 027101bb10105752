"""However a value that holds a secret is shown, stored or copied, the secret is not in it."""

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
from typing import Any

import pytest
from rich.pretty import pretty_repr
from slack_sdk import WebClient

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


@dataclasses.dataclass(frozen=True)
class Holder:
    """Something that names a value among its fields."""

    value: object


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


def _given(slack: LocalSlack, aws: LocalAws) -> dict[str, str]:
    return settings_for(
        slack,
        aws,
        REDIS_URL=f"redis://:{PASSWORD}@store:6379/0",
        AUDIT_KEY=KEY,
        SLACK_SIGNING_SECRET=slack.signing_secret,
    )


def _known(slack: LocalSlack, aws: LocalAws) -> list[str]:
    """Return every secret that the values know."""
    return [
        slack.bot_token,
        slack.app_token,
        slack.signing_secret,
        KEY,
        PASSWORD,
        SECRET,
        RESPONSE_URL,
        aws.credentials["AWS_SECRET_ACCESS_KEY"],
    ]


@pytest.fixture(scope="module")
def values(valkey: EmbeddedServer) -> Iterator[dict[str, object]]:
    """Everything in a bot that is ready to serve and knows a secret."""
    with (
        LocalSlack(MANIFEST) as slack,
        LocalAws() as aws,
        pytest.MonkeyPatch.context() as patch,
        built_bot(
            slack,
            aws,
            valkey.url,
            MovedClock(),
            patch.setenv,
            AUDIT_KEY=KEY,
            SLACK_SIGNING_SECRET=slack.signing_secret,
        ) as bot,
    ):
        given = _given(slack, aws)
        settings = loading.load(given, None)
        web: WebClient = bot.app.client
        payload = Payload("U0ALICE", "T0KEYDESK", "d1", response_url=RESPONSE_URL)
        session = bot.clients.session
        yield {
            "known": _known(slack, aws),
            "Secret": Secret(SECRET),
            "Settings": settings,
            "a setting": settings.slack_bot_token,
            "settings dumped": settings.model_dump(),
            "settings as JSON": settings.model_dump_json(),
            "settings copied": copy.deepcopy(settings),
            "Bot": bot,
            "Desk": bot.services,
            "issuer": bot.services.issuer,
            "messenger": bot.services.messenger,
            "App": bot.app,
            "WebClient": web,
            "Payload": payload,
            "Answer": Responder(web, payload),
            "IamClients": bot.clients,
            "session": session,
            "credentials": session.get_credentials(),
            "iam": bot.clients.changes,
            "store": bot.store,
            "redis": connect(given["REDIS_URL"]),
            "audit_publisher": bot.audit_publisher,
            "Slack's answer": web.auth_test(),
        }


KINDS = [
    "Secret",
    "Settings",
    "a setting",
    "settings dumped",
    "settings as JSON",
    "settings copied",
    "Bot",
    "Desk",
    "issuer",
    "messenger",
    "App",
    "WebClient",
    "Payload",
    "Answer",
    "IamClients",
    "session",
    "credentials",
    "iam",
    "store",
    "redis",
    "audit_publisher",
    "Slack's answer",
]


@pytest.mark.parametrize("kind", KINDS)
def test_however_it_is_shown_no_secret_can_be_read(values: dict[str, Any], kind: str) -> None:
    for way, show in SHOWN.items():
        shown = show(values[kind])
        assert not [one for one in values["known"] if one in shown or one[:12] in shown], way


@pytest.mark.parametrize("kind", ["Secret", "Settings"])
@pytest.mark.parametrize("way", STORED)
def test_what_is_made_to_hold_secrets_cannot_be_stored(
    values: dict[str, Any], kind: str, way: str
) -> None:
    with pytest.raises(TypeError) as refused:
        STORED[way](values[kind])
    assert not [one for one in values["known"] if one in str(refused.value)]


def test_the_posting_client_logs_nothing_at_debug(
    values: dict[str, Any],
) -> None:
    """slack_sdk writes whole messages at DEBUG. Whoever adds a handler of their own has no redaction in it."""
    stream = io.StringIO()
    unredacted = logging.StreamHandler(stream)
    logging.root.addHandler(unredacted)
    take_back = everything_at_debug()
    try:
        values["WebClient"].auth_test()
        key = AccessKey(
            "AKIAIOSFODNN7EXAMPLE", "alice", KeyStatus.ACTIVE, datetime(2026, 11, 26, tzinfo=UTC)
        )
        for channel in ("D0ALICE", "C0NOWHERE"):
            with contextlib.suppress(Refused):
                values["messenger"].deliver(
                    SimpleNamespace(dm=channel, requester="U0ALICE"), key, Secret(SECRET)
                )
    finally:
        take_back()
        logging.root.removeHandler(unredacted)
    assert "auth.test" in stream.getvalue()
    assert SECRET not in stream.getvalue() and "postEphemeral" not in stream.getvalue()


def test_settings_can_be_copied_and_changed_within_the_process(values: dict[str, Any]) -> None:
    settings: Settings = values["Settings"]
    assert copy.copy(settings) == settings == values["settings copied"]
    assert settings.with_redis("unix:///x").redis_url != settings.redis_url


def test_a_secret_that_is_forgotten_is_gone_for_whoever_holds_it() -> None:
    secret = Secret(SECRET)
    kept = [secret]
    secret.forget()
    with pytest.raises(ValueError, match="forgotten"):
        kept[0].expose()


def test_a_value_that_shows_its_secret_is_found() -> None:
    """The positive control: each way of showing shows."""
    for way, show in SHOWN.items():
        assert way == "dir" or SECRET in show(SECRET), way
    assert SECRET.encode() in pickle.dumps(Holder(SECRET))

"""Show that no error and no variable of its frames holds a secret."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
import structlog
from slack_sdk import WebClient

from bot.aws.clients import Connection, IamClients
from bot.aws.errors import mark_sent
from bot.aws.iam import IamKeyIssuer
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError, Refused
from bot.domain.outside_errors import (
    Conflict,
    IamThrottled,
    IamUnavailable,
    OutcomeUnknown,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.domain.records import AuditEntry
from bot.domain.secret import Secret
from bot.operations import reveal_key
from bot.slack.errors import post_once, translate_errors
from bot.store.connection import connect
from bot.store.embedded import EmbeddedServer
from bot.store.redis_store import RedisStore
from sandbox.local import LocalSlack
from tests.support.logged import logged
from tests.support.running_bot import MANIFEST
from tests.support.world import ALICE, World, make_desk
from tests.verification.secrets.tracebacks import Reporter, chain, secrets_held, shown

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE9"
MADE = datetime(2026, 11, 26, tzinfo=UTC)


class Bug(Exception):
    """An unexpected error."""


Failure = Callable[[str], BaseException]
FAILURES: dict[str, tuple[Failure, ...]] = {
    "store": (lambda call: StoreUnavailable("gone"), lambda call: Conflict("x"), Bug),
    "issuer": (
        IamUnavailable,
        OutcomeUnknown,
        lambda call: IamThrottled("Throttling", call),
        Bug,
    ),
    "messenger": (lambda call: Refused(Code.SLACK_REFUSED, error="no"), OutcomeUnknown, Bug),
    "directory": (lambda call: SlackUnavailable(call, "ratelimited"), Bug),
}


# -- a delivery


def calls_of_a_reveal() -> list[str]:
    world = make_desk()
    request = world.approved()
    before = len(world.taps.calls)
    reveal_key.reveal(world.services, ALICE, request.id)
    return world.taps.calls[before:]


POINTS = [
    (number, side, call, kind)
    for number, call in enumerate(calls_of_a_reveal(), 1)
    for side in ("before", "after")
    for kind in range(len(FAILURES[call.partition(".")[0]]))
]


@pytest.mark.parametrize(("number", "side", "call", "kind"), POINTS)
def test_errors_of_a_delivery_hold_no_secret(number: int, side: str, call: str, kind: int) -> None:
    world = make_desk()
    request = world.approved()
    world.taps.break_at(number, side, FAILURES[call.partition(".")[0]][kind])
    try:
        reveal_key.reveal(world.services, ALICE, request.id)
    except (KeydeskError, Bug) as error:
        told = shown(error, but=__file__, by_rich=False)  # Rich shows no more, and is slow
        assert "reveal" in told
        assert not any(secret in told for secret in world.iam.made.values())
        for secret in secrets_held(error, but=__file__):
            with pytest.raises(ValueError, match="forgotten"):
                secret.expose()


def test_the_search_reaches_the_frame_with_the_secret() -> None:
    """The positive control: the value is there, and holds the secret no more."""
    world: World = make_desk()
    request = world.approved()
    world.taps.on("messenger.deliver", before=Bug("no"))
    with pytest.raises(Bug) as caught:
        reveal_key.reveal(world.services, ALICE, request.id)
    assert secrets_held(caught.value, but=__file__)
    assert "Secret(hidden)" in shown(caught.value, but=__file__)


# -- AWS


class FixedAnswer:
    """IAM's client, with this answer to CreateAccessKey."""

    def __init__(self, **key: Any) -> None:
        self._key = key

    def create_access_key(self, **_: Any) -> dict[str, Any]:
        mark_sent()
        return {"AccessKey": dict(self._key)}


WHOLE = {
    "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "UserName": "alice",
    "Status": "Active",
    "CreateDate": MADE,
    "SecretAccessKey": SECRET,
}
UNREADABLE = {
    **{
        f"no {missing}": {name: value for name, value in WHOLE.items() if name != missing}
        for missing in ("AccessKeyId", "UserName", "Status", "CreateDate")
    },
    "a date in words": {**WHOLE, "CreateDate": "yesterday"},
    "a date as number": {**WHOLE, "CreateDate": 7},
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_answer_is_no_variable_of_the_error(answer: dict[str, Any]) -> None:
    clients = IamClients(lambda: Connection(None, FixedAnswer(**answer), None))
    with ThreadPoolExecutor(1) as pool, pytest.raises(OutcomeUnknown) as caught:
        IamKeyIssuer(clients, pool).create_key("alice", give_up_at=0)
    told = shown(caught.value, but=__file__)
    assert "create_key" in told and SECRET not in told


# -- Slack


@pytest.fixture(scope="module")
def module_slack() -> Iterator[LocalSlack]:
    with LocalSlack(MANIFEST) as local:
        yield local


@pytest.fixture
def slack(module_slack: LocalSlack) -> Iterator[LocalSlack]:
    yield module_slack
    module_slack.faults.clear()


SLACK_FAULTS: dict[str, Callable[[LocalSlack, str], None]] = {
    "answer lost": lambda slack, method: slack.faults.drop(method, "after"),
    "connection cut": lambda slack, method: slack.faults.drop(method, "before"),
    "outage": lambda slack, method: slack.faults.status(method, 500),
    "a proxy's page": lambda slack, method: slack.faults.fail(method, "<html> Hello"),
    "refusal": lambda slack, method: slack.faults.fail(method, "channel_not_found"),
    "rate limit": lambda slack, method: slack.faults.status(method, 429),
}


def error_of_a_post(slack: LocalSlack, *, once: bool) -> KeydeskError:
    """Return the error of a call with the secret in it, made once or possibly again."""
    web = WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)

    def post() -> None:
        web.chat_postEphemeral(channel="D0ALICE", user="U0ALICE", text=SECRET)

    with pytest.raises(KeydeskError) as caught:
        if once:
            post_once("chat.postEphemeral", post)
        else:
            with translate_errors("chat.postEphemeral"):
                post()
    return caught.value


@pytest.mark.parametrize("fault", SLACK_FAULTS)
@pytest.mark.parametrize("once", [True, False], ids=["once", "again"])
def test_no_error_of_slack_holds_the_token_or_the_message(
    slack: LocalSlack, fault: str, once: bool
) -> None:
    SLACK_FAULTS[fault](slack, "chat.postEphemeral")
    error = error_of_a_post(slack, once=once)

    told = shown(error, but=__file__)
    assert list(chain(error)) == [error]
    assert "errors.py" in told
    assert slack.bot_token not in told and SECRET not in told


def test_the_error_itself_carries_the_facts(slack: LocalSlack) -> None:
    slack.faults.status("chat.postEphemeral", 429)
    limited = error_of_a_post(slack, once=False)
    slack.faults.clear()
    slack.faults.fail("chat.postEphemeral", "channel_not_found")
    refused = error_of_a_post(slack, once=False)

    assert isinstance(limited, SlackUnavailable) and isinstance(refused, SlackUnavailable)
    assert limited.retry_after is not None and not limited.refused
    assert refused.retry_after is None and refused.refused


@contextmanager
def reporting(but: str) -> Iterator[Reporter]:
    """Report whatever is logged meanwhile."""
    reporter = Reporter(but=but)
    logging.root.addHandler(reporter)
    try:
        with logged():
            yield reporter
    finally:
        logging.root.removeHandler(reporter)


@pytest.mark.parametrize("fault", SLACK_FAULTS)
def test_nothing_is_logged_while_an_error_holds_a_secret(slack: LocalSlack, fault: str) -> None:
    SLACK_FAULTS[fault](slack, "chat.postEphemeral")
    with reporting(__file__) as reporter:
        error_of_a_post(slack, once=True)
    assert not any(SECRET in told or slack.bot_token in told for told in reporter.seen)


def test_a_reporter_sees_what_is_logged_in_a_handler() -> None:
    """The positive control."""
    with reporting("nowhere") as reporter:
        try:
            int("x" + SECRET)
        except ValueError:
            structlog.get_logger("keydesk.slack").warning("failed")
    [told] = reporter.seen
    assert SECRET in told


# -- the database


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.request("r1"),
        lambda store: store.commit(entry=AuditEntry(MADE, "U0ALICE", "try")),
        lambda store: store.time(),
    ],
    ids=["read", "script", "time"],
)
def test_no_error_of_the_store_holds_its_password(
    valkey: EmbeddedServer, call: Callable[[RedisStore], object]
) -> None:
    """The server refuses the password, and redis-py's frames hold it."""
    client = connect(valkey.url.replace("unix://", "unix://desk:hunter2-hunter2@"))
    store = RedisStore(client)
    with pytest.raises(StoreUnavailable) as caught:
        call(store)
    told = shown(caught.value, but=__file__)
    with pytest.raises(redis.AuthenticationError) as raw:
        client.ping()
    store.close()

    assert "translate_errors" in told and "AuthenticationError" in caught.value.error
    assert "hunter2" not in told
    assert "hunter2" in shown(raw.value, but=__file__), "else this test could not fail"


# -- the search itself


def _with_variable(value: object) -> None:
    int("no number")


def _with_hidden_cause() -> None:
    try:
        int(SECRET + str(timedelta(1)))
    except ValueError:
        raise ValueError from None


PLACES: dict[str, Callable[[], object]] = {
    "variable": lambda: _with_variable(SECRET),
    "part": lambda: _with_variable({"a": [(1, SECRET)]}),
    "hidden cause": _with_hidden_cause,
    "argument": lambda: int("x" + SECRET),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_found_wherever_it_is(place: str) -> None:
    """The positive control."""
    with pytest.raises(ValueError) as caught:
        PLACES[place]()
    assert SECRET in shown(caught.value, but="nowhere")


def test_a_secret_is_found_in_a_closure() -> None:
    kept = Secret(SECRET)
    with pytest.raises(ValueError, match="invalid") as caught:
        _with_variable(lambda: kept)
    assert set(secrets_held(caught.value, but="nowhere")) == {kept}

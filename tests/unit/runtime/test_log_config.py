"""Logs: one line for each event, and no secret in any, however it is logged."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.runtime import log_config
from bot.runtime.redaction import HIDDEN, redact_text
from tests.support.logged import Log, logged

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SECRETS = [
    SECRET,
    "xoxb-123-456-abcDEF",
    "xapp-1-A0-1-abc",
    "xoxe.xoxp-1-Mi0yLT",
    "xwfp-12-ab",
    "https://hooks.slack.com/commands/T0KEYDESK/123456/q1w2e3r4",
]


def events(log: Log) -> list[str]:
    return [line["event"] for line in log.lines()]


def test_event_is_one_line_of_json_in_a_fixed_order(log: Log) -> None:
    log_config.get_logger().info("create", request="r1", person="U0ALICE", outcome="asked", ms=12)
    [line] = log.lines()
    assert log.text.startswith('{"at": "')
    at = line.pop("at")
    age = datetime.now(UTC) - datetime.fromisoformat(at)
    assert at.endswith("Z") and abs(age) < timedelta(minutes=1)
    assert list(line.items()) == [
        ("level", "info"),
        ("event", "create"),
        ("logger", "bot"),
        ("request", "r1"),
        ("person", "U0ALICE"),
        ("outcome", "asked"),
        ("ms", 12),
    ]


def test_bound_fields_are_in_lines_of_libraries(log: Log) -> None:
    structlog.contextvars.bind_contextvars(request="r1", person="U0ALICE")
    log_config.get_logger().info("reveal")
    logging.getLogger("slack_sdk").warning("rate limited for %d s", 3)
    own, library = log.lines()
    assert own["request"] == library["request"] == "r1"
    assert (library["event"], library["logger"]) == ("rate limited for 3 s", "slack_sdk")


@pytest.mark.parametrize("name", log_config.LIBRARIES)
def test_libraries_stay_at_info_at_debug_level(log: Log, name: str) -> None:
    logging.getLogger(f"{name}.deep.inside").debug("body")
    log_config.get_logger().debug("own")
    assert events(log) == ["own"]


def test_debug_loggers_of_bolt_are_raised(log: Log) -> None:
    bolt, listener = logging.getLogger("slack_bolt.App"), logging.getLogger("app.py:open_form")
    for library in (bolt, listener):
        library.setLevel(logging.DEBUG)
    log_config.silence_libraries()
    bolt.debug("frame")
    listener.debug("frame")
    log_config.get_logger("bot.own").debug("own")
    log_config.get_logger("keydesk").debug("own, too")
    assert events(log) == ["own", "own, too"]


def test_lower_levels_are_not_written(log: Log) -> None:
    with logged("warning") as warnings:
        log_config.get_logger().info("create")
        logging.getLogger("slack_bolt").info("hello")
        log_config.get_logger().warning("late")
    assert events(warnings) == ["late"]
    assert events(log) == [], "a new configuration replaces the earlier one"


# -- secrets


class Holder:
    """Something whose repr holds a secret."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"Holder({self.secret!r})"


def fail(log: structlog.stdlib.BoundLogger, secret: str) -> None:
    """Log an error whose cause, value and local variable hold a secret."""
    held_in_a_local = f"{secret} "
    try:
        try:
            raise ValueError(held_in_a_local)
        except ValueError as inner:
            raise RuntimeError("told", {"secret": secret}) from inner
    except RuntimeError:
        log.exception("failed")


@pytest.mark.parametrize("secret", SECRETS)
def test_no_way_of_logging_shows_a_secret(log: Log, secret: str) -> None:
    own, library = log_config.get_logger(), logging.getLogger("slack_bolt.App")
    nested, lines = {"a": {secret: (secret, 1)}}, repr(f"one\n{secret}\ttwo")
    own.info(f"said {secret} aloud", text=secret, list=[secret], nested=nested)
    own.info("bytes", raw=secret.encode(), anything=Holder(secret), lines=lines)
    library.info("body %s %r", secret, {"text": f"key\n{secret}"})
    library.warning(json.dumps({"text": f"a\n{secret}"}).replace("/", r"\/"))
    library.warning("form " + quote(secret, safe=""))
    fail(own, secret)
    assert [HIDDEN in json.dumps(line) for line in log.lines()] == [True] * 6
    for form in (secret, secret.replace("/", r"\/"), quote(secret, safe=""), secret[-12:]):
        assert form not in log.text


def test_traceback_shows_no_local_variable(log: Log) -> None:
    local = "only-in-a-local-variable"
    try:
        raise RuntimeError(str(len(local)))
    except RuntimeError:
        log_config.get_logger().exception("failed")
    [line] = log.lines()
    assert "test_log_config.py" in line["exception"] and "RuntimeError: 24" in line["exception"]
    assert local not in log.text


@pytest.mark.parametrize(
    "text",
    [
        "<SecretAccessKey>{}</SecretAccessKey>",
        "{{'SecretAccessKey': '{}'}}",
        '{{"SessionToken": "{}"}}',
        "b'X-Amz-Security-Token': b'{}'",
        "x-amz-security-token:{}",
        "aws_secret_access_key = {}",
        "AWS_SECRET_ACCESS_KEY={}",
        "X-Amz-Signature={}&x=1",
        "wss://slack.example/link/?ticket={}&app_id=1",
        "https://slack.example/response_url/{}",
        "'response_url': 'http://127.0.0.1:3001/r/{}'",
        "redis://:{}@store:6379/0",
    ],
)
def test_value_after_the_name_of_a_secret_is_hidden(text: str) -> None:
    redacted = redact_text(text.format("short1"))
    assert "short1" not in redacted and HIDDEN in redacted


def test_field_named_like_a_secret_is_hidden(log: Log) -> None:
    named = {"response_url": "http://h/1", "SecretAccessKey": "tiny"}
    log_config.get_logger().info("x", **named, nested={"signing_secret": "hush"})
    [line] = log.lines()
    assert {line[name] for name in named} | {line["nested"]["signing_secret"]} == {HIDDEN}


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "request 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        'File "/Users/Ann/Projects2/keydesk/bot/core/workflow/reveal/wide.py", line 12, in reveal',
        "arn:aws:iam::123456789012:user/alice@example.com",
        "https://slack.com/api/chat.postMessage",
        "the response_url has expired",
    ],
)
def test_other_text_stays_readable(text: str) -> None:
    assert redact_text(text) == text


BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def is_mixed(text: str) -> bool:
    return all(any(map(kind, text)) for kind in (str.isupper, str.islower, str.isdigit))


@settings(max_examples=50, deadline=None)
@given(
    st.text(BASE64, min_size=40, max_size=40).filter(is_mixed),
    st.text(max_size=20).filter(lambda text: 'File "' not in text),
    st.text(max_size=20),
)
def test_word_shaped_like_an_aws_secret_is_hidden(secret: str, before: str, after: str) -> None:
    assert secret not in redact_text(before + secret + after)


def test_unwritable_record_does_not_show_its_arguments(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    own = [one for one in logging.root.handlers if getattr(one, "stream", None) is log._stream]
    record = logging.LogRecord("slack_bolt.App", logging.INFO, "f", 1, "%d", (SECRET,), None)
    for handler in own:
        handler.handle(record)
    written = capsys.readouterr().err
    assert log.text == "" and SECRET not in written
    assert "slack_bolt.App" in written and "TypeError" in written


def test_uncaught_errors_are_logged_and_redacted(log: Log) -> None:
    main, thread = sys.excepthook, threading.excepthook
    log_config.log_uncaught_exceptions()
    try:
        sys.excepthook(ValueError, ValueError(SECRET), None)
        threading.excepthook(threading.ExceptHookArgs((ValueError, ValueError(SECRET), None, None)))
    finally:
        sys.excepthook, threading.excepthook = main, thread
    assert events(log) == ["uncaught", "uncaught"] and SECRET not in log.text


def test_console_format_hides_secrets_too(log: Log) -> None:
    console = io.StringIO()
    log_config.configure("info", "console", console)
    log_config.get_logger().info("create", request="r1", text=SECRET)
    fail(log_config.get_logger(), SECRET)
    log_config.configure("debug", "json", log._stream)
    said = console.getvalue()
    assert all(part in said for part in ("create", "request=r1", "RuntimeError"))
    assert SECRET not in said

"""Logs: one line for each event, and no secret in any, however it is logged."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.runtime import log_config
from bot.runtime.redaction import HIDDEN, redact_text

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
RESPONSE_URL = "https://hooks.slack.com/commands/T0KEYDESK/123456/q1w2e3r4"
SECRETS = [
    SECRET,
    "xoxb-123-456-abcDEF",
    "xapp-1-A0-1-abc",
    "xoxe.xoxp-1-Mi0yLT",
    "xwfp-12-ab",
    RESPONSE_URL,
]


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log_config.configure("debug", "json", stream)
    yield stream
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    for handler in [one for one in logging.root.handlers if getattr(one, "stream", None) is stream]:
        logging.root.removeHandler(handler)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_event_is_one_line_of_json_in_a_fixed_order(out: io.StringIO) -> None:
    log_config.get_logger().info("create", request="r1", person="U0ALICE", outcome="asked", ms=12)

    [line] = lines(out)
    assert list(line) == ["at", "level", "event", "logger", "request", "person", "outcome", "ms"]
    assert (line["level"], line["event"], line["request"], line["ms"]) == (
        "info",
        "create",
        "r1",
        12,
    )


def test_time_is_utc(out: io.StringIO) -> None:
    log_config.get_logger().info("create")

    at = lines(out)[0]["at"]
    assert at.endswith("Z")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()) < 60


def test_bound_fields_are_in_lines_of_libraries(out: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(request="r1", person="U0ALICE")

    log_config.get_logger().info("reveal")
    logging.getLogger("slack_sdk").warning("rate limited for %d s", 3)

    assert [line["request"] for line in lines(out)] == ["r1", "r1"]
    assert lines(out)[1]["event"] == "rate limited for 3 s"
    assert lines(out)[1]["logger"] == "slack_sdk"


@pytest.mark.parametrize("name", log_config.LIBRARIES)
def test_libraries_stay_at_info_at_debug_level(out: io.StringIO, name: str) -> None:
    logging.getLogger(f"{name}.deep.inside").debug("body")
    log_config.get_logger().debug("own")

    assert [line["event"] for line in lines(out)] == ["own"]


def test_debug_loggers_of_bolt_are_raised(out: io.StringIO) -> None:
    bolt, listener = logging.getLogger("slack_bolt.App"), logging.getLogger("wiring.py:open_form")
    bolt.setLevel(logging.DEBUG)
    listener.setLevel(logging.DEBUG)

    log_config.silence_libraries()

    bolt.debug("frame")
    listener.debug("frame")
    log_config.get_logger("bot.own").debug("own")
    log_config.get_logger("keydesk").debug("own, too")
    assert [line["event"] for line in lines(out)] == ["own", "own, too"]


def test_lower_levels_are_not_written(out: io.StringIO) -> None:
    stream = io.StringIO()
    log_config.configure("warning", "json", stream)

    log_config.get_logger().info("create")
    logging.getLogger("slack_bolt").info("hello")
    log_config.get_logger().warning("late")
    log_config.configure("debug", "json", out)

    assert [line["event"] for line in lines(stream)] == ["late"]
    assert lines(out) == []


@pytest.mark.parametrize("secret", SECRETS)
def test_no_way_of_logging_shows_a_secret(out: io.StringIO, secret: str) -> None:
    log, library = log_config.get_logger(), logging.getLogger("slack_bolt.App")

    log.info(
        f"said {secret} aloud", text=secret, list=[secret], nested={"a": {secret: (secret, 1)}}
    )
    log.info(
        "bytes", raw=secret.encode(), anything=Holder(secret), lines=repr(f"one\n{secret}\ttwo")
    )
    library.info("body %s %r", secret, {"text": f"key\n{secret}"})
    library.warning(json.dumps({"text": f"a\n{secret}"}).replace("/", r"\/"))
    library.warning("form " + quote(secret, safe=""))
    fail(log, secret)

    assert len(lines(out)) == 6
    assert all(HIDDEN in json.dumps(line) for line in lines(out))
    for form in (secret, secret.replace("/", r"\/"), quote(secret, safe=""), secret[-12:]):
        assert form not in out.getvalue()


class Holder:
    """Something whose repr holds a secret."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"Holder({self.secret!r})"


def fail(log: structlog.stdlib.BoundLogger, secret: str) -> None:
    held_in_a_local = f"{secret} "
    try:
        try:
            raise ValueError(held_in_a_local)
        except ValueError as inner:
            raise RuntimeError("told", {"secret": secret}) from inner
    except RuntimeError:
        log.exception("failed")


def test_traceback_shows_no_local_variable(out: io.StringIO) -> None:
    local = "only-in-a-local-variable"
    try:
        raise RuntimeError(str(len(local)))
    except RuntimeError:
        log_config.get_logger().exception("failed")

    [line] = lines(out)
    assert "test_log_config.py" in line["exception"]
    assert "RuntimeError: 24" in line["exception"]
    assert local not in out.getvalue()


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
    assert "short1" not in redact_text(text.format("short1"))
    assert HIDDEN in redact_text(text.format("short1"))


def test_field_named_like_a_secret_is_hidden(out: io.StringIO) -> None:
    log_config.get_logger().info(
        "x", response_url="http://h/1", SecretAccessKey="tiny", nested={"signing_secret": "hush"}
    )
    assert not any(hidden in out.getvalue() for hidden in ("http://h", "tiny", "hush"))


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "request 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        'File "/Users/Ann/Projects2/keydesk/bot/core/workflow/handover/wide.py", line 12, in reveal',
        "arn:aws:iam::123456789012:user/alice@example.com",
        "https://slack.com/api/chat.postMessage",
        "the response_url has expired",
    ],
)
def test_other_text_stays_readable(text: str) -> None:
    assert redact_text(text) == text


BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@given(
    st.text(BASE64, min_size=40, max_size=40).filter(
        lambda s: any(map(str.isupper, s)) and any(map(str.islower, s)) and any(map(str.isdigit, s))
    ),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_word_shaped_like_an_aws_secret_is_hidden(secret: str, before: str, after: str) -> None:
    if 'File "' not in before:
        assert secret not in redact_text(before + secret + after)


def test_unwritable_record_does_not_show_its_arguments(
    out: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    [handler] = [one for one in logging.root.handlers if getattr(one, "stream", None) is out]
    handler.handle(
        logging.LogRecord("slack_bolt.App", logging.INFO, __file__, 1, "%d", (SECRET,), None)
    )

    assert out.getvalue() == ""
    written = capsys.readouterr().err
    assert "slack_bolt.App" in written and "TypeError" in written
    assert SECRET not in written


def test_uncaught_errors_are_logged_and_redacted(out: io.StringIO) -> None:
    main, thread = sys.excepthook, threading.excepthook
    log_config.log_uncaught_exceptions()
    try:
        sys.excepthook(ValueError, ValueError(SECRET), None)
        threading.excepthook(threading.ExceptHookArgs((ValueError, ValueError(SECRET), None, None)))
    finally:
        sys.excepthook, threading.excepthook = main, thread

    assert [line["event"] for line in lines(out)] == ["uncaught", "uncaught"]
    assert SECRET not in out.getvalue()


def test_console_format_hides_secrets_too(out: io.StringIO) -> None:
    stream = io.StringIO()
    log_config.configure("info", "console", stream)
    log_config.get_logger().info("create", request="r1", text=SECRET)
    fail(log_config.get_logger(), SECRET)
    log_config.configure("debug", "json", out)

    assert "create" in stream.getvalue() and "request=r1" in stream.getvalue()
    assert "RuntimeError" in stream.getvalue()
    assert SECRET not in stream.getvalue()

"""Check single settings: defaults, the values that are read, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bot.config.loading import load
from bot.config.warnings import settings_warnings
from tests.support.settings import AUDIT_KEY, ENOUGH, loaded, problem, warned, wrong

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALWAYS_FREE = {"disable", "delete"}
NOT_LIMITS = [
    "10",
    "0/5",
    "5/0",
    "6/5",
    "-1/5",
    "a/b",
    "1/2/3",
    "1.5/2",
    "1 / 2",
    "1234567/1234567",
]
LIMITS = ("requests_an_hour", "reveals_an_hour", "nudges_an_hour", "leak_reports_an_hour")

DEFAULTS: dict[str, Any] = {
    "socket_mode": True,
    "slack_bot_token": SecretStr("xoxb-1-abc"),
    "approver_users": {"U0CAROL", "W0WILMA"},
    "approver_groups": {"S0APPROVERS"},
    "port": 3000,
    "data_dir": Path("data"),
    "redis_url": None,
    "iam_username": "{email}",
    "iam_pairs": {},
    "iam_path": "/",
    "email_domains": frozenset(),
    "lease_ttl": timedelta(seconds=60),
    "look_after": timedelta(minutes=15),
    "key_ttl": 90 * DAY,
    "key_ttl_max": 365 * DAY,
    "rotation_grace": DAY,
    "approval_free": ALWAYS_FREE,
    "break_glass": frozenset(),
    "break_glass_ttl": 4 * HOUR,
    "log_level": "info",
    "log_format": "json",
    **dict.fromkeys(LIMITS, (10, 200)),
}

VALUES: list[tuple[str, str, Any]] = [
    ("request_ttl", "90s", timedelta(seconds=90)),
    ("request_ttl", "15m", timedelta(minutes=15)),
    ("request_ttl", "72h", 72 * HOUR),
    ("request_ttl", "7d", 7 * DAY),
    ("request_ttl", "2w", 14 * DAY),
    ("key_ttl", "2w", 14 * DAY),
    ("key_ttl_max", "Never", None),
    ("rotation_grace", "48h", 48 * HOUR),
    ("approval_free", "enable, Delete,disable", {"enable", *ALWAYS_FREE}),
    ("break_glass", "U0ALICE, S0ONCALL,W0WILMA", {"U0ALICE", "S0ONCALL", "W0WILMA"}),
    ("break_glass_ttl", "90m", 1.5 * HOUR),
    ("audit_key", AUDIT_KEY, SecretStr(AUDIT_KEY)),
    ("audit_channel", "C0AUDIT", "C0AUDIT"),
    *((limit, "3/3", (3, 3)) for limit in LIMITS),
    *(("iam_path", path, path) for path in ("/", "/a/", "/a/dev-1/", "/a.b,c@d_e+f=/")),
    *(
        ("redis_url", url, SecretStr(url))
        for url in ("redis://h:6379/0", "rediss://:p@h:6380", "unix:///run/redis.sock?db=1")
    ),
]

REFUSED: dict[str, list[str]] = {
    "CLAIM_TTL": ["0s", "-1h", "1.5h", "1y", "h", "15", "1h30m", "999999999w", "٣d"],
    "KEY_TTL": ["always"],
    "APPROVAL_FREE": ["enable", "disable", "delete,enable", "disable,delete,create"]
    + ["disable,delete,rotate", "all"],
    "APPROVAL_CHANNEL": ["#keys", "keys", "D0ALICE", "c0keys", "<#C0KEYS>"],
    "APPROVALS_REQUIRED": ["0", "6", "-1", "1.5", "two", "01"],
    "AUDIT_CHANNEL": ["key-audit"],
    "BREAK_GLASS": ["#oncall", "alice", "C0ONCALL"],
    "IAM_PATH": ["people", "/people", "people/", "//", "/a//b/", "/*/", "/peo?le/", "/a b/", "/ä/"]
    + ["/${aws:username}/", "/" + 511 * "a" + "/"],
    "REDIS_URL": ["http://h", "redis://", "localhost:6379", "redis://h:port", "unix://"],
    **dict.fromkeys(map(str.upper, LIMITS), NOT_LIMITS),
}


def test_four_settings_are_enough() -> None:
    settings = load(ENOUGH, None)
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert settings.iam_mapping.rule == "{email}"
    assert [text.split()[0] for text in settings_warnings(settings)] == ["AUDIT_KEY"]


@pytest.mark.parametrize(("name", "text", "value"), VALUES)
def test_value_is_read(name: str, text: str, value: Any) -> None:
    assert getattr(loaded(**{name.upper(): text}), name) == value


@pytest.mark.parametrize("name", REFUSED)
def test_other_values_are_refused(name: str) -> None:
    for text in REFUSED[name]:
        assert wrong(**{name: text}) == name


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load(ENOUGH, None).port = 1  # type: ignore[misc]  # the point of the test


def test_repr_shows_no_secret() -> None:
    secrets = {
        "SLACK_SIGNING_SECRET": "0123456789abcdefsigning",
        "REDIS_URL": "redis://:hunter2@store:6379/0",
        "AUDIT_KEY": AUDIT_KEY,
    }
    settings = loaded(**secrets)
    for hidden in ("xoxb-1", "xapp-1", "0123456789abcdefsigning", "hunter2", AUDIT_KEY):
        assert hidden not in repr(settings) + str(settings)


def test_keys_may_live_for_ever_if_no_maximum_is_set() -> None:
    assert loaded(KEY_TTL="never", KEY_TTL_MAX="never").key_ttl is None


def test_redis_url_may_be_set_on_a_dyno() -> None:
    assert loaded(REDIS_URL="rediss://:p@h:6380", DYNO="web.1").redis_url


def test_with_redis_changes_only_the_url() -> None:
    settings = load(ENOUGH, None)
    url = "unix:///run/keydesk.sock?db=0"
    changed = settings.with_redis(url)
    assert changed == settings.model_copy(update={"redis_url": SecretStr(url)})


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_approvals_required_is_one_to_five(number: int) -> None:
    settings = loaded(APPROVALS_REQUIRED=str(number), APPROVERS="S0A")
    assert settings.approvals_required == number


def test_audit_key_is_long_and_never_shown() -> None:
    assert warned(AUDIT_KEY=AUDIT_KEY) == []
    short = problem(AUDIT_KEY=AUDIT_KEY[:31])
    assert short.split()[0] == "AUDIT_KEY" and AUDIT_KEY[:31] not in short


@pytest.mark.parametrize(
    "option",
    [
        "socket_timeout",
        "socket_connect_timeout",
        "retry_on_timeout",
        "protocol",
        "decode_responses",
        "health_check_interval",
    ],
)
def test_redis_url_cannot_change_timeouts(option: str) -> None:
    found = problem(REDIS_URL=f"rediss://:hunter2@redis.corp.example/0?{option}=900")
    assert found.split()[0] == "REDIS_URL" and "hunter2" not in found


@pytest.mark.parametrize(
    ("name", "longest", "most"),
    [
        ("SWEEP_EVERY", "10m", timedelta(minutes=10)),
        ("LEASE_TTL", "10m", timedelta(minutes=10)),
        ("LOOK_AFTER", "1d", DAY),
        ("BREAK_GLASS_TTL", "7d", 7 * DAY),
    ],
)
def test_durations_have_a_maximum(name: str, longest: str, most: timedelta) -> None:
    assert getattr(loaded(**{name: longest}), name.lower()) == most
    for text in ("520w", f"{most.total_seconds() + 1:.0f}s"):
        found = problem(BREAK_GLASS="U0ALICE", KEY_TTL_MAX="never", **{name: text})
        assert found.split()[0] == name and found.count(longest) == 2

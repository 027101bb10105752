"""Check single settings: types, defaults, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.config.loading import load
from bot.config.warnings import settings_warnings
from tests.support.settings import AUDIT_KEY, ENOUGH, loaded, problem, warned, wrong


def test_four_settings_are_enough() -> None:
    settings = load(ENOUGH, None)

    assert settings.socket_mode
    assert settings.slack_bot_token.get_secret_value() == "xoxb-1-abc"
    assert settings.approver_users == {"U0CAROL", "W0WILMA"}
    assert settings.approver_groups == {"S0APPROVERS"}
    assert (settings.port, settings.data_dir, settings.redis_url) == (3000, Path("data"), None)
    assert (settings.iam_mapping.rule, settings.iam_pairs, settings.email_domains) == (
        "{email}",
        {},
        frozenset(),
    )
    assert (settings.lease_ttl, settings.look_after) == (
        timedelta(seconds=60),
        timedelta(minutes=15),
    )
    assert (settings.log_level, settings.log_format) == ("info", "json")
    [only] = settings_warnings(settings)
    assert only.split()[0] == "AUDIT_KEY"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load(ENOUGH, None).port = 1  # type: ignore[misc]  # the point of the test


def test_repr_shows_no_secret() -> None:
    settings = loaded(
        SLACK_SIGNING_SECRET="0123456789abcdef", REDIS_URL="redis://:hunter2@store:6379/0"
    )

    for hidden in ("xoxb-1", "xapp-1", "0123456789abcdef", "hunter2"):
        assert hidden not in repr(settings) + str(settings)


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", timedelta(seconds=90)), ("15m", timedelta(minutes=15)), ("72h", timedelta(hours=72)),
     ("7d", timedelta(days=7)), ("2w", timedelta(weeks=2))],
)  # fmt: skip
def test_duration_is_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert loaded(REQUEST_TTL=text).request_ttl == length


@pytest.mark.parametrize(
    "text", ["0s", "-1h", "1.5h", "1y", "h", "15", "1h30m", "999999999w", "٣d"]
)
def test_other_durations_are_refused(text: str) -> None:
    assert wrong(CLAIM_TTL=text) == "CLAIM_TTL"


def test_lifetime_is_a_duration_or_never() -> None:
    assert (loaded().key_ttl, loaded().key_ttl_max) == (timedelta(days=90), timedelta(days=365))
    settings = loaded(KEY_TTL="2w", KEY_TTL_MAX="Never")
    assert (settings.key_ttl, settings.key_ttl_max) == (timedelta(weeks=2), None)
    assert loaded(KEY_TTL="never", KEY_TTL_MAX="never").key_ttl is None
    assert wrong(KEY_TTL="always") == "KEY_TTL"


def test_rotation_grace_is_a_day() -> None:
    assert loaded().rotation_grace == timedelta(hours=24)
    assert loaded(ROTATION_GRACE="48h").rotation_grace == timedelta(hours=48)


def test_approval_free_always_holds_disable_and_delete() -> None:
    assert loaded().approval_free == {"disable", "delete"}
    assert loaded(APPROVAL_FREE="enable, Delete,disable").approval_free == {
        "disable",
        "delete",
        "enable",
    }
    for text in ("enable", "disable", "delete,enable"):
        assert wrong(APPROVAL_FREE=text) == "APPROVAL_FREE"
    for text in ("disable,delete,create", "disable,delete,rotate", "all"):
        assert wrong(APPROVAL_FREE=text) == "APPROVAL_FREE"


@pytest.mark.parametrize("channel", ["#keys", "keys", "D0ALICE", "c0keys", "<#C0KEYS>"])
def test_channel_is_an_id(channel: str) -> None:
    assert wrong(APPROVAL_CHANNEL=channel) == "APPROVAL_CHANNEL"


@pytest.mark.parametrize(
    "url", ["redis://h:6379/0", "rediss://:p@h:6380", "unix:///run/redis.sock?db=1"]
)
def test_redis_url_is_redis_rediss_or_unix(url: str) -> None:
    settings = loaded(REDIS_URL=url, DYNO="web.1")
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == url


@pytest.mark.parametrize(
    "url", ["http://h", "redis://", "localhost:6379", "redis://h:port", "unix://"]
)
def test_other_redis_urls_are_refused(url: str) -> None:
    assert wrong(REDIS_URL=url) == "REDIS_URL"


def test_with_redis_changes_only_the_url() -> None:
    settings = load(ENOUGH, None)
    changed = settings.with_redis("unix:///run/keydesk.sock?db=0")

    assert changed.redis_url is not None
    assert changed.redis_url.get_secret_value() == "unix:///run/keydesk.sock?db=0"
    assert changed.model_copy(update={"redis_url": None}) == settings


def test_no_user_may_break_glass_by_default() -> None:
    assert (loaded().break_glass, loaded().break_glass_ttl) == (frozenset(), timedelta(hours=4))


def test_break_glass_names_users_and_groups() -> None:
    settings = loaded(BREAK_GLASS="U0ALICE, S0ONCALL,W0WILMA", BREAK_GLASS_TTL="90m")
    assert settings.break_glass == {"U0ALICE", "S0ONCALL", "W0WILMA"}
    assert settings.break_glass_ttl == timedelta(minutes=90)


@pytest.mark.parametrize("text", ["#oncall", "alice", "C0ONCALL"])
def test_other_break_glass_names_are_refused(text: str) -> None:
    assert wrong(BREAK_GLASS=text) == "BREAK_GLASS"


def test_approvals_required_is_one_to_five() -> None:
    assert [loaded(APPROVALS_REQUIRED=n, APPROVERS="S0A").approvals_required for n in "12345"] == [
        1,
        2,
        3,
        4,
        5,
    ]
    for text in ("0", "6", "-1", "1.5", "two", "01"):
        assert wrong(APPROVALS_REQUIRED=text) == "APPROVALS_REQUIRED"


NAMES = ("REQUESTS_AN_HOUR", "REVEALS_AN_HOUR", "NUDGES_AN_HOUR", "LEAK_REPORTS_AN_HOUR")


@pytest.mark.parametrize("name", NAMES)
def test_hourly_limit_has_two_numbers(name: str) -> None:
    assert getattr(loaded(), name.lower()) == (10, 200)
    assert getattr(loaded(**{name: "3/3"}), name.lower()) == (3, 3)
    for text in (
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
    ):
        assert wrong(**{name: text}) == name


def test_iam_path_is_the_root_by_default() -> None:
    assert loaded().iam_path == "/"


@pytest.mark.parametrize("path", ["/", "/people/", "/people/dev-1/", "/a.b,c@d_e+f=/"])
def test_iam_path_begins_and_ends_with_a_slash(path: str) -> None:
    assert loaded(IAM_PATH=path).iam_path == path


@pytest.mark.parametrize(
    "path",
    [
        "people",
        "/people",
        "people/",
        "//",
        "/a//b/",
        "/*/",
        "/peo?le/",
        "/${aws:username}/",
        "/a b/",
        "/ä/",
        "/" + 511 * "a" + "/",
    ],
)
def test_iam_path_has_no_wildcard_or_variable(path: str) -> None:
    assert wrong(IAM_PATH=path) == "IAM_PATH"


def test_audit_key_is_long_and_never_shown() -> None:
    settings = loaded(AUDIT_KEY=AUDIT_KEY, AUDIT_CHANNEL="C0AUDIT")
    assert settings.audit_key and settings.audit_key.get_secret_value() == AUDIT_KEY
    assert settings.audit_channel == "C0AUDIT" and warned(AUDIT_KEY=AUDIT_KEY) == []
    assert AUDIT_KEY not in repr(settings)

    short = problem(AUDIT_KEY=AUDIT_KEY[:31])
    assert short.split()[0] == "AUDIT_KEY" and AUDIT_KEY[:31] not in short
    assert wrong(AUDIT_CHANNEL="key-audit") == "AUDIT_CHANNEL"


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
        ("LOOK_AFTER", "1d", timedelta(days=1)),
        ("BREAK_GLASS_TTL", "7d", timedelta(days=7)),
    ],
)
def test_durations_have_a_maximum(name: str, longest: str, most: timedelta) -> None:
    assert getattr(loaded(**{name: longest}), name.lower()) == most
    for text in ("520w", f"{most.total_seconds() + 1:.0f}s"):
        found = problem(BREAK_GLASS="U0ALICE", KEY_TTL_MAX="never", **{name: text})
        assert found.split()[0] == name and found.count(longest) == 2

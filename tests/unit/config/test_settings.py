"""Settings: what is read, from where, and how every mistake is reported."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.config.settings import (
    Settings,
    SettingsError,
    StartError,
    load,
    read_env_file,
)

ENOUGH = {
    "SLACK_BOT_TOKEN": "xoxb-1-abc",
    "SLACK_APP_TOKEN": "xapp-1-abc",
    "APPROVAL_CHANNEL": "C0KEYS",
    "APPROVERS": "U0CAROL, S0APPROVERS,W0WILMA",
}
AUDIT_KEY = "0123456789abcdef" * 2


def with_(**more: str) -> Settings:
    return load({**ENOUGH, **more}, None)


def problems(environ: dict[str, str], env_file: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ, env_file)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def problem(**more: str) -> str:
    """The one problem of otherwise good settings."""
    [only] = problems({**ENOUGH, **more})
    return only


def test_four_settings_are_enough_and_the_rest_has_defaults() -> None:
    settings = load(ENOUGH, None)

    assert settings.socket_mode
    assert settings.slack_bot_token.get_secret_value() == "xoxb-1-abc"
    assert settings.approver_users == {"U0CAROL", "W0WILMA"}
    assert settings.approver_groups == {"S0APPROVERS"}
    assert (settings.port, settings.data_dir, settings.redis_url) == (3000, Path("data"), None)
    assert (settings.iam_rule, settings.iam_pairs, settings.email_domains) == (
        "{email}",
        {},
        frozenset(),
    )
    assert (settings.lease_ttl, settings.look_after) == (
        timedelta(seconds=60),
        timedelta(minutes=15),
    )
    assert (settings.log_level, settings.log_format) == ("info", "json")
    [only] = settings.warnings
    assert only.startswith("AUDIT_KEY is not set")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load(ENOUGH, None).port = 1  # type: ignore[misc]  # the point of the test


def test_only_what_is_passed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9999")
    monkeypatch.setenv("IAM_OWNER_TAG", "from-the-process")

    assert load(ENOUGH, None).port == 3000
    assert load(ENOUGH, None).iam_owner_tag is None


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("PORT=4000\nLOG_LEVEL=debug\nSOMETHING_ELSE=1\n")

    settings = load({**ENOUGH, "PORT": "5000"}, env_file)

    assert (settings.port, settings.log_level) == (5000, "debug")
    assert "SOMETHING_ELSE" in read_env_file(env_file), "unknown names are ignored by load alone"


def test_a_dollar_sign_in_the_file_stays_one(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("INSTEAD_OF_KEYS=costs $HOME and ${PATH}\n")

    assert load(ENOUGH, env_file).instead_of_keys == "costs $HOME and ${PATH}"


def test_an_empty_value_counts_as_not_set(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("IAM_OWNER_TAG=\nREDIS_URL=\nPORT= \n")

    settings = load(ENOUGH, env_file)

    assert (settings.iam_owner_tag, settings.redis_url, settings.port) == (None, None, 3000)


def test_a_file_that_is_not_there_is_no_problem_and_one_that_cannot_be_read_is(
    tmp_path: Path,
) -> None:
    assert load(ENOUGH, tmp_path / "absent").port == 3000

    (tmp_path / "latin1").write_bytes(b"PORT=\xe4\n")
    [only] = problems(ENOUGH, tmp_path / "latin1")
    assert "latin1 cannot be read" in only
    with pytest.raises(StartError):
        read_env_file(tmp_path)


def test_every_problem_is_reported_at_once_by_name() -> None:
    found = problems(
        {
            "SLACK_BOT_TOKEN": "xoxp-1",
            "PORT": "http",
            "APPROVERS": "carol",
            "REQUEST_TTL": "3 days",
            "IAM_USERNAME": "{email_local}",
            "LOG_LEVEL": "loud",
            "DYNO": "web.1",
        }
    )

    named = {
        "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "PORT", "APPROVAL_CHANNEL", "APPROVERS", "REQUEST_TTL",
        "EMAIL_DOMAINS", "LOG_LEVEL", "REDIS_URL",
    }  # fmt: skip
    assert {text.split()[0] for text in found} == named
    assert len(found) == len(named)
    assert all(text.endswith(".") for text in found)


@pytest.mark.parametrize(
    "name",
    ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "APPROVERS", "APPROVAL_CHANNEL",
     "REDIS_URL", "SLACK_API_URL", "PORT", "IAM_USERNAME", "LEASE_TTL", "EMAIL_DOMAINS", "LOG_FORMAT"],
)  # fmt: skip
@pytest.mark.parametrize(
    "secret", ["xoxe-1-not-for-your-eyes", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]
)
def test_no_problem_repeats_a_secret_that_was_put_in_the_wrong_place(
    name: str, secret: str
) -> None:
    assert secret not in problem(**{name: secret})


def test_no_representation_shows_a_token() -> None:
    settings = with_(
        SLACK_SIGNING_SECRET="0123456789abcdef", REDIS_URL="redis://:hunter2@store:6379/0"
    )

    for hidden in ("xoxb-1", "xapp-1", "0123456789abcdef", "hunter2"):
        assert hidden not in repr(settings) + str(settings)


def test_without_an_app_token_a_signing_secret_is_needed() -> None:
    http = {name: value for name, value in ENOUGH.items() if name != "SLACK_APP_TOKEN"}

    [only] = problems(http)
    assert only.startswith("SLACK_APP_TOKEN or SLACK_SIGNING_SECRET")
    assert not load({**http, "SLACK_SIGNING_SECRET": "0123456789abcdef"}, None).socket_mode


def test_oauth_credentials_in_the_environment_are_refused_as_bolt_would_then_ignore_the_token() -> (
    None
):
    assert "SLACK_CLIENT_ID" in problem(SLACK_CLIENT_ID="1.2", SLACK_CLIENT_SECRET="s")
    with_(SLACK_CLIENT_ID="1.2")


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", timedelta(seconds=90)), ("15m", timedelta(minutes=15)), ("72h", timedelta(hours=72)),
     ("7d", timedelta(days=7)), ("2w", timedelta(weeks=2))],
)  # fmt: skip
def test_lengths_of_time_are_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert with_(REQUEST_TTL=text).request_ttl == length


@pytest.mark.parametrize(
    "text", ["0s", "-1h", "1.5h", "1y", "h", "15", "1h30m", "999999999w", "٣d"]
)
def test_anything_else_is_not_a_length_of_time(text: str) -> None:
    assert problem(CLAIM_TTL=text).startswith("CLAIM_TTL is not a length of time.")


def test_a_keys_life_is_a_length_of_time_or_never() -> None:
    assert (with_().key_ttl, with_().key_ttl_max) == (timedelta(days=90), timedelta(days=365))
    settings = with_(KEY_TTL="2w", KEY_TTL_MAX="Never")
    assert (settings.key_ttl, settings.key_ttl_max) == (timedelta(weeks=2), None)
    assert with_(KEY_TTL="never", KEY_TTL_MAX="never").key_ttl is None
    assert problem(KEY_TTL="always").startswith("KEY_TTL is not a length of time.")


@pytest.mark.parametrize(
    "lives", [{"KEY_TTL": "never"}, {"KEY_TTL": "366d"}, {"KEY_TTL_MAX": "30d"}]
)
def test_the_usual_life_of_a_key_is_at_most_the_longest(lives: dict[str, str]) -> None:
    assert problem(**lives).startswith("KEY_TTL is longer than KEY_TTL_MAX.")


def test_an_old_key_has_a_day_of_grace() -> None:
    assert with_().rotation_grace == timedelta(hours=24)
    assert with_(ROTATION_GRACE="48h").rotation_grace == timedelta(hours=48)


def test_turning_a_key_off_never_waits_for_approval() -> None:
    assert with_().approval_free == {"disable", "delete"}
    assert with_(APPROVAL_FREE="enable, Delete,disable").approval_free == {
        "disable",
        "delete",
        "enable",
    }
    for text in ("enable", "disable", "delete,enable"):
        assert problem(APPROVAL_FREE=text).startswith("APPROVAL_FREE must hold disable and delete")
    for text in ("disable,delete,create", "disable,delete,rotate", "all"):
        assert problem(APPROVAL_FREE=text).startswith("APPROVAL_FREE holds ")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80/api/", "http://localhost:80/api/", "http://[::1]:80/api/"]
)
def test_time_is_moved_only_where_slack_is_on_this_machine(url: str) -> None:
    assert with_(TRIAL_CLOCK="clock.txt", SLACK_API_URL=url).trial_clock == Path("clock.txt")
    assert with_(TRIAL_PACE="20", SLACK_API_URL=url).trial_pace == 20
    assert problem(TRIAL_PACE="0.5", SLACK_API_URL=url).startswith(
        "TRIAL_PACE is not a whole number"
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://slack.com/api/",
        "https://localhost.example.com/api/",
        "https://slack-gov.com/api/",
        "http://127.0.0.1.example.com/api/",
    ],
)
def test_where_slack_is_elsewhere_a_moved_time_is_refused(url: str) -> None:
    assert problem(TRIAL_CLOCK="clock.txt", SLACK_API_URL=url).startswith(
        "TRIAL_CLOCK moves the desk's time"
    )
    assert problem(TRIAL_PACE="20", SLACK_API_URL=url).startswith(
        "TRIAL_PACE has the desk pass over Slack's limits"
    )


@pytest.mark.parametrize("channel", ["#keys", "keys", "D0ALICE", "c0keys", "<#C0KEYS>"])
def test_channels_are_given_by_id(channel: str) -> None:
    assert problem(APPROVAL_CHANNEL=channel).startswith("APPROVAL_CHANNEL is not a channel ID")


@pytest.mark.parametrize(
    "url", ["redis://h:6379/0", "rediss://:p@h:6380", "unix:///run/redis.sock?db=1"]
)
def test_the_stores_address_is_redis_rediss_or_unix(url: str) -> None:
    settings = with_(REDIS_URL=url, DYNO="web.1")
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == url


@pytest.mark.parametrize(
    "url", ["http://h", "redis://", "localhost:6379", "redis://h:port", "unix://"]
)
def test_any_other_address_of_the_store_is_refused(url: str) -> None:
    assert problem(REDIS_URL=url).startswith("REDIS_URL is not an address")


def test_with_redis_gives_the_same_settings_with_a_store() -> None:
    settings = load(ENOUGH, None)
    told = settings.with_redis("unix:///run/keydesk.sock?db=0")

    assert told.redis_url is not None
    assert told.redis_url.get_secret_value() == "unix:///run/keydesk.sock?db=0"
    assert told.model_copy(update={"redis_url": None}) == settings


def test_either_name_gives_the_region() -> None:
    assert with_(AWS_DEFAULT_REGION="eu-west-1").aws_region == "eu-west-1"
    assert with_(AWS_DEFAULT_REGION="eu-west-1", AWS_REGION="eu-north-1").aws_region == "eu-north-1"


def test_the_local_part_of_an_address_needs_its_domains() -> None:
    settings = with_(
        IAM_USERNAME="{email_local}",
        EMAIL_DOMAINS="Example.com, @example.org",
        IAM_OWNER_TAG="owner",
    )
    assert settings.email_domains == {"example.com", "example.org"}
    assert problem(IAM_USERNAME="{email_local}").startswith("EMAIL_DOMAINS must be set")
    assert problem(EMAIL_DOMAINS="example").startswith("EMAIL_DOMAINS holds example")


def test_two_domains_would_give_two_people_one_iam_user_unless_a_tag_tells_them_apart() -> None:
    two = {"IAM_USERNAME": "{email_local}", "EMAIL_DOMAINS": "example.com,example.org"}
    assert problem(**two).startswith("EMAIL_DOMAINS names several domains")
    assert with_(**two, IAM_OWNER_TAG="owner").iam_username == "{email_local}"
    assert with_(IAM_USERNAME="{email_local}", EMAIL_DOMAINS="example.com,").email_domains == {
        "example.com"
    }


def test_an_unknown_rule_is_refused() -> None:
    assert "none of {email}, {slack_id}, {email_local}" in problem(IAM_USERNAME="{login}")


def test_a_file_of_pairs_is_read_at_once(tmp_path: Path) -> None:
    pairs = tmp_path / "people.csv"
    pairs.write_text("# who is who\nU0ALICE, alice\n\nBob@Example.com,bob,of=two+words # moved\n")

    settings = with_(IAM_USERNAME=str(pairs))

    assert settings.iam_pairs == {"U0ALICE": "alice", "bob@example.com": "bob,of=two+words"}
    assert settings.iam_rule == ""
    assert "bob" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("U0ALICE,alice\nU0ALICE,alice2", "line 2 of the file names somebody again"),
        ("a@example.com,a\nA@Example.com,b", "line 2 of the file names somebody again"),
        ("U0ALICE", "line 1 of the file is not a pair"),
        ("alice,alice", "line 1 of the file is not a pair"),
        ("U0ALICE,al ice", "line 1 of the file is not a pair"),
        ("# nobody", "without any pair"),
    ],
)
def test_a_file_of_pairs_must_be_clear(tmp_path: Path, text: str, said: str) -> None:
    pairs = tmp_path / "people.csv"
    pairs.write_text(text)
    assert said in "\n".join(problems({**ENOUGH, "IAM_USERNAME": str(pairs)}))


def test_a_file_of_pairs_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert "cannot be read (FileNotFoundError)" in problem(IAM_USERNAME=str(tmp_path / "absent"))


def test_two_people_with_one_iam_user_are_warned_about(tmp_path: Path) -> None:
    pairs = tmp_path / "people.csv"
    pairs.write_text("U0ALICE,deploy\nU0BOB,deploy\n")
    [only] = with_(IAM_USERNAME=str(pairs), AUDIT_KEY=AUDIT_KEY).warnings
    assert "deploy" in only


def test_a_few_seconds_are_allowed_with_a_warning() -> None:
    settings = with_(
        LEASE_TTL="6s",
        LOOK_AFTER="5s",
        SWEEP_EVERY="1s",
        SLACK_API_URL="http://127.0.0.1:80/api/",
        AUDIT_KEY=AUDIT_KEY,
    )
    assert [text.split()[0] for text in settings.warnings] == [
        "LEASE_TTL",
        "LOOK_AFTER",
        "SWEEP_EVERY",
    ]


def test_tokens_over_plain_http_are_warned_about_beyond_this_machine() -> None:
    [only] = with_(SLACK_API_URL="http://slack.internal/api", AUDIT_KEY=AUDIT_KEY).warnings
    assert only.startswith("SLACK_API_URL is not https")


def test_the_example_names_every_setting_and_shows_its_default() -> None:
    text = (Path(__file__).resolve().parents[3] / ".env.example").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, flags=re.MULTILINE))
    fields = Settings.model_fields
    defaults = {
        name: value for name, value in shown.items() if fields[name.lower()].default and value
    }
    required = {name.upper() for name, field in fields.items() if field.is_required()}

    assert shown.keys() == {name.upper() for name in fields} - {"IAM_PAIRS", "DYNO", "NOTICED"}
    settings = load({**{n: v for n, v in defaults.items() if n not in required}, **ENOUGH}, None)
    assert settings.model_copy(update={"email_domains": frozenset()}) == load(ENOUGH, None)

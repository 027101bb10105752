"""Load settings: sources, conflicts between settings, and every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.errors import StartError
from bot.config.loading import load, read_env_file
from tests.support.settings import ENOUGH, loaded, problem, problems, warned, wrong


def test_load_does_not_read_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9999")
    monkeypatch.setenv("IAM_OWNER_TAG", "from-the-process")

    assert load(ENOUGH, None).port == 3000
    assert load(ENOUGH, None).iam_owner_tag == ""


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("PORT=4000\nLOG_LEVEL=debug\nSOMETHING_ELSE=1\n")

    settings = load({**ENOUGH, "PORT": "5000"}, env_file)

    assert (settings.port, settings.log_level) == (5000, "debug")
    assert "SOMETHING_ELSE" in read_env_file(env_file), "unknown names are ignored by load alone"


def test_dollar_sign_in_the_file_is_kept(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("INSTEAD_OF_KEYS=costs $HOME and ${PATH}\n")

    assert load(ENOUGH, env_file).instead_of_keys == "costs $HOME and ${PATH}"


def test_empty_value_counts_as_not_set(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("IAM_OWNER_TAG=\nREDIS_URL=\nPORT= \n")

    settings = load(ENOUGH, env_file)

    assert (settings.iam_owner_tag, settings.redis_url, settings.port) == ("", None, 3000)


def test_file_may_be_missing_but_not_unreadable(
    tmp_path: Path,
) -> None:
    assert load(ENOUGH, tmp_path / "absent").port == 3000

    (tmp_path / "latin1").write_bytes(b"PORT=\xe4\n")
    [only] = problems(ENOUGH, tmp_path / "latin1")
    assert "latin1 cannot be read" in only
    with pytest.raises(StartError):
        read_env_file(tmp_path)


def test_every_problem_is_reported_at_once() -> None:
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
def test_problems_never_repeat_a_misplaced_secret(name: str, secret: str) -> None:
    assert secret not in problem(**{name: secret})


def test_http_needs_a_signing_secret() -> None:
    http = {name: value for name, value in ENOUGH.items() if name != "SLACK_APP_TOKEN"}

    [only] = problems(http)
    assert {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"} <= set(only.split())
    assert not load({**http, "SLACK_SIGNING_SECRET": "0123456789abcdef"}, None).socket_mode


def test_oauth_credentials_are_refused() -> None:
    assert wrong(SLACK_CLIENT_ID="1.2", SLACK_CLIENT_SECRET="s") == "SLACK_CLIENT_ID"
    loaded(SLACK_CLIENT_ID="1.2")


@pytest.mark.parametrize(
    "lives", [{"KEY_TTL": "never"}, {"KEY_TTL": "366d"}, {"KEY_TTL_MAX": "30d"}]
)
def test_key_ttl_is_at_most_key_ttl_max(lives: dict[str, str]) -> None:
    assert wrong(**lives) == "KEY_TTL"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80/api/", "http://localhost:80/api/", "http://[::1]:80/api/"]
)
def test_trial_settings_work_with_a_local_slack(url: str) -> None:
    assert loaded(TRIAL_CLOCK="clock.txt", SLACK_API_URL=url).trial_clock == Path("clock.txt")
    assert loaded(TRIAL_PACE="20", SLACK_API_URL=url).trial_pace == 20
    assert wrong(TRIAL_PACE="0.5", SLACK_API_URL=url) == "TRIAL_PACE"


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
def test_trial_settings_are_refused_elsewhere(url: str) -> None:
    assert wrong(TRIAL_CLOCK="clock.txt", SLACK_API_URL=url) == "TRIAL_CLOCK"
    assert wrong(TRIAL_PACE="20", SLACK_API_URL=url) == "TRIAL_PACE"


def test_region_has_two_names() -> None:
    assert loaded(AWS_DEFAULT_REGION="eu-west-1").aws_region == "eu-west-1"
    assert (
        loaded(AWS_DEFAULT_REGION="eu-west-1", AWS_REGION="eu-north-1").aws_region == "eu-north-1"
    )


def test_email_local_needs_email_domains() -> None:
    settings = loaded(
        IAM_USERNAME="{email_local}",
        EMAIL_DOMAINS="Example.com, @example.org",
        IAM_OWNER_TAG="owner",
    )
    assert settings.email_domains == {"example.com", "example.org"}
    assert wrong(IAM_USERNAME="{email_local}") == "EMAIL_DOMAINS"
    assert wrong(EMAIL_DOMAINS="example") == "EMAIL_DOMAINS"


def test_email_local_with_two_domains_needs_an_owner_tag() -> None:
    two = {"IAM_USERNAME": "{email_local}", "EMAIL_DOMAINS": "example.com,example.org"}
    assert wrong(**two) == "EMAIL_DOMAINS"
    assert loaded(**two, IAM_OWNER_TAG="owner").iam_username == "{email_local}"
    assert loaded(IAM_USERNAME="{email_local}", EMAIL_DOMAINS="example.com,").email_domains == {
        "example.com"
    }


def test_unknown_iam_username_rule_is_refused() -> None:
    assert wrong(IAM_USERNAME="{login}") == "IAM_USERNAME"


def test_file_of_pairs_is_read(tmp_path: Path) -> None:
    pairs = tmp_path / "people.csv"
    pairs.write_text("# who is who\nU0ALICE, alice\n\nBob@Example.com,bob,of=two+words # moved\n")

    settings = loaded(IAM_USERNAME=str(pairs))

    assert settings.iam_pairs == {"U0ALICE": "alice", "bob@example.com": "bob,of=two+words"}
    assert settings.iam_mapping.rule == ""
    assert "bob" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("U0ALICE,alice\nU0ALICE,alice2", "line 2"),
        ("a@example.com,a\nA@Example.com,b", "line 2"),
        ("U0ALICE", "line 1"),
        ("alice,alice", "line 1"),
        ("U0ALICE,al ice", "line 1"),
        ("# nobody", ""),
    ],
)
def test_ambiguous_file_of_pairs_is_refused(tmp_path: Path, text: str, line: str) -> None:
    pairs = tmp_path / "people.csv"
    pairs.write_text(text)
    found = problems({**ENOUGH, "IAM_USERNAME": str(pairs)})
    assert found[0].startswith("IAM_USERNAME") and line in found[0]


def test_missing_file_of_pairs_is_refused(tmp_path: Path) -> None:
    assert "FileNotFoundError" in problem(IAM_USERNAME=str(tmp_path / "absent"))


def test_break_glass_ttl_is_at_most_key_ttl_max() -> None:
    assert (
        wrong(BREAK_GLASS_TTL="2d", BREAK_GLASS="U0ALICE", KEY_TTL="1d", KEY_TTL_MAX="1d")
        == "BREAK_GLASS_TTL"
    )
    assert loaded(BREAK_GLASS_TTL="2d", BREAK_GLASS="U0ALICE", KEY_TTL="never", KEY_TTL_MAX="never")
    assert loaded(KEY_TTL="1h", KEY_TTL_MAX="1h"), "where nobody may, it does not matter"


def test_unreachable_quorum_is_refused_without_groups() -> None:
    people = {"APPROVERS": "U0A,U0B"}
    assert warned(**people, APPROVALS_REQUIRED="2") == []
    assert wrong(**people, APPROVALS_REQUIRED="3") == "APPROVALS_REQUIRED"
    assert warned(APPROVERS="U0A,S0B", APPROVALS_REQUIRED="5") == []

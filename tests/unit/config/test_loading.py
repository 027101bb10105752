"""Load settings: sources, conflicts between settings, and every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.errors import StartError
from bot.config.loading import load, read_env_file
from tests.support.settings import ENOUGH, loaded, problem, problems, warned, wrong


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def test_load_does_not_read_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9999")
    monkeypatch.setenv("IAM_OWNER_TAG", "from-the-process")
    settings = load(ENOUGH, None)
    assert (settings.port, settings.iam_owner_tag) == (3000, "")


def test_environment_overrides_the_file(env_file: Path) -> None:
    env_file.write_text("PORT=4000\nLOG_LEVEL=debug\nSOMETHING_ELSE=1\n")
    settings = load({**ENOUGH, "PORT": "5000"}, env_file)
    assert (settings.port, settings.log_level) == (5000, "debug")
    assert "SOMETHING_ELSE" in read_env_file(env_file), "unknown names are ignored by load alone"


def test_dollar_sign_in_the_file_is_kept(env_file: Path) -> None:
    env_file.write_text("INSTEAD_OF_KEYS=costs $HOME and ${PATH}\n")
    assert load(ENOUGH, env_file).instead_of_keys == "costs $HOME and ${PATH}"


def test_empty_value_counts_as_not_set(env_file: Path) -> None:
    env_file.write_text("IAM_OWNER_TAG=\nREDIS_URL=\nPORT= \n")
    settings = load(ENOUGH, env_file)
    assert (settings.iam_owner_tag, settings.redis_url, settings.port) == ("", None, 3000)


def test_file_may_be_missing_but_not_unreadable(env_file: Path) -> None:
    assert load(ENOUGH, env_file).port == 3000
    env_file.write_bytes(b"PORT=\xe4\n")
    [only] = problems(ENOUGH, env_file)
    assert ".env cannot be read" in only
    with pytest.raises(StartError):
        read_env_file(env_file.parent)


def test_every_problem_is_reported_at_once() -> None:
    environ = {
        "SLACK_BOT_TOKEN": "xoxp-1",
        "PORT": "http",
        "APPROVERS": "carol",
        "REQUEST_TTL": "3 days",
        "IAM_USERNAME": "{email_local}",
        "LOG_LEVEL": "loud",
        "DYNO": "web.1",
    }
    missing = {"SLACK_APP_TOKEN", "APPROVAL_CHANNEL", "EMAIL_DOMAINS", "REDIS_URL"}
    found = problems(environ)
    named = sorted(environ.keys() - {"IAM_USERNAME", "DYNO"} | missing)
    assert sorted(text.split()[0] for text in found) == named
    assert all(text.endswith(".") for text in found)


@pytest.mark.parametrize(
    "secret", ["xoxe-1-not-for-your-eyes", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]
)
def test_problems_never_repeat_a_misplaced_secret(secret: str) -> None:
    slack = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL", "PORT")
    others = ("APPROVERS", "APPROVAL_CHANNEL", "REDIS_URL", "IAM_USERNAME", "LEASE_TTL")
    for name in (*slack, *others, "EMAIL_DOMAINS", "LOG_FORMAT"):
        assert secret not in problem(**{name: secret})


def test_http_needs_a_signing_secret() -> None:
    http = {name: value for name, value in ENOUGH.items() if name != "SLACK_APP_TOKEN"}
    [only] = problems(http)
    assert {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"} <= set(only.split())
    assert not load({**http, "SLACK_SIGNING_SECRET": "0123456789abcdef"}, None).socket_mode


CONFLICTS = [
    ("SLACK_CLIENT_ID", {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s"}),
    ("KEY_TTL", {"KEY_TTL": "never"}),
    ("KEY_TTL", {"KEY_TTL": "366d"}),
    ("KEY_TTL", {"KEY_TTL_MAX": "30d"}),
    ("EMAIL_DOMAINS", {"IAM_USERNAME": "{email_local}"}),
    ("EMAIL_DOMAINS", {"EMAIL_DOMAINS": "example"}),
    ("EMAIL_DOMAINS", {"IAM_USERNAME": "{email_local}", "EMAIL_DOMAINS": "one.com,other.com"}),
    ("IAM_USERNAME", {"IAM_USERNAME": "{login}"}),
    ("APPROVALS_REQUIRED", {"APPROVERS": "U0A,U0B", "APPROVALS_REQUIRED": "3"}),
]
BREAK_GLASS_FOR_2_DAYS = {"BREAK_GLASS_TTL": "2d", "BREAK_GLASS": "U0ALICE"}
ONE_HOUR = {"KEY_TTL": "1h", "KEY_TTL_MAX": "1h"}


@pytest.mark.parametrize(
    ("name", "settings"), [*CONFLICTS, ("BREAK_GLASS_TTL", {**BREAK_GLASS_FOR_2_DAYS, **ONE_HOUR})]
)
def test_conflicting_settings_are_refused(name: str, settings: dict[str, str]) -> None:
    assert wrong(**settings) == name


@pytest.mark.parametrize(
    "settings",
    [
        {"SLACK_CLIENT_ID": "1.2"},
        {**BREAK_GLASS_FOR_2_DAYS, "KEY_TTL": "never", "KEY_TTL_MAX": "never"},
        ONE_HOUR,
    ],
    ids=["no OAuth secret", "keys live for ever", "break glass is off"],
)
def test_settings_without_a_conflict_are_accepted(settings: dict[str, str]) -> None:
    loaded(**settings)


def test_quorum_is_checked_only_without_groups() -> None:
    assert warned(APPROVERS="U0A,U0B", APPROVALS_REQUIRED="2") == []
    assert warned(APPROVERS="U0A,S0B", APPROVALS_REQUIRED="5") == []


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
    default = {"AWS_DEFAULT_REGION": "eu-west-1"}
    assert loaded(**default).aws_region == "eu-west-1"
    assert loaded(**default, AWS_REGION="eu-north-1").aws_region == "eu-north-1"


def test_several_email_domains_need_an_owner_tag() -> None:
    local = {"IAM_USERNAME": "{email_local}"}
    one = loaded(**local, EMAIL_DOMAINS="example.com,")
    two = loaded(**local, EMAIL_DOMAINS="Example.com, @example.org", IAM_OWNER_TAG="owner")
    assert (one.iam_username, one.email_domains) == ("{email_local}", {"example.com"})
    assert (two.iam_username, two.email_domains) == (
        "{email_local}",
        {"example.com", "example.org"},
    )


def test_file_of_pairs_is_read(pairs: Path) -> None:
    pairs.write_text("# who is who\nU0ALICE, alice\n\nBob@Example.com,bob,of=two+words # moved\n")
    settings = loaded(IAM_USERNAME=str(pairs))
    assert settings.iam_pairs == {"U0ALICE": "alice", "bob@example.com": "bob,of=two+words"}
    assert settings.iam_mapping.rule == "" and "bob" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("U0ALICE,alice\nU0ALICE,alice2", "line 2"),
        ("a@example.com,a\nA@Example.com,b", "line 2"),
        ("U0ALICE", "line 1"),
        ("alice,alice", "line 1"),
        ("U0ALICE,al ice", "line 1"),
        ("# no pair", ""),
    ],
)
def test_ambiguous_file_of_pairs_is_refused(pairs: Path, text: str, line: str) -> None:
    pairs.write_text(text)
    found = problems({**ENOUGH, "IAM_USERNAME": str(pairs)})
    assert found[0].startswith("IAM_USERNAME") and line in found[0]


def test_missing_file_of_pairs_is_refused(pairs: Path) -> None:
    assert "FileNotFoundError" in problem(IAM_USERNAME=str(pairs))

"""Warn of settings that are allowed but unsafe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.config.loading import load
from bot.config.warnings import settings_warnings
from tests.support.running_bot import ROOT
from tests.support.settings import AUDIT_KEY, ENOUGH, loaded, warned, wrong


def test_warns_of_users_who_share_an_iam_user(tmp_path: Path) -> None:
    pairs = tmp_path / "people.csv"
    pairs.write_text("U0ALICE,deploy\nU0BOB,deploy\n")
    [only] = warned(IAM_USERNAME=str(pairs))
    assert "deploy" in only


def test_warns_of_very_short_intervals() -> None:
    settings = loaded(
        LEASE_TTL="6s",
        LOOK_AFTER="5s",
        SWEEP_EVERY="1s",
        SLACK_API_URL="http://127.0.0.1:80/api/",
        AUDIT_KEY=AUDIT_KEY,
    )
    assert [text.split()[0] for text in settings_warnings(settings)] == [
        "LEASE_TTL",
        "LOOK_AFTER",
        "SWEEP_EVERY",
    ]


def test_warns_of_slack_without_tls() -> None:
    [only] = warned(SLACK_API_URL="http://slack.internal/api")
    assert only.split()[0] == "SLACK_API_URL"


def test_warns_if_no_risky_request_can_be_approved() -> None:
    people = {"APPROVERS": "U0A,U0B", "APPROVALS_REQUIRED": "2", "AUDIT_KEY": AUDIT_KEY}
    [warning] = warned(**people, RISKY_NEEDS_ONE_MORE="true")
    assert warning.split()[0] == "RISKY_NEEDS_ONE_MORE" and " 3 " in warning
    assert warned(**people, RISKY_NEEDS_ONE_MORE="False") == []
    assert wrong(RISKY_NEEDS_ONE_MORE="maybe") == "RISKY_NEEDS_ONE_MORE"


@pytest.mark.parametrize(
    "name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS"]
)
def test_warns_of_aws_without_tls(name: str) -> None:
    [only] = warned(**{name: "http://iam-proxy.corp.example"})
    assert only.split()[0] == name
    for fine in (
        "http://127.0.0.1:5000",
        "http://localhost:5000",
        "https://iam-proxy.corp.example",
    ):
        assert warned(**{name: fine}) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://:hunter2@redis.corp.example:6379/0", "rediss"),
        (
            "rediss://:hunter2@redis.corp.example:6380?ssl_cert_reqs=none",
            "ssl_cert_reqs",
        ),
        (
            "rediss://:hunter2@redis.corp.example:6380?ssl_check_hostname=False",
            "ssl_check_hostname",
        ),
    ],
)
def test_warns_of_an_unsafe_redis_connection(url: str, words: str) -> None:
    [only] = warned(REDIS_URL=url)
    assert only.split()[0] == "REDIS_URL" and words in only and "hunter2" not in only


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379",
        "redis://localhost",
        "rediss://redis.corp.example:6380/1",
        "unix:///run/redis.sock?db=1",
        "rediss://redis.corp.example?ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.pem&client_name=keydesk",
    ],
)
def test_does_not_warn_of_a_safe_redis_connection(url: str) -> None:
    assert warned(REDIS_URL=url) == []


def in_file(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / ".env"
    file.write_text(text)
    return list(settings_warnings(load({**ENOUGH, "AUDIT_KEY": AUDIT_KEY}, file)))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("APROVALS_REQUIRED", "APPROVALS_REQUIRED"),
        ("approvals_required", "APPROVALS_REQUIRED"),
        ("IAM_OWNERTAG", "IAM_OWNER_TAG"),
        ("KEY_TTL_MAXIMUM", "KEY_TTL_MAX"),
    ],
)
def test_warns_of_a_misspelt_name_with_the_nearest_one(
    tmp_path: Path, name: str, meant: str
) -> None:
    [only] = in_file(tmp_path, f"{name}=2\n")
    assert only.split()[0] == name and only.endswith(f" {meant}?")


def test_warns_of_unknown_names_but_not_of_aws_names(
    tmp_path: Path,
) -> None:
    [only] = in_file(
        tmp_path, "SOMETHING=1\nAWS_PROFILE=keydesk\nAWS_ENDPOINT_URL_STS=\nLOG_LEVEL=info\n"
    )
    assert only.split()[:3] == ["SOMETHING", "in", ".env"]
    assert (
        in_file(tmp_path, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY=\n# APROVALS_REQUIRED=2\n")
        == []
    )


def test_example_file_has_only_known_names(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / ".env.example").read_text(encoding="utf-8")
    uncommented = "\n".join(
        line.removeprefix("#") for line in text.splitlines() if not line.startswith("# ")
    )
    (tmp_path / ".env").write_text(
        "\n".join(f"{line.partition('=')[0]}=" for line in uncommented.splitlines())
    )
    assert not [
        one for one in settings_warnings(load(ENOUGH, tmp_path / ".env")) if " in .env " in one
    ]


TOKENS = "SLACK_BOT_TOKEN=xoxb-1-abc\nSLACK_APP_TOKEN=xapp-1-abc\n"
REST = "APPROVAL_CHANNEL=C0KEYS\nAPPROVERS=U0CAROL\nREDIS_URL=unix:///nowhere/at/all.sock\n"


def started(folder: Path, *, mode: int, text: str, **environ: str) -> str:
    """Return what the bot logs with this `.env`. It ends, since its database cannot be reached."""
    env_file = folder / ".env"
    env_file.write_text(text)
    env_file.chmod(mode)
    ended = subprocess.run(
        [sys.executable, "-m", "bot"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
    )
    assert ended.returncode == 2 and "Keydesk cannot start" in ended.stderr, ended
    return ended.stdout


@pytest.mark.parametrize("mode", [0o644, 0o604])
def test_warns_of_a_readable_file_with_secrets(tmp_path: Path, mode: int) -> None:
    said = started(tmp_path, mode=mode, text=TOKENS + REST)
    assert ".env holds secrets, and every user of this machine can read it: chmod 600 .env" in said


def test_does_not_warn_of_a_private_or_harmless_file(tmp_path: Path) -> None:
    assert "chmod" not in started(tmp_path, mode=0o600, text=TOKENS + REST)
    harmless = REST.replace("REDIS_URL", "#")
    assert "chmod" not in started(
        tmp_path,
        mode=0o644,
        text=harmless,
        SLACK_BOT_TOKEN="xoxb-1-abc",
        SLACK_APP_TOKEN="xapp-1-abc",
        REDIS_URL="unix:///nowhere/at/all.sock",
    )

"""Warn of settings that are allowed but unsafe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.config import reference
from bot.config.loading import load
from bot.config.warnings import settings_warnings
from tests.support.running_bot import ROOT
from tests.support.settings import AUDIT_KEY, ENOUGH, warned, wrong


def test_warns_of_users_who_share_an_iam_user(tmp_path: Path) -> None:
    pairs = tmp_path / "people.csv"
    pairs.write_text("U0ALICE,deploy\nU0BOB,deploy\n")
    [only] = warned(IAM_USERNAME=str(pairs))
    assert only.startswith("IAM_USERNAME: ") and "deploy" in only


def test_warns_of_very_short_intervals() -> None:
    short = {"LEASE_TTL": "6s", "LOOK_AFTER": "5s", "SWEEP_EVERY": "1s"}
    assert [text.split()[0] for text in warned(**short)] == list(short)


def test_warns_if_no_risky_request_can_be_approved() -> None:
    people = {"APPROVERS": "U0A,U0B", "APPROVALS_REQUIRED": "2"}
    [warning] = warned(**people, RISKY_NEEDS_ONE_MORE="true")
    assert warning.split()[0] == "RISKY_NEEDS_ONE_MORE" and " 3 " in warning
    assert warned(**people, RISKY_NEEDS_ONE_MORE="False") == []
    assert wrong(RISKY_NEEDS_ONE_MORE="maybe") == "RISKY_NEEDS_ONE_MORE"


@pytest.mark.parametrize(
    "name", ["SLACK_API_URL", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS"]
)
def test_warns_of_another_machine_without_tls(name: str) -> None:
    [only] = warned(**{name: "http://proxy.corp.example/api"})
    assert only.split()[0] == name
    for safe in ("http://127.0.0.1:5000", "http://localhost:5000", "https://proxy.corp.example"):
        assert warned(**{name: safe}) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://:hunter2@redis.corp.example:6379/0", "rediss"),
        ("rediss://:hunter2@redis.corp.example:6380?ssl_cert_reqs=none", "ssl_cert_reqs"),
        ("rediss://:hunter2@redis.corp.example?ssl_check_hostname=False", "ssl_check_hostname"),
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
        "rediss://redis.corp.example?ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.pem&client_name=k",
    ],
)
def test_does_not_warn_of_a_safe_redis_connection(url: str) -> None:
    assert warned(REDIS_URL=url) == []


def warned_of_file(tmp_path: Path, text: str) -> list[str]:
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
def test_warns_of_a_misspelt_name(tmp_path: Path, name: str, meant: str) -> None:
    [only] = warned_of_file(tmp_path, f"{name}=2\n")
    assert only.split()[0] == name and only.endswith(f" {meant}?")


def test_warns_of_unknown_names_but_not_of_aws_names(tmp_path: Path) -> None:
    names = "SOMETHING=1\nAWS_PROFILE=keydesk\nAWS_ENDPOINT_URL_STS=\nLOG_LEVEL=info\n"
    [only] = warned_of_file(tmp_path, names)
    assert only.split()[:3] == ["SOMETHING", "in", ".env"]
    no_names = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY=\n# APROVALS_REQUIRED=2\n"
    assert warned_of_file(tmp_path, no_names) == []


def test_example_file_has_only_known_names(tmp_path: Path) -> None:
    lines = (line.removeprefix("#") for line in reference.env_example().splitlines())
    names = [line.partition("=")[0] for line in lines if not line.startswith(" ")]
    assert "AUDIT_KEY" in names
    assert warned_of_file(tmp_path, "\n".join(f"{name}=" for name in names)) == []


RUN = """
import os, sys
from pathlib import Path
from bot.__main__ import run
from bot.config.errors import StartError

def build(settings):
    raise StartError("nothing is served in this test")

for file in sys.argv[1:]:
    assert run(dict(os.environ), Path(file), build) == 2
"""


def test_warns_of_a_readable_file_with_secrets(tmp_path: Path) -> None:
    """In a process, since `run` protects the memory of its process for good."""
    text = "SLACK_BOT_TOKEN={0}\nSLACK_APP_TOKEN={0}\nPORT=3000\n"
    for name, mode, secret in (
        ("all.env", 0o644, "x"),
        ("others.env", 0o604, "x"),
        ("private.env", 0o600, "x"),
        ("harmless.env", 0o644, ""),
    ):
        (tmp_path / name).write_text(text.format(secret))
        (tmp_path / name).chmod(mode)
    files = sorted(path.name for path in tmp_path.iterdir())
    environ = {**ENOUGH, "REDIS_URL": "unix:///nowhere.sock", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], **environ},
    )
    assert done.returncode == 0 and done.stderr.count("Keydesk cannot start") == 4, done
    said = "and every user of this machine can read it: chmod 600"
    assert [name for name in files if f"{name} holds secrets, {said} {name}" in done.stdout] == [
        "all.env",
        "others.env",
    ]
    assert done.stdout.count("chmod") == 2

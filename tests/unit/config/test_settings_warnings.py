"""Settings that are well formed and still wrong: what is warned of, and what is refused, by name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.config.settings import load
from tests.unit.config.test_settings import AUDIT_KEY, ENOUGH, problem, with_


def warned(**more: str) -> list[str]:
    return list(with_(AUDIT_KEY=AUDIT_KEY, **more).warnings)


@pytest.mark.parametrize(
    "name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS"]
)
def test_aws_over_plain_http_is_warned_about_beyond_this_machine(name: str) -> None:
    [only] = warned(**{name: "http://iam-proxy.corp.example"})
    assert only.startswith(f"{name} is not https")
    for fine in (
        "http://127.0.0.1:5000",
        "http://localhost:5000",
        "https://iam-proxy.corp.example",
    ):
        assert warned(**{name: fine}) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://:hunter2@redis.corp.example:6379/0", "is not rediss"),
        (
            "rediss://:hunter2@redis.corp.example:6380?ssl_cert_reqs=none",
            "has ssl_cert_reqs switched off",
        ),
        (
            "rediss://:hunter2@redis.corp.example:6380?ssl_check_hostname=False",
            "has ssl_check_hostname switched off",
        ),
    ],
)
def test_a_store_whose_connection_others_can_read_or_take_over_is_warned_about(
    url: str, words: str
) -> None:
    [only] = warned(REDIS_URL=url)
    assert only.startswith(f"REDIS_URL {words}") and "hunter2" not in only


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
def test_a_store_on_this_machine_or_over_tls_is_not(url: str) -> None:
    assert warned(REDIS_URL=url) == []


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
def test_the_stores_address_does_not_say_how_long_the_desk_waits(option: str) -> None:
    told = problem(REDIS_URL=f"rediss://:hunter2@redis.corp.example/0?{option}=900")
    assert told.startswith("REDIS_URL has the option ") and "hunter2" not in told


@pytest.mark.parametrize(
    ("name", "longest", "most"),
    [
        ("SWEEP_EVERY", "10m", timedelta(minutes=10)),
        ("LEASE_TTL", "10m", timedelta(minutes=10)),
        ("LOOK_AFTER", "1d", timedelta(days=1)),
        ("BREAK_GLASS_TTL", "7d", timedelta(days=7)),
    ],
)
def test_lengths_of_time_with_which_nothing_would_ever_end_are_refused(
    name: str, longest: str, most: timedelta
) -> None:
    assert getattr(with_(**{name: longest}), name.lower()) == most
    for text in ("520w", f"{most.total_seconds() + 1:.0f}s"):
        told = problem(BREAK_GLASS="U0ALICE", KEY_TTL_MAX="never", **{name: text})
        assert told.startswith(f"{name} is longer than {longest}: ") and told.endswith(
            f"Write {longest} at most."
        )


def in_file(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / ".env"
    file.write_text(text)
    return list(load({**ENOUGH, "AUDIT_KEY": AUDIT_KEY}, file).warnings)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("APROVALS_REQUIRED", "APPROVALS_REQUIRED"),
        ("approvals_required", "APPROVALS_REQUIRED"),
        ("IAM_OWNERTAG", "IAM_OWNER_TAG"),
        ("KEY_TTL_MAXIMUM", "KEY_TTL_MAX"),
    ],
)
def test_a_name_in_the_file_that_no_setting_has_is_warned_of_with_the_one_that_was_meant(
    tmp_path: Path, name: str, meant: str
) -> None:
    assert in_file(tmp_path, f"{name}=2\n") == [
        f"{name} in .env is no setting of Keydesk's, so it does nothing. Did you mean {meant}?"
    ]


def test_a_name_that_is_like_none_is_warned_of_and_what_boto3_or_nobody_reads_is_not(
    tmp_path: Path,
) -> None:
    [only] = in_file(
        tmp_path, "SOMETHING=1\nAWS_PROFILE=keydesk\nAWS_ENDPOINT_URL_STS=\nLOG_LEVEL=info\n"
    )
    assert only.startswith("SOMETHING in .env is no setting") and ".env.example" in only
    assert (
        in_file(tmp_path, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY=\n# APROVALS_REQUIRED=2\n")
        == []
    )


def test_the_example_is_a_file_without_such_a_name(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / ".env.example").read_text(encoding="utf-8")
    uncommented = "\n".join(
        line.removeprefix("#") for line in text.splitlines() if not line.startswith("# ")
    )
    (tmp_path / ".env").write_text(
        "\n".join(f"{line.partition('=')[0]}=" for line in uncommented.splitlines())
    )
    assert not [one for one in load(ENOUGH, tmp_path / ".env").warnings if "no setting" in one]

"""Credentials that are missing, fail or are replaced, by botocore's providers."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from bot.aws.clients import RENEW_SECONDS, Connection, IamClients, iam_clients
from bot.aws.iam import IamKeyIssuer
from bot.domain.codes import Code
from bot.domain.outside_errors import AwsNotConfigured
from sandbox.aws import LocalAws
from tests.support.aws_common import ALICE, LATER, LEASE, Time
from tests.support.errors import refuses

OWN_KEY = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
ROLE = "arn:aws:iam::111122223333:role/keydesk"


def sso(folder: Path) -> str:
    """Return a profile whose SSO login was never done."""
    return (
        "sso_start_url = https://sso.example.com\nsso_region = eu-west-1\n"
        "sso_account_id = 111122223333\nsso_role_name = keydesk\n"
    )


def mfa(folder: Path) -> str:
    """Return a profile that asks for an MFA code. A service has no terminal."""
    return (
        f"role_arn = {ROLE}\nmfa_serial = arn:aws:iam::111122223333:mfa/me\n"
        "source_profile = source\n[profile source]\n"
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = made-up\n"
    )


SOURCES: dict[str, tuple[Callable[[Path], str], str]] = {
    "none": (lambda folder: "", "NoCredentialsError"),
    "half a key": (
        lambda folder: "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n",
        "PartialCredentialsError",
    ),
    "a helper that fails": (
        lambda folder: "credential_process = false\n",
        "CredentialRetrievalError",
    ),
    "a helper that does not exist": (
        lambda folder: f"credential_process = {folder}/helper\n",
        "FileNotFoundError",
    ),
    "a helper that prints no JSON": (
        lambda folder: "credential_process = echo x\n",
        "JSONDecodeError",
    ),
    "a token file that does not exist": (
        lambda folder: f"role_arn = {ROLE}\nweb_identity_token_file = {folder}/token\n",
        "FileNotFoundError",
    ),
    "an SSO login that was never done": (sso, "SSOTokenLoadError"),
    "a profile with MFA": (mfa, ""),  # the cause depends on the standard input
}


@pytest.fixture
def bare(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalAws:
    """Return the local AWS, with the credentials that a test writes as files."""
    for name in OWN_KEY:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return aws


@pytest.mark.parametrize(("source", "cause"), SOURCES.values(), ids=SOURCES)
def test_nothing_is_sent_without_credentials(
    bare: LocalAws,
    tmp_path: Path,
    pool: ThreadPoolExecutor,
    source: Callable[[Path], str],
    cause: str,
) -> None:
    (tmp_path / "config").write_text(f"[default]\n{source(tmp_path)}")
    facts = {"aws_code": cause} if cause else {}
    with closing(iam_clients(region=None, endpoint=None, lease_ttl=LEASE)) as clients:
        issuer = IamKeyIssuer(clients, pool)
        with refuses(Code.AWS_NOT_CONFIGURED, action="CreateAccessKey", **facts):
            issuer.create_key(ALICE, give_up_at=LATER * 1e6)
        with refuses(Code.AWS_NOT_CONFIGURED, action="GetUser", **facts):
            issuer.user(ALICE)
    assert bare.calls() == []


def credentials(folder: Path, key_id: str, secret: str) -> None:
    (folder / "credentials").write_text(
        f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n"
    )


def test_replaced_credentials_are_used_without_a_restart(
    bare: LocalAws, tmp_path: Path, pool: ThreadPoolExecutor, time: Time
) -> None:
    credentials(tmp_path, "AKIAIOSFODNN7EXAMPLE", "made-up")
    made = iam_clients(region=None, endpoint=None, lease_ttl=LEASE, monotonic=time.monotonic)
    with closing(made) as clients:
        issuer = IamKeyIssuer(clients, pool)
        with refuses(Code.AWS_NOT_CONFIGURED, aws_code="InvalidClientTokenId"):
            issuer.user(ALICE)
        credentials(tmp_path, *(bare.credentials[name] for name in OWN_KEY))
        with refuses(Code.AWS_NOT_CONFIGURED):
            issuer.user(ALICE)
        time.wait(RENEW_SECONDS)
        assert issuer.user(ALICE).name == ALICE


def test_a_helper_that_recovers_is_asked_again(
    bare: LocalAws, tmp_path: Path, pool: ThreadPoolExecutor, time: Time
) -> None:
    answer = {
        "Version": 1,
        "AccessKeyId": bare.credentials[OWN_KEY[0]],
        "SecretAccessKey": bare.credentials[OWN_KEY[1]],
    }
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {tmp_path}/answer\n")
    made = iam_clients(region=None, endpoint=None, lease_ttl=LEASE, monotonic=time.monotonic)
    with closing(made) as clients:
        issuer = IamKeyIssuer(clients, pool)
        with refuses(Code.AWS_NOT_CONFIGURED, aws_code="CredentialRetrievalError"):
            issuer.user(ALICE)
        (tmp_path / "answer").write_text(json.dumps(answer))
        time.wait(RENEW_SECONDS)
        assert issuer.user(ALICE).name == ALICE


def test_a_slow_helper_delays_one_call_only(time: Time) -> None:
    """Other threads use the old connection while one thread makes the new one."""
    seen: list[Connection] = []
    old, new = Connection(None, None, "old"), Connection(None, None, "new")

    def connect() -> Connection:
        if not clients_made:
            return old
        with ThreadPoolExecutor(1) as other:
            seen.append(other.submit(clients.connection).result(10))
        return new

    clients_made: list[bool] = []
    clients = IamClients(connect, time.monotonic)
    assert clients.connection() is old
    clients_made.append(True)
    with refuses(Code.AWS_NOT_CONFIGURED), clients.reading("GetUser"):
        raise AwsNotConfigured("ExpiredToken", "GetUser")
    time.wait(RENEW_SECONDS)
    assert clients.connection() is new and seen == [old]


def test_a_failing_helper_is_asked_once_in_five_seconds(time: Time) -> None:
    tries: list[float] = []

    def connect() -> Connection:
        tries.append(time.now)
        if len(tries) > 1:
            raise AwsNotConfigured("CredentialRetrievalError", "GetUser")
        return Connection(None, None, None)

    clients = IamClients(connect, time.monotonic)
    with refuses(Code.AWS_NOT_CONFIGURED), clients.reading("GetUser"):
        raise AwsNotConfigured("ExpiredToken", "GetUser")
    for _ in range(2):
        time.wait(RENEW_SECONDS)
        with refuses(Code.AWS_NOT_CONFIGURED):
            clients.check()
        clients.check()
    assert tries == [0.0, RENEW_SECONDS, RENEW_SECONDS * 2]

"""A bot in one account that looks after the IAM users of another: by a role, which boto3 assumes by an AWS profile."""

from __future__ import annotations

import configparser
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.aws.iam import IamKeyIssuer, iam_clients
from bot.domain.codes import Code
from bot.domain.errors import KeydeskError
from bot.domain.outside_errors import IamUnavailable
from sandbox.aws import LocalAws
from sandbox.aws_keys import moto_iam
from sandbox.iam_policy import Decision, Request, trusts
from tests.support.aws_common import ALICE, LATER, LEASE
from tests.support.errors import refuses
from tests.support.policies import ACCOUNT, DEPLOY, Policy, filled

TARGET = "222222222222"
BOT = f"arn:aws:iam::{ACCOUNT}:user/keydesk-bot"
EXTERNAL = "e5b1c0"
TRUST = filled("role-trust-policy.json", **{"BOT-ARN": BOT, "EXTERNAL-ID": EXTERNAL})


def of_target(name: str = "iam-policy.json") -> Policy:
    """A policy of deploy/, filled in for the account with the IAM users."""
    return filled(name, **{f":{ACCOUNT}:": f":{TARGET}:"})


def profile(aws: LocalAws, folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a bot with deploy/aws-config.example, filled in; the bot's own key is in another profile."""
    config = configparser.ConfigParser()
    example = (DEPLOY / "aws-config.example").read_text()
    config.read_string(example.replace("ACCOUNT:", f"{TARGET}:").replace("EXTERNAL-ID", EXTERNAL))
    role = config["profile keydesk"]
    del role["credential_source"]
    role["source_profile"] = "keydesk-bot"
    for name, value in changes.items():
        role.pop(name, None) if not value else role.update({name: value})
    own = aws.credentials
    config["profile keydesk-bot"] = {
        name.lower(): own.pop(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    }
    with (folder / "config").open("w") as file:
        config.write(file)
    del own["AWS_DEFAULT_REGION"]
    return {
        **own,
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_PROFILE": "keydesk",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_MAX_ATTEMPTS": "1",
    }


def two_accounts(trust: Policy = TRUST) -> LocalAws:
    """The bot's account, and another with the role and with Alice's IAM user; both are strict."""
    aws = LocalAws(users=(ALICE,), policy=of_target("assume-role-policy.json"))
    aws.__enter__()
    aws.rights.add_role(TARGET, "keydesk", trust, of_target())
    moto_iam(TARGET).create_user("us-east-1", ALICE)
    return aws


def active_keys(account: str) -> list[str]:
    return [
        key.access_key_id
        for key in moto_iam(account).users[ALICE].access_keys
        if key.status == "Active"
    ]


Start = Callable[..., tuple[LocalAws, IamKeyIssuer]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts both accounts, and an issuer of a bot with the profile; `changes` are changes of the profile."""
    with ExitStack() as stack:

        def start(trust: Policy = TRUST, **changes: str) -> tuple[LocalAws, IamKeyIssuer]:
            aws = two_accounts(trust)
            stack.callback(aws.close)
            for name, value in profile(aws, tmp_path, **changes).items():
                monkeypatch.setenv(name, value)
            clients = iam_clients(region=None, endpoint=None, lease_ttl=LEASE)
            stack.callback(clients.close)
            return aws, IamKeyIssuer(clients, stack.enter_context(ThreadPoolExecutor(4)))

        yield start


def test_the_account_of_everything_is_that_of_the_role(start: Start) -> None:
    aws, issuer = start()
    user = issuer.user(ALICE)
    key, secret = issuer.create_key(ALICE, give_up_at=LATER * 1e6)
    assert user.account == TARGET and issuer.keys(ALICE)[0].id == key.id
    assert issuer.owner(key.id) is not None and issuer.permissions(ALICE).unread == ()
    assert aws.call_as(key.id, secret.expose()) == f"arn:aws:iam::{TARGET}:user/{ALICE}"
    assert (active_keys(TARGET), active_keys(ACCOUNT)) == ([key.id], [])
    issuer.delete_key(ALICE, key.id)
    assert active_keys(TARGET) == []


def test_the_role_is_assumed_once_under_the_name_of_the_desk_and_signs_every_call(
    start: Start,
) -> None:
    aws, issuer = start()
    for _ in range(3):
        issuer.user(ALICE)
    [assumed] = aws.calls("AssumeRole")
    assert assumed.parameters["RoleSessionName"] == "keydesk" and assumed.key_id == _own_key(aws)
    assert {call.key_id for call in aws.calls("GetUser")} == issuer.own_key_ids()
    assert all(key_id.startswith("ASIA") for key_id in issuer.own_key_ids())


def test_temporary_credentials_are_fetched_anew_before_they_end(start: Start) -> None:
    """The shortest session there is lasts 15 minutes, from when on boto3 looks for fresh ones."""
    aws, issuer = start(duration_seconds="900")
    issuer.user(ALICE)
    first = issuer.own_key_ids()
    issuer.user(ALICE)
    assert len(aws.calls("AssumeRole")) > 1
    assert {call.status for call in aws.calls()} == {200} and not first & issuer.own_key_ids()


@pytest.mark.parametrize(
    "changes",
    [
        {"external_id": "other"},
        {"external_id": ""},
        {"role_session_name": "somebody"},
        {"role_arn": f"arn:aws:iam::{TARGET}:role/other"},
    ],
)
@pytest.mark.parametrize(
    "does",
    [
        lambda issuer: issuer.user(ALICE),
        lambda issuer: issuer.create_key(ALICE, give_up_at=LATER * 1e6),
        lambda issuer: issuer.delete_key(ALICE, "AKIAIOSFODNN7EXAMPLE"),
        lambda issuer: issuer.own_key_ids(),
    ],
    ids=["a read", "a new key", "a change", "own keys"],
)
def test_a_role_that_may_not_be_assumed_is_a_missing_permission_and_nothing_was_done(
    start: Start, does: Callable[[IamKeyIssuer], object], changes: dict[str, str]
) -> None:
    aws, issuer = start(**changes)
    with refuses(Code.AWS_DENIED, permission="sts:AssumeRole", aws_code="AccessDenied"):
        does(issuer)
    assert {call.action for call in aws.calls()} == {"AssumeRole"} and active_keys(TARGET) == []


def test_a_role_that_trusts_another_bot_is_not_assumed(start: Start) -> None:
    other = filled("role-trust-policy.json", **{"BOT-ARN": BOT + "2", "EXTERNAL-ID": EXTERNAL})
    _, issuer = start(other)
    with refuses(Code.AWS_DENIED, permission="sts:AssumeRole"):
        issuer.user(ALICE)


@pytest.mark.parametrize(
    "does",
    [
        lambda issuer: issuer.user(ALICE),
        lambda issuer: issuer.own_key_ids(),
        lambda issuer: issuer.create_key(ALICE, give_up_at=LATER * 1e6),
    ],
)
def test_while_sts_is_out_of_order_nothing_was_sent_to_iam_so_nothing_is_unknown(
    start: Start, does: Callable[[IamKeyIssuer], object]
) -> None:
    aws, issuer = start()
    aws.faults.fail("AssumeRole", "ServiceUnavailable", 503, times=None)
    with pytest.raises(KeydeskError) as failure:
        does(issuer)
    assert type(failure.value) is IamUnavailable
    assert {call.action for call in aws.calls()} == {"AssumeRole"}


# -- the trust policy by itself


def trusted(principal: str = BOT, **context: str) -> bool:
    given_ = {"sts:ExternalId": EXTERNAL, "sts:RoleSessionName": "keydesk"} | {
        name.replace("_", ":"): value for name, value in context.items()
    }
    request = Request(
        "sts:AssumeRole",
        f"arn:aws:iam::{TARGET}:role/keydesk",
        {name: value for name, value in given_.items() if value},
        principal,
    )
    return trusts(TRUST, request) is Decision.ALLOWED


def test_the_role_trusts_the_bot_with_its_external_id_and_name() -> None:
    assert trusted()
    assert not trusted(sts_ExternalId="") and not trusted(sts_RoleSessionName="")


@settings(max_examples=200, deadline=None)
@given(
    st.from_regex(r"arn:aws:iam::[0-9]{12}:(user|role)/[a-z-]{1,20}", fullmatch=True),
    st.text(max_size=10),
    st.text(max_size=10),
)
def test_it_trusts_nobody_else_and_nothing_less(
    principal: str, external: str, session: str
) -> None:
    assert not trusted(principal) or principal == BOT
    assert not trusted(sts_ExternalId=external) or external == EXTERNAL
    assert not trusted(sts_RoleSessionName=session) or session == "keydesk"


def test_the_account_of_the_bot_as_a_whole_is_not_trusted_nor_any_wildcard() -> None:
    principals: Any = TRUST["Statement"][0]["Principal"]
    assert principals == {"AWS": BOT} and "*" not in str(TRUST)
    assert not trusted(f"arn:aws:iam::{ACCOUNT}:root")


def _own_key(aws: LocalAws) -> str:
    return aws.credentials["AWS_ACCESS_KEY_ID"]

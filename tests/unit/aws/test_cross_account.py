"""Serve the IAM users of another account, by a role of an AWS profile."""

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

from bot.aws.clients import iam_clients
from bot.aws.iam import IamKeyIssuer
from bot.domain.codes import Code
from sandbox.aws import LocalAws
from sandbox.aws_keys import moto_iam
from sandbox.iam_policy import Decision, Request, trusts
from tests.support.aws_common import ALICE, LATER, LEASE
from tests.support.errors import refuses
from tests.support.policies import ACCOUNT, DEPLOY, Policy, filled
from tests.unit.aws.shared_aws import BOT_ARN, empty

TARGET = "222222222222"
EXTERNAL = "e5b1c0"
ROLE = f"arn:aws:iam::{TARGET}:role/keydesk"
TRUST = filled("role-trust-policy.json", **{"BOT-ARN": BOT_ARN, "EXTERNAL-ID": EXTERNAL})


def of_target(name: str = "iam-policy.json") -> Policy:
    """Return a policy of deploy/, filled in for the account with the IAM users."""
    return filled(name, **{f":{ACCOUNT}:": f":{TARGET}:"})


def profile(aws: LocalAws, folder: Path, **changes: str) -> dict[str, str]:
    """Return the environment of a bot with deploy/aws-config.example, filled in.

    The bot's own key is in another profile.
    """
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


def active_keys(account: str) -> list[str]:
    keys = moto_iam(account).users[ALICE].access_keys
    return [key.access_key_id for key in keys if key.status == "Active"]


Start = Callable[..., IamKeyIssuer]
USES: dict[str, Callable[[IamKeyIssuer], object]] = {
    "read": lambda issuer: issuer.user(ALICE),
    "new key": lambda issuer: issuer.create_key(ALICE, give_up_at=LATER * 1e6),
    "change": lambda issuer: issuer.delete_key(ALICE, "AKIAIOSFODNN7EXAMPLE"),
    "own keys": lambda issuer: issuer.own_key_ids(),
}


@pytest.fixture
def start(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start both accounts, and the issuer of a bot whose profile has these changes.

    Both accounts look at policies. Alice has an IAM user in each, the role is in the target.
    """
    with ExitStack() as stack:

        def start(trust: Policy = TRUST, **changes: str) -> IamKeyIssuer:
            empty(aws, (ALICE,), of_target("assume-role-policy.json"))
            aws.rights.add_role(TARGET, "keydesk", trust, of_target())
            moto_iam(TARGET).create_user("us-east-1", ALICE)
            monkeypatch.delenv("AWS_DEFAULT_REGION")
            for name, value in profile(aws, tmp_path, **changes).items():
                monkeypatch.setenv(name, value)
            clients = iam_clients(region=None, endpoint=None, lease_ttl=LEASE)
            stack.callback(clients.close)
            return IamKeyIssuer(clients, stack.enter_context(ThreadPoolExecutor(4)))

        yield start


def test_everything_belongs_to_the_account_of_the_role(aws: LocalAws, start: Start) -> None:
    issuer = start()
    user = issuer.user(ALICE)
    key, secret = issuer.create_key(ALICE, give_up_at=LATER * 1e6)
    assert user.account == TARGET and issuer.keys(ALICE)[0].id == key.id
    assert issuer.owner(key.id) is not None and issuer.permissions(ALICE).unread == ()
    assert aws.call_as(key.id, secret.expose()) == f"arn:aws:iam::{TARGET}:user/{ALICE}"
    assert (active_keys(TARGET), active_keys(ACCOUNT)) == ([key.id], [])
    issuer.delete_key(ALICE, key.id)
    assert active_keys(TARGET) == []


def test_the_role_is_assumed_once_and_signs_every_call(aws: LocalAws, start: Start) -> None:
    issuer = start()
    for _ in range(3):
        issuer.user(ALICE)
    [assumed] = aws.calls("AssumeRole")
    assert assumed.parameters["RoleSessionName"] == "keydesk"
    assert assumed.key_id == aws.credentials["AWS_ACCESS_KEY_ID"]
    assert {call.key_id for call in aws.calls("GetUser")} == issuer.own_key_ids()
    assert all(key_id.startswith("ASIA") for key_id in issuer.own_key_ids())


def test_temporary_credentials_are_renewed_before_they_end(aws: LocalAws, start: Start) -> None:
    """The shortest session lasts 15 minutes, from when on boto3 looks for fresh ones."""
    issuer = start(duration_seconds="900")
    issuer.user(ALICE)
    first = issuer.own_key_ids()
    issuer.user(ALICE)
    assert len(aws.calls("AssumeRole")) > 1
    assert {call.status for call in aws.calls()} == {200} and not first & issuer.own_key_ids()


OTHER_BOT = filled("role-trust-policy.json", **{"BOT-ARN": BOT_ARN + "2", "EXTERNAL-ID": EXTERNAL})


@pytest.mark.parametrize(
    "changes",
    [
        {"external_id": "other"},
        {"external_id": ""},
        {"role_session_name": "other"},
        {"role_arn": f"arn:aws:iam::{TARGET}:role/other"},
        {"trust": OTHER_BOT},
    ],
    ids=["other external ID", "no external ID", "other name", "other role", "trusts another bot"],
)
def test_a_role_that_cannot_be_assumed_denies_everything(
    aws: LocalAws, start: Start, changes: dict[str, Any]
) -> None:
    issuer = start(**changes)
    for use in USES.values():
        with refuses(Code.AWS_DENIED, permission="sts:AssumeRole", aws_code="AccessDenied"):
            use(issuer)
    assert {call.action for call in aws.calls()} == {"AssumeRole"} and active_keys(TARGET) == []


def test_nothing_is_sent_to_iam_while_sts_is_down(aws: LocalAws, start: Start) -> None:
    """So the outcome of a change is not unknown."""
    issuer = start()
    aws.faults.fail("AssumeRole", "ServiceUnavailable", 503, times=None)
    for use in USES.values():
        with refuses(Code.AWS_UNAVAILABLE):
            use(issuer)
    assert {call.action for call in aws.calls()} == {"AssumeRole"}


def trusted(principal: str = BOT_ARN, external: str = EXTERNAL, session: str = "keydesk") -> bool:
    """Return whether the trust policy of deploy/ lets this principal assume the role."""
    given_ = {"sts:ExternalId": external, "sts:RoleSessionName": session}
    context = {name: value for name, value in given_.items() if value}
    return trusts(TRUST, Request("sts:AssumeRole", ROLE, context, principal)) is Decision.ALLOWED


@settings(max_examples=200, deadline=None)
@given(
    st.from_regex(r"arn:aws:iam::[0-9]{12}:(user|role)/[a-z-]{1,20}", fullmatch=True),
    st.text(max_size=10),
    st.text(max_size=10),
)
def test_the_role_trusts_only_the_bot_with_id_and_name(
    principal: str, external: str, session: str
) -> None:
    assert trusted()
    assert not trusted(principal) or principal == BOT_ARN
    assert not trusted(external=external) or external == EXTERNAL
    assert not trusted(session=session) or session == "keydesk"


def test_neither_an_account_nor_a_wildcard_is_trusted() -> None:
    assert TRUST["Statement"][0]["Principal"] == {"AWS": BOT_ARN} and "*" not in str(TRUST)
    assert not trusted(f"arn:aws:iam::{ACCOUNT}:root")
    assert not trusted(external="") and not trusted(session="")

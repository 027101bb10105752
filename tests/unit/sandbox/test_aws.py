"""Check that the local AWS does what AWS does and moto does not."""

from __future__ import annotations

import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws import LocalAws
from tests.support.sandbox_aws import ALICE, bot, new_key, refusal


def refused_as(aws: LocalAws, key_id: str, secret: str) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        aws.call_as(key_id, secret)
    return refusal(error)


def test_the_bot_has_a_user_of_its_own(aws: LocalAws) -> None:
    arn = bot(aws, "sts").get_caller_identity()["Arn"]
    assert arn == "arn:aws:iam::123456789012:user/keydesk-bot"


def test_each_start_is_clean() -> None:
    with LocalAws(users=(ALICE,)) as first:
        new_key(first)
    with LocalAws(users=(ALICE,)) as second:
        assert second.keys(ALICE) == []
        assert (second.secrets, second.calls()) == ({}, [])


def test_a_key_names_its_owner_and_its_last_use_changes(aws: LocalAws, iam: Any) -> None:
    key_id, secret = new_key(aws)
    assert aws.call_as(key_id, secret) == f"arn:aws:iam::123456789012:user/{ALICE}"
    last = iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
    assert (last["ServiceName"], last["Region"]) == ("sts", "us-east-1")
    assert "LastUsedDate" in last


def test_a_key_works_only_with_its_secret_while_it_is_active(aws: LocalAws) -> None:
    """The bot's own key is not among the working keys that are named."""
    key_id, secret = new_key(aws)
    iam = aws.client("iam")
    assert aws.working_keys() == [{"id": key_id, "user": ALICE}]
    assert refused_as(aws, key_id, "x" * 40) == ("SignatureDoesNotMatch", 403)
    iam.update_access_key(UserName=ALICE, AccessKeyId=key_id, Status="Inactive")
    assert refused_as(aws, key_id, secret) == ("InvalidClientTokenId", 403)
    assert aws.working_keys() == []
    iam.update_access_key(UserName=ALICE, AccessKeyId=key_id, Status="Active")
    assert aws.call_as(key_id, secret)
    iam.delete_access_key(UserName=ALICE, AccessKeyId=key_id)
    for unknown in (key_id, "AKIAUNKNOWNUNKNOWN22"):
        assert refused_as(aws, unknown, secret) == ("InvalidClientTokenId", 403)


def test_an_unsigned_call_is_refused(aws: LocalAws) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(aws.url, data=b"Action=ListUsers&Version=2010-05-08", timeout=10)
    assert error.value.code == 403
    assert b"MissingAuthenticationToken" in error.value.read()


def test_a_new_key_is_refused_for_a_while_on_demand(aws: LocalAws) -> None:
    key_id, secret = new_key(aws)
    aws.faults.new_keys_work_after(3600)
    assert refused_as(aws, key_id, secret) == ("InvalidClientTokenId", 403)
    aws.faults.new_keys_work_after(0)
    assert aws.call_as(key_id, secret)


def test_a_user_gets_two_keys_of_many_requested_at_once(aws: LocalAws, iam: Any) -> None:
    def create(_: int) -> str:
        try:
            return str(iam.create_access_key(UserName=ALICE)["AccessKey"]["AccessKeyId"])
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, range(16)))
    created = [answer for answer in answers if answer != "LimitExceeded"]
    assert sorted(aws.key_ids(ALICE)) == sorted(created) and len(created) == 2


def test_the_bots_calls_are_recorded_not_the_admins(aws: LocalAws, iam: Any) -> None:
    new_key(aws)
    iam.list_access_keys(UserName=ALICE)
    with pytest.raises(ClientError):
        iam.get_user(UserName="missing")
    listed, asked = aws.calls()
    assert (listed.action, listed.parameters) == ("ListAccessKeys", {"UserName": ALICE})
    assert (listed.status, asked.action, asked.status) == (200, "GetUser", 404)
    assert listed.key_id == aws.credentials["AWS_ACCESS_KEY_ID"]
    assert listed.at <= asked.at
    assert aws.calls("GetUser") == [asked]


def test_every_answer_has_a_date(aws: LocalAws, iam: Any) -> None:
    answer = iam.list_access_keys(UserName=ALICE)
    aws.faults.throttle("ListAccessKeys")
    with pytest.raises(ClientError) as error:
        iam.list_access_keys(UserName=ALICE)
    for metadata in (answer["ResponseMetadata"], error.value.response["ResponseMetadata"]):
        assert parsedate_to_datetime(metadata["HTTPHeaders"]["date"]).tzinfo is not None


def test_a_key_can_be_made_older_and_used(aws: LocalAws, iam: Any) -> None:
    key_id, _ = new_key(aws)
    created = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    used = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    aws.backdate(key_id, created=created)
    aws.mark_used(key_id, at=used, service="ec2", region="eu-central-1")
    [key] = aws.keys(ALICE)
    last = iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
    assert key["CreateDate"] == created
    assert last == {"LastUsedDate": used, "ServiceName": "ec2", "Region": "eu-central-1"}


def test_keys_are_created_and_used_in_a_time_that_runs_ahead() -> None:
    ahead = timedelta(days=3)

    def is_ahead(at: datetime) -> bool:
        return timedelta(minutes=-1) < at - datetime.now(UTC) - ahead <= timedelta(seconds=1)

    with LocalAws((ALICE,), lambda: ahead) as local:
        iam = local.client("iam")
        key = iam.create_access_key(UserName=ALICE)["AccessKey"]
        local.call_as(key["AccessKeyId"], key["SecretAccessKey"])
        used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
        times = (key["CreateDate"], local.keys(ALICE)[0]["CreateDate"], used["LastUsedDate"])
        assert all(map(is_ahead, times)) and used["ServiceName"] == "sts"

"""Does the local AWS do what AWS does and moto does not?"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from botocore.exceptions import ClientError

from sandbox.aws import LocalAws
from tests.support.sandbox_aws import ALICE, bot, new_key, refusal


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with LocalAws(users=(ALICE, "bob@example.com")) as local:
        yield local


def test_the_bot_has_a_user_of_its_own(aws: LocalAws) -> None:
    assert (
        bot(aws, "sts").get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/keydesk-bot"
    )


def test_each_start_is_clean() -> None:
    with LocalAws(users=(ALICE,)) as first:
        new_key(first)
    with LocalAws(users=(ALICE,)) as second:
        assert second.keys(ALICE) == []
        assert (second.secrets, second.calls()) == ({}, [])


def test_a_key_says_whose_it_is_and_its_last_use_moves(aws: LocalAws) -> None:
    key_id, secret = new_key(aws)

    assert aws.call_as(key_id, secret) == f"arn:aws:iam::123456789012:user/{ALICE}"

    last = bot(aws).get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
    assert (last["ServiceName"], last["Region"]) == ("sts", "us-east-1")
    assert "LastUsedDate" in last


def test_an_inactive_key_is_refused_until_it_is_active_again(aws: LocalAws) -> None:
    key_id, secret = new_key(aws)
    iam = aws.client("iam")

    iam.update_access_key(UserName=ALICE, AccessKeyId=key_id, Status="Inactive")
    with pytest.raises(ClientError) as error:
        aws.call_as(key_id, secret)
    iam.update_access_key(UserName=ALICE, AccessKeyId=key_id, Status="Active")

    assert refusal(error) == ("InvalidClientTokenId", 403)
    assert aws.call_as(key_id, secret)


def test_a_deleted_and_an_unknown_key_are_refused(aws: LocalAws) -> None:
    key_id, secret = new_key(aws)
    aws.client("iam").delete_access_key(UserName=ALICE, AccessKeyId=key_id)

    for unknown in (key_id, "AKIAUNKNOWNUNKNOWN22"):
        with pytest.raises(ClientError) as error:
            aws.call_as(unknown, secret)
        assert refusal(error) == ("InvalidClientTokenId", 403)


def test_a_wrong_secret_is_refused(aws: LocalAws) -> None:
    key_id, _ = new_key(aws)

    with pytest.raises(ClientError) as error:
        aws.call_as(key_id, "x" * 40)

    assert refusal(error) == ("SignatureDoesNotMatch", 403)


def test_an_unsigned_call_is_refused(aws: LocalAws) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(aws.url, data=b"Action=ListUsers&Version=2010-05-08", timeout=10)

    assert error.value.code == 403
    assert b"MissingAuthenticationToken" in error.value.read()


def test_a_new_key_is_refused_for_a_while_if_told_so(aws: LocalAws) -> None:
    key_id, secret = new_key(aws)

    aws.faults.new_keys_work_after(3600)
    with pytest.raises(ClientError) as error:
        aws.call_as(key_id, secret)
    aws.faults.new_keys_work_after(0)

    assert refusal(error) == ("InvalidClientTokenId", 403)
    assert aws.call_as(key_id, secret)


def test_a_user_has_at_most_two_keys_however_many_ask_at_once(aws: LocalAws) -> None:
    iam = bot(aws)

    def create(_: int) -> str:
        try:
            return str(iam.create_access_key(UserName=ALICE)["AccessKey"]["AccessKeyId"])
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, range(16)))

    assert sorted(aws.key_ids(ALICE)) == sorted(
        answer for answer in answers if answer != "LimitExceeded"
    )
    assert answers.count("LimitExceeded") == 14


def test_calls_are_recorded_with_parameters_and_status_but_not_the_administrators(
    aws: LocalAws,
) -> None:
    new_key(aws)
    iam = bot(aws)

    iam.list_access_keys(UserName=ALICE)
    with pytest.raises(ClientError):
        iam.get_user(UserName="nobody")

    listed, asked = aws.calls()
    assert (listed.action, listed.parameters, listed.status) == (
        "ListAccessKeys",
        {"UserName": ALICE},
        200,
    )
    assert (asked.action, asked.status) == ("GetUser", 404)
    assert listed.key_id == aws.credentials["AWS_ACCESS_KEY_ID"]
    assert listed.at <= asked.at
    assert aws.calls("GetUser") == [asked]


def test_every_answer_bears_the_date(aws: LocalAws) -> None:
    answer = bot(aws).list_access_keys(UserName=ALICE)
    aws.faults.throttle("ListAccessKeys")
    with pytest.raises(ClientError) as error:
        bot(aws).list_access_keys(UserName=ALICE)

    for metadata in (answer["ResponseMetadata"], error.value.response["ResponseMetadata"]):
        assert parsedate_to_datetime(metadata["HTTPHeaders"]["date"]).tzinfo is not None


def test_a_key_can_be_made_older_and_used(aws: LocalAws) -> None:
    key_id, _ = new_key(aws)
    made, used = (
        datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    )

    aws.backdate(key_id, created=made)
    aws.mark_used(key_id, at=used, service="ec2", region="eu-central-1")

    (key,) = bot(aws).list_access_keys(UserName=ALICE)["AccessKeyMetadata"]
    last = bot(aws).get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
    assert key["CreateDate"] == made
    assert last == {"LastUsedDate": used, "ServiceName": "ec2", "Region": "eu-central-1"}


def test_keys_are_made_and_used_in_a_time_that_runs_ahead() -> None:
    """Where the desk is tried out its time is moved on, and AWS goes along."""
    ahead = timedelta(days=3)
    with LocalAws((ALICE,), lambda: ahead) as local:
        iam = local.client("iam")
        made = iam.create_access_key(UserName=ALICE)["AccessKey"]
        assert near(made["CreateDate"], ahead)
        assert near(local.keys(ALICE)[0]["CreateDate"], ahead)
        local.call_as(made["AccessKeyId"], made["SecretAccessKey"])
        used = iam.get_access_key_last_used(AccessKeyId=made["AccessKeyId"])["AccessKeyLastUsed"]
        assert near(used["LastUsedDate"], ahead) and used["ServiceName"] == "sts"


def near(at: datetime, ahead: timedelta) -> bool:
    """Say whether a moment is now, or up to a minute ago, in a time that runs ahead."""
    return timedelta(seconds=-60) < at - datetime.now(UTC) - ahead <= timedelta(seconds=1)


def test_the_keys_that_work_are_those_that_are_active(aws: LocalAws) -> None:
    """The bot's own is not among them."""
    iam = aws.client("iam")
    works, off = (
        iam.create_access_key(UserName=ALICE)["AccessKey"]["AccessKeyId"] for _ in range(2)
    )
    iam.update_access_key(UserName=ALICE, AccessKeyId=off, Status="Inactive")
    assert aws.working_keys() == [{"id": works, "user": ALICE}]

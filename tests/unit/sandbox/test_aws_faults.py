"""Does the local AWS break as it is told to, and only so?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from sandbox.aws import LocalAws
from tests.support.sandbox_aws import ALICE, bot, new_key, refusal


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with LocalAws(users=(ALICE, "bob@example.com")) as local:
        yield local


def test_throttling_lasts_as_often_as_told(aws: LocalAws) -> None:
    aws.faults.throttle("GetUser", times=2)

    for _ in range(2):
        with pytest.raises(ClientError) as error:
            bot(aws).get_user(UserName=ALICE)
        assert refusal(error) == ("Throttling", 400)

    assert bot(aws).get_user(UserName=ALICE)


def test_botocore_takes_throttling_for_what_it_is_and_tries_again(aws: LocalAws) -> None:
    aws.faults.throttle("GetUser", times=1)

    assert bot(aws, attempts=3).get_user(UserName=ALICE)

    assert [call.status for call in aws.calls("GetUser")] == [400, 200]


def test_a_refused_call_has_no_effect(aws: LocalAws) -> None:
    aws.faults.fail("CreateAccessKey", "ServiceFailure", status=500, message="Oh", times=1)

    with pytest.raises(ClientError, match="Oh") as error:
        bot(aws).create_access_key(UserName=ALICE)

    assert refusal(error) == ("ServiceFailure", 500)
    assert aws.keys(ALICE) == []


def test_times_none_lasts_until_cleared(aws: LocalAws) -> None:
    aws.faults.fail("*", "AccessDenied", times=None)

    for _ in range(3):
        with pytest.raises(ClientError):
            bot(aws).get_user(UserName=ALICE)
    aws.faults.clear()

    assert bot(aws).get_user(UserName=ALICE)


def test_faults_of_one_action_leave_the_others_alone(aws: LocalAws) -> None:
    aws.faults.drop("CreateAccessKey")

    assert bot(aws).get_user(UserName=ALICE)


def test_a_call_dropped_before_it_ran_left_nothing(aws: LocalAws) -> None:
    aws.faults.drop("CreateAccessKey", moment="before")

    with pytest.raises(ConnectionClosedError):
        bot(aws).create_access_key(UserName=ALICE)

    assert (aws.keys(ALICE), aws.secrets) == ([], {})
    assert [call.status for call in aws.calls()] == [None]


def test_a_call_dropped_after_it_ran_left_a_key_whose_secret_is_known_here(aws: LocalAws) -> None:
    aws.faults.drop("CreateAccessKey", moment="after")

    with pytest.raises(ConnectionClosedError):
        bot(aws).create_access_key(UserName=ALICE)

    (key_id,) = aws.key_ids(ALICE)
    assert aws.call_as(key_id, aws.secrets[key_id]).endswith(ALICE)


def test_a_held_call_waits_and_the_others_do_not(aws: LocalAws) -> None:
    hold = aws.faults.hold("CreateAccessKey", moment="before", nth=2)
    iam = bot(aws)
    first = iam.create_access_key(UserName=ALICE)["AccessKey"]["AccessKeyId"]

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(iam.create_access_key, UserName=ALICE)
        assert hold.reached.wait(10)
        assert bot(aws).get_user(UserName=ALICE)
        assert aws.key_ids(ALICE) == [first]
        hold.release()
        second = held.result(timeout=10)["AccessKey"]["AccessKeyId"]

    assert aws.key_ids(ALICE) == [first, second]


def test_a_call_held_after_it_ran_has_run(aws: LocalAws) -> None:
    hold = aws.faults.hold("CreateAccessKey", moment="after")

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(bot(aws).create_access_key, UserName=ALICE)
        assert hold.reached.wait(10)
        (key_id,) = aws.key_ids(ALICE)
        hold.release()
        assert held.result(timeout=10)["AccessKey"]["AccessKeyId"] == key_id


def test_clear_ends_holds_and_delays(aws: LocalAws) -> None:
    hold = aws.faults.hold("GetUser")
    aws.faults.delay("GetUser", seconds=3600, times=1)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bot(aws).get_user, UserName=ALICE)
        assert hold.reached.wait(10)
        aws.faults.clear()
        assert waiting.result(timeout=10)["User"]["UserName"] == ALICE


def test_a_call_still_held_at_the_end_never_runs() -> None:
    with LocalAws(users=(ALICE,)) as aws, ThreadPoolExecutor(1) as pool:
        hold = aws.faults.hold("CreateAccessKey")
        held = pool.submit(bot(aws).create_access_key, UserName=ALICE)
        assert hold.reached.wait(10)
        aws.close()
        assert isinstance(held.exception(timeout=10), ConnectionClosedError)

    assert aws.secrets == {}


def test_lists_can_be_out_of_date(aws: LocalAws) -> None:
    key_id, _ = new_key(aws)
    iam = bot(aws)

    aws.faults.stale_lists(seconds=3600)
    before = iam.list_access_keys(UserName=ALICE)["AccessKeyMetadata"]
    aws.faults.stale_lists(seconds=0)
    now = iam.list_access_keys(UserName=ALICE)["AccessKeyMetadata"]

    assert before == []
    assert [key["AccessKeyId"] for key in now] == aws.key_ids(ALICE) == [key_id]


def test_lists_can_come_in_pages_with_the_same_content(aws: LocalAws) -> None:
    keys = [new_key(aws)[0], new_key(aws)[0]]
    aws.client("iam").update_access_key(UserName=ALICE, AccessKeyId=keys[1], Status="Inactive")
    aws.faults.page_size(1)

    pages = list(bot(aws).get_paginator("list_access_keys").paginate(UserName=ALICE))

    found = [
        (key["AccessKeyId"], key["Status"]) for page in pages for key in page["AccessKeyMetadata"]
    ]
    assert [len(page["AccessKeyMetadata"]) for page in pages] == [1, 1]
    assert found == [(keys[0], "Active"), (keys[1], "Inactive")]


def test_a_list_for_an_unknown_user_is_refused_in_any_mood(aws: LocalAws) -> None:
    aws.faults.page_size(1)

    with pytest.raises(ClientError) as error:
        bot(aws).list_access_keys(UserName="nobody")

    assert refusal(error) == ("NoSuchEntity", 404)


def test_when_aws_is_down_only_the_administrator_gets_through(aws: LocalAws) -> None:
    aws.faults.down()

    with pytest.raises(ConnectionClosedError):
        bot(aws).get_user(UserName=ALICE)
    assert aws.keys(ALICE) == []
    aws.faults.down(on=False)

    assert bot(aws).get_user(UserName=ALICE)

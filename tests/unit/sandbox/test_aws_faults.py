"""Check that the local AWS breaks as it is told to, and only so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from sandbox.aws import LocalAws
from tests.support.sandbox_aws import ALICE, bot, new_key, refusal


def refused(call: Any, user: str = ALICE) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call(UserName=user)
    return refusal(error)


def test_throttling_happens_as_often_as_told(aws: LocalAws, iam: Any) -> None:
    aws.faults.throttle("GetUser", times=2)
    for _ in range(2):
        assert refused(iam.get_user) == ("Throttling", 400)
    assert iam.get_user(UserName=ALICE)


def test_botocore_takes_throttling_as_such_and_repeats(aws: LocalAws) -> None:
    aws.faults.throttle("GetUser", times=1)
    assert bot(aws, attempts=2).get_user(UserName=ALICE)
    assert [call.status for call in aws.calls("GetUser")] == [400, 200]


def test_a_refused_call_has_no_effect(aws: LocalAws, iam: Any) -> None:
    aws.faults.fail("CreateAccessKey", "ServiceFailure", status=500, message="Oh", times=1)
    with pytest.raises(ClientError, match="Oh") as error:
        iam.create_access_key(UserName=ALICE)
    assert refusal(error) == ("ServiceFailure", 500)
    assert aws.keys(ALICE) == []


def test_a_fault_without_number_lasts_until_cleared(aws: LocalAws, iam: Any) -> None:
    aws.faults.fail("*", "AccessDenied", times=None)
    for _ in range(3):
        assert refused(iam.get_user) == ("AccessDenied", 403)
    aws.faults.clear()
    assert iam.get_user(UserName=ALICE)


def test_a_dropped_call_may_have_run_before(aws: LocalAws, iam: Any) -> None:
    """The secret of a key whose answer was dropped is known here. Other actions go on."""
    aws.faults.drop("CreateAccessKey", moment="before")
    assert iam.get_user(UserName=ALICE)
    with pytest.raises(ConnectionClosedError):
        iam.create_access_key(UserName=ALICE)
    assert (aws.keys(ALICE), aws.secrets) == ([], {})
    assert [call.status for call in aws.calls("CreateAccessKey")] == [None]
    aws.faults.drop("CreateAccessKey", moment="after")
    with pytest.raises(ConnectionClosedError):
        iam.create_access_key(UserName=ALICE)
    [key_id] = aws.key_ids(ALICE)
    assert aws.call_as(key_id, aws.secrets[key_id]).endswith(ALICE)


def test_a_held_call_waits_and_others_do_not(aws: LocalAws, iam: Any) -> None:
    hold = aws.faults.hold("CreateAccessKey", moment="before", nth=2)
    first = iam.create_access_key(UserName=ALICE)["AccessKey"]["AccessKeyId"]
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(iam.create_access_key, UserName=ALICE)
        assert hold.reached.wait(10)
        assert iam.get_user(UserName=ALICE)
        assert aws.key_ids(ALICE) == [first]
        hold.release()
        second = held.result(timeout=10)["AccessKey"]["AccessKeyId"]
    assert aws.key_ids(ALICE) == [first, second]


def test_a_call_held_after_it_ran_has_run(aws: LocalAws, iam: Any) -> None:
    hold = aws.faults.hold("CreateAccessKey", moment="after")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(iam.create_access_key, UserName=ALICE)
        assert hold.reached.wait(10)
        [key_id] = aws.key_ids(ALICE)
        hold.release()
        assert held.result(timeout=10)["AccessKey"]["AccessKeyId"] == key_id


def test_clear_ends_holds_and_delays(aws: LocalAws, iam: Any) -> None:
    hold = aws.faults.hold("GetUser")
    aws.faults.delay("GetUser", seconds=3600, times=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(iam.get_user, UserName=ALICE)
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


def test_lists_can_be_out_of_date(aws: LocalAws, iam: Any) -> None:
    key_id, _ = new_key(aws)
    found = []
    for seconds in (3600, 0):
        aws.faults.stale_lists(seconds=seconds)
        keys = iam.list_access_keys(UserName=ALICE)["AccessKeyMetadata"]
        found.append([key["AccessKeyId"] for key in keys])
    assert found == [[], [key_id]] and aws.key_ids(ALICE) == [key_id]


def test_lists_can_come_in_pages(aws: LocalAws, iam: Any) -> None:
    active, off = new_key(aws)[0], new_key(aws)[0]
    aws.client("iam").update_access_key(UserName=ALICE, AccessKeyId=off, Status="Inactive")
    aws.faults.page_size(1)
    pages = iam.get_paginator("list_access_keys").paginate(UserName=ALICE)
    listed = [page["AccessKeyMetadata"] for page in pages]
    assert [[(key["AccessKeyId"], key["Status"]) for key in page] for page in listed] == [
        [(active, "Active")],
        [(off, "Inactive")],
    ]
    assert refused(iam.list_access_keys, "missing") == ("NoSuchEntity", 404)


def test_only_the_admin_gets_through_while_aws_is_down(aws: LocalAws, iam: Any) -> None:
    aws.faults.down()
    with pytest.raises(ConnectionClosedError):
        iam.get_user(UserName=ALICE)
    assert aws.keys(ALICE) == []
    aws.faults.down(on=False)
    assert iam.get_user(UserName=ALICE)

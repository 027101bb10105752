"""Read users, keys, last uses and owners from IAM, beyond the issuer's contract."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.aws.clients import IamClients, iam_clients
from bot.aws.iam import IamKeyIssuer
from bot.domain.codes import Code
from bot.domain.keys import AccessKey, KeyStatus, LastUsed
from bot.domain.ports import KeyIssuer
from sandbox.aws import LocalAws
from tests.support.aws_common import ALICE, BOB, LEASE, issued
from tests.support.errors import refuses

NEVER_CREATED = "AKIAIOSFODNN7EXAMPLE"
CREATED, USED = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
S3 = LastUsed(USED, "s3", "eu-west-1")


def test_a_user_has_an_id_tags_and_iams_own_clock(aws: LocalAws, issuer: KeyIssuer) -> None:
    aws.tag(ALICE, slack="U0ALICE")
    user = issuer.user(ALICE)
    shown = aws.client("iam").get_user(UserName=ALICE)["User"]
    assert (user.name, user.user_id, user.arn) == (ALICE, shown["UserId"], shown["Arn"])
    assert (user.account, user.tags) == ("123456789012", {"slack": "U0ALICE"})
    assert user.read_at.tzinfo is UTC
    assert aws.calls("GetUser")[0].at.replace(microsecond=0) <= user.read_at


def test_keys_come_oldest_first_with_their_last_use(aws: LocalAws, issuer: KeyIssuer) -> None:
    newer, older = issued(issuer), issued(issuer)
    aws.backdate(older.id, created=CREATED)
    aws.mark_used(older.id, at=USED, service="s3", region="eu-west-1")
    issuer.set_status(ALICE, newer.id, KeyStatus.INACTIVE)
    assert issuer.keys(ALICE) == (
        AccessKey(older.id, ALICE, KeyStatus.ACTIVE, CREATED, S3),
        replace(newer, status=KeyStatus.INACTIVE, last_used=LastUsed()),
    )


def test_last_uses_are_read_in_parallel(aws: LocalAws, issuer: KeyIssuer) -> None:
    issued(issuer)
    issued(issuer)
    held = [aws.faults.hold("GetAccessKeyLastUsed", nth=nth) for nth in (1, 2)]
    with ThreadPoolExecutor(1) as caller:
        listing = caller.submit(issuer.keys, ALICE)
        together = [hold.reached.wait(10) for hold in held]
        aws.faults.clear()
        assert len(listing.result(timeout=10)) == 2
    assert together == [True, True]
    assert len(aws.calls("ListAccessKeys")) == 1


def test_a_list_reads_every_page_and_no_last_use(aws: LocalAws, issuer: KeyIssuer) -> None:
    created = {issued(issuer).id, issued(issuer).id}
    aws.faults.page_size(1)
    assert {key.id for key in issuer.listed(ALICE)} == created
    assert len(aws.calls("ListAccessKeys")) == 2
    assert aws.calls("GetAccessKeyLastUsed") == []


def test_a_key_unknown_to_iam_has_no_last_use_yet(aws: LocalAws, issuer: KeyIssuer) -> None:
    """IAM is eventually consistent: its list may be ahead of its other answers."""
    key = issued(issuer)
    aws.faults.fail("GetAccessKeyLastUsed", "NoSuchEntity", status=404)
    [shown] = issuer.keys(ALICE)
    assert (shown.id, shown.last_used) == (key.id, None)
    with refuses(Code.ACCESS_KEY_NOT_FOUND):
        issuer.last_used(NEVER_CREATED)


def test_a_read_is_repeated_when_its_answer_is_lost(aws: LocalAws, issuer: KeyIssuer) -> None:
    aws.faults.drop("GetUser", times=2)
    assert issuer.user(ALICE).name == ALICE
    assert len(aws.calls("GetUser")) == 3


def test_reads_are_unavailable_when_aws_is_down(aws: LocalAws, issuer: KeyIssuer) -> None:
    aws.faults.down()
    with refuses(Code.AWS_UNAVAILABLE, action="ListAccessKeys"):
        issuer.keys(ALICE)
    assert len(aws.calls("ListAccessKeys")) == 3


@pytest.mark.parametrize(
    ("lease", "longest"),
    [(timedelta(seconds=60), 10.0), (timedelta(seconds=6), 1.0), (LEASE * 60, 10.0)],
)
def test_an_attempt_takes_at_most_a_sixth_of_the_lease(
    aws: LocalAws, lease: timedelta, longest: float
) -> None:
    clients = iam_clients(region=None, endpoint=None, lease_ttl=lease)
    for client in (clients.connection().reads, clients.connection().changes):
        config = client.meta.config
        assert config.connect_timeout + config.read_timeout == pytest.approx(longest)
    clients.close()


def test_one_call_names_the_owner_and_the_last_use(aws: LocalAws, issuer: KeyIssuer) -> None:
    key = issued(issuer, BOB)
    aws.mark_used(key.id, at=USED, service="s3", region="eu-west-1")
    before = len(aws.calls())
    assert issuer.owner(key.id) == (BOB, S3)
    assert [call.action for call in aws.calls()[before:]] == ["GetAccessKeyLastUsed"]


def test_a_use_changes_the_last_use(aws: LocalAws, issuer: KeyIssuer) -> None:
    key = issued(issuer, BOB)
    aws.call_as(key.id, aws.secrets[key.id])
    found = issuer.owner(key.id)
    assert found and found[1].at and found[1].service == "sts"


def test_an_inactive_key_has_an_owner_a_deleted_one_none(issuer: KeyIssuer) -> None:
    key = issued(issuer, BOB)
    issuer.set_status(BOB, key.id, KeyStatus.INACTIVE)
    assert issuer.owner(key.id) == (BOB, LastUsed())
    issuer.delete_key(BOB, key.id)
    assert issuer.owner(key.id) is None


def test_a_key_of_another_account_has_no_owner_here(aws: LocalAws, issuer: KeyIssuer) -> None:
    """AWS answers AccessDenied for it (measured; not in its documentation)."""
    aws.faults.fail("GetAccessKeyLastUsed", "AccessDenied", 403, times=3)
    assert issuer.owner(NEVER_CREATED) is None


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("InvalidClientTokenId", 403, Code.AWS_NOT_CONFIGURED),
        ("Throttling", 400, Code.AWS_THROTTLED),
        ("ServiceFailure", 500, Code.AWS_UNAVAILABLE),
    ],
)
def test_another_error_does_not_mean_that_there_is_no_owner(
    aws: LocalAws,
    once: IamClients,
    pool: ThreadPoolExecutor,
    code: str,
    status: int,
    expected: Code,
) -> None:
    tries_once = IamKeyIssuer(once, pool)
    aws.faults.fail("GetAccessKeyLastUsed", code, status)
    with refuses(expected):
        tries_once.owner(NEVER_CREATED)


def test_keydesks_own_key_is_known(aws: LocalAws, issuer: KeyIssuer) -> None:
    assert issuer.own_key_ids() == {aws.credentials["AWS_ACCESS_KEY_ID"]}

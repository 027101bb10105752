"""Whose is a key of which only the ID is known, and which key is the desk's own?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.keys import KeyStatus, LastUsed
from bot.domain.outside_errors import IamDenied, IamThrottled, IamUnavailable
from bot.domain.ports import KeyIssuer
from sandbox.aws import LocalAws
from tests.support.aws_common import BOB, issued

NEVER_MADE = "AKIAIOSFODNN7EXAMPLE"


def test_one_call_names_the_owner_of_any_key_and_its_last_use(
    aws: LocalAws, issuer: KeyIssuer
) -> None:
    key, used = issued(issuer, BOB), datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    aws.mark_used(key.id, at=used, service="s3", region="eu-west-1")
    before = len(aws.calls())

    assert issuer.owner(key.id) == (BOB, LastUsed(used, "s3", "eu-west-1"))

    assert [call.action for call in aws.calls()[before:]] == ["GetAccessKeyLastUsed"]


def test_a_key_that_was_never_used_and_an_inactive_one_have_an_owner_too(issuer: KeyIssuer) -> None:
    key = issued(issuer, BOB)
    assert issuer.owner(key.id) == (BOB, LastUsed())
    issuer.set_status(BOB, key.id, KeyStatus.INACTIVE)
    assert issuer.owner(key.id) == (BOB, LastUsed())


def test_a_use_moves_the_last_use(aws: LocalAws, issuer: KeyIssuer) -> None:
    key = issued(issuer, BOB)

    aws.call_as(key.id, aws.secrets[key.id])

    found = issuer.owner(key.id)
    assert found and found[1].at and found[1].service == "sts"


def test_a_key_that_was_never_made_or_is_deleted_is_nobodys(issuer: KeyIssuer) -> None:
    key = issued(issuer, BOB)
    issuer.delete_key(BOB, key.id)
    assert issuer.owner(key.id) is None
    assert issuer.owner(NEVER_MADE) is None


def test_a_key_of_another_account_is_nobodys_here(aws: LocalAws, issuer: KeyIssuer) -> None:
    """AWS answers AccessDenied for it (measured; not in its documentation)."""
    aws.faults.fail("GetAccessKeyLastUsed", "AccessDenied", 403, times=3)
    assert issuer.owner(NEVER_MADE) is None


@pytest.mark.parametrize(
    ("code", "status", "raised"),
    [
        ("InvalidClientTokenId", 403, IamDenied),
        ("Throttling", 400, IamThrottled),
        ("ServiceFailure", 500, IamUnavailable),
    ],
)
def test_what_does_not_answer_the_question_is_no_answer(
    aws: LocalAws, issuer: KeyIssuer, code: str, status: int, raised: type[Exception]
) -> None:
    aws.faults.fail("GetAccessKeyLastUsed", code, status, times=3)
    with pytest.raises(raised):
        issuer.owner(NEVER_MADE)


def test_the_desks_own_key_is_known(aws: LocalAws, issuer: KeyIssuer) -> None:
    assert issuer.own_key_ids() == {aws.credentials["AWS_ACCESS_KEY_ID"]}

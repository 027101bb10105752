"""Does the key issuer keep its contract (core.ports.KeyIssuer) where it reads?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from bot.aws.iam import iam_clients
from bot.domain.keys import AccessKey, KeyStatus, LastUsed
from bot.domain.outside_errors import IamUnavailable
from bot.domain.ports import KeyIssuer
from sandbox.aws import LocalAws
from tests.support.aws_common import ALICE, LEASE, issued


def test_a_user_is_shown_with_id_tags_account_and_iams_own_clock(
    aws: LocalAws, issuer: KeyIssuer
) -> None:
    aws.client("iam").tag_user(UserName=ALICE, Tags=[{"Key": "slack", "Value": "U0ALICE"}])

    user = issuer.user(ALICE)

    shown = aws.client("iam").get_user(UserName=ALICE)["User"]
    assert (user.name, user.user_id, user.arn) == (ALICE, shown["UserId"], shown["Arn"])
    assert (user.account, user.tags) == ("123456789012", {"slack": "U0ALICE"})
    assert user.read_at.tzinfo is UTC
    assert aws.calls("GetUser")[0].at.replace(microsecond=0) <= user.read_at


def test_keys_come_oldest_first_with_status_and_last_use(aws: LocalAws, issuer: KeyIssuer) -> None:
    newer, older = issued(issuer), issued(issuer)
    made, used = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    aws.backdate(older.id, created=made)
    aws.mark_used(older.id, at=used, service="s3", region="eu-west-1")
    issuer.set_status(ALICE, newer.id, KeyStatus.INACTIVE)

    first, second = issuer.keys(ALICE)

    assert first == AccessKey(
        older.id, ALICE, KeyStatus.ACTIVE, made, LastUsed(used, "s3", "eu-west-1")
    )
    assert (second.id, second.status, second.last_used) == (
        newer.id,
        KeyStatus.INACTIVE,
        LastUsed(),
    )


def test_keys_are_one_list_and_then_the_last_uses_side_by_side(
    aws: LocalAws, issuer: KeyIssuer
) -> None:
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


def test_a_list_without_last_uses_asks_for_none(aws: LocalAws, issuer: KeyIssuer) -> None:
    issued(issuer)

    (key,) = issuer.listed(ALICE)

    assert key.last_used is None
    assert aws.calls("GetAccessKeyLastUsed") == []


def test_a_list_in_pages_is_read_to_its_end(aws: LocalAws, issuer: KeyIssuer) -> None:
    made = {issued(issuer).id, issued(issuer).id}
    aws.faults.page_size(1)

    assert {key.id for key in issuer.listed(ALICE)} == made
    assert len(aws.calls("ListAccessKeys")) == 2


def test_a_listed_key_that_iam_does_not_know_yet_has_an_unknown_last_use(
    aws: LocalAws, issuer: KeyIssuer
) -> None:
    """IAM is eventually consistent: its list may be ahead of, or behind, its other answers."""
    key = issued(issuer)
    aws.faults.fail("GetAccessKeyLastUsed", "NoSuchEntity", status=404)

    (shown,) = issuer.keys(ALICE)

    assert (shown.id, shown.last_used) == (key.id, None)


def test_a_read_is_repeated_when_its_answer_is_lost(aws: LocalAws, issuer: KeyIssuer) -> None:
    aws.faults.drop("GetUser", times=1)

    assert issuer.user(ALICE).name == ALICE
    assert len(aws.calls("GetUser")) == 2


def test_reads_say_unavailable_when_aws_is_down(aws: LocalAws, issuer: KeyIssuer) -> None:
    aws.faults.down()

    with pytest.raises(IamUnavailable):
        issuer.keys(ALICE)


def test_an_attempt_takes_at_most_a_sixth_of_the_lease(aws: LocalAws) -> None:
    for lease, longest in (
        (timedelta(seconds=60), 10.0),
        (timedelta(seconds=6), 1.0),
        (LEASE * 60, 10.0),
    ):
        clients = iam_clients(region=None, endpoint=None, lease_ttl=lease)
        for client in (clients.reads, clients.changes):
            config = client.meta.config
            assert config.connect_timeout + config.read_timeout == pytest.approx(longest)
        clients.close()

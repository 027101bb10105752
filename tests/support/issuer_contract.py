"""The contract of KeyIssuer, for AWS, the fake and the simulation."""

from __future__ import annotations

import pytest

from bot.domain.keys import KeyStatus, LastUsed
from bot.domain.outside_errors import AccessKeyLimit, AccessKeyNotFound, IamUserNotFound
from bot.domain.ports import KeyIssuer
from tests.support.aws_common import ALICE, BOB, LATER, issued

UNKNOWN_USER, NO_KEY = "unknown@example.com", "AKIAIOSFODNN7EXAMPLE"


class IssuerContract:
    """Inherit this, with a fixture `issuer` whose IAM has ALICE and BOB without keys."""

    def test_a_user_is_told_by_name_with_the_account(self, issuer: KeyIssuer) -> None:
        user = issuer.user(ALICE)
        assert user.name == ALICE and user.user_id and len(user.account) == 12
        assert issuer.user(BOB).user_id != user.user_id

    def test_a_user_that_is_not_there_is_said_to_be_none(self, issuer: KeyIssuer) -> None:
        for ask in (
            issuer.user,
            issuer.keys,
            issuer.listed,
            lambda name: issuer.create_key(name, give_up_at=LATER),
        ):
            with pytest.raises(IamUserNotFound):
                ask(UNKNOWN_USER)

    def test_a_key_that_is_made_is_active_listed_and_never_used(self, issuer: KeyIssuer) -> None:
        key, secret = issuer.create_key(ALICE, give_up_at=LATER)
        assert (key.iam_user, key.status) == (ALICE, KeyStatus.ACTIVE)
        assert len(secret.expose()) == 40 and key.id.startswith("AKIA") and len(key.id) == 20
        (shown,) = issuer.keys(ALICE)
        assert (shown.id, shown.active, shown.last_used) == (key.id, True, LastUsed())
        assert issuer.last_used(key.id) == LastUsed()
        assert issuer.keys(BOB) == ()

    def test_a_list_does_not_ask_for_the_last_use(self, issuer: KeyIssuer) -> None:
        key = issued(issuer)
        (listed,) = issuer.listed(ALICE)
        assert (listed.id, listed.last_used) == (key.id, None)

    def test_two_keys_are_all_and_the_third_is_not_made(self, issuer: KeyIssuer) -> None:
        both = [issued(issuer).id, issued(issuer).id]
        with pytest.raises(AccessKeyLimit):
            issued(issuer)
        assert sorted(key.id for key in issuer.listed(ALICE)) == sorted(both)

    def test_an_inactive_key_takes_a_slot_too(self, issuer: KeyIssuer) -> None:
        issuer.set_status(ALICE, issued(issuer).id, KeyStatus.INACTIVE)
        issued(issuer)
        with pytest.raises(AccessKeyLimit):
            issued(issuer)

    def test_a_status_is_changed_and_may_be_changed_twice(self, issuer: KeyIssuer) -> None:
        key = issued(issuer)
        for status in (KeyStatus.INACTIVE, KeyStatus.INACTIVE, KeyStatus.ACTIVE):
            issuer.set_status(ALICE, key.id, status)
            assert [one.status for one in issuer.listed(ALICE)] == [status]

    def test_a_deleted_key_is_gone_for_good(self, issuer: KeyIssuer) -> None:
        key, other = issued(issuer), issued(issuer)
        issuer.delete_key(ALICE, key.id)
        assert [one.id for one in issuer.listed(ALICE)] == [other.id]
        with pytest.raises(AccessKeyNotFound):
            issuer.delete_key(ALICE, key.id)
        with pytest.raises(AccessKeyNotFound):
            issuer.set_status(ALICE, key.id, KeyStatus.ACTIVE)
        assert issued(issuer).id not in (key.id, other.id)

    def test_a_key_is_changed_under_its_own_user_alone(self, issuer: KeyIssuer) -> None:
        key = issued(issuer)
        with pytest.raises(AccessKeyNotFound):
            issuer.set_status(BOB, key.id, KeyStatus.INACTIVE)
        with pytest.raises(AccessKeyNotFound):
            issuer.delete_key(BOB, key.id)
        assert [(one.id, one.active) for one in issuer.listed(ALICE)] == [(key.id, True)]

    def test_whose_key_it_is_is_told_in_one_call(self, issuer: KeyIssuer) -> None:
        key = issued(issuer, BOB)
        assert issuer.owner(key.id) == (BOB, LastUsed())
        assert issuer.owner(NO_KEY) is None

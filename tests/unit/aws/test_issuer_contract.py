"""Do AWS's issuer, the fake of `tests.core` and the simulated one keep the same contract?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.keys import KeyStatus
from bot.domain.outside_errors import AccessKeyNotFound
from bot.domain.ports import KeyIssuer
from tests.support.aws_common import ALICE, BOB, issued
from tests.support.issuer_contract import IssuerContract
from tests.support.memory_store import FakeClock
from tests.support.world import FakeIssuer
from tests.verification.simulation.outside import SimulatedIssuer


class TestIamKeyIssuer(IssuerContract):
    """The real one, on the local AWS (`tests/unit/aws/conftest.py`)."""


class TestFakeIssuer(IssuerContract):
    @pytest.fixture
    def issuer(self) -> KeyIssuer:
        fake = FakeIssuer(FakeClock().now)
        fake.add_user(ALICE)
        fake.add_user(BOB)
        return fake


class TestSimulatedIssuer(IssuerContract):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def issuer(self, clock: FakeClock) -> SimulatedIssuer:
        simulated = SimulatedIssuer(clock.now)
        simulated.add_user(ALICE)
        simulated.add_user(BOB)
        return simulated

    def test_a_list_may_show_what_was_true_some_seconds_ago(
        self, issuer: SimulatedIssuer, clock: FakeClock
    ) -> None:
        key = issued(issuer)
        clock.advance(timedelta(seconds=30))
        issuer.set_status(ALICE, key.id, KeyStatus.INACTIVE)
        clock.advance(timedelta(seconds=10))
        issuer.lag = timedelta(seconds=15)
        assert [one.active for one in issuer.listed(ALICE)] == [True]
        issuer.lag = timedelta(0)
        assert [one.active for one in issuer.listed(ALICE)] == [False]

    def test_a_young_key_may_not_be_known_everywhere_yet(
        self, issuer: SimulatedIssuer, clock: FakeClock
    ) -> None:
        key = issued(issuer)
        issuer.unknown_yet = True
        with pytest.raises(AccessKeyNotFound):
            issuer.delete_key(ALICE, key.id)
        clock.advance(timedelta(seconds=20))
        issuer.delete_key(ALICE, key.id)
        assert issuer.listed(ALICE) == ()

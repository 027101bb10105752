"""Check that AWS's, the fake and the simulated issuer keep the same contract."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.codes import Code
from bot.domain.keys import KeyStatus
from bot.domain.ports import KeyIssuer
from tests.support.aws_common import ALICE, BOB, issued
from tests.support.errors import refuses
from tests.support.fake_issuer import FakeIssuer
from tests.support.issuer_contract import IssuerContract
from tests.support.memory_store import FakeClock
from tests.verification.simulation.outside import SimulatedIssuer


class TestIamKeyIssuer(IssuerContract):
    """The real issuer, on the local AWS."""


class TestFakeIssuer(IssuerContract):
    @pytest.fixture
    def issuer(self) -> KeyIssuer:
        fake = FakeIssuer(FakeClock().now)
        for user in (ALICE, BOB):
            fake.add_user(user)
        return fake


class TestSimulatedIssuer(IssuerContract):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def issuer(self, clock: FakeClock) -> SimulatedIssuer:
        simulated = SimulatedIssuer(clock.now)
        for user in (ALICE, BOB):
            simulated.add_user(user)
        return simulated

    def test_a_list_may_be_some_seconds_old(
        self, issuer: SimulatedIssuer, clock: FakeClock
    ) -> None:
        key = issued(issuer)
        clock.advance(timedelta(seconds=30))
        issuer.set_status(ALICE, key.id, KeyStatus.INACTIVE)
        clock.advance(timedelta(seconds=10))
        for seconds, active in ((15, True), (0, False)):
            issuer.lag = timedelta(seconds=seconds)
            assert [one.active for one in issuer.listed(ALICE)] == [active]

    def test_a_young_key_may_be_unknown(self, issuer: SimulatedIssuer, clock: FakeClock) -> None:
        key = issued(issuer)
        issuer.unknown_yet = True
        with refuses(Code.ACCESS_KEY_NOT_FOUND):
            issuer.delete_key(ALICE, key.id)
        clock.advance(timedelta(seconds=20))
        issuer.delete_key(ALICE, key.id)
        assert issuer.listed(ALICE) == ()

"""Names, times and a clock for the tests of `bot.aws`."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.keys import AccessKey
from bot.domain.ports import KeyIssuer

ALICE, BOB = "alice@example.com", "bob@example.com"
LATER = 1000.0  # seconds, monotonic
LEASE, SHORT_LEASE = timedelta(seconds=60), timedelta(seconds=3)


class Time:
    """Monotonic time that passes only while the issuer waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def issued(issuer: KeyIssuer, user: str = ALICE) -> AccessKey:
    return issuer.create_key(user, give_up_at=LATER)[0]

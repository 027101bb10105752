"""The facts of an error, as they are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.codes import Code, Detail
from bot.domain.errors import NotAllowed
from bot.slack.messages.errors import detail_text, error_text

NOW = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)


def test_a_detail_keeps_text_numbers_times_and_durations() -> None:
    error = NotAllowed(Code.OWN_REQUEST, a="x", b=2, c=NOW, d=timedelta(days=1), e=[1], f=None)
    assert error.detail() == Detail(
        "own_request", {"a": "x", "b": "2", "c": NOW.isoformat(), "d": "86400.0"}
    )


def test_a_stored_detail_reads_like_its_error() -> None:
    for error in (
        NotAllowed(Code.KEY_NOT_EXTENDED, key_id="AKIA", longest=timedelta(days=30)),
        NotAllowed(Code.KEY_LIFETIME_OVER, key_id="AKIA", longest=timedelta(hours=36)),
        NotAllowed(Code.DISABLED_AFTER_APPROVAL, key_id="AKIA", by="U0CAROL"),
        NotAllowed(Code.NUDGED_RECENTLY, at=NOW, again_at=NOW + timedelta(hours=1)),
    ):
        assert detail_text(error.detail()) == error_text(error)

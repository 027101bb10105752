"""The settings of the audit trail: its channel, and the key of its seals, which is never shown."""

from __future__ import annotations

from tests.unit.config.test_settings import AUDIT_KEY, problem, with_


def test_the_key_of_the_seals_is_long_and_never_shown() -> None:
    settings = with_(AUDIT_KEY=AUDIT_KEY, AUDIT_CHANNEL="C0AUDIT")
    assert settings.audit_key and settings.audit_key.get_secret_value() == AUDIT_KEY
    assert (settings.audit_channel, settings.warnings) == ("C0AUDIT", ()) and AUDIT_KEY not in repr(
        settings
    )

    short = problem(AUDIT_KEY=AUDIT_KEY[:31])
    assert (
        short.startswith("AUDIT_KEY is shorter than 32 characters") and AUDIT_KEY[:31] not in short
    )
    assert problem(AUDIT_CHANNEL="key-audit").startswith("AUDIT_CHANNEL is not a channel ID")

"""The text of a change that AWS has not confirmed, and its cause."""

from __future__ import annotations

import pytest

from bot.domain.codes import Code
from bot.domain.errors import ChangePending, KeydeskError
from bot.domain.keys import DesiredState
from bot.domain.outside_errors import (
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IamUserRenamed,
    OutcomeUnknown,
)
from bot.operations import disable_key
from bot.slack.messages.errors import TEXTS, error_text, text
from tests.support.world import ALICE, make_desk

CAUSES = [
    IamUnavailable("UpdateAccessKey"),
    IamThrottled("Throttling", "UpdateAccessKey"),
    IamDenied("AccessDenied", "UpdateAccessKey"),
    IamDenied("AccessDenied", "UpdateAccessKey", forbidden=True),
    IamRefused("EntityTemporarilyUnmodifiable", "UpdateAccessKey"),
    IamUserRenamed("AKIAIOSFODNN7EXAMPLE", ALICE.email, renamed_to="alice.new"),
    OutcomeUnknown("UpdateAccessKey"),
]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.code)
def test_a_pending_change_does_not_repeat_its_causes_advice(cause: KeydeskError) -> None:
    """The reader must not be asked to try again, or told of no change, while Keydesk keeps trying."""
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("issuer.set_status", before=cause)
    with pytest.raises(ChangePending) as pending:
        disable_key.disable(world.services, ALICE, key_id)
    assert pending.value.facts["cause"] is cause.code
    words = error_text(pending.value)
    assert error_text(cause) not in words
    assert key_id in words
    for advice in ("try again", "othing was changed", "othing was lost", "othing is lost"):
        assert advice not in words.lower()


def test_each_cause_is_worded_differently() -> None:
    """A cause without words of its own would leave the reader without a reason."""
    said = {
        text(
            Code.CHANGE_NOT_CONFIRMED,
            {
                "key_id": "AKIAIOSFODNN7EXAMPLE",
                "desired": DesiredState.INACTIVE,
                "cause": code,
                "action": "UpdateAccessKey",
                "aws_code": "Code",
                "iam_user": "alice",
                "renamed_to": "alice.new",
            },
        )
        for code in [*(cause.code for cause in CAUSES), Code.UNEXPECTED]
    }
    assert len(said) == len(CAUSES) + 1


@pytest.mark.parametrize("desired", DesiredState)
@pytest.mark.parametrize(
    "code", [Code.CHANGED_KEY_GONE, Code.KEY_TOO_NEW, Code.KEY_NOT_KNOWN_EVERYWHERE]
)
def test_a_pending_change_is_worded_for_each_state(code: Code, desired: DesiredState) -> None:
    assert code in TEXTS
    assert "AKIAIOSFODNN7EXAMPLE" in text(
        code, {"key_id": "AKIAIOSFODNN7EXAMPLE", "desired": desired}
    )

"""The texts of errors: one for each code, with escaped facts and right advice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.codes import Code
from bot.domain.errors import ChangePending, KeydeskError, Refused
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
from bot.slack.messages import blocks, modals
from bot.slack.messages.delivery_errors import DELIVERY
from bot.slack.messages.errors import TEXTS, error_text, text
from sandbox.limits import check_message, check_view
from tests.support.example_errors import ERRORS
from tests.support.example_requests import HOSTILE, KEY, KEYS
from tests.support.world import ALICE, make_desk

FACTS = {
    **dict.fromkeys(("key_id", "key_ids", "aws_code", "iam_user", "iam_path"), HOSTILE),
    "service_user": HOSTILE,
    "key": replace(KEYS[0], id="AKIAIOSFODNN7EXAMPLE"),
    "verb": "rotate",
    "by": "U0CAROL",
    "wait": 900.0,
    "seconds": -9.0,
    "free_slots": "0",
    "started_at": datetime(2026, 11, 24, 10, 2, tzinfo=UTC).isoformat(),
}


@pytest.mark.parametrize(
    "error",
    [*ERRORS, Refused(Code.SLACK_REFUSED, error=HOSTILE * 100)],
    ids=lambda error: type(error).__name__,
)
def test_slack_takes_every_error(error: KeydeskError) -> None:
    words = error_text(error)
    message = blocks.sentence(words)
    check_message(message.text[:3000], message.blocks)
    check_view(modals.message_view(words), allowed="modal")


# -- deliveries


@pytest.mark.parametrize("code", DELIVERY)
def test_the_facts_of_a_delivery_are_escaped(code: Code) -> None:
    """An unknown cause is left out."""
    words = text(code, FACTS)
    assert words == words.strip() and "{" not in words.replace("{date_", "").replace("{time", "")
    assert not any(control in words for control in ("<!channel>", "<https:", "<@U0BOB"))
    if not isinstance(DELIVERY[code], str):
        assert text(code, {**FACTS, "cause": "some_other_code"}) == words


@pytest.mark.parametrize("code", [Code.ORPHAN_FOUND, Code.ROLLBACK_ORPHAN_FOUND])
def test_an_orphaned_key_with_a_free_slot_is_told_apart(code: Code) -> None:
    assert len({text(code, {**FACTS, "free_slots": slots}) for slots in ("0", "1")}) == 2


def test_the_cause_comes_first() -> None:
    cause = text(Code.SLACK_DID_NOT_CONFIRM, {})
    facts = {**FACTS, "cause": Code.SLACK_DID_NOT_CONFIRM}
    assert text(Code.KEY_DELETED_REVEAL_AGAIN, facts).startswith(cause)


# -- changes that AWS has not confirmed

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
    """Keydesk keeps trying, so the reader need not, and something will change."""
    world = make_desk()
    key_id = world.console_key()
    world.taps.on("issuer.set_status", before=cause)
    with pytest.raises(ChangePending) as pending:
        disable_key.disable(world.services, ALICE, key_id)
    words = error_text(pending.value)
    assert pending.value.facts["cause"] is cause.code
    assert error_text(cause) not in words and key_id in words
    for advice in ("try again", "nothing was changed", "nothing was lost", "nothing is lost"):
        assert advice not in words.lower()


def test_each_cause_of_a_pending_change_is_told_apart() -> None:
    facts = {
        "key_id": KEY,
        "desired": DesiredState.INACTIVE,
        "action": "UpdateAccessKey",
        "aws_code": "Code",
        "iam_user": "alice",
        "renamed_to": "alice.new",
    }
    codes = [*(cause.code for cause in CAUSES), Code.UNEXPECTED]
    texts = {text(Code.CHANGE_NOT_CONFIRMED, {**facts, "cause": code}) for code in codes}
    assert len(texts) == len(codes)


@pytest.mark.parametrize("desired", DesiredState)
@pytest.mark.parametrize(
    "code", [Code.CHANGED_KEY_GONE, Code.KEY_TOO_NEW, Code.KEY_NOT_KNOWN_EVERYWHERE]
)
def test_a_pending_change_names_its_key_in_each_state(code: Code, desired: DesiredState) -> None:
    assert code in TEXTS and KEY in text(code, {"key_id": KEY, "desired": desired})

"""Check the check: an answer that is true passes, and one that is not is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.slack import action_ids
from tests.support.answers import Answer
from tests.verification.matrix.answers import (
    ALL_CODES,
    CHECKS,
    NO_ANSWERS,
    NO_CLAIM,
    unknown_codes,
    untrue,
)
from tests.verification.matrix.standing import Standing

ALICE, KEY, OTHER = "U0ALICE", "AKIAEXAMPLEEXAMPLE01", "AKIAEXAMPLEEXAMPLE02"
APPROVED = Standing("r1", "approved", 3, 1, user=ALICE)
MADE = replace(APPROVED, version=5, keys={KEY: "Active"})
OFF = replace(APPROVED, version=6, keys={KEY: "Inactive"})
NO_REQUEST = Standing(user=ALICE)
WITH_KEY = replace(NO_REQUEST, keys={KEY: "Active"})
WITH_OFF = replace(NO_REQUEST, keys={KEY: "Inactive"})
FULL = replace(APPROVED, keys={KEY: "Active", OTHER: "Active"})
DELETING = replace(FULL, status="issuing", desired={KEY: "deleted"})
FREED = replace(FULL, keys={OTHER: "Active"}, desired={KEY: "deleted"})
REPLACED = replace(FREED, keys={OTHER: "Active", "AKIAEXAMPLEEXAMPLE03": "Active"})

STANDINGS = [
    NO_REQUEST,
    replace(NO_REQUEST, has_iam_user=False),
    WITH_KEY,
    WITH_OFF,
    replace(APPROVED, status="pending", approvals=0),
    replace(APPROVED, status="denied"),
    replace(APPROVED, status="delivered", keys={KEY: "Active"}, desired={KEY: "active"}),
    APPROVED,
    MADE,
    OFF,
    FULL,
    DELETING,
    FREED,
    REPLACED,
]


def refused(code: str, **facts: Any) -> Answer:
    """Return a refusal with this code about the key."""
    return Answer("reveal", ALICE, "not done", code, facts={"key_id": KEY} | facts)


def done(verb: str) -> Answer:
    """Return a success of this verb about the key."""
    return Answer(verb, ALICE, "done", key=KEY)


TRUE = [
    (refused("key_deleted_reveal_again"), APPROVED, APPROVED),
    (refused("shown_key_inactive"), APPROVED, OFF),
    (refused("reveal_took_too_long"), APPROVED, APPROVED),
    (refused("slack_unavailable"), APPROVED, replace(APPROVED, version=4)),
    (refused("store_unavailable"), APPROVED, MADE),
    (refused("aws_unavailable"), APPROVED, APPROVED),
    (refused("aws_unavailable"), APPROVED, replace(APPROVED, status="issuing")),
    (refused("old_key_deleted_no_new_key"), FULL, FREED),
    (refused("old_key_not_deleted", cause="aws_denied"), FULL, DELETING),
    (refused("old_key_not_deleted", cause="store_unavailable"), FULL, FREED),
    (refused("no_key_to_rotate"), NO_REQUEST, NO_REQUEST),
    (refused("no_inactive_key"), WITH_KEY, WITH_KEY),
    (refused("member_without_user", member="U0BOB"), WITH_KEY, WITH_KEY),
    (refused("request_moved_on", status="approved"), APPROVED, APPROVED),
    (refused("change_not_confirmed", desired="deleted"), FULL, DELETING),
    (refused("not_your_key", key_id=OTHER), WITH_KEY, WITH_KEY),
    (done(action_ids.APPROVE), APPROVED, APPROVED),
    (done(action_ids.DISABLE), APPROVED, OFF),
    (done(action_ids.DID_NOT_GET), FULL, DELETING),
]
UNTRUE = [
    (refused("key_deleted_reveal_again"), APPROVED, OFF),
    (refused("shown_key_inactive"), APPROVED, MADE),
    (refused("reveal_took_too_long"), APPROVED, OFF),
    (refused("aws_throttled"), APPROVED, MADE),
    (refused("slack_unavailable"), APPROVED, replace(APPROVED, status="denied")),
    (refused("store_unavailable"), APPROVED, NO_REQUEST),
    (refused("unexpected"), APPROVED, APPROVED),
    (refused("a_code_without_entry"), APPROVED, APPROVED),
    (refused("slot_freed"), FULL, FREED),
    # AWS is said to be unavailable, and a key was made, disabled or the request denied
    (refused("aws_unavailable"), APPROVED, MADE),
    (refused("aws_unavailable"), WITH_KEY, WITH_OFF),
    (refused("aws_unavailable"), APPROVED, replace(APPROVED, status="denied")),
    # the old key is there still, or a new key was made, or the approval is lost
    (refused("old_key_deleted_no_new_key"), FULL, DELETING),
    (refused("old_key_deleted_no_new_key"), FULL, REPLACED),
    (refused("old_key_deleted_no_new_key"), FULL, replace(FREED, status="expired")),
    # AWS refused the deletion and the key is gone, no deletion is on record, a key was made
    (refused("old_key_not_deleted", cause="aws_denied"), FULL, FREED),
    (refused("old_key_not_deleted", cause="aws_denied"), FULL, FULL),
    (refused("old_key_not_deleted", cause="outcome_unknown"), FULL, FREED),
    (refused("old_key_not_deleted", cause="store_unavailable"), FULL, REPLACED),
    # the user has such a key
    (refused("no_key_to_rotate"), WITH_KEY, WITH_KEY),
    (refused("no_inactive_key"), WITH_OFF, WITH_OFF),
    (refused("no_key_to_rotate"), WITH_KEY, NO_REQUEST),
    # the member has an IAM user
    (refused("member_without_user", member=ALICE), WITH_KEY, WITH_KEY),
    (refused("request_moved_on", status="denied"), APPROVED, APPROVED),
    (refused("change_not_confirmed", desired="deleted"), FULL, FULL),
    (refused("not_your_key"), WITH_KEY, WITH_KEY),
    (Answer("reveal", ALICE, "failed"), APPROVED, APPROVED),
    (done(action_ids.APPROVE), APPROVED, replace(APPROVED, status="pending")),
    (done(action_ids.DISABLE), APPROVED, MADE),
    (done(action_ids.DID_NOT_GET), FULL, FULL),
]


@pytest.mark.parametrize(("answer", "before", "now"), TRUE)
def test_a_true_answer_passes(answer: Answer, before: Standing, now: Standing) -> None:
    assert untrue([answer], before, now) == []


@pytest.mark.parametrize(("answer", "before", "now"), UNTRUE)
def test_an_untrue_answer_is_named(answer: Answer, before: Standing, now: Standing) -> None:
    [problem] = untrue([answer], before, now)
    assert str(answer) in problem


@pytest.mark.parametrize("code", sorted(CHECKS))
def test_every_check_can_fail_and_can_pass(code: str) -> None:
    """A check that cannot fail shows nothing, and one that cannot pass is wrong."""
    answer = refused(code, status="approved", desired="deleted", member=ALICE, cause="aws_denied")
    found = {bool(untrue([answer], before, now)) for before in STANDINGS for now in STANDINGS}
    # an orphan is never "approved": its state in the answer is a key's
    as_key = replace(answer, facts=answer.facts | {"status": "deleted"})
    found |= {bool(untrue([as_key], before, now)) for before in STANDINGS for now in STANDINGS}
    assert found == ({True} if code == "unexpected" or code in NO_ANSWERS else {True, False})


def test_every_code_is_in_one_table() -> None:
    """A new code needs a check, or a place among the codes without a claim."""
    assert unknown_codes(ALL_CODES) == set()
    assert not set(CHECKS) & NO_CLAIM

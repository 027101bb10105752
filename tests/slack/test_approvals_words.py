"""What is said of approvals where a request is new: whom it waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.slack.approvals import waits_for
from tests.slack.facts import PENDING


@pytest.mark.parametrize(
    ("needed", "one_more", "words"),
    [
        (1, False, "an approver"),
        (2, False, "2 approvers"),
        (2, True, "an approver (and for one more if it is an administrator's key)"),
        (3, True, "2 approvers (and for one more if it is an administrator's key)"),
    ],
)
def test_whoever_asks_is_not_told_of_an_approval_that_may_not_be_needed(
    needed: int, one_more: bool, words: str
) -> None:
    assert waits_for(replace(PENDING, needed=needed, one_more=one_more)) == words

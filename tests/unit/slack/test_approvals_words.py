"""What is said of approvals where a request is new: whom it waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.slack.messages.request_card import waits_for_text
from tests.support.example_requests import PENDING


@pytest.mark.parametrize(
    ("approvals_needed", "extra_approval", "words"),
    [
        (1, False, "an approver"),
        (2, False, "2 approvers"),
        (2, True, "an approver (and for one more if it is an administrator's key)"),
        (3, True, "2 approvers (and for one more if it is an administrator's key)"),
    ],
)
def test_whoever_asks_is_not_told_of_an_approval_that_may_not_be_needed(
    approvals_needed: int, extra_approval: bool, words: str
) -> None:
    assert (
        waits_for_text(
            replace(PENDING, approvals_needed=approvals_needed, extra_approval=extra_approval)
        )
        == words
    )

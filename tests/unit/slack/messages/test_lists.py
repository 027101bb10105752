"""The private answers that show keys, last uses, requests and help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain import commands
from bot.domain.keys import InactiveReason, KeyStatus
from bot.slack import action_ids
from bot.slack.messages import lists, replies
from bot.slack.messages.blocks import date_token
from bot.slack.messages.key_status import list_line
from bot.slack.messages.request_status import request_line
from bot.slack.messages.text import age_text
from tests.support.example_keys import KEPT
from tests.support.example_request_variants import REVIEWED
from tests.support.example_requests import (
    KEY,
    KEYS,
    LATER,
    NOW,
    OLDER_KEY,
    PENDING,
    REASON,
    REQUESTER,
    REQUESTS,
    UNKNOWN_USE,
    VERBS,
)
from tests.support.message_parts import buttons, everything, parts

OFF = replace(KEYS[0], status=KeyStatus.INACTIVE)
ALL_REQUESTS = [*REQUESTS.values(), *VERBS.values()]

# -- keys


def test_a_key_has_the_buttons_that_its_status_allows() -> None:
    """A leaked key can only be deleted. Approvers may only disable active keys."""
    rows = [buttons([row]) for row in lists.key_list(KEYS, {}, NOW).blocks]
    assert [row for row in rows if row] == [
        {action_ids.ROTATE: KEY, action_ids.DISABLE: KEY},
        {action_ids.ENABLE: OLDER_KEY, action_ids.DELETE: OLDER_KEY},
    ]
    leaked = replace(KEPT, leaked=True, inactive_reason=InactiveReason.LEAKED)
    assert buttons(lists.key_list([OFF], {KEY: leaked}, NOW)) == {action_ids.DELETE: KEY}
    approver = lists.keys_for_approver(REQUESTER, KEYS, {KEY: KEPT}, NOW)
    assert buttons(approver) == {action_ids.DISABLE_FOR: KEY}
    assert f"<@{REQUESTER}>" in approver.text and f"`{OLDER_KEY}`" in everything(approver)


@pytest.mark.parametrize(
    "message",
    [lists.key_list(KEYS, {}, NOW), replies.delete_question(KEYS[1], NOW)],
    ids=["list", "question"],
)
def test_disable_and_delete_ask_with_key_and_last_use(message: object) -> None:
    dangerous = (action_ids.DISABLE, action_ids.DELETE)
    found = [one for one in parts(message, "button") if one["action_id"] in dangerous]
    assert found
    for button in found:
        text, style = button["confirm"]["text"]["text"], button["confirm"]["style"]
        assert button["value"] in text and "used" in text and style == "danger"


def test_a_key_is_listed_with_status_age_and_last_use() -> None:
    """Unknown use is not "never used"."""
    lines = [list_line(key, None, NOW) for key in (*KEYS, UNKNOWN_USE)]
    used = KEYS[0].last_used
    assert used and used.at and date_token(used.at) in lines[0]
    assert "us-gov-northwest-17" in lines[0]
    for key, line in zip(KEYS, lines, strict=False):
        assert line.startswith(f"`{key.id}` · {key.status.lower()} · {age_text(key, NOW)} · ")
    assert len({line.split(" · ")[3] for line in lines}) == 3


def test_only_an_active_key_shows_its_expiry() -> None:
    """An inactive one shows why it is off, and when it will be deleted."""
    both = replace(KEPT, expires_at=LATER, delete_at=NOW, inactive_reason=InactiveReason.EXPIRED)
    active, inactive = (list_line(key, both, NOW) for key in (KEYS[0], OFF))
    for line, shows, hides in ((active, LATER, NOW), (inactive, NOW, LATER)):
        assert date_token(shows) in line and date_token(hides) not in line
        assert ("(expired)" in line) is (line == inactive)


def test_unknown_use_is_not_said_to_be_none() -> None:
    unused, unknown = (lists.last_use_message(key, NOW) for key in (KEYS[1], UNKNOWN_USE))
    assert unused.text.replace(OLDER_KEY, KEY) != unknown.text
    assert not {"ago", "<!date"} & set(everything(unused).split())
    off, off_unknown = (replies.disabled(key).text for key in (KEYS[1], UNKNOWN_USE))
    assert off.replace(OLDER_KEY, KEY) != off_unknown


# -- requests


def test_what_happens_while_it_waits_is_not_its_end() -> None:
    assert request_line(REVIEWED) == request_line(PENDING)
    assert request_line(REQUESTS["approved"]) != request_line(PENDING)


def test_open_requests_come_with_cancel_where_it_works() -> None:
    message = lists.request_list(ALL_REQUESTS, (), approver=False)
    assert set(buttons(message)) == {action_ids.CANCEL}
    open_ = [one for one in ALL_REQUESTS if not one.status.final][: lists.MAX_REQUESTS]
    cancellable = [request.status.value in ("pending", "approved") for request in open_]
    assert ["accessory" in row for row in message.blocks[1:-1]] == cancellable
    past = message.blocks[-1]["text"]["text"].splitlines()
    assert len(past) == 1 + lists.MAX_REQUESTS


def test_an_approver_sees_what_waits_and_what_is_left_out() -> None:
    waiting = [VERBS["rotate"]] * 25
    hidden, visible = (
        everything(lists.request_list((), waiting, approver=approver)) for approver in (False, True)
    )
    assert f"<@{REQUESTER}>" not in hidden
    assert visible.count(f"<@{REQUESTER}>") == 10 and "15" in visible


def test_a_reason_is_in_no_list() -> None:
    message = lists.request_list(ALL_REQUESTS, ALL_REQUESTS, approver=True)
    assert REASON[:20] not in everything(message)


# -- help


def test_help_has_every_verb() -> None:
    assert all(f"/key {verb}" in everything(lists.help_text()) for verb in commands.VERBS)

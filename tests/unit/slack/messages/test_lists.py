"""The private answers that show keys, last uses, requests and help."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import commands
from bot.domain.keys import InactiveReason, KeyStatus, LastUsed
from bot.domain.requests import KeyRequest
from bot.slack import action_ids
from bot.slack.messages import lists, replies
from bot.slack.messages.blocks import date_token
from bot.slack.messages.key_status import list_line
from bot.slack.messages.request_status import request_line
from bot.slack.messages.text import age_text, ago_text
from tests.support.example_keys import KEPT
from tests.support.example_messages import REVIEWED
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
    buttons,
    everything,
    parts,
)

OFF = replace(KEYS[0], status=KeyStatus.INACTIVE)
EXPIRED = replace(KEPT, id=OLDER_KEY, inactive_reason=InactiveReason.EXPIRED, delete_at=LATER)
RECORDS = {KEY: replace(KEPT, expires_at=LATER), OLDER_KEY: EXPIRED}
ALL_REQUESTS = [*REQUESTS.values(), *VERBS.values()]


def test_a_key_has_the_buttons_that_its_status_allows() -> None:
    assert [buttons([row]) for row in lists.key_list(KEYS, {}, NOW).blocks] == [
        {},
        {},
        {action_ids.ROTATE: KEY, action_ids.DISABLE: KEY},
        {},
        {action_ids.ENABLE: OLDER_KEY, action_ids.DELETE: OLDER_KEY},
    ]


def test_a_leaked_key_can_only_be_deleted() -> None:
    record = replace(KEPT, leaked=True, inactive_reason=InactiveReason.LEAKED)
    assert buttons(lists.key_list([OFF], {KEY: record}, NOW)) == {action_ids.DELETE: KEY}


def test_an_approver_may_only_disable_active_keys() -> None:
    shown = lists.keys_for_approver(REQUESTER, KEYS, RECORDS, NOW)
    assert buttons(shown) == {action_ids.DISABLE_FOR: KEY}
    assert f"<@{REQUESTER}>" in shown.text and f"`{OLDER_KEY}`" in everything(shown)


def test_disable_and_delete_ask_first_and_name_the_key() -> None:
    for message in (lists.key_list(KEYS, {}, NOW), replies.delete_question(KEYS[1], NOW)):
        asking = [
            one
            for one in parts(message, "button")
            if one["action_id"] in (action_ids.DISABLE, action_ids.DELETE)
        ]
        assert asking
        for button in asking:
            text = button["confirm"]["text"]["text"]
            assert button["value"] in text and "used" in text
            assert button["confirm"]["style"] == "danger"


def test_a_key_is_listed_with_status_age_and_last_use() -> None:
    active, inactive, unknown = (list_line(key, None, NOW) for key in (*KEYS, UNKNOWN_USE))
    used = KEYS[0].last_used
    assert used and used.at and date_token(used.at) in active and "us-gov-northwest-17" in active
    for key, line in ((KEYS[0], active), (KEYS[1], inactive)):
        assert [key.id, key.status.lower(), age_text(key, NOW)] == [
            part.strip("`") for part in line.split(" · ")[:3]
        ]
    assert len({line.split(" · ")[3] for line in (active, inactive, unknown)}) == 3


def test_only_an_active_key_shows_its_expiry() -> None:
    """An inactive one shows why it is off, and when it will be deleted."""
    both = replace(KEPT, expires_at=LATER, delete_at=NOW, inactive_reason=InactiveReason.EXPIRED)
    active, inactive = (list_line(key, both, NOW) for key in (KEYS[0], OFF))
    assert date_token(LATER) in active and date_token(NOW) not in active
    assert date_token(NOW) in inactive and date_token(LATER) not in inactive
    assert "(expired)" in inactive and "(expired)" not in active


def test_a_last_use_has_date_age_service_and_region() -> None:
    key = replace(KEYS[0], last_used=LastUsed(NOW - timedelta(hours=3), "s3", "eu-west-1"))
    shown = everything(lists.last_use_message(key, NOW))
    for fact in (date_token(NOW - timedelta(hours=3)), "s3", "eu-west-1", ago_text(NOW - NOW)):
        assert (fact in shown) is (fact != ago_text(NOW - NOW))
    assert ago_text(timedelta(hours=3)) in shown


def test_never_used_is_not_said_of_unknown_use() -> None:
    unused, unknown = (lists.last_use_message(key, NOW) for key in (KEYS[1], UNKNOWN_USE))
    assert unused.text.replace(OLDER_KEY, KEY) != unknown.text
    assert not {"ago", "<!date"} & set(everything(unused).split())
    assert (
        replies.disabled(KEYS[1]).text.replace(OLDER_KEY, KEY) != replies.disabled(UNKNOWN_USE).text
    )


def test_without_keys_the_command_to_request_one_is_shown() -> None:
    assert "`/key create &lt;reason&gt;`" in everything(lists.key_list((), {}, NOW))
    assert "`/key create --user ci-deploy &lt;reason&gt;`" in everything(
        lists.key_list((), {}, NOW, "ci-deploy")
    )


def test_a_request_for_a_service_user_names_it() -> None:
    service = replace(PENDING, iam_user="ci-deploy", is_service_user=True)
    assert "ci-deploy" in request_line(service)
    assert PENDING.iam_user not in request_line(PENDING)


@pytest.mark.parametrize("request_", VERBS.values(), ids=VERBS)
def test_a_requests_line_names_its_target(request_: KeyRequest) -> None:
    assert request_.target in request_line(request_)


def test_what_happens_while_it_waits_is_not_its_end() -> None:
    assert request_line(REVIEWED) == request_line(PENDING)
    assert request_line(REQUESTS["approved"]) != request_line(PENDING)


def test_open_requests_come_with_cancel_where_it_works() -> None:
    shown = lists.request_list(ALL_REQUESTS, (), approver=False)
    assert set(buttons(shown)) == {action_ids.CANCEL}
    open_ = [one for one in ALL_REQUESTS if not one.status.final][: lists.MAX_REQUESTS]
    rows = shown.blocks[1:-1]
    assert len(rows) == len(open_)
    for request, row in zip(open_, rows, strict=True):
        assert ("accessory" in row) is (request.status.value in ("pending", "approved"))
    past = shown.blocks[-1]["text"]["text"].splitlines()
    assert len(past) == 1 + lists.MAX_REQUESTS


def test_an_approver_sees_what_waits_and_how_much_is_left_out() -> None:
    waiting = [VERBS["rotate"]] * 25
    hidden = everything(lists.request_list((), waiting, approver=False))
    assert f"<@{REQUESTER}>" not in hidden
    shown = everything(lists.request_list((), waiting, approver=True))
    assert shown.count(f"<@{REQUESTER}>") == 10 and "15" in shown


def test_a_reason_is_in_no_list() -> None:
    assert REASON[:20] not in everything(
        lists.request_list(ALL_REQUESTS, ALL_REQUESTS, approver=True)
    )


def test_help_has_an_example_of_each_verb() -> None:
    shown = everything(lists.help_text())
    assert all(f"/key {verb}" in shown for verb in commands.VERBS)


def test_what_to_use_instead_is_the_operators_mrkdwn() -> None:
    instead = "use <https://sso.example.com|SSO> & be *happy*"
    assert instead in [one["text"] for one in parts(lists.help_text(instead), "mrkdwn")]

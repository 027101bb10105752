"""The drawings of answers: within Slack's limits, escaped, and the secret in one of them alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import commands, errors
from bot.domain.errors import KeydeskError
from bot.domain.keys import InactiveReason, KeyStatus, LastUsed
from bot.domain.secret import Secret
from bot.slack import action_ids
from bot.slack.messages import blocks, modals, request_text
from bot.slack.messages.blocks import Message
from bot.slack.messages.errors import error_text
from bot.slack.messages.keys import leaked_button
from sandbox.limits import check_message, check_view
from tests.support.example_keys import KEPT
from tests.support.example_requests import (
    ERRORS,
    HOSTILE,
    IAM_USER,
    ID,
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
    bold,
    buttons,
    everything,
    formatted,
    parts,
)

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"
INSTEAD = ("People: use <SSO> & be happy, https://sso.example.com. " * 20)[:1000]


OFF = replace(KEYS[0], status=KeyStatus.INACTIVE)
ENDED = replace(KEPT, id=OLDER_KEY, inactive_reason=InactiveReason.EXPIRED, delete_at=LATER)
RECORDS = {KEY: replace(KEPT, expires_at=LATER), OLDER_KEY: ENDED}
ALL_REQUESTS = [*REQUESTS.values(), *VERBS.values()]

ANSWERS = {
    "no keys": blocks.key_list((), {}, NOW),
    "no keys of a service user": blocks.key_list((), {}, NOW, IAM_USER),
    "keys": blocks.key_list((*KEYS, UNKNOWN_USE), {}, NOW),
    "keys that are known": blocks.key_list(KEYS, RECORDS, NOW, IAM_USER),
    "keys for an approver": blocks.keys_for_approver(REQUESTER, KEYS, RECORDS, NOW),
    "no keys for an approver": blocks.keys_for_approver(REQUESTER, (), {}, NOW),
    "used": blocks.last_use_message(KEYS[0], NOW),
    "never used": blocks.last_use_message(KEYS[1], NOW),
    "use unknown": blocks.last_use_message(UNKNOWN_USE, NOW),
    "no requests": request_text.request_list((), (), approver=False),
    "many requests": request_text.request_list(
        ALL_REQUESTS * 3, list(VERBS.values()) * 20, approver=True
    ),
    "leak question": blocks.leak_question(KEYS[0], leaked_button(KEY, KEYS[0]), NOW),
    "disabled": blocks.disabled(KEYS[0]),
    "disabled, never used": blocks.disabled(KEYS[1]),
    "disabled, use unknown": blocks.disabled(UNKNOWN_USE),
    "delete question": blocks.delete_question(KEYS[1], NOW),
    "help": blocks.help_text(),
    "help with more": blocks.help_text(INSTEAD),
    "help with the worst": blocks.help_text("&" * 1000),
}


@pytest.mark.parametrize("message", ANSWERS.values(), ids=ANSWERS)
def test_slack_takes_every_answer(message: Message) -> None:
    check_message(message.text, message.blocks)
    check_message(message.text, message.blocks, ephemeral=True)


@pytest.mark.parametrize(
    "error", [*ERRORS, errors.Refused(HOSTILE * 100)], ids=lambda error: type(error).__name__
)
def test_slack_takes_every_sentence_as_a_message_and_in_a_form(error: KeydeskError) -> None:
    words = error_text(error)
    message = blocks.message(words, [blocks.section(words)])
    check_message(message.text[:3000], message.blocks)
    check_view(modals.message_view(words), allowed="modal")


def mrkdwn(part: object) -> list[dict[str, object]]:
    """Every mrkdwn text in a block, wherever it stands."""
    if isinstance(part, list):
        return [found for one in part for found in mrkdwn(one)]
    if not isinstance(part, dict):
        return []
    return (
        [part]
        if part.get("type") == "mrkdwn"
        else [found for one in part.values() for found in mrkdwn(one)]
    )


@pytest.mark.parametrize("message", ANSWERS.values(), ids=ANSWERS)
def test_a_plain_name_or_address_in_what_people_typed_becomes_neither_mention_nor_link(
    message: Message,
) -> None:
    texts = mrkdwn(message.blocks)
    assert [one["text"] for one in texts if one.get("verbatim") is not True] == [
        one["text"] for one in texts if one["text"] in (INSTEAD, "&" * 1000)
    ], "but in what the operator wrote"


def test_a_sentence_shows_what_it_says_and_mentions_only_people() -> None:
    assert (
        blocks.escape_sentence("Type `/key create <reason>`, <@U0BOB>")
        == "Type `/key create &lt;reason&gt;`, <@U0BOB>"
    )
    assert blocks.escape_sentence("<!channel> <@U0BOB|bob> <!subteam^S1> &") == (
        "&lt;!channel&gt; &lt;@U0BOB|bob&gt; &lt;!subteam^S1&gt; &amp;"
    )


def test_user_text_is_escaped_once() -> None:
    assert blocks.escape("<!channel> & &lt;") == "&lt;!channel&gt; &amp; &amp;lt;"


def test_a_key_has_the_buttons_that_its_status_allows() -> None:
    assert [buttons([row]) for row in blocks.key_list(KEYS, {}, NOW).blocks] == [
        {},
        {},
        {action_ids.ROTATE: KEY, action_ids.DISABLE: KEY},
        {},
        {action_ids.ENABLE: OLDER_KEY, action_ids.DELETE: OLDER_KEY},
    ]


def test_a_leaked_key_cannot_be_asked_back() -> None:
    listed = blocks.key_list(
        [OFF], {KEY: replace(KEPT, leaked=True, inactive_reason=InactiveReason.LEAKED)}, NOW
    )
    assert buttons(listed) == {action_ids.DELETE: KEY}


def test_an_approver_may_disable_somebodys_active_keys_and_do_nothing_else_with_them() -> None:
    assert buttons(blocks.keys_for_approver(REQUESTER, KEYS, RECORDS, NOW)) == {
        action_ids.DISABLE_FOR: KEY
    }


def test_disable_and_delete_ask_first_and_name_key_and_last_use() -> None:
    for message in (blocks.key_list(KEYS, {}, NOW), blocks.delete_question(KEYS[1], NOW)):
        asking = [
            one
            for one in parts(message, "button")
            if one["action_id"] in (action_ids.DISABLE, action_ids.DELETE)
        ]
        assert asking
        for button in asking:
            assert button["value"] in button["confirm"]["text"]["text"]
            assert "used" in button["confirm"]["text"]["text"]


def test_the_list_says_status_age_and_last_use() -> None:
    listed = everything(blocks.key_list((*KEYS, UNKNOWN_USE), {}, NOW))
    assert (
        "active · 400 days old · last used <!date^" in listed and "in us-gov-northwest-17" in listed
    )
    assert "inactive · made today · never used" in listed
    assert "last use unknown" in listed


def test_the_list_says_why_a_key_is_off_when_it_is_deleted_and_when_an_active_one_ends() -> None:
    active, inactive = (everything(blocks.key_list([key], RECORDS, NOW)) for key in KEYS)
    end = f"<!date^{int(LATER.timestamp())}^"
    assert f"ends {end}" in active and "deleted <" not in active
    assert (
        "inactive (expired) · " in inactive
        and f" · deleted {end}" in inactive
        and "ends <" not in inactive
    )


def test_no_code_stands_inside_bold() -> None:
    """Slack shows the asterisks then."""
    for message in (*ANSWERS.values(), blocks.secret_message(KEYS[0], Secret(SECRET))):
        assert not any("`" in text for text in bold(message))


def test_used_says_the_date_how_long_ago_for_what_and_where() -> None:
    key = replace(KEYS[0], last_used=LastUsed(NOW - timedelta(hours=3), "s3", "eu-west-1"))
    said = everything(blocks.last_use_message(key, NOW))
    assert (
        f"last used <!date^{int(NOW.timestamp()) - 3 * 3600}^" in said
        and "for s3 in eu-west-1, 3 hours ago" in said
    )


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=95), "95 days ago"),
    ],
)
def test_how_long_ago_is_said_in_one_unit(before: timedelta, words: str) -> None:
    assert words in everything(
        blocks.last_use_message(replace(KEYS[0], last_used=LastUsed(NOW - before)), NOW)
    )


def test_a_key_that_was_never_used_is_said_to_be_so() -> None:
    assert "never used." in everything(
        blocks.last_use_message(KEYS[1], NOW)
    ) and "ago" not in everything(blocks.last_use_message(KEYS[1], NOW))


def test_who_has_no_keys_reads_how_to_ask_for_one_of_the_same_user() -> None:
    assert "`/key create &lt;reason&gt;`" in everything(blocks.key_list((), {}, NOW))
    assert "`/key create --user ci-deploy &lt;reason&gt;`" in everything(
        blocks.key_list((), {}, NOW, "ci-deploy")
    )


def test_a_request_for_a_service_user_says_for_which() -> None:
    service = replace(PENDING, iam_user="ci-deploy", is_service_user=True)
    assert "*create* for `ci-deploy` asked" in request_text.request_line(service)
    assert " for `" not in request_text.request_line(PENDING)


def test_requests_shows_open_ones_with_cancel_where_that_works_and_the_last_ten() -> None:
    shown = request_text.request_list(ALL_REQUESTS, (), approver=False)
    assert set(buttons(shown)) == {action_ids.CANCEL}
    open_, past = shown.blocks[:-1], shown.blocks[-1]["text"]["text"].splitlines()
    assert len(open_) == 11 and len(past) == 11 and past[0] == "*Your last requests*"
    assert all(
        "accessory" in row for row in open_ if ": pending" in str(row) or ": approved" in str(row)
    )
    assert not any("accessory" in row for row in open_ if ": delivered" in str(row))


def test_requests_shows_an_approver_what_waits_and_says_what_it_leaves_out() -> None:
    waiting = [VERBS["rotate"]] * 25
    assert "Waiting" not in everything(request_text.request_list((), waiting, approver=False))
    shown = everything(request_text.request_list((), waiting, approver=True))
    assert shown.count(f"<@{REQUESTER}>") == 10 and "and 15 more" in shown
    assert "Nothing waits." in everything(request_text.request_list((), (), approver=True))


def test_a_reason_is_in_no_list() -> None:
    assert REASON[:20] not in everything(ANSWERS["many requests"])


def test_disabled_says_what_stops_and_how_to_turn_it_on_again() -> None:
    assert "never used, so nothing should stop" in everything(blocks.disabled(KEYS[1]))
    assert "stops working now (last used <!date^" in everything(blocks.disabled(KEYS[0]))
    assert f"`/key enable {KEY} &lt;reason&gt;`" in everything(blocks.disabled(KEYS[0]))


def test_a_key_whose_use_is_unknown_is_not_called_unused() -> None:
    said = everything(blocks.disabled(UNKNOWN_USE))
    assert "never used" not in said
    assert "last use unknown" in said


def test_help_has_an_example_of_each_verb() -> None:
    shown = everything(blocks.help_text("Use SSO"))
    for verb in commands.VERBS:
        assert f"/key {verb}" in shown
    assert "Use SSO" in shown


def test_what_to_use_instead_of_keys_is_the_operators_own_mrkdwn() -> None:
    assert "use <https://sso.example.com|SSO> & be *happy*" in everything(
        blocks.help_text("use <https://sso.example.com|SSO> & be *happy*")
    )


def test_the_secret_stands_in_the_three_usual_forms_and_in_nothing_that_is_formatted() -> None:
    message = blocks.secret_message(KEYS[0], Secret(SECRET))
    verbatim = [one["elements"][0]["text"] for one in parts(message, "rich_text_preformatted")]
    assert verbatim == [
        f"Access key ID      {KEY}\nSecret access key  {SECRET}",
        f"[keydesk]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}",
        f"export AWS_ACCESS_KEY_ID={KEY}\nexport AWS_SECRET_ACCESS_KEY={SECRET}",
        f"aws configure --profile keydesk set aws_access_key_id {KEY}\n"
        f"aws configure --profile keydesk set aws_secret_access_key {SECRET}",
    ]
    assert everything(message).count(SECRET) == 4
    assert not any(SECRET in text for text in formatted(message))
    assert "default" not in everything(message)


def test_slack_takes_the_ephemeral_whose_one_button_carries_the_key_id() -> None:
    message = blocks.secret_message(KEYS[0], Secret(SECRET))
    check_message(message.text, message.blocks, ephemeral=True)
    assert buttons(message) == {action_ids.SAVED: KEY}
    assert "may take a minute" in everything(message)


def test_no_other_answer_knows_a_secret() -> None:
    """The only builder that is given one is the ephemeral's."""
    builders = [
        one
        for name, one in vars(blocks).items()
        if getattr(one, "__module__", "") == blocks.__name__ and one is not blocks.secret_message
    ]
    assert len(builders) > 20
    for builder in builders:
        assert "Secret" not in str(getattr(builder, "__annotations__", ""))


def test_every_message_has_a_text_for_notifications() -> None:
    assert all(
        message.text
        for message in (*ANSWERS.values(), blocks.secret_message(KEYS[0], Secret(SECRET)))
    )


def test_a_key_id_is_no_request_id() -> None:
    """Buttons carry one or the other, and it is told apart by its shape."""
    assert re.fullmatch(r"[0-9a-f]{30}", ID) and not re.fullmatch(r"[0-9a-f]{30}", KEY)


def test_a_text_that_is_too_long_is_cut_and_shown() -> None:
    long = replace(KEYS[0], iam_user="x" * 5000)
    check_message("x", blocks.leak_question(long, leaked_button(KEY, long), NOW).blocks)

"""The drawings of answers: within Slack's limits, escaped, and the secret in one of them alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.core import errors
from bot.core.access_key import Secret
from bot.core.errors import KeydeskError
from bot.slack import blocks, forms, ids
from bot.slack.blocks import Drawn
from sandbox.limits import check_message, check_view
from tests.slack.facts import (
    ERRORS,
    HOSTILE,
    IAM_USER,
    ID,
    KEY,
    KEYS,
    NOW,
    OLDER_KEY,
    UNKNOWN_USE,
    buttons,
    everything,
    formatted,
    parts,
)

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE2"
INSTEAD = ("People: use <SSO> & be happy, https://sso.example.com. " * 20)[:1000]


ANSWERS = {
    "no keys": blocks.key_list((), NOW),
    "keys": blocks.key_list((*KEYS, UNKNOWN_USE), NOW),
    "disabled": blocks.disabled(KEYS[0]),
    "disabled, never used": blocks.disabled(KEYS[1]),
    "disabled, use unknown": blocks.disabled(UNKNOWN_USE),
    "delete question": blocks.delete_question(KEYS[1], NOW),
    "help": blocks.help_text(),
    "help with more": blocks.help_text(INSTEAD),
    "help with the worst": blocks.help_text("&" * 1000),
}


@pytest.mark.parametrize("message", ANSWERS.values(), ids=ANSWERS)
def test_slack_takes_every_answer(message: Drawn) -> None:
    check_message(message.text, message.blocks)
    check_message(message.text, message.blocks, ephemeral=True)


@pytest.mark.parametrize("error", [*ERRORS, errors.Refused(HOSTILE * 100)], ids=lambda error: type(error).__name__)
def test_slack_takes_every_sentence_as_a_message_and_in_a_form(error: KeydeskError) -> None:
    words = blocks.worded(error.sentence)
    message = blocks.draw(words, [blocks.section(words)])
    check_message(message.text[:3000], message.blocks)
    check_view(forms.message_view(words), allowed="modal")


def test_a_sentence_shows_what_it_says_and_mentions_only_people() -> None:
    assert blocks.worded("Type `/key create <reason>`, <@U0BOB>") == "Type `/key create &lt;reason&gt;`, <@U0BOB>"
    assert blocks.worded("<!channel> <@U0BOB|bob> <!subteam^S1> &") == (
        "&lt;!channel&gt; &lt;@U0BOB|bob&gt; &lt;!subteam^S1&gt; &amp;")


def test_user_text_is_escaped_once() -> None:
    assert blocks.escape("<!channel> & &lt;") == "&lt;!channel&gt; &amp; &amp;lt;"


def test_a_key_row_has_the_one_button_that_its_status_allows() -> None:
    assert [buttons([row]) for row in blocks.key_list(KEYS, NOW).blocks] == [
        {}, {ids.DISABLE: KEY}, {ids.DELETE: OLDER_KEY}]


def test_disable_and_delete_ask_first_and_name_key_and_last_use() -> None:
    for message in (blocks.key_list(KEYS, NOW), blocks.delete_question(KEYS[1], NOW)):
        for button in parts(message, "button"):
            assert button["value"] in button["confirm"]["text"]["text"]
            assert "used" in button["confirm"]["text"]["text"]


def test_the_list_says_status_age_and_last_use() -> None:
    listed = everything(blocks.key_list((*KEYS, UNKNOWN_USE), NOW))
    assert "active · 400 days old · last used <!date^" in listed and "in us-gov-northwest-17" in listed
    assert "inactive · made today · never used" in listed
    assert "last use unknown" in listed


def test_disabled_says_what_stops_and_how_to_turn_it_on_again() -> None:
    assert "never used, so nothing should stop" in everything(blocks.disabled(KEYS[1]))
    assert "stops working now (last used <!date^" in everything(blocks.disabled(KEYS[0]))
    command = f"aws iam update-access-key --user-name {IAM_USER} --access-key-id {KEY} --status Active"
    assert command in everything(blocks.disabled(KEYS[0]))


def test_a_key_whose_use_is_unknown_is_not_called_unused() -> None:
    said = everything(blocks.disabled(UNKNOWN_USE))
    assert "never used" not in said
    assert "last use unknown" in said


def test_help_has_an_example_of_each_verb() -> None:
    shown = everything(blocks.help_text("Use SSO"))
    for verb in ("create", "list", "disable", "delete", "help"):
        assert f"/key {verb}" in shown
    assert "Use SSO" in shown


def test_the_secret_stands_in_the_three_usual_forms_and_in_nothing_that_is_formatted() -> None:
    message = blocks.handed_over(KEYS[0], Secret(SECRET))
    verbatim = [one["elements"][0]["text"] for one in parts(message, "rich_text_preformatted")]
    assert verbatim == [
        f"Access key ID      {KEY}\nSecret access key  {SECRET}",
        f"[keydesk]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}",
        f"export AWS_ACCESS_KEY_ID={KEY}\nexport AWS_SECRET_ACCESS_KEY={SECRET}",
        f"aws configure --profile keydesk set aws_access_key_id {KEY}\n"
        f"aws configure --profile keydesk set aws_secret_access_key {SECRET}"]
    assert everything(message).count(SECRET) == 4
    assert not any(SECRET in text for text in formatted(message))
    assert "default" not in everything(message)


def test_slack_takes_the_ephemeral_whose_one_button_carries_the_key_id() -> None:
    message = blocks.handed_over(KEYS[0], Secret(SECRET))
    check_message(message.text, message.blocks, ephemeral=True)
    assert buttons(message) == {ids.SAVED: KEY}
    assert "may take a minute" in everything(message)


def test_no_other_answer_knows_a_secret() -> None:
    """The only builder that is given one is the ephemeral's."""
    for builder in (blocks.key_list, blocks.disabled, blocks.delete_question, blocks.help_text, blocks.draw):
        assert "Secret" not in str(builder.__annotations__)


def test_every_message_has_a_text_for_notifications() -> None:
    assert all(message.text for message in (*ANSWERS.values(), blocks.handed_over(KEYS[0], Secret(SECRET))))


def test_a_key_id_is_no_request_id() -> None:
    """Buttons carry one or the other, and it is told apart by its shape."""
    assert re.fullmatch(r"[0-9a-f]{30}", ID) and not re.fullmatch(r"[0-9a-f]{30}", KEY)


def test_a_text_that_is_too_long_is_cut_and_shown() -> None:
    long = replace(KEYS[0], iam_user="x" * 5000)
    check_message("x", blocks.disabled(long).blocks)

"""The private answers to clicks and forms: which one is given in which state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.domain.identity import Member
from bot.domain.secret import Secret
from bot.operations import disable_key, report_leak
from bot.slack import action_ids
from bot.slack.listeners.context import Click, ListenerContext, Submission
from bot.slack.listeners.routes import BUTTONS, FORMS
from bot.slack.messages import replies
from bot.slack.messages.blocks import Message, date_token
from bot.slack.messages.form_input import FormInput
from bot.slack.messages.modals import FormDefaults
from bot.slack.payload import Payload
from tests.support.example_messages import SECRET
from tests.support.example_request_variants import URGENT
from tests.support.example_requests import KEY, KEYS, LATER, PENDING
from tests.support.message_parts import buttons, everything, formatted, parts
from tests.support.world import ALICE, BOB, CAROL, TEAM, World, make_desk

WHY = "it is in a public file"


class Remembering:
    """A responder that remembers its message."""

    def __init__(self) -> None:
        self.message = Message("", [])

    def show(self, message: Message, *, replace: bool = False) -> None:
        self.message = message


def answer(world: World, member: Member, name: str, about: str | FormInput) -> Message:
    """Return the answer to a click on a button with this value, or to a form."""
    context = ListenerContext(world.services, WebClient(), FormDefaults())
    responder: Any = Remembering()
    if isinstance(about, FormInput):
        FORMS[name].handle(
            Submission(
                context, member, responder, Payload(user=member.id, team=TEAM, delivery=""), about
            )
        )
    else:
        click = Payload(user=member.id, team=TEAM, delivery="", value=about)
        BUTTONS[name].handle(Click(context, member, responder, click))
    message: Message = responder.message
    return message


# -- keys


def test_an_approver_reads_whether_the_key_was_off_before() -> None:
    world = make_desk()
    key_id, other = world.console_key(), world.console_key()
    disable_key.disable(world.services, ALICE, key_id)
    user = world.services.issuer.keys(ALICE.email)[0].iam_user
    told = {"updated": True, "owner_told": True}
    for key, expected in (
        (key_id, replies.disabled_for(key_id, user, already=True, **told)),
        (key_id, replies.already_off(key_id)),
        (other, replies.disabled_for(other, user, already=False, **told)),
    ):
        form = FormInput(WHY, key_id=key)
        assert answer(world, CAROL, action_ids.DISABLE_FOR_FORM, form) == expected


@pytest.mark.parametrize("reported", [False, True])
def test_a_late_receipt_of_a_key_that_stays_off_says_why(reported: bool) -> None:
    world = make_desk()
    key_id = world.unclaimed().access_key_id
    if reported:
        report_leak.report(world.services, BOB, key_id)
    else:
        disable_key.disable_for(world.services, CAROL, key_id, WHY)
    expected = replies.claimed(key_id, active=False, reported=reported)
    assert answer(world, ALICE, action_ids.ENABLE_UNCLAIMED, key_id) == expected


@pytest.mark.parametrize("reported", [False, True])
def test_undo_is_promised_only_where_it_works(reported: bool) -> None:
    world = make_desk()
    request = world.rotated()
    if reported:
        report_leak.report(world.services, BOB, request.target)
    expected = replies.old_key_disabled(request.target, can_undo=not reported)
    assert answer(world, ALICE, action_ids.DISABLE_OLD, request.access_key_id) == expected


def test_the_answer_to_a_report_tells_nothing_about_the_key() -> None:
    assert KEY not in everything(replies.leak_reported())


# -- reveals


def test_no_reveal_is_promised_after_an_approver_disabled() -> None:
    world = make_desk()
    key_id = world.delivered().access_key_id
    world.pass_time(timedelta(hours=6))
    disable_key.disable_for(world.services, CAROL, key_id, WHY)
    text = answer(world, ALICE, action_ids.DID_NOT_GET, key_id).text
    assert f"<@{CAROL.id}>" in text and "reveal" not in text


def test_the_secret_is_in_the_usual_forms_and_never_formatted() -> None:
    message = replies.secret_message(KEYS[0], Secret(SECRET))
    verbatim = [one["elements"][0]["text"] for one in parts(message, "rich_text_preformatted")]
    assert verbatim == [
        f"Access key ID      {KEY}\nSecret access key  {SECRET}",
        f"[keydesk]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}",
        f"export AWS_ACCESS_KEY_ID={KEY}\nexport AWS_SECRET_ACCESS_KEY={SECRET}",
        f"aws configure --profile keydesk set aws_access_key_id {KEY}\n"
        f"aws configure --profile keydesk set aws_secret_access_key {SECRET}",
    ]
    assert everything(message).count(SECRET) == 4 and "default" not in everything(message)
    assert not any(SECRET in text for text in formatted(message))
    assert buttons(message) == {action_ids.SAVED: KEY}


def test_only_one_function_is_given_a_secret() -> None:
    functions = [
        one for one in vars(replies).values() if getattr(one, "__module__", "") == replies.__name__
    ]
    given = [one for one in functions if "Secret" in str(getattr(one, "__annotations__", ""))]
    assert len(functions) > 20 and given == [replies.secret_message]


# -- requests


def test_a_sent_request_says_until_when_it_waits() -> None:
    assert date_token(LATER) in replies.request_sent(PENDING).text
    assert "<!date" not in replies.request_sent(replace(PENDING, deadline=None)).text
    assert "4 hours" not in replies.request_sent(replace(URGENT, urgent=False)).text


@pytest.mark.parametrize(("needed", "extra"), [(2, False), (2, True), (3, True)])
def test_a_sent_request_promises_no_number_of_approvals(needed: int, extra: bool) -> None:
    """Whether an admin's key is requested is not known yet."""
    request = replace(PENDING, approvals_needed=needed, extra_approval=extra)
    assert replies.request_sent(request) == replies.request_sent(PENDING)
